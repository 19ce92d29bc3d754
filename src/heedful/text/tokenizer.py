"""Text becomes ids of pieces and ids become text again, for both sides of a model.

Sentences come in, lists of ids go out and back; the token store, the translator and the
evaluation call it. One file, tokenizer.json, holds it all.
"""

__all__ = ["BPE", "Tokenizer", "TokenizerConfig", "Unigram"]

import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from heedful.errors import DataError, ModelError, OutputError, SettingError, did_you_mean
from heedful.text.framing import Framing, parted
from heedful.text.pieces import (
    BYTE_LETTERS,
    CONTROL,
    END,
    PAD,
    START,
    UNKNOWN,
    control_pieces,
    readable,
)
from heedful.text.sentence_pieces import FORMAT as SENTENCE_PIECES
from heedful.text.sentence_pieces import SentencePieces
from heedful.text.sentencepiece_file import SentencePieceModel
from heedful.text.subword_pieces import FORMAT as SUBWORD_PIECES
from heedful.text.subword_pieces import SubwordPieces
from heedful.text.tokenizer_file import languages_of, parse, read_backend, side_content
from heedful.text.train_tokenizer import BPE, TokenizerConfig, Unigram, train_backend
from heedful.text.words import Words

TWO_SIDED = "heedful-two-sided"
FRAMED = "heedful-framed"
"""A file with a tokenizer inside, and what stands around its sources."""
SIDES = ("source_tokenizer.json", "target_tokenizer.json")
"""Names for each side alone, as other programs read them."""


Foreign = SentencePieces | SubwordPieces
"""A side that an imported model brings."""
Side = Backend | Foreign


