"""Whoever waits for a translation may leave: it is then given up at the next step.

A `Client` goes with a text down to the search (`heedful.request`, `heedful.decode.engine`); who
made it says, in any thread, that it leaves. The searches look between two steps, and a stepper that
takes many by itself does so too.
"""

__all__ = ["ANYONE", "LEFT", "Client"]

import numpy as np

from heedful.shapes import Array, Int

LEFT: Int[Array, " 1"] = np.zeros(1, np.int64)
"""How many clients of this process have left so far: as long as it stays the same, nobody has to
be asked. An array, since compiled code reads it while others write."""


class Client:
    """Somebody who waits for translations."""

    def __init__(self) -> None:
        self.gone = False
        """Whether nobody waits any more."""

    def leave(self) -> None:
        """Wait no longer: what is not found by the next step is not found at all."""
        self.gone = True  # first: whoever sees the count must see this
        LEFT[0] += 1


ANYONE = Client()
"""Who waits until everything is there."""
