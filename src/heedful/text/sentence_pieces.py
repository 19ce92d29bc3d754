"""One side of a tokenizer that came from elsewhere: SentencePiece cuts, a list numbers the pieces.

Text becomes ids and back, as with the pieces of `heedful.text.train_tokenizer`, but not without
loss: characters are normalised first, and what no piece spells is `<unk>`, or the bytes of it where
bytes have pieces (mT5). `Tokenizer` asks it what it asks a tokenizer of the `tokenizers` library;
`heedful.interop` makes it of `.spm` files.
"""

__all__ = ["FORMAT", "SentencePieces"]

import base64
import binascii
import json
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from heedful.errors import ModelError
from heedful.text.charsmap import Charsmap
from heedful.text.pieces import CONTROL, UNKNOWN, language_of
from heedful.text.sentencepiece_file import BYTE_PIECES, Kind, Learnt, SentencePieceModel

FORMAT = "heedful-sentence-pieces"
_SPACE = "▁"
_FIX = "fetch or import the model again"
_SENTINEL = re.compile(r"<extra_id_\d{1,6}>")
"""What T5 learnt to fill in; its texts hold them."""
_NEVER = " "
"""Before a piece it makes one that no text holds, since spaces are written otherwise."""
_HALF = re.compile("[\ud800-\udfff]")
"""Half a character; in what was read of bytes, a byte of none."""
_SPELT_BYTE = "(?<=<)(?=0x[0-9A-F]{2}>)"
"""Where a text that spells the piece of a byte is cut, so that it is not taken for one."""


