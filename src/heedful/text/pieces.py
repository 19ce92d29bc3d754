"""The pieces that are not learnt: control pieces, and the 256 byte letters all others consist of.

A language code or a piece comes in, a control piece or a readable form goes out; the tokenizer's
trainer, file reader and `Tokenizer` call it.
"""

__all__ = [
    "BYTE_LETTERS",
    "CONTROL",
    "END",
    "PAD",
    "START",
    "UNKNOWN",
    "control_pieces",
    "language_of",
    "language_tag",
    "readable",
]

import re
from collections.abc import Sequence

from heedful.errors import SettingError

PAD, START, END, UNKNOWN = 0, 1, 2, 3
CONTROL = ("<pad>", "<s>", "</s>", "<unk>")


def _byte_letters() -> dict[str, int]:
    """Return the visible letter that stands for each byte, as GPT-2 chose them.

    Printable Latin-1 stands for itself, every other byte for the next letter from U+0100 on.
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(0x100 + rank): byte for rank, byte in enumerate(rest)
    }


BYTE_LETTERS = _byte_letters()


def language_tag(language: str) -> str:
    """Return the control piece that asks for translation into `language`.

    >>> language_tag("de")
    '>>de<<'
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", language):
        raise SettingError(
            f'"{language}" cannot be a language code',
            fix="use letters, digits, - and _, such as de or zh_CN",
        )
    return f">>{language}<<"


def language_of(piece: str) -> str | None:
    """Return the language a tag asks for, None if the piece is no tag.

    >>> language_of(">>de<<"), language_of("de")
    ('de', None)
    """
    found = re.fullmatch(r">>([A-Za-z][A-Za-z0-9_-]*)<<", piece)
    return found[1] if found else None


def control_pieces(languages: Sequence[str] = ()) -> list[str]:
    """Return the control pieces in the order of their ids, which start at 0.

    All begin and end in punctuation and hold a letter, so that a pre-tokeniser that keeps letters
    and punctuation apart can never find one in a text.

    >>> control_pieces(["de"])
    ['<pad>', '<s>', '</s>', '<unk>', '>>de<<']
    """
    if len(set(languages)) != len(languages):
        raise SettingError(f"a language is named twice: {', '.join(languages)}")
    return [*CONTROL, *map(language_tag, languages)]


def readable(piece: str) -> str:
    """Return a piece for the eye: spaces as ▁, bytes of a broken character as <0xE7>.

    >>> readable("Ġcat"), readable("çĮ"), readable("</s>")
    ('▁cat', '<0xE7><0x8C>', '</s>')
    """
    if any(letter not in BYTE_LETTERS for letter in piece):
        return piece
    text = bytes(BYTE_LETTERS[letter] for letter in piece).decode("utf-8", "surrogateescape")
    return "".join(
        f"<0x{ord(letter) - 0xDC00:02X}>" if "\udc80" <= letter <= "\udcff" else letter
        for letter in text.replace(" ", "▁")
    )
