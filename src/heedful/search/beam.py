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

from heedful.search.driver import Hypothesis, Limits, Stepper, best_pieces
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
    """Which sentence of the batch each one is."""
    tokens: Int[Tensor, "B W T"]
    """Pieces so far, `<s>` first."""
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
        self, stepper: Stepper, source_lengths: Sequence[int], limits: Limits
    ) -> list[list[Hypothesis]]:
        """Return up to n_best hypotheses for every sentence, best first."""
        found: list[list[Hypothesis]] = [[] for _ in source_lengths]
        growing = self._start(source_lengths, limits, stepper.device)
        forbidden = torch.tensor(limits.forbidden, dtype=torch.int64, device=stepper.device)
        while growing.sentences.numel():
            logits = stepper.step(growing.tokens[:, :, -1].flatten())
            parents = self._grow(growing, logits, forbidden)
            going = self._harvest(growing, limits.end_id, found)
            if going.numel():
                starts = going[:, None] * self.config.beam_size
                everyone = going.numel() == growing.sentences.numel()
                stepper.select((starts + parents[going]).flatten(), None if everyone else going)
            growing = growing.keep(going)
        return [self._ranked(hypotheses) for hypotheses in found]

    def _start(
        self, source_lengths: Sequence[int], limits: Limits, device: torch.device
    ) -> _Growing:
        """Return the state before the first piece: the rows are alike, so only row 0 is alive."""
        count, width = len(source_lengths), self.config.beam_size
        rooms = limits.room(source_lengths, self.config.max_extra)
        penalties = [length_penalty(room, self.config.length_penalty) for room in rooms]
        log_prob = torch.full((count, width), -torch.inf, device=device)
        log_prob[:, 0] = 0
        return _Growing(
            sentences=torch.arange(count, device=device),
            tokens=torch.full((count, width, 1), limits.start_id, device=device),
            log_prob=log_prob,
            room=torch.tensor(rooms, dtype=torch.int64, device=device),
            last_penalty=torch.tensor(penalties, dtype=torch.float64, device=device),
            width=torch.full((count,), width, device=device),
            best_ended=torch.full(
                (count, self.config.n_best), -torch.inf, dtype=torch.float64, device=device
            ),
        )

    def _grow(
        self, growing: _Growing, logits: Float[Tensor, "R N"], forbidden: Int[Tensor, " F"]
    ) -> Int[Tensor, "B W"]:
        """Put the best continuations into `growing`; return the slot that each continues.

        Equal ones: the better parent first, then the likelier and then the lower piece.
        """
        count, beam = growing.log_prob.shape
        values, pieces = best_pieces(logits, beam, forbidden)
        totals = (growing.log_prob.flatten()[:, None] + values).view(count, -1)
        totals, order = totals.sort(dim=-1, descending=True, stable=True)
        totals, order = totals[:, :beam], order[:, :beam]
        parents = order // values.shape[1]
        pieces = pieces.view(count, -1).gather(1, order)
        past = growing.tokens.gather(1, parents[:, :, None].expand_as(growing.tokens))
        slots = torch.arange(beam, device=totals.device)
        growing.tokens = torch.cat([past, pieces[:, :, None]], dim=-1)
        growing.log_prob = totals.masked_fill(slots >= growing.width[:, None], -torch.inf)
        return parents

    def _harvest(
        self, growing: _Growing, end_id: int, found: list[list[Hypothesis]]
    ) -> Int[Tensor, " C"]:
        """Move what has ended to `found`; return the sentences that go on."""
        length = growing.tokens.shape[2] - 1
        penalty = length_penalty(length, self.config.length_penalty)
        scores = growing.log_prob.double() / penalty
        alive = growing.log_prob > -torch.inf
        ended = alive & (growing.tokens[:, :, -1] == end_id)
        leaving = ended | (alive & (growing.room == length)[:, None])
        self._collect(growing, scores, ended, leaving, found)
        growing.width = growing.width - ended.sum(dim=1)
        growing.log_prob = growing.log_prob.masked_fill(leaving, -torch.inf)
        ended_scores = scores.masked_fill(~ended, -torch.inf)
        ranked = torch.cat([growing.best_ended, ended_scores], dim=1).sort(descending=True).values
        growing.best_ended = ranked[:, : self.config.n_best]
        attainable = growing.log_prob.amax(dim=1).double() / growing.last_penalty
        return (attainable > growing.best_ended[:, -1]).nonzero().squeeze(1)

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
            growing.tokens[sentence, slot, 1:].tolist(),
            growing.log_prob[sentence, slot].tolist(),
            scores[sentence, slot].tolist(),
            ended[sentence, slot].tolist(),
            strict=True,
        )
        for index, tokens, log_prob, score, finished in columns:
            kept = tuple(tokens[:-1] if finished else tokens)
            found[index].append(Hypothesis(kept, log_prob, score, finished))

    def _ranked(self, hypotheses: list[Hypothesis]) -> list[Hypothesis]:
        """Sort those that ended, then those cut off; of equal ones the first found stays first."""
        return sorted(hypotheses, key=lambda x: (not x.finished, -x.score))[: self.config.n_best]
