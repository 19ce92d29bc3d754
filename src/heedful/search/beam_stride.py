"""Beam search in strides: a stepper that can takes many steps of it, the search reads the books.

What comes out is to the last bit what as many single steps of `heedful.search.beam` give.
"""

__all__ = ["stride"]

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from heedful.search.driver import Course
from heedful.search.leaving import LEFT
from heedful.search.scoring import length_penalty
from heedful.search.stride import BeamBooks, BeamStriding, Endings
from heedful.shapes import Array, Float

if TYPE_CHECKING:
    from heedful.search.beam import Beams


def stride(course: Course, growing: "Beams", alpha: float) -> bool:
    """Let the stepper take many steps, if it can, and collect what has ended on the way.

    `alpha` is that of the length penalty.
    """
    stepper = course.stepper
    if not isinstance(stepper, BeamStriding) or not stepper.strides_beams:
        return False
    for name in ("last", "tokens", "log_prob", "width", "best_ended"):  # a kernel reads them
        setattr(growing, name, np.ascontiguousarray(getattr(growing, name)))
    count, beam, longest = growing.tokens.shape
    endings = Endings(
        numbers=np.empty((count * beam, 4), np.int64),
        log_prob=np.empty(count * beam, np.float32),
        scores=np.empty(count * beam),
        tokens=np.empty((count * beam, longest), np.int64),
    )
    books = BeamBooks(
        newest=growing.last,
        tokens=growing.tokens,
        length=growing.length,
        log_prob=growing.log_prob,
        width=growing.width.reshape(count),
        best_ended=growing.best_ended.reshape(count, -1),
        room=growing.room,
        penalties=_penalties(longest, alpha),
        last_penalty=growing.last_penalty,
        endings=endings,
        forbidden=np.array(course.limits.forbidden, np.int64),
        end_id=course.limits.end_id,
        left=LEFT,
        known=course.left,
    )
    ended = stepper.stride_beams(books)
    if ended is None:
        return False
    sentence, slot, length, finished = endings.numbers[:ended].T
    course.put(
        (
            growing.sentences[sentence],
            slot,
            endings.tokens[:ended],
            length,
            endings.log_prob[:ended],
            endings.scores[:ended],
            finished == 1,
        )
    )
    return True


@lru_cache(maxsize=64)
def _penalties(longest: int, alpha: float) -> Float[Array, " L"]:
    """Return the length penalty of each length."""
    return np.array([length_penalty(length, alpha) for length in range(longest + 1)])
