"""A Transformer as a translator on a GPU: steps that are recorded once, places that are refilled.

The searches drive a `GraphStepper` as they drive every stepper. Sentences sit in places of a
`Stage`; one that ends leaves its place to the next, and where few are left, or an answer grows
longer than the stage has columns, all move to a stage that suits them. Stages are kept for later
sentences of the same shape. It is the same function as the eager way; the tests compare them.
"""

__all__ = ["GraphStepper", "Stages", "recordable"]

from collections.abc import Sequence

import numpy as np
import torch

from heedful.decode.sources import padded
from heedful.decode.stage import AHEAD, PARENTS, PLACES, TOKENS, Shape, Stage
from heedful.models.layers import DecoderLayer
from heedful.models.transformer import Transformer
from heedful.search.best import no_number
from heedful.search.stride import Books
from heedful.shapes import Array, Bool, Float, Int, Tensor

SHARE = 4
"""Stages are kept, each with memory of its own, up to one part in so many of the GPU's memory."""

COLUMNS = 16
"""Columns and source pieces that a stage has at least."""

SHRINK = 4
"""A stage is left for a smaller one when one of so many places is taken."""


def recordable(model: object, device: torch.device) -> bool:
    """Return whether a model's steps can be recorded: a Transformer on CUDA, not compiled."""
    if device.type != "cuda" or not isinstance(model, Transformer):
        return False
    if not model.config.plain_ends:
        return False
    return all(layer._compiled_call_impl is None for layer in model.decoder)


def roomy(count: int, least: int = 1) -> int:
    """Return the next of 1, 2, 3, 4, 6, 8, 12, ... times `least`: few shapes, little waste."""
    room = least
    while room < count:
        room = room * 3 // 2 if room & (room - 1) == 0 and room > 1 else -(-room * 4 // 3)
    return room


class Stages:
    """The stages of one model, those that were used last."""

    def __init__(self, model: Transformer, forbidden: tuple[int, ...], pad_id: int) -> None:
        self.model, self.forbidden, self.pad_id = model, forbidden, pad_id
        self._kept: dict[Shape, Stage] = {}

    def take(self, sentences: int, width: int, source: int, columns: int) -> Stage:
        """Return a stage with room for all of that; one stepper at a time has it."""
        longest = self.model.config.max_length
        shape = Shape(
            roomy(sentences),
            width,
            min(roomy(source, COLUMNS), longest),
            min(roomy(columns, COLUMNS), longest),
        )
        stage = self._kept.pop(shape, None)
        if stage is None:
            stage = Stage(self.model, shape, self.forbidden)
            self._make_room(stage.bytes)
        self._kept[shape] = stage
        return stage

    def _make_room(self, size: int) -> None:
        """Forget what was used longest ago, until another stage of so many bytes may be kept."""
        device = self.model.tables.output.weight.device
        if device.type != "cuda":
            return
        room = torch.cuda.mem_get_info(device)[1] // SHARE - size
        while self._kept and sum(stage.bytes for stage in self._kept.values()) > room:
            del self._kept[next(iter(self._kept))]

    def forget(self) -> None:
        """Give the memory of all stages back."""
        self._kept.clear()


