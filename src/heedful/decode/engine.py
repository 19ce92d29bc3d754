"""Many sources become hypotheses: sorted by length, some at a time, back in order.

Lists of ids come in, an n-best list for each goes out in the order they came; no text and no
tokenizer is known here. The translator and the validation during training call it.
"""

__all__ = ["BATCH_TOKENS", "Engine", "decode"]

import copy
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import repeat
from typing import cast

import numpy as np
import torch

from heedful.decode.collecting import nothing_collected
from heedful.decode.flow import COLUMNS, Flow, Inflow, places
from heedful.decode.fused import Candidates, FusedStepper, fusible
from heedful.decode.graphs import GraphStepper, Stages, recordable
from heedful.decode.job import Job
from heedful.decode.packed import Format, PackedTransformer, pack
from heedful.decode.passing import AT_ONCE
from heedful.decode.products import Workspace
from heedful.decode.quantize import Precision, as_int8, check_precision
from heedful.decode.sources import check, padded, too_large, within
from heedful.decode.steppers import ModelStepper, Placed, joint
from heedful.decode.waiting import Begun, Waiting, batches
from heedful.device import cores
from heedful.kernels.warm import ready
from heedful.models.seq2seq import Seq2Seq
from heedful.models.transformer import Transformer
from heedful.search import (
    Asked,
    Client,
    Hypothesis,
    Limits,
    SearchConfig,
    Watch,
    Wish,
)
from heedful.search.leaving import ANYONE
from heedful.search.wish import NOTHING
from heedful.shapes import Array, Int

BATCH_TOKENS = 4096
"""Source pieces times rows decoded at once."""

GPU_TOKENS = 65_536
"""The same on a GPU whose steps are recorded."""

SMALL = 10_000
"""Pieces of all sources so far below which no kernel is compiled: the first time on a machine that
takes half a minute, during which a job of a few seconds would be slowed."""

Found = tuple[list[int], list[list[Hypothesis]]]
"""Some of the sources and their hypotheses."""


def decode(
    model: Seq2Seq,
    sources: Sequence[Sequence[int]],
    search: SearchConfig,
    *,
    limits: Limits,
    device: torch.device | str = "cpu",
    batch_tokens: int | None = None,
    pad_id: int = 0,
) -> list[list[Hypothesis]]:
    """Return what an `Engine` made for this once finds."""
    return Engine(model, device, pad_id).decode(sources, search, limits, batch_tokens)


