"""Refusals that have a name: the page says them in its own language, with what they are about.

A failure comes in, a refusal goes out, whose answer names it beside its English sentence.
"""

__all__ = ["NAMES", "NamedRefusalError", "refused", "told"]

import json
from typing import Any

from heedful.errors import HeedfulError, ModelError
from heedful.inspect.stages import TooLongError
from heedful.serve.refusal import RefusalError

NAMES = {
    "atlas": ("name",),
    "characters": ("n", "most"),
    "endless": (),
    "model": ("name", "known"),
    "piece": ("piece",),
    "pieces": ("n", "most"),
    "trace": (),
    "weights": ("n", "most"),
    "word": (),
}
"""The names, and what each tells beside its sentence."""


class NamedRefusalError(RefusalError):
    """A refusal with a name of `NAMES` and its facts."""

    def __init__(self, status: int, code: str, sentence: str, /, **facts: str | int) -> None:
        if NAMES[code] != tuple(facts):
            raise TypeError(f"{code} tells {NAMES[code]}")
        super().__init__(status, sentence, code=code)
        self.facts = facts

    def body(self, path: str = "") -> bytes:
        """Return what the client reads, at any address."""
        return json.dumps(told(self)).encode()


def told(error: RefusalError) -> dict[str, Any]:
    """Return what a client is told: the sentence and, where it has one, the name with its facts."""
    found: dict[str, Any] = {"error": error.sentence}
    if isinstance(error, NamedRefusalError):
        found |= {"code": error.code, "facts": error.facts}
    return found


def refused(error: HeedfulError) -> RefusalError:
    """Return what a client is told of what it cannot have."""
    mended = error.fix is not None and "--" not in error.fix  # no options of a command
    sentence = f"{error.problem}; {error.fix}" if mended else error.problem
    if isinstance(error, TooLongError):
        name = "weights" if error.where == "save" else "pieces"
        return NamedRefusalError(413, name, sentence, n=error.given, most=error.most)
    if isinstance(error, ModelError):
        return NamedRefusalError(400, "endless", sentence)
    if error.where == "word":
        return NamedRefusalError(400, "word", sentence)
    return RefusalError(400, sentence)
