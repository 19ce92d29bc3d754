"""The vocabulary of an encoder: `[CLS] text [SEP]`, or `[CLS] text [SEP] text [SEP]` of a pair.

Texts come in, rows of ids go out, by the `tokenizers` library; `heedful.reader` and the data of a
training call it. No text acts as a control piece, and nothing is cut unless it is asked for.
"""

__all__ = ["CONTROLS", "Framed", "WordPieceConfig", "WordPieces", "cut"]

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from heedful.errors import DataError, ModelError
from heedful.output import write_whole
from heedful.settings import Settings
from heedful.text.vocabulary import foreign_backend

CONTROLS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""What every vocabulary of BERT has; only `[MASK]` may be missing."""

_FIX = "fetch the folder again"


class WordPieceConfig(Settings):
    """Pieces of words, learnt as BERT's were (Schuster and Nakajima 2012)."""

    kind: Literal["wordpiece"] = "wordpiece"
    vocabulary_size: int = Field(30_000, ge=64, le=10_000_000)
    """Pieces at most, control pieces counted; a small text gives fewer."""
    lowercase: bool = True
    """Read every letter as a small one, without accents, as bert-base-uncased does."""

    def build(self, texts: Iterable[str]) -> "WordPieces":
        """Return what is learnt of the texts."""
        return WordPieces.train(texts, self)


class Framed(NamedTuple):
    """One row as the model reads it: a text or a pair between control pieces."""

    ids: list[int]
    segments: list[int]
    """0 for the first text and what frames it, 1 for the second."""