class Engine:
    """Translates with one model, or several of one vocabulary together (see `Together`).

    Their weights must not change meanwhile.

    On CPU a Transformer goes the fused way (`heedful.decode.fused`), a thread for each core with
    sentences of its own; places that become free are given to the next ones. Until its kernels
    have been compiled on this machine, and for any other model, it is the eager way. Both give the
    same tokens.
    `candidates` are the only pieces that a source's translation is made of (see `shortlist.py`).
    Raises SettingError for a precision that is not for the device.
    """

    def __init__(
        self,
        model: Seq2Seq | Sequence[Seq2Seq],
        device: torch.device | str = "cpu",
        pad_id: int = 0,
        precision: Precision = "float32",
        candidates: Candidates | None = None,
    ) -> None:
        self.candidates = candidates
        self.models = list(model) if isinstance(model, Sequence) else [model]
        self.device = torch.device(device)
        self.pad_id = pad_id
        self.precision = precision
        for one in self.models:
            check_precision(precision, one, self.device)
        self._lowered: list[Seq2Seq] | None = None
        self._packed: list[PackedTransformer] | None = None
        self._seen = 0
        self._stages: list[Stages] = []
        self._pool: tuple[int, ThreadPoolExecutor] | None = None
        self._spaces: list[list[Workspace]] = []
        """Memory of threads that have ended: new memory costs a tenth of the time, page by page."""

    def decode(
        self,
        sources: Sequence[Sequence[int]],
        search: SearchConfig,
        limits: Limits,
        batch_tokens: int | None = None,
        *,
        wishes: Sequence[Wish] | None = None,
        clients: Sequence[Client] | None = None,
        watch: Watch | None = None,
    ) -> list[list[Hypothesis]]:
        """Return the n-best hypotheses of every source, in the order of the sources.

        `wishes` are what each translation must be like; `clients` wait for them: one that leaves
        may get nothing; `watch` is told of each source's best beginning as it grows. Switches the
        model's dropout off. The longest sources come first, so that a lack of memory shows at once;
        a batch that is too large for the GPU is halved. Raises ModelError for a source that is
        empty, longer than the model knows or of other pieces, and when a single one does not fit
        into memory.
        """
        limits = within(limits, self.models)
        check(sources, limits, self.models)
        if self._packed is None:  # else the models' own layers are not asked
            for model in self.models:
                model.eval()
        every = list(map(Asked, sources, wishes or repeat(NOTHING), clients or repeat(ANYONE)))
        job = Job(every, search, limits, watch)
        lengths = [len(source) for source in sources]
        batch_tokens = batch_tokens or (GPU_TOKENS if self._recordable(job) else BATCH_TOKENS)
        waiting = batches(lengths, job.width, batch_tokens)[::-1]
        found: list[list[Hypothesis]] = [[] for _ in sources]
        self._seen += sum(lengths)
        while waiting:
            left = [row for batch in reversed(waiting) for row in batch]
            if self._recordable(job):
                results, waiting = self._recorded(left, job, batch_tokens), []
            elif self._ready():
                results, waiting = self._fused(left, job, batch_tokens), []
            else:
                results = self._eager(waiting, job)
            for rows, hypotheses in results:
                for row, one in zip(rows, hypotheses, strict=True):
                    found[row] = one
        return found

    def settle(self) -> None:
        """Wait for the kernels, where there can be any, so that all that follows is computed alike.

        The first time on a machine they are compiled, half a minute.
        """
        if all(fusible(model, self.device) for model in self.models):
            ready(wait=True)

    def _ready(self) -> bool:
        """Return whether to go the fused way; set to work on what is missing for it.

        Kernels that an earlier job has compiled are loaded, which takes no longer than the eager
        way needs for one sentence; for a large job they are compiled, while it begins without.
        """
        if self._packed is not None:
            return True
        if not all(fusible(model, self.device) for model in self.models):
            return False
        large = self._seen >= SMALL
        if not ready(compiling=False, wait=True) and not (large and ready()):
            return False
        self._lowered = None  # never asked for again
        kept: Format = "int8" if self.precision == "int8" else "float32"
        self._packed = [pack(cast(Transformer, model), kept) for model in self.models]
        return True

    def _eager(self, waiting: list[list[int]], job: Job) -> Iterator[Found]:
        """Take a batch from the end and yield its results; put back what must be halved."""
        rows = job.wanted(waiting.pop())
        asked = [job.asked[row] for row in rows]
        if not rows:
            return
        try:
            yield rows, self._run(asked, replace(job, watch=job.watching(rows)))
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                raise too_large(asked[0].source, self.device) from None
            half = len(rows) // 2
            waiting += [rows[half:], rows[:half]]

    @torch.inference_mode()
    def _run(self, asked: list[Asked], job: Job) -> list[list[Hypothesis]]:
        """Return the hypotheses of a batch that goes the eager way."""
        runner = job.search.build()
        source, mask = padded([one.source for one in asked], self.pad_id, self.device)
        lists = None
        if self.candidates is not None:
            lists = padded([self._list(one).tolist() for one in asked], -1, self.device)[0]
        room = max(job.search.rooms(asked, job.limits.max_length))
        steppers = [
            ModelStepper(
                model,
                model.encode(source, mask),
                runner.rows_per_sentence,
                room,
                lists,
                attentive=job.search.attentive,
            )
            for model in self._in_precision()
        ]
        return runner.run(joint(steppers), asked, job.limits, watch=job.watch)

    def _list(self, asked: Asked) -> Int[Array, " N"]:
        """Return the pieces that a translation may be made of, what is wished for among them."""
        assert self.candidates is not None
        known = self.candidates(asked.source)
        if not asked.wish.pieces:
            return known
        return np.union1d(known, np.array(sorted(asked.wish.pieces))).astype(known.dtype)

    def _in_precision(self) -> list[Seq2Seq]:
        """Return the models that compute in the precision asked for."""
        if self._lowered is None:
            self._lowered = [self._in_its_precision(model) for model in self.models]
        return self._lowered

    def _in_its_precision(self, model: Seq2Seq) -> Seq2Seq:
        if self.precision == "bf16":
            return copy.deepcopy(cast(Transformer, model)).bfloat16()
        return as_int8(cast(Transformer, model)) if self.precision == "int8" else model

    def _fused(self, order: list[int], job: Job, batch_tokens: int) -> Iterator[Found]:
        """Yield the results of the sources from as many threads as cores, the longest begun first.

        Each thread computes with one core: products this small gain nothing from two, and wait
        for each other on a busy machine.
        """
        most = torch.get_num_threads()
        threads = min(most, len(order))
        lengths = [len(one.source) for one in job.asked]
        waiting = Waiting(order, lengths, threads, job.width, batch_tokens)

        def run() -> list[Found]:
            found: list[Found] = []
            spaces = self._take_spaces()
            try:
                while begun := waiting.begin():
                    found.append(self._run_fused(begun, waiting, job, spaces))
            except BaseException:
                waiting.give_up()
                raise
            self._spaces.append(spaces)
            return found

        if threads == 1:  # to hand it to a thread takes as long as a piece or two
            with nothing_collected(job.watch):
                yield from run()
            return
        pool = self._threads(most)
        try:
            with nothing_collected(job.watch):
                every = [pool.submit(run) for _ in range(threads)]
                wait(every)  # whatever one raises, no other still runs
        finally:
            waiting.give_up()  # what is left where this was interrupted
            torch.set_num_threads(most)
        for running in every:
            yield from running.result()

    def _threads(self, count: int) -> ThreadPoolExecutor:
        """Return threads that compute with one core each; they are kept for the next job."""
        if self._pool is None or self._pool[0] != count:
            pool = ThreadPoolExecutor(count, "decode", torch.set_num_threads, (1,))
            self._pool = count, pool
        return self._pool[1]

    def _take_spaces(self) -> list[Workspace]:
        """Return memory for one thread, of each model."""
        try:
            return self._spaces.pop()
        except IndexError:
            return [Workspace() for _ in self.models]

    def _run_fused(
        self, begun: Begun, waiting: Waiting, job: Job, spaces: Sequence[Workspace]
    ) -> Found:
        """Translate some sources, and others in the places that they leave, by kernels."""
        steppers = self._steppers(job, begun.places, job.columns(begun.rows[0]), spaces)
        return self._run_in_places(begun, waiting, job, steppers, AT_ONCE)

    def _steppers(
        self, job: Job, places: int, columns: int, spaces: Sequence[Workspace]
    ) -> list[FusedStepper]:
        """Return a stepper of each model, with so many places for sources."""
        assert self._packed is not None
        listed, attentive = self.candidates is not None, job.search.attentive
        return [
            FusedStepper(
                packed, job.width, places, columns, space, listed=listed, attentive=attentive
            )
            for packed, space in zip(self._packed, spaces, strict=True)
        ]

    @property
    def flows(self) -> bool:
        """Whether `flow` can be asked for: where sources are translated by kernels."""
        return self._packed is not None

    @torch.inference_mode()
    def flow(self, inflow: Inflow, search: SearchConfig, limits: Limits) -> None:
        """Translate what comes, in this thread alone, until nothing is left: `heedful.decode.flow`.

        Other threads may do the same meanwhile. Raises ModelError as `decode` does.
        """
        job = Job((), search, within(limits, self.models), None)
        spaces, count = self._take_spaces(), places(job.width)
        steppers = self._steppers(job, count, COLUMNS, spaces)

        def read(asked: Sequence[Asked]) -> None:
            check([one.source for one in asked], job.limits, self.models)
            self._read(asked, steppers)

        more = Flow(inflow, count, read).more
        with cores(1):  # products this small gain nothing from two
            search.build().run(joint(steppers), more(0), job.limits, more, ended=inflow.ended)
        self._spaces.append(spaces)

    def _read(self, asked: Sequence[Asked], steppers: Sequence[Placed]) -> None:
        """Let every stepper read some sources."""
        lists = [self._list(one) for one in asked] if self.candidates is not None else None
        for stepper in steppers:
            stepper.admit([one.source for one in asked], lists)

    def _recordable(self, job: Job) -> bool:
        """Return whether this is done by steps that a GPU has recorded."""
        plain = self.candidates is None and not job.search.attentive
        return plain and all(recordable(model, self.device) for model in self.models)

    def _recorded(self, order: list[int], job: Job, batch_tokens: int) -> Iterator[Found]:
        """Yield the results of the sources; fewer go together where memory is short."""
        if not self._stages or self._stages[0].forbidden != job.limits.forbidden:
            models = [cast(Transformer, model) for model in self._in_precision()]
            self._stages = [Stages(one, job.limits.forbidden, self.pad_id) for one in models]
        lengths = [len(one.source) for one in job.asked]
        while order:
            waiting = Waiting(order, lengths, 1, job.width, batch_tokens)
            begun = waiting.begin()
            assert begun is not None
            columns, longest = job.columns(begun.rows[0]), lengths[begun.rows[0]]
            try:
                steppers = [
                    GraphStepper(stages, job.width, begun.places, columns, longest)
                    for stages in self._stages
                ]
                found = self._run_in_places(begun, waiting, job, steppers)
            except torch.OutOfMemoryError:
                for stages in self._stages:
                    stages.forget()
                if begun.places == 1:
                    raise too_large(job.asked[begun.rows[0]].source, self.device) from None
                batch_tokens //= 2
                continue
            done = set(found[0])
            order = [row for row in order if row not in done and not job.asked[row].client.gone]
            yield found

    @torch.inference_mode()
    def _run_in_places(
        self,
        begun: Begun,
        waiting: Waiting,
        job: Job,
        steppers: Sequence[Placed],
        at_once: float = math.inf,
    ) -> Found:
        """Translate some sources, and others in the places that they leave.

        So many of their pieces are read at once; clients may leave before the next are.
        """
        rows: list[int] = []

        def admit(some: list[int]) -> list[Asked]:
            before = len(rows)
            for portion in filter(None, job.portions(some, at_once)):
                rows.extend(portion)
                self._read([job.asked[row] for row in portion], steppers)
            return [job.asked[row] for row in rows[before:]]

        def more(under_way: int) -> list[Asked]:
            return admit(waiting.more(begun, under_way))

        first, watch = admit(begun.rows), job.watching(rows)
        return rows, job.search.build().run(joint(steppers), first, job.limits, more, watch)
