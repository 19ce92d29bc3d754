"""Many sources become hypotheses: sorted by length, in batches of a token budget, back in order.

Lists of ids come in, an n-best list for each goes out in the order they came; no text and no
tokenizer is known here. The translator and the validation during training call it.
"""

__all__ = ["BATCH_TOKENS", "Engine", "ModelStepper", "batches", "decode"]

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import torch

from heedful.decode.fused import FusedStepper, Workspace, fusible
from heedful.decode.packed import PackedTransformer, pack
from heedful.errors import ModelError
from heedful.kernels.warm import ready
from heedful.models.seq2seq import Memory, Seq2Seq
from heedful.models.transformer import Transformer
from heedful.search import Beam, Greedy, Hypothesis, Limits
from heedful.shapes import Bool, Float, Int, Tensor

BATCH_TOKENS = 4096
"""Source pieces times rows decoded at once."""

SMALL = 10_000
"""Pieces of all sources so far below which the kernels are not asked for: the first time on a
machine they are compiled, half a minute during which a job of a few seconds would be slowed."""

LEAST = 16
"""Pieces that a source counts at least: a row costs a projection onto the vocabulary, too."""


Found = tuple[list[int], list[list[Hypothesis]]]
"""The rows of a batch and their hypotheses."""


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


def decode(
    model: Seq2Seq,
    sources: Sequence[Sequence[int]],
    search: Greedy | Beam,
    *,
    limits: Limits,
    device: torch.device | str = "cpu",
    batch_tokens: int = BATCH_TOKENS,
    pad_id: int = 0,
) -> list[list[Hypothesis]]:
    """Return what an `Engine` made for this once finds."""
    return Engine(model, device, pad_id).decode(sources, search, limits, batch_tokens)


class Engine:
    """Translates with one model, whose weights must not change meanwhile.

    On CPU a Transformer goes the fused way (`heedful.decode.fused`), a thread for each core with
    batches of its own. Until its kernels are there, for small jobs and for any other model it is
    the eager way. Both give the same tokens.
    """

    def __init__(self, model: Seq2Seq, device: torch.device | str = "cpu", pad_id: int = 0) -> None:
        self.model = model
        self.device = torch.device(device)
        self.pad_id = pad_id
        self._packed: PackedTransformer | None = None
        self._seen = 0

    def decode(
        self,
        sources: Sequence[Sequence[int]],
        search: Greedy | Beam,
        limits: Limits,
        batch_tokens: int = BATCH_TOKENS,
    ) -> list[list[Hypothesis]]:
        """Return the n-best hypotheses of every source, in the order of the sources.

        Switches the model's dropout off. The longest sources come first, so that a lack of memory
        shows at once; a batch that is too large for the GPU is halved. Raises ModelError for a
        source that is empty or longer than the model knows, and when a single one does not fit
        into memory.
        """
        _check(sources, limits)
        self.model.eval()
        lengths = [len(source) for source in sources]
        waiting = batches(lengths, search.build().rows_per_sentence, batch_tokens)[::-1]
        found: list[list[Hypothesis]] = [[] for _ in sources]
        fused = self._may_fuse(sum(lengths))
        while waiting:
            if fused and self._ready():
                results = self._fused(waiting[::-1], sources, search, limits)
                waiting = []
            else:
                results = self._eager(waiting, sources, search, limits)
            for rows, hypotheses in results:
                for row, one in zip(rows, hypotheses, strict=True):
                    found[row] = one
        return found

    def _may_fuse(self, pieces: int) -> bool:
        """Return whether to take the fused way when it is ready."""
        self._seen += pieces
        return self._seen >= SMALL and fusible(self.model, self.device)

    def _ready(self) -> bool:
        """Return whether the kernels and the weights are there; set to work if not."""
        if self._packed is None and ready():
            assert isinstance(self.model, Transformer)
            self._packed = pack(self.model)
        return self._packed is not None

    def _eager(
        self,
        waiting: list[list[int]],
        sources: Sequence[Sequence[int]],
        search: Greedy | Beam,
        limits: Limits,
    ) -> Iterator[Found]:
        """Take a batch from the end and yield its results; put back what must be halved."""
        rows = waiting.pop()
        padded, mask = _padded([sources[row] for row in rows], self.pad_id, self.device)
        results = _run(self.model, padded, mask, search, limits)
        if results is None:
            half = len(rows) // 2
            waiting += [rows[half:], rows[:half]]
        else:
            yield rows, results

    def _fused(
        self,
        work: list[list[int]],
        sources: Sequence[Sequence[int]],
        search: Greedy | Beam,
        limits: Limits,
    ) -> Iterator[Found]:
        """Yield the results of the batches, in their order, from as many threads as cores.

        Each thread computes with one core: products this small gain nothing from two, and wait
        for each other on a busy machine.
        """
        cores = torch.get_num_threads()
        spaces: SimpleQueue[Workspace] = SimpleQueue()
        for _ in range(cores):
            spaces.put(Workspace())

        def run(rows: list[int]) -> Found:
            space = spaces.get()
            try:
                return rows, self._run_fused([sources[row] for row in rows], search, limits, space)
            finally:
                spaces.put(space)

        try:
            with ThreadPoolExecutor(cores, "decode", torch.set_num_threads, (1,)) as pool:
                yield from pool.map(run, work)
        finally:
            torch.set_num_threads(cores)

    @torch.inference_mode()
    def _run_fused(
        self,
        sources: list[Sequence[int]],
        search: Greedy | Beam,
        limits: Limits,
        space: Workspace,
    ) -> list[list[Hypothesis]]:
        assert self._packed is not None
        runner = search.build()
        lengths = [len(source) for source in sources]
        room = max(limits.room(lengths, search.max_extra))
        stepper = FusedStepper(self._packed, sources, runner.rows_per_sentence, room, space)
        return runner.run(stepper, lengths, limits)


