"""Many sources become hypotheses: sorted by length, in batches of a token budget, back in order.

Lists of ids come in, an n-best list for each goes out in the order they came; no text and no
tokenizer is known here. The translator and the validation during training call it.
"""

__all__ = ["BATCH_TOKENS", "Engine", "ModelStepper", "batches"]

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from heedful.errors import ModelError
from heedful.models.seq2seq import Memory, Seq2Seq
from heedful.search import Beam, Greedy, Hypothesis, Limits
from heedful.shapes import Float, Int, Tensor

BATCH_TOKENS = 4096
"""Source pieces times rows decoded at once."""

LEAST = 16
"""Pieces that a source counts at least: a row costs a projection onto the vocabulary, too."""


class ModelStepper:
    """A `Seq2Seq` model as the `heedful.search.Stepper` that a search drives, with its cache."""

    def __init__(
        self, model: Seq2Seq, memory: Memory, rows_per_sentence: int, max_length: int
    ) -> None:
        self.model = model
        self.memory = memory
        self.cache = model.new_cache(memory, rows_per_sentence, max_length)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return self.memory.states.device

    def step(self, tokens: Int[Tensor, " R"]) -> Float[Tensor, "R N"]:
        """Take the newest piece of every row; return logits for the position after it."""
        hidden = self.model.hidden(tokens[:, None], self.memory, self.cache)
        return self.model.project(hidden[:, 0])

    def select(self, rows: Int[Tensor, " Q"], sentences: Int[Tensor, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; keep only `sentences`, if given."""
        self.cache.select(rows, sentences)
        if sentences is not None:
            self.memory = self.memory.select(sentences)


@dataclass(frozen=True)
class Engine:
    """Decodes with one model on one device."""

    model: Seq2Seq
    limits: Limits
    """The control pieces and the longest sequence the model knows."""
    device: torch.device
    pad_id: int = 0

    def decode(
        self,
        sources: Sequence[Sequence[int]],
        search: Greedy | Beam,
        *,
        batch_tokens: int = BATCH_TOKENS,
    ) -> list[list[Hypothesis]]:
        """Return the n-best hypotheses of every source, in the order of the sources.

        The longest come first, so that a lack of memory shows at once; a batch that is too large
        for the GPU is halved. Raises ModelError for a source that is empty or longer than the
        model knows, and when a single one does not fit into memory.
        """
        self._check(sources)
        runner = search.build()
        found: list[list[Hypothesis]] = [[] for _ in sources]
        waiting = batches([len(x) for x in sources], runner.rows_per_sentence, batch_tokens)[::-1]
        while waiting:
            rows = waiting.pop()
            results = self._batch([sources[row] for row in rows], search)
            if results is None:
                half = len(rows) // 2
                waiting += [rows[half:], rows[:half]]
                continue
            for row, hypotheses in zip(rows, results, strict=True):
                found[row] = hypotheses
        return found

    def _check(self, sources: Sequence[Sequence[int]]) -> None:
        longest = self.limits.max_length
        for number, source in enumerate(sources, start=1):
            if not source:
                raise ModelError(f"source {number} has no pieces", fix="leave out empty sources")
            if longest is not None and len(source) > longest:
                raise ModelError(
                    f"source {number} has {len(source):,} pieces and the model knows {longest:,}",
                    fix="split it",
                )

    @torch.inference_mode()
    def _batch(
        self, sources: list[Sequence[int]], search: Greedy | Beam
    ) -> list[list[Hypothesis]] | None:
        """Return the hypotheses, None if there is too little memory for so many at once."""
        runner = search.build()
        lengths = [len(source) for source in sources]
        try:
            padded, mask = self._padded(sources)
            memory = self.model.eval().encode(padded, mask)
            room = max(self.limits.room(lengths, search.max_extra))
            stepper = ModelStepper(self.model, memory, runner.rows_per_sentence, room)
            return runner.run(stepper, lengths, self.limits)
        except torch.OutOfMemoryError:
            if len(sources) > 1:
                return None
        raise ModelError(
            f"one source of {lengths[0]:,} pieces does not fit into the memory of {self.device}",
            fix="use a smaller beam or the CPU",
        )

    def _padded(self, sources: list[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Return the ids, padded to the longest, and the mask that is True at real pieces."""
        longest = max(len(source) for source in sources)
        rows = [[*source, *[self.pad_id] * (longest - len(source))] for source in sources]
        lengths = torch.tensor([len(source) for source in sources], device=self.device)
        mask = torch.arange(longest, device=self.device) < lengths[:, None]
        return torch.tensor(rows, device=self.device), mask


def batches(lengths: Sequence[int], rows: int, batch_tokens: int) -> list[list[int]]:
    """Return which sources go together: like lengths, the longest first, ties in their order.

    sources * rows * longest <= batch_tokens, but never fewer than one source; a source counts
    at least `LEAST` pieces.

    >>> batches([20, 40, 30, 20], rows=2, batch_tokens=120)
    [[1], [2, 0], [3]]
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    result: list[list[int]] = []
    room = 0
    for index in order:
        if not room:
            result.append([])
            room = max(1, batch_tokens // (rows * max(lengths[index], LEAST)))
        result[-1].append(index)
        room -= 1
    return result
