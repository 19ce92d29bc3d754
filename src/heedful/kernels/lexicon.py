"""Expectation maximisation for IBM Model 1, a source piece at a time, and its use for batches.

The corpus is turned round: `rows[first[s]:first[s + 1]]` are the rows that source piece s is in,
`targets[starts[r]:starts[r + 1]]` the target pieces of row r. The table of p(t | s) holds, from
`table_starts[s]` on, the targets that s is ever seen with. Called by `heedful.data.lexicon`, and
`multiply` by `heedful.train.guidance`; the tests have the same in plain Python.
"""

__all__ = ["count_targets", "list_targets", "maximise", "multiply"]

from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled
from heedful.kernels.ordered import place_of

Array = np.ndarray[Any, np.dtype[Any]]


@compiled()
def count_targets(
    targets: Array, starts: Array, rows: Array, first: Array, last_seen: Array, out: Array
) -> None:
    """Write how many different targets each source piece is seen with; `last_seen` is all -1."""
    for s in range(out.size):
        count = 0
        for i in range(first[s], first[s + 1]):
            for j in range(starts[rows[i]], starts[rows[i] + 1]):
                t = targets[j]
                if last_seen[t] != s:
                    last_seen[t] = s
                    count += 1
        out[s] = count


@compiled()
def list_targets(
    targets: Array,
    starts: Array,
    rows: Array,
    first: Array,
    last_seen: Array,
    table_starts: Array,
    table_targets: Array,
) -> None:
    """Write those targets; `last_seen` is all -1."""
    for s in range(first.size - 1):
        place = table_starts[s]
        for i in range(first[s], first[s + 1]):
            for j in range(starts[rows[i]], starts[rows[i] + 1]):
                t = targets[j]
                if last_seen[t] != s:
                    last_seen[t] = s
                    table_targets[place] = t
                    place += 1


@compiled()
def maximise(
    targets: Array,
    starts: Array,
    rows: Array,
    first: Array,
    sums: Array,
    table_starts: Array,
    table_targets: Array,
    table_chances: Array,
    chances: Array,
    counts: Array,
    new_sums: Array,
) -> None:
    """Replace each p(t | s) by the next step's, and add them up for every target in `new_sums`.

    `sums` are those of the step before; `chances` and `counts` have room for a number a target
    piece, `counts` and `new_sums` are zeros.
    """
    for s in range(first.size - 1):
        for k in range(table_starts[s], table_starts[s + 1]):
            chances[table_targets[k]] = table_chances[k]
        for i in range(first[s], first[s + 1]):
            for j in range(starts[rows[i]], starts[rows[i] + 1]):
                counts[targets[j]] += chances[targets[j]] / sums[j]
        total = 0.0
        for k in range(table_starts[s], table_starts[s + 1]):
            total += counts[table_targets[k]]
        for k in range(table_starts[s], table_starts[s + 1]):
            t = table_targets[k]
            table_chances[k] = counts[t] / total if total > 0.0 else 0.0
            chances[t] = table_chances[k]
            counts[t] = 0.0
        for i in range(first[s], first[s + 1]):
            for j in range(starts[rows[i]], starts[rows[i] + 1]):
                new_sums[j] += chances[targets[j]]


@compiled()
def multiply(
    source: Array,
    target: Array,
    table_starts: Array,
    table_targets: Array,
    table_chances: Array,
    unknown: float,
    out: Array,
) -> None:
    """Multiply each number of `out` that is not 0, sentences by targets by sources, by p(t | s).

    Here the table has the targets of a source piece in the order of their ids; those that it lacks
    have the probability `unknown`.
    """
    for b in range(source.shape[0]):
        for j in range(target.shape[1]):
            t = target[b, j]
            for i in range(source.shape[1]):
                if out[b, j, i] == 0.0:
                    continue
                low, high = table_starts[source[b, i]], table_starts[source[b, i] + 1]
                place = place_of(t, table_targets, low, high)
                out[b, j, i] *= table_chances[place] if place >= 0 else unknown