class GraphStepper:
    """Some sources in the middle of being translated: a `heedful.search.Stepper`."""

    entries: Int[Tensor, "A N"] | None = None
    attention: Float[Array, "A S"] | None = None

    def __init__(
        self, stages: Stages, rows_per_sentence: int, sentences: int, columns: int, longest: int
    ) -> None:
        self.stages, self.width = stages, rows_per_sentence
        self.stage = stages.take(sentences, rows_per_sentence, longest, columns)
        self.seats = np.zeros(0, np.int64)
        """Which place of the stage each sentence under way has."""
        self.positions = np.zeros(0, np.int64)
        """Pieces that each sentence has read."""
        self._parents = np.arange(self.stage.shape.rows)
        self._asked = np.zeros(0, np.int64)

    # Sentences come and go

    def admit(self, sources: Sequence[Sequence[int]], lists: Sequence[Array] | None = None) -> None:
        """Read further sources; their rows stand behind the others. There are no lists here."""
        assert lists is None
        shape = self.stage.shape
        most = max(map(len, sources))
        count = len(self.seats) + len(sources)
        if count > shape.sentences or most > shape.source:
            self._move(count, max(most, shape.source), shape.columns)
        free = np.setdiff1d(np.arange(self.stage.shape.sentences), self.seats)[: len(sources)]
        self.seats = np.concatenate([self.seats, free])
        self.positions = np.append(self.positions, np.zeros(len(sources), np.int64))
        self._read(sources, self._there(free))

    def _read(self, sources: Sequence[Sequence[int]], seats: Int[Tensor, " B"]) -> None:
        """Let the encoder read; put what the decoder looks at into these places."""
        model, stage = self.stages.model, self.stage
        ids, mask = padded(list(sources), self.stages.pad_id, seats.device)
        memory = model.encode(ids, mask)
        stage.counts[seats] = mask.sum(dim=1)
        for layer, across in zip(model.decoder, stage.memory, strict=True):
            assert isinstance(layer, DecoderLayer)
            known = layer.cross_attention.keys_values(memory.states)
            for into, states in zip(across.kept, known, strict=True):
                into[seats, :, : states.shape[2]] = states

    def select(self, rows: Int[Array, " Q"], sentences: Int[Array, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; keep only `sentences`, if given."""
        parents = self._parents[self._rows()[rows]]
        if sentences is not None:
            self.seats, self.positions = self.seats[sentences], self.positions[sentences]
        self._parents = np.arange(self.stage.shape.rows)
        self._parents[self._rows()] = parents

    def _rows(self) -> Int[Array, " R"]:
        """Return which rows of the stage those of the search are."""
        return (self.seats[:, None] * self.width + np.arange(self.width)).ravel()

    def _move(self, sentences: int, source: int, columns: int) -> None:
        """Move those under way to a stage with such room."""
        before, rows = self.stage, self._rows()
        after = self.stages.take(sentences, self.width, source, columns)
        count = len(self.seats)
        if count:
            self._copy(before, after, rows)
        self.stage, self.seats = after, np.arange(count)
        self._parents = np.arange(after.shape.rows)

    def _copy(self, before: Stage, after: Stage, rows: Int[Array, " R"]) -> None:
        """Copy what is known of those under way to the first places of another stage."""
        count = len(self.seats)
        taken, parents = self._there(self.seats), self._there(self._parents[rows])
        after.counts[:count] = before.counts[taken]
        width = min(before.shape.source, after.shape.source)
        length = min(before.shape.columns, after.shape.columns)
        for old, new in zip(before.memory, after.memory, strict=True):
            for kept, into in zip(old.kept, new.kept, strict=True):
                into[:count, :, :width] = kept[taken, :, :width]
        for past, next_ in zip(before.past, after.past, strict=True):
            for kept, into in zip(past.past(), next_.kept, strict=True):
                into[: len(rows), :, :length] = kept[parents, :, :length]
        after.forget_origin()

    def _suit(self) -> None:
        """Move where the next step has no column, or most places are empty."""
        shape, count = self.stage.shape, len(self.seats)
        needed = int(self.positions.max()) + 1
        few = count * SHRINK <= shape.sentences
        if needed > shape.columns or few:
            columns = max(needed, shape.columns)
            self._move(
                -(-shape.sentences // SHRINK) if few else shape.sentences, shape.source, columns
            )

    # Steps

    def step(
        self, tokens: Int[Array, " R"], rows: Int[Array, " A"] | None = None
    ) -> Float[Tensor, "A N"]:
        """Take the newest piece of every row; return logits for the position after it."""
        self._suit()
        self._write(tokens)
        self.stage.step()
        self.positions = self.positions + 1
        own = self._rows()
        self._asked = own if rows is None else own[rows]
        return self.stage.logits[self._there(self._asked)]

    def _write(self, tokens: Int[Array, " R"]) -> None:
        """Tell the stage what its rows read, where, and whose past is theirs."""
        given: Int[Array, "3 R"] = np.zeros((3, self.stage.shape.rows), np.int64)
        own = self._rows()
        given[TOKENS, own] = tokens
        given[PLACES, own] = np.repeat(self.positions, self.width)
        given[PARENTS] = self._parents
        self._parents = np.arange(self.stage.shape.rows)
        self.stage.write(self._there(given))

    def ranked(self, count: int) -> tuple[Float[Array, "A K"], Int[Array, "A K"]] | None:
        """Return log-probabilities and ids of the likeliest pieces after the latest step.

        None where more are wanted than a step finds.
        """
        if count > self.stage.kept:
            return None
        best = self.stage.best.cpu().numpy()[:, self._asked]
        values, ids = best[0].astype(np.float32), best[1].astype(np.int64)
        if np.isnan(values[:, 0]).any():
            raise no_number()
        order = np.lexsort((ids, -values), axis=1)[:, :count]
        return np.take_along_axis(values, order, axis=1), np.take_along_axis(ids, order, axis=1)

    def stride(self, books: Books) -> bool:
        """Let every row grow until a quarter of them has ended; see `heedful.search.stride`."""
        if self.width > 1:
            return False
        count, taken = len(self.seats), False
        leave = count - max(1, count // 4)
        while True:
            under_way = (books.newest != books.end_id) & (books.length < books.room)
            left = books.left[0] != books.known
            if taken and (left or under_way.sum() <= leave):
                return True
            many = self._ahead(books, under_way)
            self._write(books.newest)
            for _ in range(many):
                self.stage.step()
            found = self.stage.history[:many].cpu().numpy()[:, :, self.seats]
            if not np.isfinite(found[:, 0, under_way]).all():
                return taken
            for values, pieces in found:
                self._note(books, values, pieces.astype(np.int64))
            taken = True

    def _ahead(self, books: Books, under_way: Bool[Array, " R"]) -> int:
        """Return how many steps to take before looking; there are columns for them."""
        self._suit()
        room = int((books.room - books.length)[under_way].max())
        columns = self.stage.shape.columns - int(self.positions[under_way].max())
        return max(1, min(AHEAD, room, columns))

    def _note(self, books: Books, values: Float[Array, " R"], pieces: Int[Array, " R"]) -> None:
        """Write a step into the books of the rows that have not ended."""
        [rows] = ((books.newest != books.end_id) & (books.length < books.room)).nonzero()
        books.tokens[rows, books.length[rows]] = pieces[rows]
        books.newest[rows] = pieces[rows]
        books.log_prob[rows] += values[rows].astype(np.float32)
        books.length[rows] += 1
        self.positions[rows] += 1

    def _there(self, numbers: Array) -> Tensor:
        """Return the numbers where the model lies."""
        there = torch.from_numpy(np.ascontiguousarray(numbers))
        device = self.stages.model.tables.output.weight.device
        return there.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else there
