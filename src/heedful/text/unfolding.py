"""Pieces that come one by one become text: what is certain of it, and where it ends.

A piece comes in, the text that it makes certain goes out; `heedful.serve.writing` gives it to who
reads along. What has been settled is not decoded again, so that a long text costs no more a piece.
"""

__all__ = ["BEFORE", "BROKEN", "Unfolding", "certain"]

from collections.abc import Collection, Sequence
from typing import Literal

from heedful.text.vocabulary import Vocabulary

BROKEN = "\ufffd"
"""What stands for bytes that make no character, or none yet."""

BEFORE = 8
"""Pieces before those not settled that are decoded with them: how they begin depends on these."""


class Unfolding:
    """The text that pieces make behind a prompt, up to an end piece or before a stop string."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        prompt: Sequence[int],
        ends: Collection[int] = (),
        stop: Sequence[str] = (),
    ) -> None:
        self.vocabulary, self._ends, self._stop = vocabulary, ends, stop
        self._before = list(prompt[-BEFORE:])
        self._open: list[int] = []
        self._settled = ""
        self._told = 0
        self.text = ""
        """All of it, what is not certain too."""
        self.pieces = 0
        """Pieces that were written for it; an end is none of them."""
        self.starts: list[int] = []
        """Characters of the text before each piece."""
        self.ended: Literal["end", "stop"] | None = None

    @property
    def kept(self) -> int:
        """How many pieces have a part in the text: those of a stop string have none."""
        if self.ended != "stop":
            return self.pieces
        return sum(start < len(self.text) for start in self.starts)

    def add(self, piece: int) -> str:
        """Return what becomes certain by a piece."""
        if piece in self._ends:
            self.ended = "end"
            return self.rest()
        self.pieces += 1
        self.starts.append(len(self.text))
        self._open.append(piece)
        self.text = self._settled + self.vocabulary.continuation(self._before, self._open)
        first = min((at for at in map(self._find, self._stop) if at >= 0), default=None)
        if first is not None:
            self.text, self.ended = self.text[:first], "stop"
            return self.rest()
        if len(self._open) >= BEFORE and not self.text.endswith(BROKEN):
            self._settled, self._before, self._open = self.text, self._open, []
        return self._tell(len(certain(self.text, self._stop)))

    def rest(self) -> str:
        """Return what was kept back, once nothing follows."""
        return self._tell(len(self.text))

    def _find(self, words: str) -> int:
        """Return where a stop string begins: never in what has been told."""
        return self.text.find(words, self._told)

    def _tell(self, end: int) -> str:
        said = self.text[self._told : end]
        self._told += len(said)
        return said


def certain(text: str, stop: Sequence[str]) -> str:
    """Return as much of a growing text as will stay: no half character, no beginning of a stop.

    >>> certain("one, tw\\ufffd", []), certain("one, two\\n", ["\\n\\n"])
    ('one, tw', 'one, two')
    """
    text = text.rstrip(BROKEN)
    begun = [
        size
        for words in stop
        for size in range(min(len(words) - 1, len(text)), 0, -1)
        if text.endswith(words[:size])
    ]
    return text[: len(text) - max(begun, default=0)]
