"""Searches in strides: a fused stepper takes many steps in one call of a kernel."""

__all__ = ["stride", "stride_beams"]

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from heedful.decode.packed import Stacked
from heedful.decode.passing import Pass, table_of
from heedful.decode.products import Int8Product
from heedful.kernels import called
from heedful.search.stride import BeamBooks, Books

if TYPE_CHECKING:
    from heedful.decode.fused import FusedStepper

_EVERY_PIECE, _NO_TABLE = np.zeros(0, np.int32), np.zeros((0, 0), np.int8)


def stride(stepper: "FusedStepper", books: Books) -> bool:
    """Let every row grow until a quarter has ended or a client leaves: `heedful.search.stride`."""
    stack = stepper.packed.decoder.stacked
    if stack is None or stepper.attentive or stepper.biased or stepper.width > 1:
        return False
    model, passing, forbidden = _given(stepper, stack, books.forbidden)
    count = len(stepper.positions)
    given = (
        *model,
        (stepper.positions, books.newest, books.tokens, books.length, books.room, books.log_prob),
        *passing.memory(stack),
        (forbidden, books.end_id, count - max(1, count // 4)),
        (books.left, books.known),
    )
    steps = called.greedy_steps(*given)
    stepper.now = (stepper.now + steps) % stepper.places.shape[1]
    return bool(steps)


def stride_beams(stepper: "FusedStepper", books: BeamBooks) -> int | None:
    """Let every beam grow until a quarter is done or a client leaves: `heedful.search.stride`.

    Returns how many hypotheses have ended; None: no step was taken.
    """
    stack = stepper.packed.decoder.stacked
    assert stack is not None
    model, passing, forbidden = _given(stepper, stack, books.forbidden)
    count, endings = len(books.length), books.endings
    given = (
        *model,
        (
            *(stepper.positions, books.newest, books.tokens, books.length, books.room),
            *(books.log_prob, books.width, books.best_ended),
        ),
        *passing.memory(stack),
        (forbidden, books.end_id, count - max(1, count // 4)),
        (books.left, books.known),
        (books.penalties, books.last_penalty),
        (endings.numbers, endings.log_prob, endings.scores, endings.tokens),
    )
    steps, ended = called.beam_steps(*given)
    stepper.now = (stepper.now + steps) % stepper.places.shape[1]
    return ended if steps else None


def _given(
    stepper: "FusedStepper", stack: Stacked, forbidden: Any
) -> tuple[tuple[Any, ...], Pass, Any]:
    """Make room; return the first seven that the kernels take, and the memory rows pass through.

    The third are the pieces that are never chosen.
    """
    from heedful.kernels.layout import TOGETHER

    stepper.make_room(stepper.positions)
    packed, model = stepper.packed, stepper.packed.model
    passing = stepper.passing_of(min(len(stepper.positions), TOGETHER))
    first, last = packed.decoder.first, packed.decoder.last
    project = cast(Int8Product, packed.project)
    lists, logits = _lists(stepper, passing)
    given = (
        (stack.weights, stack.scales, stack.biases, stack.norms, stack.kinds, stack.positions),
        (
            model.tables.target.weight.detach().numpy(),
            np.float32(model.tables.scale),
            table_of(model.target_position),
        ),
        (first.weight, first.shift, last.weight, last.shift),
        (project.arranged, project.column_scales, project.bias, logits),
        lists,
        (stepper.now, stepper.places, stepper.keys, stepper.values),
        (stepper.memory.rows, stepper.memory.firsts, stepper.memory.counts),
    )
    return given, passing, forbidden[:0] if stepper.listed else forbidden


def _lists(stepper: "FusedStepper", passing: Pass) -> tuple[Any, Any]:
    """Return the lists that rows choose from, and where their logits go."""
    if not stepper.listed:
        nothing = np.zeros(0, np.int64)
        none = (_NO_TABLE, _EVERY_PIECE, nothing, nothing, nothing[None])
        return none, passing.results(stepper.packed.project.n_out)
    *lists, logits = stepper.lists_of(slice(None), passing.rows)
    return (stepper.packed.table, *lists), logits
