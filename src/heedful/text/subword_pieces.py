"""One side of a tokenizer of subword-nmt or fastBPE: words of a text, cut by merges, `hel@@ lo`.

A piece that does not end its word has `@@` behind it. Text becomes ids and back as with
`heedful.text.sentence_pieces`: spaces in a row become one, and what no piece spells is `<unk>`.
Words are what stands between spaces; models that were trained on tokenised text (Moses) want it
so here, too. Without merges every word is a piece.
"""

__all__ = ["FORMAT", "GOES_ON", "SubwordPieces", "merges_of"]

import itertools
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from heedful.errors import ModelError, SettingError
from heedful.text.pieces import CONTROL, UNKNOWN

FORMAT = "heedful-subword-pieces"
GOES_ON = "@@"
"""What stands behind a piece that does not end its word."""
_WORD_END = "</w>"
_FIX = "fetch or import the model again"
_MOST_BYTES = 256 * 2**20
_LONGEST_WORD = 1000
"""Characters of a word that are cut by merges; a longer one is `<unk>`."""
_REMEMBERED = 2**16

Merge = tuple[str, str]


class SubwordPieces:
    """Cuts by merges, the earlier first; `pieces` are the model's, in order of ids.

    >>> side = SubwordPieces([*CONTROL, "l@@", "ow"], [("o", "w</w>")])
    >>> side.encode(["low  bow"]), side.decode_batch([[4, 5, 5, 2]])
    ([[4, 5, 3, 5]], ['low ow'])
    """

    languages: tuple[str, ...] = ()
    n_controls = len(CONTROL)

    def __init__(self, pieces: Sequence[str], merges: Sequence[Merge] | None) -> None:
        self.pieces = list(pieces)
        self.merges = None if merges is None else list(merges)
        learnt = enumerate(self.pieces[self.n_controls :], start=self.n_controls)
        self._ids = {piece: number for number, piece in learnt}
        self._ranks = {merge: rank for rank, merge in reversed([*enumerate(merges or ())])}
        self._of_word = lru_cache(_REMEMBERED)(self._word)

    def __reduce__(self) -> tuple[Any, ...]:
        return SubwordPieces, (self.pieces, self.merges)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text; raises TypeError for what is no text."""
        found = []
        for text in texts:
            if not isinstance(text, str) or any("\ud800" <= one <= "\udfff" for one in text):
                raise TypeError("no text")
            found.append([number for word in text.split() for number in self._of_word(word)])
        return found

    def _word(self, word: str) -> tuple[int, ...]:
        if self.merges is None:
            return (self._ids.get(word, UNKNOWN),)
        return tuple(self._ids.get(piece, UNKNOWN) for piece in self._cut(word))

    def _cut(self, word: str) -> list[str]:
        """Return the pieces of a word: of all neighbours those with the lowest rank are joined."""
        if len(word) > _LONGEST_WORD:
            return [word]
        parts = [*word[:-1], word[-1] + _WORD_END]
        while len(parts) > 1:
            pairs = set(itertools.pairwise(parts))
            best = min(pairs, key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if best not in self._ranks:
                break
            joined, at = list[str](), 0
            while at < len(parts):
                fits = tuple(parts[at : at + 2]) == best
                joined.append("".join(best) if fits else parts[at])
                at += 1 + fits
            parts = joined
        parts[-1] = parts[-1].removesuffix(_WORD_END)
        return [*(part + GOES_ON for part in parts[:-1]), parts[-1]]

    def decode_batch(
        self, rows: Sequence[Sequence[int]], skip_special_tokens: bool = True
    ) -> list[str]:
        """Return the texts of rows of ids; control pieces are left out unless asked for."""
        first = self.n_controls if skip_special_tokens else 0
        texts = [" ".join(self.pieces[id_] for id_ in row if id_ >= first) for row in rows]
        if self.merges is None:
            return texts
        return [text.replace(GOES_ON + " ", "").removesuffix(GOES_ON) for text in texts]

    def get_vocab_size(self) -> int:
        """Return how many pieces the translation model has."""
        return len(self.pieces)

    def id_to_token(self, number: int) -> str | None:
        """Return a piece; None for a number that none has."""
        return self.pieces[number] if 0 <= number < len(self.pieces) else None

    def spelled(self) -> list[bytes]:
        """Raise SettingError: what a piece spells depends on the one before it."""
        raise SettingError(
            "words cannot be asked for with pieces of subword-nmt, as this model has",
            fix="leave out --must, --never, --prefix, --glossary and --protect",
        )

    def to_str(self) -> str:
        """Return all of it as JSON, for `read`."""
        model = {"type": "BPE", "merges": self.merges}
        data = {"format": FORMAT, "pieces": self.pieces, "model": model}
        return json.dumps(data, ensure_ascii=False)

    @classmethod
    def read(cls, data: dict[str, Any], where: str) -> "SubwordPieces":
        """Return what `to_str` wrote; raises ModelError for anything else."""
        pieces, model = data.get("pieces"), data.get("model")
        merges = model.get("merges") if isinstance(model, dict) else ()
        if not (isinstance(pieces, list) and all(isinstance(x, str) and x for x in pieces)):
            raise ModelError("a piece is no text", where=where, fix=_FIX)
        if tuple(pieces[: len(CONTROL)]) != CONTROL or len(set(pieces)) != len(pieces):
            problem = "its pieces are not distinct, control pieces first"
            raise ModelError(problem, where=where, fix=_FIX)
        pairs = merges is None or (
            isinstance(merges, list)
            and all(
                isinstance(x, list) and len(x) == 2 and all(isinstance(y, str) and y for y in x)
                for x in merges
            )
        )
        if not pairs:
            raise ModelError("a merge is no pair of pieces", where=where, fix=_FIX)
        return cls(pieces, None if merges is None else [(left, right) for left, right in merges])

    def for_library(self, *, decodes: bool) -> str:
        """Raise ModelError: the `tokenizers` library has no model that writes `@@`."""
        raise ModelError(
            "the tokenizers library cannot cut words as subword-nmt does",
            fix="use the model with heedful",
        )


def merges_of(path: Path) -> list[Merge]:
    """Return the merges in a file of codes, of subword-nmt (`#version: 0.2`) or of fastBPE.

    Raises ModelError for another file, and for codes of version 0.1, which cut word ends otherwise.
    """
    where = str(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ModelError("it is too large for a file of codes", where=where)
        lines = path.read_bytes().decode("utf-8").split("\n")
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", where=where) from error
    except UnicodeDecodeError as error:
        raise ModelError("this is not UTF-8 text", where=where) from error
    versioned = lines[0].startswith("#version:")
    if versioned and lines[0].split(":")[1].strip() != "0.2":
        problem = f"its version is {lines[0].split(':')[1].strip()[:20]} and only 0.2 is read"
        raise ModelError(problem, where=where, fix="learn the codes with subword-nmt 0.2 or newer")
    found = []
    for number, line in enumerate(lines[versioned:], start=1 + versioned):
        fields = line.strip("\r").split(" ")
        if fields == [""] and number >= len(lines):
            continue
        counted = len(fields) == 3 and fields[2].isdigit()
        if not (len(fields) == 2 or counted) or not (fields[0] and fields[1]):
            raise ModelError("this is no merge of two pieces", where=f"{where}:{number}")
        found.append((fields[0], fields[1]))
    if not versioned and any(right == _WORD_END for _, right in found):
        problem = "its codes are of version 0.1, where the end of a word is a piece of its own"
        raise ModelError(problem, where=where, fix="learn the codes with subword-nmt 0.2 or newer")
    return found
