"""What may come next, beside what the model finds likely: lengths, repetitions, wishes.

Logits and the beginnings of translations come in, log-probabilities that obey the rules go out.
The share of what is forbidden is not given to the others, so that scores stay the model's. Every
search asks them; where nothing is asked for, it chooses from the logits directly.
"""

__all__ = ["Rows", "Rules"]

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from heedful.search.best import log_probs_of
from heedful.search.shaping import Shaping
from heedful.search.wish import NOTHING, Asked, Wish
from heedful.shapes import Array, Bool, Float, Int, Tensor


class Rows(NamedTuple):
    """Beginnings of translations, those that logits are there for."""

    sentences: Int[Array, " A"]
    """Which one each row is of, in the order they came in."""
    tokens: Int[Array, "A T"]
    """Pieces so far, as many as `length` says."""
    length: Int[Array, " A"]
    states: Int[Array, "A P"]
    """How far each automaton of the sentence's wish has come."""


class Rules:
    """The rules of one search, for all sentences that it has been given so far."""

    def __init__(
        self, shaping: Shaping, end_id: int, forbidden: Sequence[int], vocabulary_size: int
    ) -> None:
        self._shaping = shaping
        self._end = end_id
        self._forbidden = np.array(forbidden, np.int64)
        self._size = vocabulary_size
        self.asked: list[Asked] = []
        self._wishes = self._musts = False
        self.followed = 0
        """P: the most automata of a sentence."""

    def admit(self, asked: Sequence[Asked]) -> None:
        """Learn of further sentences."""
        self.asked += asked
        for one in asked:
            self._musts |= bool(one.wish.must)
            self._wishes |= one.wish != NOTHING
            self.followed = max(self.followed, len(one.wish.automata))

    @property
    def active(self) -> bool:
        """Whether there are any."""
        return self._wishes or self._shaping.changes_scores

    def demanding(self, sentences: Int[Array, " B"]) -> bool:
        """Whether words must appear in one of these sentences."""
        return self._musts and any(self.wish(number).must for number in sentences.tolist())

    def wish(self, sentence: int) -> Wish:
        """Return what is wished for a sentence."""
        return self.asked[sentence].wish

    def log_probs(
        self, logits: Float[Tensor, "A N"], entries: Int[Tensor, "A N"] | None, rows: Rows
    ) -> Float[Array, "A V"]:
        """Return log-probabilities of all pieces, -inf where a piece must not come next."""
        model = self._whole(log_probs_of(logits), entries)
        model[:, self._forbidden] = -np.inf
        found = model.copy()
        self._punish_repetition(found, rows)
        if self._shaping.no_repeat_ngram:
            _forbid_repetition(found, rows, self._shaping.no_repeat_ngram)
        found[rows.length + 1 < self._shaping.min_length, self._end] = -np.inf
        if self._wishes:
            for row, sentence in enumerate(rows.sentences.tolist()):
                self._grant(self.wish(sentence), model[row], found[row], rows, row)
        return found

    def advance(
        self, sentences: Int[Array, " B"], states: Int[Array, "B W P"], last: Int[Array, "B W"]
    ) -> None:
        """Let the automata of every row read its newest piece."""
        if not self.followed:
            return
        for row, sentence in enumerate(sentences.tolist()):
            for number, automaton in enumerate(self.wish(sentence).automata):
                for slot, piece in enumerate(last[row].tolist()):
                    state = int(states[row, slot, number])
                    states[row, slot, number] = automaton.advance(state, piece)

    def _whole(
        self, known: Float[Array, "A N"], entries: Int[Tensor, "A N"] | None
    ) -> Float[Array, "A V"]:
        """Return log-probabilities of the whole vocabulary, also where only some are known."""
        if entries is None:
            return known
        listed = entries.cpu().numpy()
        found = np.full((len(known), self._size), -np.inf, np.float32)
        row, column = np.nonzero(known > -np.inf)
        found[row, listed[row, column]] = known[row, column]
        return found

    def _punish_repetition(self, found: Float[Array, "A V"], rows: Rows) -> None:
        penalty = self._shaping.repetition_penalty
        if penalty != 1:
            row, place = np.nonzero(np.arange(rows.tokens.shape[1]) < rows.length[:, None])
            piece = rows.tokens[row, place]
            found[row, piece] = found[row, piece] * np.float32(penalty)

    def _grant(
        self,
        wish: Wish,
        model: Float[Array, " V"],
        found: Float[Array, " V"],
        rows: Rows,
        row: int,
    ) -> None:
        """Let one row obey its wish; what must come is barred by nothing but `never`."""
        states = rows.states[row].tolist()
        before = rows.tokens[row, : rows.length[row]].tolist()
        begun = None if wish.opening is None else wish.opening.allowed(before)
        if begun is not None:
            found[:] = np.where(begun, model, -np.inf)
        at = 0
        for group in wish.must:
            its = states[at : at + len(group)]
            at += len(group)
            if any(one.ends_well(state) for one, state in zip(group, its, strict=True)):
                continue
            found[self._end] = -np.inf
            if begun is None:
                ways = [one.ways(state) for one, state in zip(group, its, strict=True)]
                first = np.array([way[0] for both in ways for way in both if way])
                barred = first[found[first] == -np.inf]
                found[barred] = model[barred]
        for automaton, state in zip(wish.never, states[at:], strict=False):
            found[automaton.completing(state)] = -np.inf
        if wish.grammar is not None:
            found[~wish.grammar.allowed(before)] = -np.inf


def _forbid_repetition(found: Float[Array, "A V"], rows: Rows, size: int) -> None:
    """Forbid the pieces that would end a sequence of `size` pieces which is there already."""
    if rows.tokens.shape[1] < size:
        return
    windows = sliding_window_view(rows.tokens, size, axis=1)
    places = rows.length[:, None] + np.arange(1 - size, 0)
    latest = np.take_along_axis(rows.tokens, np.maximum(places, 0), axis=1)
    alike: Bool[Array, "A N"] = (windows[:, :, :-1] == latest[:, None]).all(axis=-1)
    alike &= np.arange(windows.shape[1]) + size <= rows.length[:, None]
    row, window = np.nonzero(alike)
    found[row, windows[row, window, -1]] = -np.inf
