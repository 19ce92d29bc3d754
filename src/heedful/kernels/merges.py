"""Byte-pair encoding of ids that are there already, with merges left out at random.

Called by `heedful.data.bpe_dropout`; the tests have the same in plain Python.
"""

__all__ = ["respell_rows"]

from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled
from heedful.kernels.ordered import place_of

Array = np.ndarray[Any, np.dtype[Any]]

Table = tuple[Array, Array, int, Array, Array, Array]
"""starts, letters, space, pairs, ranks, made: what is known of a vocabulary.

`letters[starts[i]:starts[i + 1]]` are the letters of piece i, none of a control piece; `space`
begins a word. The merge of rank r makes piece made[r]; `pairs` rise, and are left piece times 2^32
plus right piece, each with its rank.
"""

_TOP = np.float64(2.0**-53)
_STEP, _FIRST, _SECOND = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)


@compiled()
def _mixed(z: Any) -> Any:
    """Return the 64 bits of a number, mixed: the end of SplitMix64 (Steele et al. 2014)."""
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))


@compiled()
def _uniform(state: Array) -> float:
    """Return the next random number from 0 to 1, of SplitMix64."""
    state[0] += _STEP
    return np.float64(_mixed(state[0]) >> np.uint64(11)) * _TOP


@compiled()
def _rank(left: Any, right: Any, pairs: Array, ranks: Array) -> Any:
    """Return the rank of a pair, -1 if it is no merge; `pairs` rise."""
    place = place_of((np.int64(left) << 32) | np.int64(right), pairs, 0, pairs.size)
    return ranks[place] if place >= 0 else -1


@compiled(makes_arrays=True)
def _merge(
    word: Array, count: int, pairs: Array, ranks: Array, made: Array, chance: float, state: Array
) -> int:
    """Merge the letters of a word; return how many pieces are left, at its beginning.

    At each step every merge that is possible is left out with the given chance, and the first of
    the others is made, until none is left.
    """
    known = np.empty(count, np.int64)
    for k in range(count - 1):
        known[k] = _rank(word[k], word[k + 1], pairs, ranks)
    while count > 1:
        best, place = made.size, -1
        for k in range(count - 1):
            if 0 <= known[k] < best and _uniform(state) >= chance:
                best, place = known[k], k
        if place < 0:
            break
        word[place] = made[best]
        count -= 1
        for k in range(place + 1, count):
            word[k], known[k] = word[k + 1], known[k + 1]
        if place > 0:
            known[place - 1] = _rank(word[place - 1], word[place], pairs, ranks)
        if place < count - 1:
            known[place] = _rank(word[place], word[place + 1], pairs, ranks)
    return count


@compiled(makes_arrays=True)
def _respell(ids: Array, table: Table, chance: float, state: Array, out: Array) -> int:
    """Write the ids of a row, spelled anew; return how many they are, -1 if they do not fit."""
    starts, letters, space, pairs, ranks, made = table
    total = 0
    for i in ids:
        total += starts[i + 1] - starts[i]
    word = np.empty(total + 1, np.int64)
    count = used = 0
    last = -1
    for place in range(ids.size + 1):
        i = ids[place] if place < ids.size else -1
        control = i < 0 or starts[i] == starts[i + 1]
        if count and (control or (letters[starts[i]] == space and last != space)):
            count = _merge(word, count, pairs, ranks, made, chance, state)
            if used + count > out.size:
                return -1
            out[used : used + count] = word[:count]
            used, count = used + count, 0
        if i < 0:
            break
        if control:
            if used == out.size:
                return -1
            out[used] = i
            used, last = used + 1, -1
            continue
        for at in range(starts[i], starts[i + 1]):
            word[count] = last = letters[at]
            count += 1
    return used


@compiled(makes_arrays=True)
def respell_rows(
    ids: Array,
    lengths: Array,
    rows: Array,
    table: Table,
    chance: float,
    seed: int,
    most: int,
    out: Array,
    counts: Array,
) -> None:
    """Write the ids of each row, spelled anew, and how many; what would be over `most` stays.

    `ids[k, :lengths[k]]` are those of row number rows[k], which with the seed alone decides its
    spelling. A word is what may be merged: the rest stays apart. Behind the ids of a row stands 0,
    which is padding.
    """
    state = np.empty(1, np.uint64)
    for k in range(lengths.size):
        own = ids[k, : lengths[k]]
        state[0] = _mixed(np.uint64(seed) ^ _mixed(np.uint64(rows[k])))
        fresh = out[k, :most]
        count = _respell(own, table, chance, state, fresh)
        if count < 0:
            count = own.size
            out[k, :count] = own
        out[k, count:] = 0
        counts[k] = count
