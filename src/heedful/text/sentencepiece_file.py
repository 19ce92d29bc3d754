"""A SentencePiece model (`.spm`, `.model`) is read without the library that wrote it.

The bytes of a file come in, its pieces and what it does to a text before it cuts it go out; the
importers of `heedful.interop` call it. The file is a protocol buffer (`sentencepiece_model.proto`
of google/sentencepiece): fields, each a number, a type and a value. It is foreign, so every length
is checked before it is followed, and what would cut otherwise than here is refused by its name.
"""

__all__ = ["BYTE_PIECES", "Kind", "Learnt", "SentencePieceModel", "read_model", "written"]

import math
import re
import struct
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from heedful.errors import ModelError

_FIX = "fetch the folder again"
_MOST_PIECES = 2_000_000
_MOST_BYTES = 256 * 2**20
_UNIGRAM, _BPE = 1, 2
_ALGORITHMS = {_UNIGRAM: "unigram", _BPE: "BPE", 3: "words", 4: "characters"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SENTINEL = re.compile(r"▁<extra_id_\d{1,6}>")
"""What mT5 learnt to fill in: pieces of its file that are defined by their user."""

BYTE_PIECES = tuple(f"<0x{byte:02X}>" for byte in range(256))
"""The pieces for the bytes of a character that no other piece spells."""


class Kind(IntEnum):
    """What a piece is for, as the file numbers it."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class Learnt(NamedTuple):
    """One piece."""

    text: str
    """With ▁ for a space."""
    score: float
    """Its log-probability."""
    kind: Kind


class SentencePieceModel(NamedTuple):
    """What a file holds."""

    pieces: list[Learnt]
    unknown: int
    """Number of the piece that stands for what no piece spells."""
    charsmap: bytes
    """How characters are normalised, as the library keeps it; empty: not at all."""
    extra_spaces_removed: bool
    """Whether spaces at the ends are left out, and several become one."""
    merges: bool = False
    """Whether neighbours are joined, the best piece first (BPE); else the likeliest pieces of a
    text are looked for (unigram)."""

    @property
    def scores(self) -> dict[str, float]:
        """Those of the pieces that texts are cut to."""
        kinds = (Kind.NORMAL, Kind.USER_DEFINED)
        return {piece.text: piece.score for piece in self.pieces if piece.kind in kinds}

    @property
    def falls_back(self) -> bool:
        """Whether what no piece spells is cut to the pieces of its bytes (UTF-8)."""
        return any(piece.kind == Kind.BYTE for piece in self.pieces)

    @property
    def whole(self) -> bool:
        """Whether every byte has a piece, or none has."""
        bytes_ = [piece.text for piece in self.pieces if piece.kind == Kind.BYTE]
        return not bytes_ or sorted(bytes_) == sorted(BYTE_PIECES)


class _BrokenError(Exception):
    """The bytes are no protocol buffer."""


def read_model(path: Path) -> SentencePieceModel:
    """Read the file; raises ModelError for a damaged one and for what is not done here."""
    where = str(path)
    if not path.is_file():
        raise ModelError(f"there is no {path.name} in it", where=str(path.parent), fix=_FIX)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ModelError("it is too large for a SentencePiece model", where=where)
        found = _model(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", where=where) from error
    except (_BrokenError, ValueError) as error:  # also text that is no UTF-8
        raise ModelError("this is not a SentencePiece model", where=where, fix=_FIX) from error
    model, refused = found
    if refused:
        problem = f"its {refused}, and heedful cuts texts by models that know none of that"
        raise ModelError(problem, where=where, fix="take another model")
    return model


def _model(data: bytes) -> tuple[SentencePieceModel, str]:
    """Return the model, and what of it cannot be done here."""
    pieces: list[Learnt] = []
    algorithm, charsmap, flags = _UNIGRAM, b"", {3: 1, 4: 1, 5: 1}
    suffix = 0
    for number, value in _fields(data):
        if number == 1:
            pieces.append(_piece(_block(value)))
            if len(pieces) > _MOST_PIECES:
                raise _BrokenError
        elif number == 2:
            inside = dict(_fields(_block(value)))
            algorithm, suffix = _number(inside.get(3, _UNIGRAM)), _number(inside.get(24, 0))
        elif number == 3:
            inside = dict(_fields(_block(value)))
            charsmap = _block(inside.get(2, b""))
            flags |= {key: _number(inside[key]) for key in flags if key in inside}
    unknown = [at for at, piece in enumerate(pieces) if piece.kind == Kind.UNKNOWN]
    if len(unknown) != 1 or len({piece.text for piece in pieces}) != len(pieces):
        raise _BrokenError
    found = SentencePieceModel(
        pieces, unknown[0], charsmap, bool(flags[4]), merges=algorithm == _BPE
    )
    if not found.whole:
        raise _BrokenError
    return found, _refused(
        pieces, algorithm, no_prefix=not flags[3], odd=bool(suffix or not flags[5])
    )


def _refused(pieces: list[Learnt], algorithm: int, *, no_prefix: bool, odd: bool) -> str:
    if algorithm not in (_UNIGRAM, _BPE):
        return f"algorithm is {_ALGORITHMS.get(algorithm, algorithm)}"
    if no_prefix or odd:
        return "spaces are not written as ▁ before each word"
    if algorithm == _BPE and any(piece.kind == Kind.BYTE for piece in pieces):
        return "pieces are bytes in part, and joined by merges"
    own = [piece.text for piece in pieces if piece.kind == Kind.USER_DEFINED]
    if own and (algorithm == _BPE or not all(map(_SENTINEL.fullmatch, own))):
        return "pieces are in part defined by its user"
    return ""


def _piece(data: bytes) -> Learnt:
    text, score, kind = "", 0.0, Kind.NORMAL
    for number, value in _fields(data):
        if number == 1:
            text = _block(value).decode("utf-8")
        elif number == 2:
            (score,) = struct.unpack("<f", _block(value))
        elif number == 3:
            kind = Kind(_number(value))
    if not text or not math.isfinite(score) or abs(score) > 1e30:
        raise _BrokenError
    return Learnt(text, score, kind)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and the value of each field: a whole number, or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise _BrokenError
        if size > len(data) - at:
            raise _BrokenError
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at a place, seven bits a byte, and where it ends."""
    found = 0
    for place in range(at, min(at + 10, len(data))):
        found |= (data[place] & 0x7F) << 7 * (place - at)
        if data[place] < 0x80:
            return found, place + 1
    raise _BrokenError


def _block(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise _BrokenError
    return value


def _number(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise _BrokenError
    return value


def written(model: SentencePieceModel) -> bytes:
    """Return the bytes of a file with this model; `read_model` reads them as it is."""
    pieces = [
        _field(1, piece.text.encode())
        + _key(2, _FIXED32)
        + struct.pack("<f", piece.score)
        + _key(3, _VARINT)
        + _written(piece.kind)
        for piece in model.pieces
    ]
    normalising = _field(2, model.charsmap)
    for number, flag in ((3, 1), (4, int(model.extra_spaces_removed)), (5, 1)):
        normalising += _key(number, _VARINT) + _written(flag)
    algorithm = _BPE if model.merges else _UNIGRAM
    trainer = _key(3, _VARINT) + _written(algorithm) + _key(40, _VARINT) + _written(model.unknown)
    trainer += _key(35, _VARINT) + _written(model.falls_back)
    return b"".join(
        [*(_field(1, piece) for piece in pieces), _field(2, trainer), _field(3, normalising)]
    )


def _key(number: int, kind: int) -> bytes:
    return _written(number << 3 | kind)


def _field(number: int, content: bytes) -> bytes:
    return _key(number, _BYTES) + _written(len(content)) + content


def _written(number: int) -> bytes:
    """Return a whole number, seven bits a byte, the lowest first."""
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