class Tokenizer:
    """The pieces of the source and of the target; they are the same when `shared`.

    One that was trained here is lossless: decoding what was encoded gives the text as typed, also
    where a text holds characters never seen in training or spells a control piece. One of
    SentencePiece, which an imported model brings, normalises the text; its two sides may share
    their pieces and cut differently.
    """

    pad_id = PAD
    start_id = START
    end_id = END

    def __init__(self, source: Side, target: Side, *, framing: Framing | None = None) -> None:
        self._source = source
        self._target = target
        self._source_words = _words(source)
        self._target_words = self._source_words if source is target else _words(target)
        self._one_file = source is target
        self.shared: bool = self._one_file or _same_pieces(source, target)
        self.languages: tuple[str, ...] = (
            source.languages if isinstance(source, Foreign) else languages_of(source)
        )
        self._framed = framing is not None
        self.framing = framing or Framing(("to",) if self.languages else ())
        """What stands around the pieces of a source."""

    @classmethod
    def train(
        cls,
        pairs: Callable[[], Iterable[tuple[str, str]]],
        config: BPE | Unigram,
        languages: Sequence[str] = (),
    ) -> "Tokenizer":
        """Learn the pieces of the pairs that `pairs()` yields anew at each call.

        Separate vocabularies learn one side each: what is to be translated must stand first.
        Each of `languages` gets a tag, by which the source asks for that target language.
        Raises DataError when the corpus is too small for `config.vocabulary_size`.
        """
        controls = control_pieces(languages)
        if config.shared:
            both = (text for pair in pairs() for text in pair)
            backend = train_backend(both, config, controls)
            return cls(backend, backend)
        return cls(
            train_backend((source for source, _ in pairs()), config, controls),
            train_backend((target for _, target in pairs()), config.of_target, control_pieces()),
        )

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read a tokenizer.json; raises ModelError when it is missing or damaged in any way."""
        where = str(path)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as failure:
            raise ModelError(f"cannot be read ({failure.strerror})", where=where) from None
        except UnicodeDecodeError:
            raise ModelError("this is not UTF-8 text", where=where) from None
        data, framing = parse(text, where), None
        if data.get("format") == FRAMED:
            framing = Framing.read(data, where)
            data = data["tokenizer"] if isinstance(data.get("tokenizer"), dict) else {}
        if data.get("format") != TWO_SIDED:
            side = _read_side(data, where)
            return cls(side, side, framing=framing)
        if not (isinstance(data.get("source"), dict) and isinstance(data.get("target"), dict)):
            raise ModelError("one of its two sides is missing", where=where)
        sides = [_read_side(data[name], where) for name in ("source", "target")]
        return cls(*sides, framing=framing)

    def save(self, path: Path) -> None:
        """Write tokenizer.json, whole or not at all; raises OutputError when that fails.

        Trained here and shared, it is a file of the `tokenizers` library like any other; separate,
        it holds two.
        """
        if self._one_file:
            text = self._source.to_str()
        else:
            sides = {"source": self._source, "target": self._target}
            data = {name: json.loads(side.to_str()) for name, side in sides.items()}
            text = json.dumps({"format": TWO_SIDED, **data}, ensure_ascii=False)
        if self._framed:
            framing = json.dumps({"format": FRAMED, **self.framing._asdict()})
            text = f'{framing[:-1]}, "tokenizer": {text}}}'
        _write_whole(path, text)

    @property
    def around(self) -> tuple[int, int]:
        """How many pieces of a source stand before those of its text, and behind them."""
        before, behind = self.framing.around
        return before + len(self._before), behind

    @cached_property
    def _before(self) -> list[int]:
        source = self._source
        return source.encode([source.prefix])[0] if isinstance(source, SentencePieces) else []

    @property
    def prefix(self) -> str:
        """The words before each source; empty where there are none."""
        return self._source.prefix if isinstance(self._source, SentencePieces) else ""

    @property
    def source_size(self) -> int:
        """Pieces a source can hold: the ids are 0 to this minus 1."""
        return int(self._source.get_vocab_size())

    @property
    def target_size(self) -> int:
        """Pieces a target can hold: the ids are 0 to this minus 1."""
        return int(self._target.get_vocab_size())

    def fingerprint(self) -> str:
        """Return the SHA-256, in hexadecimal, of everything that was learnt."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        sides = [self._source] if self._one_file else [self._source, self._target]
        framing = [self.framing._asdict()] if self._framed else []
        learnt = json.dumps([*map(_content, sides), *framing], sort_keys=True)
        return sha256(learnt.encode()).hexdigest()

    def encode_source(self, texts: Sequence[str], to: str | None = None) -> list[list[int]]:
        """Return `[tag of `to`?] pieces </s>` of each text; a model with languages needs `to`.

        Models from elsewhere have other marks around their pieces (`framing`), and may need a
        `heedful.text.framing.direction` as `to`. One that wants words before each source, as T5
        does, gets those before the text.
        """
        head, tail = self.marks(to)
        head += self._before
        tail = [END, *tail] if self.framing.ended else tail
        return [[*head, *ids, *tail] for ids in _encode(self._source_words, texts)]

    def encode_target(self, texts: Sequence[str]) -> list[list[int]]:
        """Return `pieces </s>` of each text; the batch puts <s> before them."""
        return [[*ids, END] for ids in _encode(self._target_words, texts)]

    def decode_target(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Return the texts; control pieces are left out, broken UTF-8 becomes U+FFFD."""
        texts = self._target.decode_batch([list(row) for row in ids], skip_special_tokens=True)
        return list(texts)

    def source_pieces(self, ids: Sequence[int]) -> list[str]:
        """Return the pieces for the eye, such as `▁cat`, `</s>`, or `<0xE7>` for a lone byte."""
        return _pieces(self._source, ids)

    def target_pieces(self, ids: Sequence[int]) -> list[str]:
        """Return the pieces for the eye, such as `▁cat`, `</s>`, or `<0xE7>` for a lone byte."""
        return _pieces(self._target, ids)

    def vocabularies(self) -> tuple[list[str], list[str]]:
        """Return the pieces of source and target in the order of their ids, as stored."""
        source, target = (
            [str(side.id_to_token(number)) for number in range(side.get_vocab_size())]
            for side in (self._source, self._target)
        )
        return source, target

    def models(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what the `tokenizers` library writes of the models of source and target."""
        source, target = (
            json.loads(side.to_str())["model"] for side in (self._source, self._target)
        )
        return source, target

    def target_bytes(self) -> list[bytes]:
        """Return what every piece of the target stands for, in order; control pieces nothing."""
        if isinstance(self._target, Foreign):
            return self._target.spelled()
        controls = len(CONTROL) + len(self.languages) * self.shared
        learnt = self.vocabularies()[1][controls:]
        return [b""] * controls + [bytes(BYTE_LETTERS[x] for x in piece) for piece in learnt]

    def library_file(self) -> str:
        """Return a file of the `tokenizers` library for a vocabulary that both sides share.

        Its numbers are the model's; the words before a source are not in it.
        """
        source = self._source
        return source.in_order() if isinstance(source, SentencePieces) else str(source.to_str())

    @property
    def in_library(self) -> bool:
        """Whether the `tokenizers` library can cut as this does; not as subword-nmt."""
        return not any(isinstance(one, SubwordPieces) for one in (self._source, self._target))

    def with_prefix(self, prefix: str) -> "Tokenizer":
        """Return one that puts these words before each source.

        Raises SettingError for a tokenizer that was trained here, whose models know none.
        """
        source = self._source
        if not isinstance(source, SentencePieces):
            raise SettingError(
                "this model's tokenizer is not of SentencePiece, and puts no words before a source",
                where="--prefix",
                fix="leave it out",
            )
        side = SentencePieces(source.pieces, source.model, prefix=prefix.strip())
        return Tokenizer(side, self._target, framing=self.framing if self._framed else None)

    def save_sides(self, folder: Path) -> None:
        """Write files that the `tokenizers` library reads, of the names in `side_files`.

        SentencePiece's cut and write the same pieces; the ids are others than the model's.
        """
        sides = (self._source, self._target)[: len(self.side_files)]
        for number, (name, side) in enumerate(zip(self.side_files, sides, strict=True)):
            if isinstance(side, Foreign):
                _write_whole(folder / name, side.for_library(decodes=number == 1))
            else:
                _write_whole(folder / name, side.to_str())

    def library_text(self) -> str:
        """Return what cuts a source as a tokenizer.json of the `tokenizers` library.

        SentencePiece's cuts to its own pieces; their numbers are others than the model's.
        """
        side = self._source
        return (
            side.for_library(decodes=False) if isinstance(side, SentencePieces) else side.to_str()
        )

    @property
    def side_files(self) -> tuple[str, ...]:
        """Names of the files that `save_sides` writes: one, or the source's and the target's."""
        foreign = isinstance(self._source, Foreign)
        return SIDES if foreign or not self.shared else ("tokenizer.json",)

    def cutters(self) -> tuple[SentencePieceModel, SentencePieceModel] | None:
        """Return the SentencePiece models of source and target; None of a tokenizer of ours."""
        source, target = self._source, self._target
        if isinstance(source, SentencePieces) and isinstance(target, SentencePieces):
            return source.model, target.model
        return None

    def marks(self, to: str | None) -> tuple[list[int], list[int]]:
        """Return the ids before the pieces of a source, and behind its `</s>`."""
        source, target = parted(to)
        if target is not None and not self.languages:
            self._tag_id(target)  # refuses it
        if self.framing.directed and not source:
            known = ", ".join(self.languages[:5])
            raise SettingError("the language of the source is missing", fix=f"one of {known} ...")
        told = {"from": source, "to": target}
        head, tail = (
            [self._tag_id(told[mark]) if mark in told else START for mark in marks]
            for marks in (self.framing.before, self.framing.behind)
        )
        return head, tail

    def _tag_id(self, language: str | None) -> int:
        if not self.languages:
            raise SettingError(
                "this tokenizer has no language tags, its model has one target language",
                fix=f'leave out the target language "{language}"',
            )
        if language is None:
            known = ", ".join(self.languages)
            raise SettingError("the target language is missing", fix=f"give one of {known}")
        if language not in self.languages:
            raise SettingError(
                f'the model has no target language "{language}"',
                fix=did_you_mean(language, self.languages),
            )
        return len(CONTROL) + self.languages.index(language)


def _words(side: Side) -> Words | Foreign:
    """Return what cuts the texts of a side."""
    return side if isinstance(side, Foreign) else Words(side)


def _same_pieces(source: Side, target: Side) -> bool:
    """Return whether two sides of SentencePiece number the same pieces."""
    if isinstance(source, Foreign) and isinstance(target, Foreign):
        return source.pieces == target.pieces
    return False


def _read_side(data: dict[str, Any], where: str) -> Side:
    if data.get("format") == SENTENCE_PIECES:
        return SentencePieces.read(data, where)
    if data.get("format") == SUBWORD_PIECES:
        return SubwordPieces.read(data, where)
    return read_backend(data, where)


def _content(side: Side) -> dict[str, Any]:
    """Return what was learnt."""
    if isinstance(side, Foreign):
        content: dict[str, Any] = json.loads(side.to_str())
        return content
    return side_content(side)


def _encode(words: Words | Foreign, texts: Sequence[str]) -> list[list[int]]:
    try:
        return words.encode(texts)
    except TypeError:
        raise DataError(_not_text(texts)) from None


def _pieces(side: Side, ids: Sequence[int]) -> list[str]:
    pieces = (side.id_to_token(number) for number in ids)
    shown = str if isinstance(side, Foreign) else readable
    return [CONTROL[UNKNOWN] if piece is None else shown(piece) for piece in pieces]


def _not_text(texts: Sequence[str]) -> str:
    """Say which of the texts the library refuses; it takes all that UTF-8 can hold."""
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            return f"text {number} is no text but {type(text).__name__}"
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            return f"text {number} holds a lone surrogate, which is no character"
    return "the texts are no sequence of strings"


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    except OSError as failure:
        temporary.unlink(missing_ok=True)
        reason = failure.strerror or str(failure)
        raise OutputError(f"cannot be written ({reason})", where=str(path)) from None