def _check(sources: Sequence[Sequence[int]], limits: Limits) -> None:
    longest = limits.max_length
    for number, source in enumerate(sources, start=1):
        if not source:
            raise ModelError(f"source {number} has no pieces", fix="leave out empty sources")
        if longest is not None and len(source) > longest:
            raise ModelError(
                f"source {number} has {len(source):,} pieces and the model knows {longest:,}",
                fix="split it",
            )


def _padded(
    sources: list[Sequence[int]], pad_id: int, device: torch.device
) -> tuple[Int[Tensor, "B S"], Bool[Tensor, "B S"]]:
    """Return the ids, padded to the longest, and the mask that is True at real pieces."""
    lengths = torch.tensor([len(source) for source in sources])
    longest = int(lengths.max())
    rows = [[*source, *[pad_id] * (longest - len(source))] for source in sources]
    mask = torch.arange(longest) < lengths[:, None]
    return torch.tensor(rows).to(device), mask.to(device)


@torch.inference_mode()
def _run(
    model: Seq2Seq,
    source: Int[Tensor, "B S"],
    mask: Bool[Tensor, "B S"],
    search: Greedy | Beam,
    limits: Limits,
) -> list[list[Hypothesis]] | None:
    """Return the hypotheses of a batch, None if there is too little memory for so many at once."""
    runner = search.build()
    lengths = mask.sum(dim=1).tolist()
    try:
        memory = model.encode(source, mask)
        room = max(limits.room(lengths, search.max_extra))
        stepper = ModelStepper(model, memory, runner.rows_per_sentence, room)
        return runner.run(stepper, lengths, limits)
    except torch.OutOfMemoryError:
        if len(lengths) > 1:
            return None
    raise ModelError(
        f"one source of {lengths[0]:,} pieces does not fit into the memory of {source.device}",
        fix="use a smaller beam or the CPU",
    )


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
