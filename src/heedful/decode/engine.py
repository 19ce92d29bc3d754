"""Many sources become hypotheses: sorted by length, some at a time, back in order.

Lists of ids come in, an n-best list for each goes out in the order they came; no text and no
tokenizer is known here. The translator and the validation during training call it.
"""

__all__ = ["BATCH_TOKENS", "Engine", "ModelStepper", "batches", "decode"]

import copy
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import cast

import numpy as np
import torch

from heedful.decode.fused import Candidates, FusedStepper, fusible
from heedful.decode.packed import Format, PackedTransformer, pack
from heedful.decode.products import Workspace
from heedful.decode.quantize import Precision, as_int8, check_precision
from heedful.decode.waiting import Begun, Waiting, places
from heedful.errors import ModelError
from heedful.kernels.warm import ready
from heedful.models.seq2seq import Memory, Seq2Seq
from heedful.models.transformer import Transformer
from heedful.search import Beam, Greedy, Hypothesis, Limits
from heedful.shapes import Array, Bool, Float, Int, Tensor

BATCH_TOKENS = 4096
"""Source pieces times rows decoded at once."""

SMALL = 10_000
"""Pieces of all sources so far below which the kernels are not asked for: the first time on a
machine they are compiled, half a minute during which a job of a few seconds would be slowed."""

Found = tuple[list[int], list[list[Hypothesis]]]
"""Some of the sources and their hypotheses."""


