"""Words of a model on a screen: what would command the terminal is shown, not sent.

Text comes in and goes out; `heed generate` and `heed chat` call it where the output is a terminal.
"""

__all__ = ["visible"]

import unicodedata

_KEPT = "\n\t"
_TURNING = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
"""Marks that turn the direction of what follows, so that it reads otherwise than it is."""


def visible(text: str) -> str:
    r"""Return a text with control characters written out, but for line breaks and tabs.

    >>> visible("a\x1b[2Jb\r\nc\u202e")
    'a\\x1b[2Jb\\x0d\nc\\u202e'
    """
    return "".join(letter if _is_plain(letter) else _written(letter) for letter in text)


def _is_plain(letter: str) -> bool:
    if letter in _KEPT:
        return True
    return unicodedata.category(letter) not in ("Cc", "Cs") and ord(letter) not in _TURNING


def _written(letter: str) -> str:
    return f"\\x{ord(letter):02x}" if ord(letter) < 256 else f"\\u{ord(letter):04x}"
