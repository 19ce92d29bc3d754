"""The kernels of translating, by name: kept from an earlier process, or else numba's.

    from heedful.kernels import called

    called.greedy_steps(...)

calls the kernel of `heedful.kernels.greedy_steps`, but does not import numba where the machine has
compiled it before: see `heedful.kernels.kept`.
"""

__all__ = [
    "activate",
    "add_and_normalise",
    "attend_across",
    "attend_back",
    "attend_within",
    "beam_steps",
    "best_of_rows",
    "decoder_step",
    "embed",
    "encoder_pass",
    "greedy_steps",
    "keep_memory",
    "listed",
    "listed_whole",
    "log_softmax",
    "multiply_whole",
    "normalise",
    "text_step",
    "union",
    "usable",
]

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, ref

from heedful.kernels import available
from heedful.kernels.kept import KERNELS, Ways, kept
from heedful.kernels.kinds import fits

if TYPE_CHECKING:
    from heedful.kernels.attention import attend_across, attend_back, attend_within, keep_memory
    from heedful.kernels.beam_steps import beam_steps
    from heedful.kernels.decoder_step import decoder_step
    from heedful.kernels.encoder_pass import encoder_pass
    from heedful.kernels.greedy_steps import greedy_steps
    from heedful.kernels.listed import listed, listed_whole, union
    from heedful.kernels.product import multiply_whole
    from heedful.kernels.rows import (
        activate,
        add_and_normalise,
        best_of_rows,
        embed,
        log_softmax,
        normalise,
    )
    from heedful.kernels.text_step import text_step


LOOKED_AT = 32
"""Calls with a model's weights whose types are looked at."""


def usable() -> bool:
    """Return whether there are kernels of translating here: kept, or numba to compile them."""
    return kept() is not None or available()


def __getattr__(name: str) -> Callable[..., Any]:
    """Return a kernel; it is found once."""
    if name not in KERNELS:
        raise AttributeError(f"no kernel of translating is called {name}")
    known = kept()
    found = _compiled(name) if known is None else _checked(name, known.ways[name])
    globals()[name] = found
    return found


def _compiled(name: str) -> Callable[..., Any]:
    """Return numba's; it is compiled for whatever types it is called with."""
    kernel: Callable[..., Any] = getattr(import_module(f"heedful.kernels.{KERNELS[name]}"), name)
    return kernel


def _checked(name: str, ways: Ways) -> Callable[..., Any]:
    """Return a kernel that is kept, for the types that it was compiled for; for others numba's."""

    def checked(*given: Any) -> Any:
        for kinds, function in ways:
            if fits(kinds, given):
                return function(*given)
        return _compiled(name)(*given)

    (kinds, function), *others = ways
    if others or not isinstance(kinds[0], list):
        return checked
    calls = _Calls()

    def call(*given: Any) -> Any:
        return function(*given) if calls.are_many(given) else checked(*given)

    return call


class _Calls:
    """Counts the calls of a kernel that begins with a model's weights, for each model.

    To look at all that it is given takes longer than to call it, 13 microseconds; of what comes
    after the weights and what lies beside them, types follow from the program alone.
    """

    def __init__(self) -> None:
        self._of: dict[int, tuple[ReferenceType[Any], int]] = {}

    def are_many(self, given: Any) -> bool:
        """Count a call; return whether `LOOKED_AT` with the same weights have come before it."""
        first = given
        while first.__class__ is tuple:
            first = first[0]
        key = id(first)
        known, count = self._of.get(key, (None, 0))
        if known is None or known() is not first:
            known, count = ref(first, lambda _: self._of.pop(key, None)), 0
        if count < LOOKED_AT:
            self._of[key] = known, count + 1
            return False
        return True
