"""Greedy search: always the likeliest next piece.

A stepper comes in, one hypothesis a sentence goes out; beam search with a beam of 1 gives the same
tokens.
"""

__all__ = ["Greedy", "GreedySearch"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field

from heedful.search.driver import Hypothesis, Limits, Stepper, best_pieces
from heedful.settings import Settings


class Greedy(Settings):
    """Take the likeliest piece at every position: fastest, a little worse than a beam."""

    kind: Literal["greedy"] = "greedy"
    max_extra: int = Field(50, ge=1, le=100_000)
    """A translation is at most this many pieces longer than its source."""

    def build(self) -> "GreedySearch":
        """Return the search."""
        return GreedySearch(self)


@dataclass(frozen=True)
class GreedySearch:
    """Runs `Greedy`; the score of its one hypothesis is its log-probability."""

    config: Greedy

    @property
    def rows_per_sentence(self) -> int:
        """One row a sentence."""
        return 1

    @torch.inference_mode()
    def run(
        self, stepper: Stepper, source_lengths: Sequence[int], limits: Limits
    ) -> list[list[Hypothesis]]:
        """Return one hypothesis for every sentence; see `heedful.search.driver.Search`."""
        found: list[list[Hypothesis]] = [[] for _ in source_lengths]
        if not found:
            return found
        device = stepper.device
        forbidden = torch.tensor(limits.forbidden, dtype=torch.int64, device=device)
        room = torch.tensor(limits.room(source_lengths, self.config.max_extra), device=device)
        sentences = torch.arange(len(found), device=device)
        tokens = torch.full((len(found), 1), limits.start_id, device=device)
        log_prob = torch.zeros(len(found), device=device)
        while sentences.numel():
            values, pieces = best_pieces(stepper.step(tokens[:, -1]), 1, forbidden)
            log_prob = log_prob + values[:, 0]
            tokens = torch.cat([tokens, pieces], dim=1)
            ended = pieces[:, 0] == limits.end_id
            done = ended | (room == tokens.shape[1] - 1)
            for row in done.nonzero().squeeze(1).tolist():
                finished = bool(ended[row])
                kept = tokens[row, 1:-1] if finished else tokens[row, 1:]
                score = float(log_prob[row])
                hypothesis = Hypothesis(tuple(kept.tolist()), score, score, finished)
                found[int(sentences[row])].append(hypothesis)
            going = (~done).nonzero().squeeze(1)
            if 0 < going.numel() < done.numel():
                stepper.select(going, going)
            sentences, tokens, log_prob, room = (
                state[going] for state in (sentences, tokens, log_prob, room)
            )
        return found
