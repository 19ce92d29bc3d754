"""How arrays are laid out for kernels, and what numbers tell them; known without numba."""

__all__ = [
    "BLOCK",
    "FEATURES",
    "GELU",
    "KEPT",
    "LANES",
    "RELU",
    "SWIGLU",
    "TOGETHER",
    "arranged",
    "arranged_in_panels",
]

from typing import Any

import numpy as np

from heedful.kernels.kept import kept

Array = np.ndarray[Any, np.dtype[Any]]

RELU, GELU, SWIGLU = 0, 1, 2
"""What `heedful.kernels.rows.activate` computes."""

BLOCK = 128
"""Numbers of a row that are passed over together when none of them is among the best."""

TOGETHER = 64
"""Rows that a step of a search leads through all layers before the next ones.

What they pass through is this small, however many there are.
"""


def _compiled_for() -> tuple[str, str]:
    """Return the system that kernels are compiled for, and what its processor can."""
    known = kept()
    if known is None:
        from numba.core.registry import cpu_target

        return cpu_target.target_context.codegen().magic_tuple()[::2]  # type: ignore[no-any-return]
    return known.machine[::2]


_SYSTEM, _FEATURES = _compiled_for()
FEATURES = frozenset(_FEATURES.split(","))
"""What the processor can that kernels are compiled for, each with a + before it."""

KEPT: Any = (
    np.uint16 if not _SYSTEM.startswith(("x86", "i686")) or "+f16c" in FEATURES else np.float32
)
"""What keys and values are kept as in int8: float16, if the processor has instructions for it.

On x86 without them LLVM would call functions that are not there.
"""

LANES = 16 if "+avx512vnni" in FEATURES else 8 if "+avxvnni" in FEATURES else 0
"""Columns of a panel, which `heedful.kernels.quads` multiplies together; 0 without VNNI.

As many as a register has lanes of 32 bits.
"""


def arranged(whole: Array) -> Array:
    """Return weights [N K] int8 as `multiply_whole` takes them; there may be more rows of them."""
    return arranged_in_panels(whole) if LANES and whole.shape[1] % 4 == 0 else whole


def arranged_in_panels(whole: Array) -> Array:
    """Return weights [N K] int8 as `multiply_quads` takes them: panels, quads, columns.

    N is filled up to whole panels; K must be a multiple of 4.
    """
    columns, count = whole.shape
    panels, full = -(-columns // LANES), columns // LANES
    found = np.full((panels, count // 4, LANES, 4), 128, np.uint8)
    rows, given = found.transpose(0, 2, 1, 3), whole.view(np.uint8)
    parts = given[: full * LANES].reshape(full, LANES, count // 4, 4)
    np.bitwise_xor(parts, np.uint8(128), out=rows[:full])
    if full < panels:
        rest = given[full * LANES :].reshape(-1, count // 4, 4)
        rows[full, : len(rest)] = rest ^ np.uint8(128)
    return found.reshape(-1, count).view(np.int8)
