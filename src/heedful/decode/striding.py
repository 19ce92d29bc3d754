"""Greedy search in strides: a fused stepper takes many steps in one call of a kernel."""

__all__ = ["stride"]

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from heedful.decode.passing import Pass, table_of
from heedful.decode.products import Int8Product
from heedful.search.stride import Books

if TYPE_CHECKING:
    from heedful.decode.fused import FusedStepper

_EVERY_PIECE = np.zeros(0, np.int32)


def stride(stepper: "FusedStepper", books: Books) -> bool:
    """Let every row grow until a quarter has ended or a client leaves: `heedful.search.stride`."""
    from heedful.kernels.greedy_steps import greedy_steps

    packed = stepper.packed
    stack = packed.decoder.stacked
    if stack is None or stepper.attentive or stepper.width > 1:
        return False
    stepper.make_room(stepper.positions)
    count = len(stepper.positions)
    passing = stepper.passing_of(count)
    model = packed.model
    first, last = packed.decoder.first, packed.decoder.last
    project = cast(Int8Product, packed.project)
    lists, logits, forbidden = _lists(stepper, passing, books)
    steps = greedy_steps(
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
        (stepper.positions, books.newest, books.tokens, books.length, books.room, books.log_prob),
        *passing.memory(stack),
        (forbidden, books.end_id, count - max(1, count // 4)),
        (books.left, books.known),
    )
    stepper.now = (stepper.now + steps) % stepper.places.shape[1]
    return bool(steps)


def _lists(stepper: "FusedStepper", passing: Pass, books: Books) -> tuple[Any, Any, Any]:
    """Return the lists that rows choose from, where their logits go, what they never choose."""
    table = stepper.packed.table
    if not stepper.listed:
        nothing = np.zeros(0, np.int64)
        none = (table, _EVERY_PIECE, nothing, nothing, nothing[None])
        return none, passing.results(stepper.packed.project.n_out), books.forbidden
    *lists, logits = stepper.lists_of(slice(None), passing.rows)
    return (table, *lists), logits, books.forbidden[:0]