class WordPieces:
    """The pieces of an encoder's texts."""

    def __init__(self, backend: Backend, where: str) -> None:
        backend.encode_special_tokens = True
        self._backend = backend
        numbers = {name: backend.token_to_id(name) for name in CONTROLS}
        self.mask_id: int | None = numbers.pop("[MASK]")
        known = [number for number in numbers.values() if number is not None]
        if len(known) < len(numbers):
            lacking = next(name for name, number in numbers.items() if number is None)
            raise ModelError(f"it has no piece {lacking}", where=where, fix="take one of BERT")
        self.pad_id, self.unknown_id, self.first_id, self.end_id = known

    @classmethod
    def load(cls, folder: Path, most: int) -> "WordPieces":
        """Read tokenizer.json or, without it, vocab.txt, for a model that knows `most` pieces.

        Raises ModelError for a missing or damaged one, for one that has more pieces, and for one
        that frames texts otherwise than BERT.
        """
        path, words = folder / "tokenizer.json", folder / "vocab.txt"
        if path.is_file() or not words.is_file():
            backend = foreign_backend(path, most)
            found = cls(backend, str(path))
            found._check_frame(str(path))
            return found
        return cls(_of_words(words, most), str(words))

    @classmethod
    def train(cls, texts: Iterable[str], config: WordPieceConfig) -> "WordPieces":
        """Learn the pieces of the texts."""
        backend = _framed(Backend(models.WordPiece(unk_token="[UNK]")), config.lowercase)
        trainer = trainers.WordPieceTrainer(
            vocab_size=config.vocabulary_size, special_tokens=[*CONTROLS], show_progress=False
        )
        backend.train_from_iterator(texts, trainer)
        table = backend.get_vocab(with_added_tokens=True)
        backend.post_processor = _frame(table)
        return cls(backend, "tokenizer.json")

    def _check_frame(self, where: str) -> None:
        """Raise ModelError where the file puts other control pieces around texts than BERT."""
        if self._backend.post_processor is None:
            return
        for pair in (("a",), ("a", "b")):
            theirs = self._backend.encode(*pair)
            if self.framed(*self.encode(pair)) != (theirs.ids, theirs.type_ids):
                raise ModelError(
                    "it frames texts otherwise than [CLS] text [SEP] text [SEP]",
                    where=where,
                    fix="take a model of BERT's kind",
                )

    @property
    def size(self) -> int:
        """Pieces: the ids are below this."""
        return int(max(self._backend.get_vocab(with_added_tokens=True).values())) + 1

    def encode(self, texts: Sequence[str], where: str = "text") -> list[list[int]]:
        """Return the pieces of each text, without control pieces.

        Raises DataError, naming the text by its number, for one that is not Unicode.
        """
        try:
            found = self._backend.encode_batch(list(texts), add_special_tokens=False)
        except TypeError:
            number = next(n for n, text in enumerate(texts, 1) if not _is_unicode(text))
            problem = "this holds bytes that are not UTF-8"
            raise DataError(problem, where=f"{where} {number}", fix="type it in UTF-8") from None
        return [list(one.ids) for one in found]

    def framed(self, first: Sequence[int], second: Sequence[int] | None = None) -> Framed:
        """Return `[CLS] first [SEP]`, and `second [SEP]` behind it if there is one."""
        ids = [self.first_id, *first, self.end_id]
        segments = [0] * len(ids)
        if second is not None:
            ids += [*second, self.end_id]
            segments += [1] * (len(second) + 1)
        return Framed(ids, segments)

    def piece(self, number: int) -> str:
        """Return a piece, such as `cat`, or `##ing` where it continues a word."""
        found = self._backend.id_to_token(number)
        return f"<{number}>" if found is None else str(found)

    def number(self, piece: str) -> int | None:
        """Return the id of a piece; None where there is no such piece."""
        found: int | None = self._backend.token_to_id(piece)
        return found

    @cached_property
    def continuing(self) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """Whether a piece continues the word that the piece before it begins, by its id."""
        marked = np.zeros(self.size, np.bool_)
        for piece, number in self._backend.get_vocab(with_added_tokens=True).items():
            marked[number] = piece.startswith("##")
        return marked

    @cached_property
    def ordinary(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """The ids of all pieces that texts are made of: control pieces are left out."""
        every = self._backend.get_vocab(with_added_tokens=True)
        special = {n for n, token in self._backend.get_added_tokens_decoder().items()}
        return np.array(sorted(set(every.values()) - special), np.int64)

    def content(self) -> str:
        """Return what tokenizer.json holds."""
        return str(self._backend.to_str())

    def save(self, path: Path) -> None:
        """Write the tokenizer.json; raises OutputError where that cannot be done."""
        write_whole(path, self.content().encode())

    def fingerprint(self) -> str:
        """Return the SHA-256, in hexadecimal, of everything in it."""
        return sha256(self.content().encode()).hexdigest()


def cut(
    first: list[int], second: list[int] | None, most: int
) -> tuple[list[int], list[int] | None]:
    """Return both texts with so many pieces together at most: the longer loses its end first.

    >>> cut([1, 2, 3, 4], [5, 6], 4)
    ([1, 2], [5, 6])
    >>> cut([1, 2, 3], None, 2)
    ([1, 2], None)
    """
    if second is None:
        return first[:most], None
    a, b = len(first), len(second)
    while a + b > max(most, 0):
        if a > b:
            a = max(b, most - b)
        elif b > a:
            b = max(a, most - a)
        else:
            a, b = (most + 1) // 2, most // 2
    return first[:a], second[:b]


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _of_words(path: Path, most: int) -> Backend:
    """Return the tokenizer that a vocab.txt stands for, with what tokenizer_config.json adds."""
    where = str(path)
    try:
        pieces = path.read_text("utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", where=where) from None
    except UnicodeDecodeError:
        raise ModelError("this is not UTF-8 text", where=where, fix=_FIX) from None
    pieces = [piece.removesuffix("\r") for piece in pieces]
    if len(pieces) > most:
        problem = f"it has {len(pieces):,} pieces and the model knows {most:,}"
        raise ModelError(problem, where=where, fix="use the model's own vocab.txt")
    table = {piece: number for number, piece in enumerate(pieces)}
    if len(table) < len(pieces):
        double = next(piece for number, piece in enumerate(pieces) if table[piece] != number)
        raise ModelError(f"the piece {double[:50]!r} is in it twice", where=where, fix=_FIX)
    backend = Backend(models.WordPiece(table, unk_token="[UNK]", max_input_chars_per_word=100))
    habits = _habits(path.with_name("tokenizer_config.json"))
    backend = _framed(backend, habits.get("do_lower_case") is not False)
    backend.normalizer.strip_accents = habits.get("strip_accents")
    chinese = habits.get("tokenize_chinese_chars") is not False
    backend.normalizer.handle_chinese_chars = chinese
    backend.add_special_tokens([name for name in CONTROLS if name in table])
    if "[CLS]" in table and "[SEP]" in table:
        backend.post_processor = _frame(table)
    return backend


def _framed(backend: Backend, lowercase: bool) -> Backend:
    """Let a tokenizer treat letters, words and continuing pieces as BERT does."""
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=lowercase
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    return backend


def _frame(table: Mapping[str, int]) -> processors.BertProcessing:
    """Return what puts `[CLS]` and `[SEP]` around texts."""
    return processors.BertProcessing(*((name, table[name]) for name in ("[SEP]", "[CLS]")))


def _habits(path: Path) -> dict[str, bool | None]:
    """Return what tokenizer_config.json says of letters; raises ModelError for a damaged one."""
    if not path.is_file():
        return {}
    known = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
    try:
        data = json.loads(path.read_text("utf-8"))
        found = {name: data[name] for name in known if name in data}
    except (OSError, ValueError, TypeError, RecursionError):
        raise ModelError("not valid JSON", where=str(path), fix=_FIX) from None
    for name, value in found.items():
        if not isinstance(value, bool) and not (value is None and name == "strip_accents"):
            raise ModelError(f'"{name}" is neither true nor false', where=str(path), fix=_FIX)
    return found
