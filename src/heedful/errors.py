"""What can go wrong by a user's doing: one sentence that names the place and the fix.

Raised anywhere in the package, printed by `heedful.cli` without a traceback, exit code 2.
"""

__all__ = [
    "DataError",
    "HeedfulError",
    "ModelError",
    "OutputError",
    "SettingError",
    "did_you_mean",
    "lacks_memory",
]

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Self


class HeedfulError(Exception):
    """A failure the user can mend; its text is `where: problem; fix`.

    >>> str(HeedfulError("row has 1 field, 2 are needed", where="a.tsv:7", fix="add a tab"))
    'a.tsv:7: row has 1 field, 2 are needed; add a tab'
    """

    def __init__(self, problem: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.problem = problem
        self.where = where
        self.fix = fix
        super().__init__((f"{where}: " if where else "") + problem + (f"; {fix}" if fix else ""))

    def said_of(self, where: str | None, fix: str | None = None) -> Self:
        """Return the same problem, said of another place, such as the option that was typed.

        >>> str(SettingError("0 is too few", where="--search.beam-size").said_of("--beam"))
        '--beam: 0 is too few'
        """
        return type(self)(self.problem, where=where, fix=fix or self.fix)


class DataError(HeedfulError):
    """The text, the corpus or a line of it cannot be used as it is."""


class SettingError(HeedfulError):
    """An option, a recipe or a setting is unknown, of the wrong type or impossible."""


class ModelError(HeedfulError):
    """A model folder or a checkpoint is missing, damaged or does not fit."""


class OutputError(HeedfulError):
    """A result cannot be written where it was asked for."""


def lacks_memory(error: BaseException) -> bool:
    """Recognise it in Python, in torch on a GPU (by name: torch may not be loaded) and on CPU."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or "DefaultCPUAllocator" in str(error)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "x"?` for the nearest known word, or the list of what is known.

    >>> did_you_mean("d-modle", ["d-model", "d-ff"])
    'did you mean "d-model"?'
    """
    names = sorted(known)
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else "known: " + ", ".join(names)
