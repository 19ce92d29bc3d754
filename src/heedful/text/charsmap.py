"""How SentencePiece normalises characters: the longest beginning that its table knows is replaced.

The table of a model file comes in, texts go in and out; `heedful.text.sentence_pieces` calls it.
The `tokenizers` library looks at what people see as one character instead, and so loses an accent
behind a letter that the table does not join with it.
"""

__all__ = ["Charsmap"]

import re
import struct

from heedful.errors import ModelError

_PRINTABLE = range(0x20, 0x7F)
_FIX = "fetch the model again"


class Charsmap:
    """A table as the library keeps it: a double-array trie over UTF-8, and what it leads to.

    The trie is Darts-clone's (Yata 2012): a unit of 32 bits holds the letter that leads to it,
    whether a key ends there, and where the next units are. Raises ModelError for a damaged table.
    """

    def __init__(self, table: bytes, where: str = "") -> None:
        size = struct.unpack("<I", table[:4])[0] if len(table) >= 4 else 0
        if not size or size % 4 or 4 + size > len(table) or table[-1:] != b"\0":
            problem = "its table of characters is damaged"
            raise ModelError(problem, where=where or None, fix=_FIX)
        self._units = struct.unpack(f"<{size // 4}I", table[4 : 4 + size])
        self._texts = table[4 + size :]
        self._touched = re.compile("[^ -~]" if self._leaves_ascii() else "(?s:.)")

    def _leaves_ascii(self) -> bool:
        """Return whether nothing printable is replaced, alone or before something printable."""
        for first in _PRINTABLE:
            if self._longest(bytes([first]))[0]:
                return False
            if any(self._longest(bytes([first, second]))[0] for second in _PRINTABLE):
                return False
        return True

    def normalised(self, text: str) -> str:
        """Return the text as the pieces were learnt on."""
        parts: list[str] = []
        done = 0
        while found := self._touched.search(text, done):
            # A letter before an accent may be one with it.
            start = max(done, found.start() - 1)
            parts.append(text[done:start])
            length, written = self._step(text, start)
            parts.append(written)
            done = start + length
        return "".join([*parts, text[done:]])

    def _step(self, text: str, at: int) -> tuple[int, str]:
        """Return how many characters are replaced at a place, at least one, and by what."""
        beginning = text[at : at + 16].encode()
        length, value = self._longest(beginning)
        if not length:
            return 1, text[at]
        end = self._texts.find(b"\0", value)
        written = self._texts[value:end] if value < len(self._texts) else b""
        return len(beginning[:length].decode("utf-8", "ignore")) or 1, written.decode(
            "utf-8", "ignore"
        )

    def _longest(self, key: bytes) -> tuple[int, int]:
        """Return the length of the longest beginning that is a key, and what it leads to."""
        units, found = self._units, (0, 0)
        place = _offset(units[0])
        for length, letter in enumerate(key, start=1):
            place ^= letter
            if place >= len(units) or units[place] & 0x8000_00FF != letter:
                break
            unit = units[place]
            place ^= _offset(unit)
            if unit >> 8 & 1 and place < len(units):
                found = (length, units[place] & 0x7FFF_FFFF)
        return found


def _offset(unit: int) -> int:
    return (unit >> 10) << ((unit & 1 << 9) >> 6)
