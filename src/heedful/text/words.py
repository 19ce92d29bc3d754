"""Text becomes ids word by word, each word once: for the scripts of Europe, without the library.

Pieces never cross the borders of words (GPT-2's pattern), so that the ids of a text are those of
its words; a word met before costs a look into a dictionary. 3 to 4 times as fast as the
`tokenizers` library on one core (English and German; 1.1 and 3.2 MB/s on an old one). Called by
`Tokenizer`; texts with other letters go the library's way.
"""

__all__ = ["Words"]

import re
import unicodedata
from collections.abc import Sequence
from itertools import chain

from tokenizers import Tokenizer as Backend
from tokenizers import pre_tokenizers

from heedful.text.pieces import BYTE_LETTERS

_END = 0x530
"""The first code beyond Latin, Greek and Cyrillic."""
_KEPT = 2**17
"""Words remembered, some 30 MB."""
_LETTER_OF = {byte: letter for letter, byte in BYTE_LETTERS.items()}


def _pattern(end: int) -> "re.Pattern[str]":
    """Return GPT-2's pattern for texts of codes below `end`, for which `re` has no classes."""

    def characters(wanted: str) -> str:
        return "".join(
            re.escape(chr(code))
            for code in range(end)
            if unicodedata.category(chr(code))[0] == wanted
        )

    letters, numbers, spaces = characters("L"), characters("N"), "\t-\r \x85\xa0"
    return re.compile(  # contractions, which GPT-2 names first, cannot begin as a word can
        f" ?[{letters}]+| ?[{numbers}]+|'(?:s|t|re|ve|m|ll|d)|"
        f" ?[^{spaces}{letters}{numbers}]+|[{spaces}]+(?![^{spaces}])|[{spaces}]+"
    )


_SPACES = re.compile(" [^ ]*")
_ASCII, _EUROPEAN = _pattern(0x80), _pattern(_END)
_FOREIGN = re.compile(f"[^\\0-{chr(_END - 1)}]")


class _Known(dict[str, list[int]]):
    """The ids of words; a new word is asked for once."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.model = backend.model

    def __missing__(self, word: str) -> list[int]:
        if len(self) >= _KEPT:
            self.clear()
        letters = "".join([_LETTER_OF[byte] for byte in word.encode()])
        ids = self[word] = [token.id for token in self.model.tokenize(letters)]
        return ids


class Words:
    """Encodes as the pipeline of `new_backend` around the same pieces does."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._first = "" if backend.normalizer is None else " "
        self._known = _Known(backend)
        self._at_spaces = isinstance(backend.pre_tokenizer, pre_tokenizers.Sequence)

    def __reduce__(self) -> tuple[type["Words"], tuple[Backend]]:
        return Words, (self.backend,)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text; raises TypeError for what is no text."""
        found: list[list[int]] = []
        foreign: list[int] = []
        of_word = self._known.__getitem__
        for number, text in enumerate(texts):
            ascii_only = str.isascii(text)
            given = self._first + text if text else ""
            if self._at_spaces:
                words = _SPACES.findall(given)
                found.append(list(chain.from_iterable(map(of_word, words))))
            elif ascii_only or not _FOREIGN.search(text):
                words = (_ASCII if ascii_only else _EUROPEAN).findall(given)
                found.append(list(chain.from_iterable(map(of_word, words))))
            else:
                found.append([])
                foreign.append(number)
        if foreign:
            coded = self.backend.encode_batch_fast(
                [texts[number] for number in foreign], add_special_tokens=False
            )
            for number, one in zip(foreign, coded, strict=True):
                found[number] = one.ids
        return found
