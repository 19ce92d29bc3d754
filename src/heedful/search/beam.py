"""Beam search: the W likeliest beginnings of every sentence grow side by side.

A stepper comes in, an n-best list for every sentence goes out. The width is fixed at the start: a
hypothesis that ends keeps its place, so that a beam of 1 is greedy search.
"""

__all__ = ["Beam", "BeamSearch"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field, model_validator

from heedful.search.driver import (
    Hypothesis,
    Limits,
    More,
    Stepper,
    best_pieces,
    joined,
    nothing_more,
)
from heedful.search.scoring import length_penalty
from heedful.settings import Settings
from heedful.shapes import Bool, Float, Int, Tensor


class Beam(Settings):
    """Beam search as in section 6.1: beam 4, length penalty 0.6, at most 50 pieces longer."""

    kind: Literal["beam"] = "beam"
    beam_size: int = Field(4, ge=1, le=1024)
    """Hypotheses kept for each sentence."""
    length_penalty: float = Field(0.6, ge=0, le=10)
    """Alpha of the GNMT length penalty; 0 ranks by probability alone, which favours short ones."""
    n_best: int = Field(1, ge=1, le=1024)
    """Hypotheses returned for each sentence, at most beam_size."""
    max_extra: int = Field(50, ge=1, le=100_000)
    """A translation is at most this many pieces longer than its source."""

    @model_validator(mode="after")
    def _fits(self) -> "Beam":
        if self.n_best > self.beam_size:
            raise ValueError(f"n_best {self.n_best} is more than beam_size {self.beam_size}")
        return self

    def build(self) -> "BeamSearch":
        """Return the search."""
        return BeamSearch(self)


@dataclass
class _Growing:
    """Hypotheses that go on, for the sentences not yet done; an empty slot has log_prob -inf."""

    sentences: Int[Tensor, " B"]
    """Which sentence each one is, in the order they came in."""
    tokens: Int[Tensor, "B W T"]
    """Pieces so far, as many as `length` says; `<s>` is not among them."""
    last: Int[Tensor, "B W"]
    """The newest of them."""
    length: Int[Tensor, " B"]
    log_prob: Float[Tensor, "B W"]
    room: Int[Tensor, " B"]
    """Longest hypothesis allowed."""
    last_penalty: Float[Tensor, " B"]
    """Length penalty at that length: the largest there can be."""
    width: Int[Tensor, " B"]
    """W less the hypotheses that have ended."""
    best_ended: Float[Tensor, "B K"]
    """The n_best scores among those, best first; -inf where there are fewer."""

    def keep(self, going: Int[Tensor, " C"]) -> "_Growing":
        """Return the state of these sentences alone."""
        return _Growing(*(getattr(self, name)[going] for name in self.__dataclass_fields__))

    def joined(self, other: "_Growing") -> "_Growing":
        """Return the state of both, the other's sentences behind."""
        return _Growing(*(joined(getattr(self, x), getattr(other, x)) for x in vars(self)))


@dataclass(frozen=True)
class BeamSearch:
    """Runs `Beam`.

    At each position the best W - (ended so far) continuations of a sentence are kept; those that
    end in `</s>` leave the beam. A sentence is done when its beam is empty, when the maximum length
    is reached (what is left is kept, marked unfinished, and ranks after all that ended), or when
    nothing that still grows can reach the n_best: a log-probability only falls and the penalty
    only rises, so log_prob / lp(maximum length) is the best score it can attain.
    """

    config: Beam

    @property
    def rows_per_sentence(self) -> int:
        """The beam size."""
        return self.config.beam_size

    @torch.inference_mode()
    def run(
        self,
        stepper: Stepper,
        source_lengths: Sequence[int],
        limits: Limits,
        more: More = nothing_more,
    ) -> list[list[Hypothesis]]:
        """Return up to n_best hypotheses for every sentence, best first."""
        found: list[list[Hypothesis]] = []
        forbidden = torch.tensor(limits.forbidden, dtype=torch.int64, device=stepper.device)
        growing = self._start(source_lengths, limits, stepper.device, found)
        while True:
            if fresh := more(growing.sentences.numel()):
                growing = growing.joined(self._start(fresh, limits, stepper.device, found))
            if not growing.sentences.numel():
                return [self._ranked(hypotheses) for hypotheses in found]
            parents = self._grow(growing, stepper, forbidden)
            going = self._harvest(growing, limits.end_id, found)
            starts = going[:, None] * self.config.beam_size
            everyone = going.numel() == growing.sentences.numel()
            stepper.select((starts + parents[going]).flatten(), None if everyone else going)
            if not everyone:
                growing = growing.keep(going)

    def _start(
        self,
        source_lengths: Sequence[int],
        limits: Limits,
        device: torch.device,
        found: list[list[Hypothesis]],
    ) -> _Growing:
        """Return the state of sentences before the first piece, with places in `found`.

        The rows of a sentence are alike, so only its row 0 is alive.
        """
        count, width = len(source_lengths), self.config.beam_size
        rooms = limits.room(source_lengths, self.config.max_extra)
        numbers = range(len(found), len(found) + count)
        found += [[] for _ in rooms]
        longest = max(rooms, default=0)
        log_prob = torch.full((count, width), -torch.inf, device=device)
        log_prob[:, 0] = 0
        return _Growing(
            sentences=torch.tensor(numbers, dtype=torch.int64, device=device),
            tokens=torch.zeros(count, width, longest, dtype=torch.int64, device=device),
            last=torch.full((count, width), limits.start_id, device=device),
            length=torch.zeros(count, dtype=torch.int64, device=device),
            log_prob=log_prob,
            room=torch.tensor(rooms, dtype=torch.int64, device=device),
            last_penalty=self._penalties(rooms, device),
            width=torch.full((count,), width, device=device),
            best_ended=torch.full(
                (count, self.config.n_best), -torch.inf, dtype=torch.float64, device=device
            ),
        )

    def _grow(
        self, growing: _Growing, stepper: Stepper, forbidden: Int[Tensor, " F"]
    ) -> Int[Tensor, "B W"]:
        """Put the best continuations into `growing`; return the slot that each continues.

        Equal ones: the better parent first, then the likelier and then the lower piece.
        """
        count, beam = growing.log_prob.shape
        values, pieces = self._continuations(growing, stepper, forbidden)
        totals = (growing.log_prob.flatten()[:, None] + values).view(count, -1)
        totals, order = totals.sort(dim=-1, descending=True, stable=True)
        totals, order = totals[:, :beam], order[:, :beam]
        parents = order // values.shape[1]
        growing.last = pieces.view(count, -1).gather(1, order)
        tokens = growing.tokens.gather(1, parents[:, :, None].expand_as(growing.tokens))
        places = growing.length[:, None, None].expand(-1, beam, 1)
        growing.tokens = tokens.scatter_(2, places, growing.last[:, :, None])
        growing.length = growing.length + 1
        slots = torch.arange(beam, device=totals.device)
        growing.log_prob = totals.masked_fill(slots >= growing.width[:, None], -torch.inf)
        return parents

    def _continuations(
        self, growing: _Growing, stepper: Stepper, forbidden: Int[Tensor, " F"]
    ) -> tuple[Float[Tensor, "R K"], Int[Tensor, "R K"]]:
        """Return the best pieces after every slot; -inf after an empty one, which is not asked."""
        alive = (growing.log_prob.flatten() > -torch.inf).nonzero().squeeze(1)
        slots = growing.log_prob.numel()
        asked = None if alive.numel() == slots else alive
        logits = stepper.step(growing.last.flatten(), asked)
        values, pieces = best_pieces(logits, self.config.beam_size, forbidden, stepper.entries)
        if asked is None:
            return values, pieces
        shape = (slots, values.shape[1])
        return (
            values.new_full(shape, -torch.inf).index_copy_(0, alive, values),
            pieces.new_zeros(shape).index_copy_(0, alive, pieces),
        )

    def _harvest(
        self, growing: _Growing, end_id: int, found: list[list[Hypothesis]]
    ) -> Int[Tensor, " C"]:
        """Move what has ended to `found`; return the sentences that go on."""
        scores = (
            growing.log_prob.double()
            / self._penalties(growing.length.tolist(), growing.length.device)[:, None]
        )
        alive = growing.log_prob > -torch.inf
        ended = alive & (growing.last == end_id)
        leaving = ended | (alive & (growing.room == growing.length)[:, None])
        self._collect(growing, scores, ended, leaving, found)
        growing.width = growing.width - ended.sum(dim=1)
        growing.log_prob = growing.log_prob.masked_fill(leaving, -torch.inf)
        ended_scores = scores.masked_fill(~ended, -torch.inf)
        ranked = torch.cat([growing.best_ended, ended_scores], dim=1).sort(descending=True).values
        growing.best_ended = ranked[:, : self.config.n_best]
        attainable = growing.log_prob.amax(dim=1).double() / growing.last_penalty
        return (attainable > growing.best_ended[:, -1]).nonzero().squeeze(1)

    def _penalties(self, lengths: Sequence[int], device: torch.device) -> Float[Tensor, " B"]:
        """Return the length penalty of each length."""
        found = [length_penalty(length, self.config.length_penalty) for length in lengths]
        return torch.tensor(found, dtype=torch.float64, device=device)

    def _collect(
        self,
        growing: _Growing,
        scores: Float[Tensor, "B W"],
        ended: Bool[Tensor, "B W"],
        leaving: Bool[Tensor, "B W"],
        found: list[list[Hypothesis]],
    ) -> None:
        places = leaving.nonzero()
        if not places.numel():
            return
        sentence, slot = places.unbind(1)
        columns = zip(
            growing.sentences[sentence].tolist(),
            growing.tokens[sentence, slot].tolist(),
            growing.length[sentence].tolist(),
            growing.log_prob[sentence, slot].tolist(),
            scores[sentence, slot].tolist(),
            ended[sentence, slot].tolist(),
            strict=True,
        )
        for index, tokens, length, log_prob, score, finished in columns:
            kept = tuple(tokens[: length - finished])
            found[index].append(Hypothesis(kept, log_prob, score, finished))

    def _ranked(self, hypotheses: list[Hypothesis]) -> list[Hypothesis]:
        """Sort those that ended, then those cut off; of equal ones the first found stays first."""
        return sorted(hypotheses, key=lambda x: (not x.finished, -x.score))[: self.config.n_best]