class ModelStepper:
    """A `Seq2Seq` model as the `heedful.search.Stepper` that a search drives, with its cache."""

    def __init__(
        self,
        model: Seq2Seq,
        memory: Memory,
        rows_per_sentence: int,
        max_length: int,
        lists: Int[Tensor, "B N"] | None = None,
    ) -> None:
        self.model = model
        self.memory = memory
        self.width = rows_per_sentence
        self.lists = lists
        """Each sentence's candidates, -1 behind their end."""
        self.entries: Int[Tensor, "A N"] | None = None
        self.cache = model.new_cache(memory, rows_per_sentence, max_length)

    def step(
        self, tokens: Int[Array, " R"], rows: Int[Array, " A"] | None = None
    ) -> Float[Tensor, "A N"]:
        """Take the newest piece of every row; return logits for the position after it."""
        newest = self._there(tokens)
        hidden = self.model.hidden(newest[:, None], self.memory, self.cache)[:, 0]
        logits = self.model.project(hidden if rows is None else hidden[self._there(rows)])
        if self.lists is None:
            return logits
        asked = np.arange(len(tokens)) if rows is None else rows
        lists = self.lists[self._there(asked // self.width)]
        self.entries = lists.clamp(min=0)
        return logits.gather(1, self.entries).masked_fill(lists < 0, -torch.inf)

    def select(self, rows: Int[Array, " Q"], sentences: Int[Array, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; keep only `sentences`, if given."""
        chosen = None if sentences is None else self._there(sentences)
        self.cache.select(self._there(rows), chosen)
        if chosen is not None:
            self.memory = self.memory.select(chosen)
            self.lists = None if self.lists is None else self.lists[chosen]

    def _there(self, numbers: Int[Array, " X"]) -> Int[Tensor, " X"]:
        """Return the numbers where the model lies."""
        return torch.from_numpy(numbers).to(self.memory.states.device, non_blocking=True)


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
    sentences of its own; places that become free are given to the next ones. Until its kernels are
    there, for small jobs and for any other model it is the eager way. Both give the same tokens.
    `candidates` are the only pieces that a source's translation is made of (see `shortlist.py`).
    Raises SettingError for a precision that is not for the device.
    """

    def __init__(
        self,
        model: Seq2Seq,
        device: torch.device | str = "cpu",
        pad_id: int = 0,
        precision: Precision = "float32",
        candidates: Candidates | None = None,
    ) -> None:
        self.candidates = candidates
        self.model = model
        self.device = torch.device(device)
        self.pad_id = pad_id
        self.precision = precision
        check_precision(precision, model, self.device)
        self._lowered: Seq2Seq | None = None
        self._packed: PackedTransformer | None = None
        self._seen = self._calls = 0

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
        limits = self._within_model(limits)
        _check(sources, limits)
        self.model.eval()
        lengths = [len(source) for source in sources]
        waiting = batches(lengths, search.build().rows_per_sentence, batch_tokens)[::-1]
        found: list[list[Hypothesis]] = [[] for _ in sources]
        self._calls += bool(sources)
        self._seen += sum(lengths)
        while waiting:
            if self._ready():
                left = [row for batch in reversed(waiting) for row in batch]
                results = self._fused(left, sources, search, limits, batch_tokens)
                waiting = []
            else:
                results = self._eager(waiting, sources, search, limits)
            for rows, hypotheses in results:
                for row, one in zip(rows, hypotheses, strict=True):
                    found[row] = one
        return found

    def _within_model(self, limits: Limits) -> Limits:
        """Return the limits, with the positions that a Transformer has where they allow more."""
        if not isinstance(self.model, Transformer):
            return limits
        known = self.model.config.max_length
        return replace(limits, max_length=min(limits.max_length or known, known))

    def _ready(self) -> bool:
        """Return whether to go the fused way; set to work on what is missing for it.

        The kernels are compiled for a large job; who asks a second time gets those that an earlier
        job has compiled.
        """
        if self._packed is not None:
            return True
        large = self._seen >= SMALL
        wanted = (large or self._calls > 1) and fusible(self.model, self.device)
        if not wanted or not ready(compiling=large):
            return False
        kept: Format = "int8" if self.precision == "int8" else "float32"
        self._packed = pack(cast(Transformer, self.model), kept)
        return True

    def _eager(
        self,
        waiting: list[list[int]],
        sources: Sequence[Sequence[int]],
        search: Greedy | Beam,
        limits: Limits,
    ) -> Iterator[Found]:
        """Take a batch from the end and yield its results; put back what must be halved."""
        rows = waiting.pop()
        some = [sources[row] for row in rows]
        padded, mask = _padded(some, self.pad_id, self.device)
        lists = None
        if self.candidates is not None:
            listed = [self.candidates(source).tolist() for source in some]
            lists = _padded(listed, -1, self.device)[0]
        results = _run(self._in_precision(), padded, mask, search, limits, lists)
        if results is None:
            half = len(rows) // 2
            waiting += [rows[half:], rows[:half]]
        else:
            yield rows, results

    def _in_precision(self) -> Seq2Seq:
        """Return the model that computes in the precision asked for."""
        if self._lowered is None:
            self._lowered = self.model
            if self.precision == "bf16":
                self._lowered = copy.deepcopy(cast(Transformer, self.model)).bfloat16()
            elif self.precision == "int8":
                self._lowered = as_int8(cast(Transformer, self.model))
        return self._lowered

    def _fused(
        self,
        order: list[int],
        sources: Sequence[Sequence[int]],
        search: Greedy | Beam,
        limits: Limits,
        batch_tokens: int,
    ) -> Iterator[Found]:
        """Yield the results of the sources from as many threads as cores, the longest begun first.

        Each thread computes with one core: products this small gain nothing from two, and wait
        for each other on a busy machine.
        """
        cores = torch.get_num_threads()
        threads = min(cores, len(order))
        lengths = [len(source) for source in sources]
        rows = search.build().rows_per_sentence
        waiting = Waiting(order, lengths, threads, rows, batch_tokens)

        def run() -> list[Found]:
            space, found = Workspace(), []
            try:
                while begun := waiting.begin():
                    found.append(self._run_fused(begun, waiting, sources, search, limits, space))
            except BaseException:
                waiting.give_up()
                raise
            return found

        if threads == 1:  # a thread takes a millisecond to begin, as long as a piece or two
            yield from run()
            return
        try:
            with ThreadPoolExecutor(threads, "decode", torch.set_num_threads, (1,)) as pool:
                for running in [pool.submit(run) for _ in range(threads)]:
                    yield from running.result()
        finally:
            torch.set_num_threads(cores)

    @torch.inference_mode()
    def _run_fused(
        self,
        begun: Begun,
        waiting: Waiting,
        sources: Sequence[Sequence[int]],
        search: Greedy | Beam,
        limits: Limits,
        space: Workspace,
    ) -> Found:
        """Translate some sources, and others in the places that they leave."""
        assert self._packed is not None
        runner = search.build()
        rows: list[int] = []
        longest = len(sources[begun.rows[0]])
        columns = min(limits.room([longest], search.max_extra)[0], longest + longest // 4 + 8)
        stepper = FusedStepper(
            self._packed,
            runner.rows_per_sentence,
            begun.places,
            columns,
            space,
            self.candidates,
        )

        def admit(some: list[int]) -> list[int]:
            rows.extend(some)
            chosen = [sources[row] for row in some]
            if chosen:
                stepper.admit(chosen)
            return [len(source) for source in chosen]

        def more(under_way: int) -> list[int]:
            return admit(waiting.more(begun, under_way))

        return rows, runner.run(stepper, admit(begun.rows), limits, more)


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
    lists: Int[Tensor, "B N"] | None,
) -> list[list[Hypothesis]] | None:
    """Return the hypotheses of a batch, None if there is too little memory for so many at once."""
    runner = search.build()
    lengths = mask.sum(dim=1).tolist()
    try:
        memory = model.encode(source, mask)
        room = max(limits.room(lengths, search.max_extra))
        stepper = ModelStepper(model, memory, runner.rows_per_sentence, room, lists)
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
            room = places(lengths[index], rows, batch_tokens)
        result[-1].append(index)
        room -= 1
    return result