class SentencePieces:
    """Cuts by a unigram model or by merges; `pieces` are the translation model's, in order of ids.

    The two lists need not agree. As in transformers, what is cut to a piece that the translation
    model has not is `<unk>`, and what no piece spells is looked up there, too; where bytes have
    pieces (mT5), it is cut to those of its bytes. T5's sentinels are found in a text as they stand;
    `prefix` are words that `Tokenizer` puts before each text of a source. Raises ModelError for a
    model that the library cannot read.

    >>> model = SentencePieceModel(
    ...     [Learnt("<unk>", 0, Kind.UNKNOWN), Learnt("▁cat", -1, Kind.NORMAL)], 0, b"", True)
    >>> side = SentencePieces([*CONTROL, "▁dog", "▁cat"], model)
    >>> side.encode(["cat  cow"]), side.decode_batch([[5, 4, 2]])
    ([[5, 3]], ['cat dog'])
    """

    def __init__(
        self, pieces: Sequence[str], model: SentencePieceModel, where: str = "", prefix: str = ""
    ) -> None:
        if not model.whole:
            raise _damaged("a byte has no piece", where)
        if _HALF.search("".join(pieces)):
            raise _damaged("a piece holds half a character", where)
        self.pieces = list(pieces)
        self.prefix = prefix
        self.model = model
        self._falls_back = model.falls_back
        self.languages = tuple(_languages(self.pieces))
        first = self.n_controls
        learnt = enumerate(self.pieces[first:], start=first)
        self._ids = {piece: number for number, piece in learnt}
        sentinels = [re.escape(piece) for piece in self._ids if _SENTINEL.fullmatch(piece)]
        self._sentinel = re.compile(f"({'|'.join(sentinels)})") if sentinels else None
        self._charsmap = Charsmap(model.charsmap, where) if model.charsmap else None
        try:
            self._cutter = _cutter(model)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # a panic of the Rust library is no Exception
            problem = "the tokenizers library cannot read the SentencePiece model"
            raise ModelError(problem, where=where or None, fix=_FIX) from None

    @property
    def n_controls(self) -> int:
        """How many of the first pieces no text is cut to."""
        return len(CONTROL) + len(self.languages)

    def __reduce__(self) -> tuple[Any, ...]:
        return SentencePieces, (self.pieces, self.model, "", self.prefix)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text; raises TypeError for what is no text."""
        try:
            return [
                [id_ for part in self._parts(text) for id_ in self._cut(part)] for text in texts
            ]
        except UnicodeEncodeError:
            raise TypeError("half a surrogate pair") from None

    def _parts(self, text: str) -> list[str]:
        """Return a text's sentinels and what stands between them."""
        if not isinstance(text, str):
            raise TypeError("no text")
        return [text] if self._sentinel is None else self._sentinel.split(text)

    def _cut(self, text: str) -> list[int]:
        if self._sentinel is not None and self._sentinel.fullmatch(text):
            return [self._ids[text]]
        plain = self._charsmap.normalised(text) if self._charsmap else text
        if self.model.extra_spaces_removed:
            plain = re.sub(" +", " ", plain.strip(" "))
        if not plain:
            return []
        spaced = _SPACE + plain.replace(" ", _SPACE)
        if self.model.extra_spaces_removed:
            spaced = spaced.rstrip(_SPACE)
        cut: list[Any] = self._cutter.tokenize(spaced) if spaced else []
        if not self._falls_back:
            return [self._ids.get(token.value, UNKNOWN) for token in cut]
        names = (
            name
            for token in cut
            for name in (_bytes(token.value) if token.id == self.model.unknown else [token.value])
        )
        return [self._ids.get(name, UNKNOWN) for name in names]

    def decode_batch(
        self, rows: Sequence[Sequence[int]], skip_special_tokens: bool = True
    ) -> list[str]:
        """Return the texts of rows of ids; control pieces are left out unless asked for.

        A byte that is of no character becomes U+FFFD, as with the SentencePiece library.
        """
        first = self.n_controls if skip_special_tokens else 0
        written = (b"".join(self._written[id_] for id_ in row if id_ >= first) for row in rows)
        texts = (one.decode("utf-8", "surrogateescape") for one in written)
        return [_HALF.sub("\ufffd", text).removeprefix(" ") for text in texts]

    def get_vocab_size(self) -> int:
        """Return how many pieces the translation model has."""
        return len(self.pieces)

    def id_to_token(self, number: int) -> str | None:
        """Return a piece; None for a number that none has."""
        return self.pieces[number] if 0 <= number < len(self.pieces) else None

    def spelled(self) -> list[bytes]:
        """Return the bytes that each piece writes; control pieces none."""
        return [b""] * self.n_controls + self._written[self.n_controls :]

    @cached_property
    def _written(self) -> list[bytes]:
        """What each piece writes, a control piece its name."""
        known = {name: bytes([byte]) for byte, name in enumerate(BYTE_PIECES) if self._falls_back}
        return [known.get(one) or one.replace(_SPACE, " ").encode() for one in self.pieces]

    def to_str(self) -> str:
        """Return all of it as JSON, for `read`."""
        model = self.model
        vocabulary = [[piece.text, piece.score, int(piece.kind)] for piece in model.pieces]
        before = {"prefix": self.prefix} if self.prefix else {}
        return json.dumps(
            {
                "format": FORMAT,
                **before,
                "pieces": self.pieces,
                "model": {
                    "type": "BPE" if model.merges else "Unigram",
                    "unk_id": model.unknown,
                    "vocab": vocabulary,
                },
                "charsmap": base64.b64encode(model.charsmap).decode("ascii"),
                "extra_spaces_removed": model.extra_spaces_removed,
            },
            ensure_ascii=False,
        )

    @classmethod
    def read(cls, data: dict[str, Any], where: str) -> "SentencePieces":
        """Return what `to_str` wrote; raises ModelError for anything else."""
        try:
            pieces, model, prefix = data["pieces"], data["model"], data.get("prefix", "")
            prefix.encode()
            learnt = [
                Learnt(text, float(score), Kind(kind)) for text, score, kind in model["vocab"]
            ]
            charsmap = base64.b64decode(data["charsmap"], validate=True)
            found = SentencePieceModel(
                learnt,
                int(model["unk_id"]),
                charsmap,
                bool(data["extra_spaces_removed"]),
                merges=model.get("type") == "BPE",
            )
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, binascii.Error):
            raise _damaged("a part is missing", where) from None
        _check(pieces, found, where)
        return cls(pieces, found, where, prefix)

    def in_order(self) -> str:
        """Return a tokenizer.json of the `tokenizers` library, whose numbers are the model's."""
        scores = self.model.scores
        lowest = min(scores.values(), default=0.0)  # what is unknown is still below that
        learnt = [(piece, scores.get(piece, lowest)) for piece in self.pieces]
        backend = Backend(models.Unigram(learnt, UNKNOWN, self._falls_back))
        whole = [*self.pieces[: self.n_controls], *filter(_SENTINEL.fullmatch, self._ids)]
        backend.add_special_tokens([AddedToken(x, normalized=False) for x in whole])
        return self._described(backend)

    def for_library(self, *, decodes: bool) -> str:
        """Return a tokenizer.json of the `tokenizers` library, whose numbers are not the model's.

        It cuts a source to the pieces that are translated, or `decodes` any pieces of a target.
        """
        learnt = [(piece, -100.0) for piece in self.pieces]
        cutter = _cutter(self.model, with_bytes=self._falls_back)
        backend = Backend(models.Unigram(learnt, UNKNOWN, False) if decodes else cutter)
        if decodes:
            controls = self.pieces[: self.n_controls]
            backend.add_special_tokens([AddedToken(x, normalized=False) for x in controls])
        return self._described(backend)

    def _described(self, backend: Backend) -> str:
        """Return the file of a tokenizer that treats characters and spaces as this one does."""
        steps: list[Any] = []
        if self.model.charsmap:
            steps.append(_precompiled(self.model.charsmap))
        if self.model.extra_spaces_removed:
            steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
        backend.normalizer = normalizers.Sequence(steps)
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
        backend.decoder = decoders.Metaspace(prepend_scheme="always", split=False)
        if self._falls_back:
            apart = pre_tokenizers.Split(Regex(_SPELT_BYTE), "isolated")
            backend.pre_tokenizer = pre_tokenizers.Sequence([backend.pre_tokenizer, apart])
            backend.decoder = decoders.Sequence([decoders.ByteFallback(), backend.decoder])
        return str(backend.to_str())


