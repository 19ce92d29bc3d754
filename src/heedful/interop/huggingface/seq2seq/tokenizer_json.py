"""Pieces as the files of the `tokenizers` library hold them, read without the library.

`vocab.json` with `merges.txt`, or one `tokenizer.json`, come in; pieces, their rows and how they
are joined go out, for `multilingual.py`.
"""

__all__ = ["byte_pieces", "bytes_among", "rows_of", "sentence_pieces"]

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heedful.errors import ModelError
from heedful.interop.huggingface.config import read_json
from heedful.interop.huggingface.seq2seq.vocabulary import FIX
from heedful.text.sentencepiece_file import BYTE_PIECES, Kind, Learnt, SentencePieceModel

_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def byte_pieces(folder: Path) -> tuple[dict[str, int], list[list[str]], Path]:
    """Return the row of each piece, which two pieces become one, best first, and the file.

    Raises ModelError where they are missing or damaged.
    """
    apart, merges = folder / "vocab.json", folder / "merges.txt"
    if apart.is_file() and merges.is_file():
        lines = merges.read_text("utf-8").splitlines()
        pairs = [line.split(" ") for line in lines if line and not line.startswith("#version")]
        return rows_of(read_json(apart), apart), _pairs(pairs, merges), apart
    path = folder / "tokenizer.json"
    if not path.is_file():
        problem = "there is neither vocab.json with merges.txt nor tokenizer.json in it"
        raise ModelError(problem, where=str(folder), fix=FIX)
    data = read_json(path)
    model, before = _part(data, "model"), _part(data, "pre_tokenizer")
    if (model.get("type"), before.get("type")) != ("BPE", "ByteLevel"):
        raise ModelError("its pieces are none of bytes, as BART's are", where=str(path), fix=FIX)
    if before.get("add_prefix_space") or data.get("normalizer"):
        problem = "it changes a text before it cuts it, as BART does not"
        raise ModelError(problem, where=str(path), fix=FIX)
    return rows_of(_part(model, "vocab"), path) | _added(data, path), _merges(model, path), path


def sentence_pieces(path: Path) -> tuple[SentencePieceModel, dict[str, int]]:
    """Return the model that cuts a text, and the row of each piece, of an mBART or an NLLB.

    Raises ModelError for a tokenizer.json that is damaged or of another kind.
    """
    data = read_json(path)
    model = _part(data, "model")
    kind, added = model.get("type"), _added(data, path)
    if kind == "Unigram":
        listed = model.get("vocab")
        scores = _scores(listed, path)
        bytes_ = bytes_among(scores, model, path)
        rows = {text: at for at, text in enumerate(scores)}
    elif kind == "BPE" and not model.get("byte_fallback"):
        bytes_ = ()
        rows = rows_of(_part(model, "vocab"), path)
        ranks: dict[str, float] = {}
        for rank, (left, right) in enumerate(_merges(model, path)):
            ranks.setdefault(left + right, -float(rank))
        scores = {text: ranks.get(text, -1e9) for text in sorted(rows, key=rows.__getitem__)}
    else:
        problem = "its model is neither Unigram, nor BPE without pieces for bytes"
        raise ModelError(problem, where=str(path), fix="take another model")
    never = {*added, *_SPECIAL}
    spelled = {text: score for text, score in scores.items() if text not in never}
    learnt = [Learnt("<unk>", 0.0, Kind.UNKNOWN)]
    kinds = dict.fromkeys(bytes_, Kind.BYTE)
    learnt += [Learnt(*one, kinds.get(one[0], Kind.NORMAL)) for one in spelled.items()]
    charsmap = _charsmap(data.get("normalizer"), path)
    found = SentencePieceModel(learnt, 0, charsmap, True, merges=kind == "BPE")
    return found, rows | added


def bytes_among(
    pieces: Mapping[str, float], model: Mapping[str, Any], path: Path
) -> tuple[str, ...]:
    """Return the pieces for bytes if every byte has one, else none.

    A text is cut to them even where `byte_fallback` is false, which transformers writes of mT5,
    whose weights learnt SentencePiece's cuts. Raises ModelError if it is true and a byte has none.
    """
    if pieces.keys() >= {*BYTE_PIECES}:
        return BYTE_PIECES
    if model.get("byte_fallback"):
        problem = '"byte_fallback" is true, and a byte has no piece'
        raise ModelError(problem, where=str(path), fix=FIX)
    return ()


def _part(data: dict[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def rows_of(data: dict[str, Any], path: Path) -> dict[str, int]:
    """Return the row of each piece; raises ModelError unless each has one of its own."""
    if not data or not all(type(row) is int and row >= 0 for row in data.values()):
        raise ModelError("it does not number its pieces", where=str(path), fix=FIX)
    if len(set(data.values())) != len(data):
        raise ModelError("two of its pieces have one number", where=str(path), fix=FIX)
    return dict(data)


def _added(data: dict[str, Any], path: Path) -> dict[str, int]:
    """Return the rows of pieces that are not cut to, such as `<s>` and the languages."""
    added = data.get("added_tokens")
    every = added if isinstance(added, list) else []
    return rows_of(
        {str(piece.get("content")): piece.get("id") for piece in every if isinstance(piece, dict)},
        path,
    )


def _scores(listed: object, path: Path) -> dict[str, float]:
    """Return the score of each piece, in the order of their rows."""
    try:
        found = {str(text): float(score) for text, score in listed}  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ModelError("its pieces have no scores", where=str(path), fix=FIX) from None
    if not all(-1e30 < score < 1e30 for score in found.values()):
        raise ModelError("a score is not a number", where=str(path), fix=FIX)
    return found


def _merges(model: dict[str, Any], path: Path) -> list[list[str]]:
    """Return pairs of pieces, which older files write as one text."""
    every = model.get("merges")
    pairs = [
        pair.split(" ") if isinstance(pair, str) else pair
        for pair in (every if isinstance(every, list) else [])
    ]
    return _pairs(pairs, path)


def _pairs(pairs: list[Any], path: Path) -> list[list[str]]:
    whole = all(isinstance(pair, list) and len(pair) == 2 for pair in pairs)
    if not whole or not all(isinstance(one, str) for pair in pairs for one in pair):
        raise ModelError("a merge is not a pair of pieces", where=str(path), fix=FIX)
    return pairs


def _charsmap(normalizer: object, path: Path) -> bytes:
    """Return the table of characters that a normaliser, or one of several, holds."""
    if not isinstance(normalizer, dict):
        return b""
    inside = normalizer.get("normalizers")
    every = [normalizer, *(inside if isinstance(inside, list) else [])]
    for one in every:
        if isinstance(one, dict) and one.get("type") == "Precompiled":
            try:
                return base64.b64decode(str(one.get("precompiled_charsmap")), validate=True)
            except (binascii.Error, ValueError):
                problem = "its table of characters is damaged"
                raise ModelError(problem, where=str(path), fix=FIX) from None
    return b""
