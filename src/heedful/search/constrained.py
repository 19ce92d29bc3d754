"""Words that must appear: the places of a beam are shared among what still misses how much.

Dynamic beam allocation (Post and Vilar 2018, arXiv:1804.06609): continuations are put into banks by
the pieces that they still need, and the banks take turns in giving their best to the beam. What is
needed is followed byte by byte (`heedful.search.phrases`), so that every spelling counts. A
continuation that would leave less room than it needs is never taken, so that no hypothesis ends
before all is there. Called by the beam for sentences with such a wish.
"""

__all__ = ["constrain"]

from itertools import chain

import numpy as np

from heedful.search.growing import Growing
from heedful.search.rules import Rules
from heedful.search.wish import Wish
from heedful.shapes import Array, Float, Int

Candidate = tuple[float, int, int, int]
"""Log-probability, slot, piece, and how many pieces are needed after it."""


def constrain(
    rules: Rules,
    growing: Growing,
    log_probs: Float[Array, "R V"],
    chosen: tuple[Int[Array, "B W"], Int[Array, "B W"], Float[Array, "B W"]],
    groups: int,
) -> None:
    """Choose anew for the sentences in which words must appear.

    `log_probs` are those that the rules allow after every row. `chosen` are the slots that are
    continued, the pieces that continue them and the log-probabilities; they are overwritten.
    """
    beam = growing.last.shape[1]
    size = beam // groups
    for row, sentence in enumerate(growing.sentences.tolist()):
        wish = rules.wish(sentence)
        if not wish.must:
            continue
        after = log_probs[row * beam : (row + 1) * beam]
        for group in range(groups):
            slots = range(group * size, (group + 1) * size)
            candidates = list(
                chain.from_iterable(_after(wish, growing, row, slot, after[slot]) for slot in slots)
            )
            best = _in_turns(candidates, size)
            for slot in slots:
                log_prob, parent, piece, _ = best.pop(0) if best else (-np.inf, slot, 0, 0)
                for array, value in zip(chosen, (parent, piece, log_prob), strict=True):
                    array[row, slot] = value


def _after(
    wish: Wish, growing: Growing, row: int, slot: int, log_probs: Float[Array, " V"]
) -> list[Candidate]:
    """Return the continuations of a hypothesis: the likeliest, and those that something needs."""
    so_far = float(growing.log_prob[row, slot])
    if so_far == -np.inf:
        return []
    states = growing.states[row, slot].tolist()
    pieces = set(_likeliest(log_probs, growing.last.shape[1]))
    pieces.update(
        way[0]
        for automaton, state in zip(wish.automata, states, strict=False)
        for way in automaton.ways(state)
        if way
    )
    room = int(growing.room[row] - growing.length[row]) - 2
    found = []
    for piece in sorted(pieces):
        value = float(log_probs[piece])
        if value == -np.inf:
            continue
        after = [x.advance(at, piece) for x, at in zip(wish.automata, states, strict=False)]
        need = wish.left(after)
        if need <= max(room, 0):
            found.append((float(np.float32(so_far) + np.float32(value)), slot, piece, need))
    return found


def _likeliest(log_probs: Float[Array, " V"], count: int) -> list[int]:
    if count >= len(log_probs):
        return list(range(len(log_probs)))
    return [int(piece) for piece in np.argpartition(-log_probs, count)[:count]]


def _in_turns(candidates: list[Candidate], count: int) -> list[Candidate]:
    """Return the best of every bank in turns, those that need least first; then sorted."""
    banks: dict[int, list[Candidate]] = {}
    for candidate in sorted(candidates, key=lambda one: (-one[0], one[1], one[2])):
        banks.setdefault(candidate[3], []).append(candidate)
    taken: list[Candidate] = []
    while len(taken) < count and banks:
        for need in sorted(banks):
            if len(taken) < count:
                taken.append(banks[need].pop(0))
            if not banks[need]:
                del banks[need]
    return sorted(taken, key=lambda one: (-one[0], one[1], one[2]))
