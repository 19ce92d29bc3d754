"""What a file of others says of a model: its keys are read one by one, and refused by their names.

A mapping of names to values comes in; `heedful.interop.huggingface` and `heedful.interop.gguf` ask
it for what they need. Every key that changes what a model computes is looked at: one that asks for
something which `GPT` does not do is refused, never passed over.
"""

__all__ = ["Keys"]

import json
from collections.abc import Callable, Sequence
from typing import Any

from heedful.errors import ModelError

_MOST = 100_000_000
"""No vocabulary has so many pieces."""


class Keys:
    """The keys of a JSON object; what is missing gets the default, where there is one."""

    def __init__(self, data: dict[str, Any], where: str) -> None:
        self.data, self.where = data, where

    def _get(self, key: str, default: Any, wanted: str, fits: Callable[[Any], bool]) -> Any:
        value = self.data.get(key)
        if value is None:
            if default is None:
                raise ModelError(f'the key "{key}" is missing', where=self.where)
            return default
        if not fits(value):
            problem = f'"{key}" is {_short(value)} where {wanted} is needed'
            raise ModelError(problem, where=self.where)
        return value

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a whole number, at least 1."""
        fits = lambda value: type(value) is int and 1 <= value <= _MOST  # noqa: E731
        return int(self._get(key, default, "a whole number, at least 1,", fits))

    def real(self, key: str, default: float) -> float:
        """Return a number, at least 0."""
        fits = lambda value: type(value) in (int, float) and 0 <= value < 1e30  # noqa: E731
        return float(self._get(key, default, "a number, at least 0,", fits))

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        return bool(self._get(key, default, "true or false", lambda value: type(value) is bool))

    def group(self, key: str) -> "Keys | None":
        """Return the keys inside of one, if it is there."""
        if self.data.get(key) is None:
            return None
        found = self._get(key, None, "an object", lambda value: isinstance(value, dict))
        return Keys(found, f"{self.where}, {key}")

    def word(self, key: str, default: str, known: Sequence[str]) -> str:
        """Return one of the words that are known here."""
        value = self.data.get(key)
        if value is None:
            return default
        if value not in known:
            fix = f"known: {', '.join(known)}"
            raise ModelError(f'"{key}" is {_short(value)}', where=self.where, fix=fix)
        return str(value)

    def must(self, **wanted: object) -> None:
        """Refuse a key of another value, which would change what the model computes."""
        for key, value in wanted.items():
            found = self.data.get(key, value)
            if found is not None and found != value:
                raise ModelError(
                    f'"{key}" is {_short(found)}, which heedful cannot do',
                    where=self.where,
                    fix=f"take a model where it is {_short(value)}",
                )

    def names(self, key: str) -> tuple[str, ...]:
        """Return the names that an object gives to the numbers 0, 1, ...; none if it is missing."""
        value = self.data.get(key)
        if value is None:
            return ()
        numbers = [str(number) for number in range(len(value))] if isinstance(value, dict) else []
        if not numbers or set(value) != set(numbers):
            problem = f'"{key}" is {_short(value)} where names of the numbers 0, 1, ... are needed'
            raise ModelError(problem, where=self.where)
        return tuple(str(value[number]) for number in numbers)

    def ids(self, key: str) -> tuple[int, ...]:
        """Return the pieces that a key names: none, one or several."""
        value = self.data.get(key)
        every = [] if value is None else value if isinstance(value, list) else [value]
        if not all(type(one) is int and 0 <= one <= _MOST for one in every):
            problem = f'"{key}" is {_short(value)} where numbers of pieces are needed'
            raise ModelError(problem, where=self.where)
        return tuple(every)


def _short(value: object) -> str:
    try:
        return json.dumps(value)[:100]
    except RecursionError:
        return "nested too deeply"