def _precompiled(charsmap: bytes) -> Any:
    """Return the library's normaliser; raises ModelError for a table that it cannot read."""
    try:
        return normalizers.Precompiled(charsmap)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a panic of the Rust library is no Exception
        raise _damaged("the tokenizers library cannot read its table of characters", "") from None


def _cutter(model: SentencePieceModel, *, with_bytes: bool = False) -> models.Model:
    """Return the library's model; pieces that spell no text are such that none holds them.

    `with_bytes`: it falls back to bytes itself, whose pieces a text can spell then (`_SPELT_BYTE`).
    """
    if model.merges:
        return _merging(model)
    scores = model.scores
    if with_bytes:
        scores |= dict.fromkeys(BYTE_PIECES, min(scores.values(), default=0.0))
    vocabulary = [
        (piece.text, scores[piece.text])
        if piece.text in scores
        else (_NEVER + piece.text, piece.score)
        for piece in model.pieces
    ]
    return models.Unigram(vocabulary, model.unknown, with_bytes)


def _bytes(text: str) -> list[str]:
    """Return the pieces of the bytes of a text."""
    return [BYTE_PIECES[byte] for byte in text.encode()]


def _merging(model: SentencePieceModel) -> models.BPE:
    """Return the library's model that joins neighbours to the piece with the best score first.

    SentencePiece keeps the pieces alone: each of them can come of any two that it consists of.
    """
    spelled = [piece for piece in model.pieces if piece.kind == Kind.NORMAL]
    known = {piece.text: at for at, piece in enumerate(spelled)}
    merges = [
        (piece.text[:at], piece.text[at:])
        for piece in sorted(spelled, key=lambda piece: -piece.score)
        for at in range(1, len(piece.text))
        if piece.text[:at] in known and piece.text[at:] in known
    ]
    unknown = _NEVER + model.pieces[model.unknown].text
    vocabulary = known | {unknown: len(known)}
    return models.BPE(vocab=vocabulary, merges=merges, unk_token=unknown, fuse_unk=True)


def _languages(pieces: Sequence[str]) -> list[str]:
    """Return the languages whose tags follow the control pieces."""
    found = []
    for piece in pieces[len(CONTROL) :]:
        language = language_of(piece)
        if language is None:
            break
        found.append(language)
    return found


def _damaged(what: str, where: str) -> ModelError:
    return ModelError(f"this tokenizer is damaged: {what}", where=where or None, fix=_FIX)


def _check(pieces: object, model: SentencePieceModel, where: str) -> None:
    """Raise ModelError unless pieces are distinct texts, control pieces first, with scores."""
    learnt = [piece.text for piece in model.pieces]
    if not isinstance(pieces, list) or tuple(pieces[: len(CONTROL)]) != CONTROL:
        raise _damaged("its control pieces are not its first pieces", where)
    for some in (pieces, learnt):
        if not all(isinstance(piece, str) and piece for piece in some):
            raise _damaged("a piece is not a text", where)
        if len(set(some)) != len(some):
            raise _damaged("a piece occurs twice", where)
    if not all(-1e30 < piece.score < 1e30 for piece in model.pieces):
        raise _damaged("a score is not a number", where)
    if not 0 <= model.unknown < len(learnt):
        raise _damaged("it has no piece for what it does not know", where)
