"""Text to numbers by an encoder: vectors of sentences, words for `[MASK]`, labels of texts.

`heedful.interop` makes a `Reader` of a folder, `heed embed`, `heed fill` and `heed classify` use
it. Texts go through the model sorted by length, so that there is hardly any padding; results come
in the order of the texts.
"""

__all__ = ["Candidate", "Cut", "Pooling", "Reader", "Sentences"]

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch.nn.functional import normalize

from heedful.errors import DataError, ModelError, SettingError
from heedful.models.bert import BERT
from heedful.models.bert_heads import Labels, MaskedWords, Value
from heedful.models.seq2seq import Memory
from heedful.shapes import Array, Float, Tensor
from heedful.text.wordpiece import Framed, WordPieces, cut

Pooling = Literal["mean", "first", "max"]
"""How states become one vector: their mean, the first one (`[CLS]`), or the largest of each."""

POSITIONS = 8192
"""Positions of a batch, padding counted, at most, unless one text needs more."""

MASK = "[MASK]"


@dataclass(frozen=True)
class Sentences:
    """How a text becomes a vector."""

    max_length: int
    """Pieces of a text at most, control pieces counted."""
    pooling: Pooling = "mean"
    normalised: bool = True
    """Whether vectors have the length 1, so that a product of two is their cosine."""
    lower_case: bool = False
    """Whether texts are read in small letters, beside what the vocabulary does."""
    prompt: str = ""
    """What stands before each text."""

    def read(self, text: str) -> str:
        """Return the text that the model reads.

        >>> Sentences(256, lower_case=True, prompt="Query: ").read(" A cat ")
        'query:  a cat'
        """
        text = self.prompt + text
        return text.strip().lower() if self.lower_case else text


@dataclass
class Cut:
    """What did not fit into the model: texts whose end was left out."""

    most: int
    """Pieces that fit."""
    texts: int = 0
    seen: int = 0
    """Texts that were looked at."""
    first: int = 0
    """Number of the first that was cut, from 1."""
    pieces: int = 0
    """How many pieces that one has."""

    def note(self, pieces: int) -> None:
        """Take note of the next text, which has so many pieces."""
        self.seen += 1
        if pieces <= self.most:
            return
        if not self.texts:
            self.first, self.pieces = self.seen, pieces
        self.texts += 1

    def said(self) -> str:
        """Return what to tell of it, empty if nothing was cut.

        >>> Cut(256, texts=2, seen=9, first=7, pieces=300).said()
        '2 texts lost their ends: the model reads 256 pieces, text 7 is the first with more (300)'
        """
        if not self.texts:
            return ""
        whose = (
            "1 text lost its end" if self.texts == 1 else f"{self.texts:,} texts lost their ends"
        )
        more = f"text {self.first:,} is the first with more ({self.pieces:,})"
        return f"{whose}: the model reads {self.most:,} pieces, {more}"


class Candidate(NamedTuple):
    """A piece that may stand where `[MASK]` stands."""

    piece: str
    probability: float


@dataclass
class Reader:
    """A model and its vocabulary."""

    model: BERT
    vocabulary: WordPieces
    sentences: Sentences

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the model knows; none where it gives a number.

        Raises ModelError for a model that answers nothing about whole texts.
        """
        head = self.model.config.head
        if isinstance(head, Labels):
            return head.labels
        if isinstance(head, Value):
            return ()
        raise ModelError(
            f"the model has no head for labels of texts (it has {head.kind})",
            fix="teach it: heed train --recipe bert-classify --start FOLDER --data a.tsv --out RUN",
        )

    @torch.inference_mode()
    def embed(self, texts: Sequence[str], cut_off: Cut | None = None) -> Float[Array, "B D"]:
        """Return a vector of each text; what is cut off is noted in `cut_off`."""
        how = self.sentences
        rows = self._rows([how.read(text) for text in texts], None, how.max_length, cut_off)
        vectors = np.empty((len(texts), self.model.config.d_model), np.float32)
        for places, memory in self._read(rows):
            pooled = _POOLED[how.pooling](memory)
            if how.normalised:
                pooled = normalize(pooled, dim=1)
            vectors[places] = pooled.float().cpu().numpy()
        return vectors

    @torch.inference_mode()
    def classify(
        self,
        texts: Sequence[str],
        seconds: Sequence[str] | None = None,
        cut_off: Cut | None = None,
    ) -> Float[Array, "B L"]:
        """Return the probability of each label for each text or pair, or the number [B 1].

        What is cut off is noted in `cut_off`. Raises ModelError without such a head.
        """
        known = self.labels
        rows = self._rows(texts, seconds, self.model.config.max_length, cut_off)
        found = np.empty((len(texts), len(known) or 1), np.float32)
        for places, memory in self._read(rows):
            answers = self.model.answer(memory).float()
            found[places] = (answers.softmax(-1) if known else answers).cpu().numpy()
        return found

    @torch.inference_mode()
    def fill(self, text: str, count: int, where: str = "text") -> list[list[Candidate]]:
        """Return the likeliest pieces for each `[MASK]` of a text, in their order.

        Raises ModelError without a head for it, DataError for a text without `[MASK]` or with more
        pieces than the model reads: what stands behind would be missing.
        """
        config, mask_id = self.model.config, self.vocabulary.mask_id
        if not isinstance(config.head, MaskedWords) or mask_id is None:
            fix = "take a BertForMaskedLM, or train one: heed train --recipe bert-words"
            raise ModelError("the model has no head for masked words", fix=fix)
        parts = self.vocabulary.encode(text.split(MASK), where)
        if len(parts) == 1:
            raise DataError(
                f"there is no {MASK} in it", where=where, fix=f"write {MASK} for a word"
            )
        ids = [piece for part in parts for piece in (*part, mask_id)][:-1]
        row = self.vocabulary.framed(ids)
        if len(row.ids) > config.max_length:
            problem = f"it has {len(row.ids):,} pieces and the model reads {config.max_length:,}"
            raise DataError(problem, where=where, fix="shorten it")
        masked = [place for place, piece in enumerate(row.ids) if piece == mask_id]
        ((_, memory),) = self._read([row])
        logits = self.model.project(memory.states[0, masked]).float()
        best = logits.softmax(-1).topk(min(count, logits.shape[1]))
        return [
            [Candidate(self.vocabulary.piece(n), p) for n, p in zip(*one, strict=True)]
            for one in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]

    def _rows(
        self,
        texts: Sequence[str],
        seconds: Sequence[str] | None,
        most: int,
        cut_off: Cut | None,
    ) -> list[Framed]:
        """Return what the model reads of each text or pair."""
        firsts = self.vocabulary.encode(texts)
        others: list[list[int] | None] = [None] * len(firsts)
        if seconds is not None:
            if self.model.config.n_segments < 2:
                raise SettingError("the model reads one text at a time", fix="leave out the second")
            others = [*self.vocabulary.encode(seconds)]
        rows = []
        for first, second in zip(firsts, others, strict=True):
            controls = 2 if second is None else 3
            pieces = len(first) + len(second or ()) + controls
            if cut_off is not None:
                cut_off.note(pieces)
            if pieces > most:
                first, second = cut(first, second, most - controls)
            rows.append(self.vocabulary.framed(first, second))
        return rows

    def _read(self, rows: Sequence[Framed]) -> Iterator[tuple[list[int], Memory]]:
        """Yield the states of some rows after others, with the places of these rows."""
        self.model.eval()
        device = self.model.words.weight.device
        order = sorted(range(len(rows)), key=lambda place: -len(rows[place].ids))
        while order:
            width = len(rows[order[0]].ids)
            places, order = order[: max(1, POSITIONS // width)], order[max(1, POSITIONS // width) :]
            ids = torch.full((len(places), width), self.vocabulary.pad_id)
            segments, mask = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
            for at, place in enumerate(places):
                row, length = rows[place], len(rows[place].ids)
                ids[at, :length] = torch.tensor(row.ids)
                segments[at, :length] = torch.tensor(row.segments)
                mask[at, :length] = True
            there = [x.to(device) for x in (ids, mask, segments)]
            yield places, self.model.encode(*there)


def _mean(memory: Memory) -> Tensor:
    """Return the mean of the real states."""
    real = memory.mask[..., None].to(memory.states.dtype)
    return (memory.states * real).sum(1) / real.sum(1)


def _largest(memory: Memory) -> Tensor:
    """Return the largest number of each place among the real states."""
    lowest = torch.finfo(memory.states.dtype).min
    return memory.states.masked_fill(~memory.mask[..., None], lowest).amax(1)


_POOLED: dict[Pooling, Callable[[Memory], Tensor]] = {
    "mean": _mean,
    "first": lambda memory: memory.states[:, 0],
    "max": _largest,
}
