"""The vocabulary of a T5 folder: `spiece.model` or `tokenizer.json`, and T5's sentinels behind it.

Its pieces are numbered as the file has them, then come `<extra_id_99>` to `<extra_id_0>`, which are
in the file of mT5 (`▁<extra_id_0>`), then rows of the weights that are no piece's. Our control
pieces are the first here, as in `vocabulary.py`.
"""

__all__ = ["numbered"]

import base64
import binascii
import json
import re
from pathlib import Path
from typing import Any

from heedful.errors import ModelError
from heedful.interop.huggingface.config import read_json
from heedful.interop.huggingface.seq2seq.t5 import DescribedT5
from heedful.interop.huggingface.seq2seq.tokenizer_json import bytes_among
from heedful.interop.huggingface.seq2seq.vocabulary import OWN, Numbered, not_of, own
from heedful.model_header import Languages
from heedful.text.pieces import CONTROL
from heedful.text.sentence_pieces import SentencePieces
from heedful.text.sentencepiece_file import Kind, Learnt, SentencePieceModel, read_model
from heedful.text.tokenizer import Tokenizer

_SENTINELS = 100
_SPARE = 255
"""Rows that may belong to no piece: sizes are rounded up, to a multiple of 128 in T5's."""
_FIX = "fetch the folder again"
_TOKENIZER = "tokenizer.json"


def numbered(folder: Path, said: DescribedT5) -> Numbered:
    """Return what a folder's files of pieces say.

    Raises ModelError for one that is missing or damaged, or does not belong to the weights.
    """
    if (folder / OWN).is_file():
        return own(folder, said.size, said.size, one_vocabulary=True)
    path = folder / "spiece.model"
    if not path.is_file() and (folder / _TOKENIZER).is_file():
        path = folder / _TOKENIZER
        model = _library_model(path)
    else:
        model = read_model(path)
    pieces = _pieces(folder, model, said.size)
    if not 0 <= said.size - len(pieces) <= _SPARE:
        raise not_of(path, len(pieces), said.size)
    pieces += [f"<row {number}>" for number in range(len(pieces), said.size)]
    for name, number in (("</s>", said.end_id), ("<pad>", said.pad_id)):
        if pieces[number] != name:
            problem = f"piece {number} is {json.dumps(pieces[number])} and config.json means {name}"
            raise ModelError(f"{problem}: it belongs to another model", where=str(path), fix=_FIX)
    rows: list[int] = [said.pad_id, said.start_id, said.end_id, model.unknown]
    if said.end_id in (said.pad_id, said.start_id) or model.unknown in rows[:3]:
        raise ModelError("two of its control pieces are one", where=str(path), fix=_FIX)
    rows += sorted(set(range(said.size)) - set(rows))
    rest = [pieces[row] for row in rows[len(CONTROL) :]]
    names = [*CONTROL, *(f'"{piece}"' if piece in CONTROL else piece for piece in rest)]
    side = SentencePieces(names, model, str(path))
    return Numbered(Tokenizer(side, side), [*rows], [*rows], Languages())


def _pieces(folder: Path, model: SentencePieceModel, size: int) -> list[str]:
    """Return all pieces in the order of their numbers; sentinels are added where there are none."""
    pieces = [piece.text for piece in model.pieces]
    if any(re.fullmatch(r"▁?<extra_id_\d+>", piece) for piece in pieces):
        return pieces
    settings = folder / "tokenizer_config.json"
    count = read_json(settings).get("extra_ids") if settings.is_file() else None
    count = count if type(count) is int and 0 <= count <= size else _SENTINELS
    return pieces + [f"<extra_id_{number}>" for number in reversed(range(count))]


def _library_model(path: Path) -> SentencePieceModel:
    """Return what a tokenizer.json of the `tokenizers` library holds of SentencePiece."""
    data = read_json(path)
    try:
        model: dict[str, Any] = data["model"]
        if model.get("type") not in (None, "Unigram"):
            raise ModelError("it is no unigram model", where=str(path), fix="take another model")
        unknown = int(model["unk_id"])
        special = {str(one["content"]) for one in data["added_tokens"] if one["special"]}
        scores = [(str(text), float(score)) for text, score in model["vocab"]]
        bytes_ = bytes_among(dict(scores), model, path)
        kinds = dict.fromkeys(special, Kind.CONTROL) | dict.fromkeys(bytes_, Kind.BYTE)
        learnt = [Learnt(*one, kinds.get(one[0], Kind.NORMAL)) for one in scores]
        learnt[unknown] = learnt[unknown]._replace(kind=Kind.UNKNOWN)
        added = {int(one["id"]): str(one["content"]) for one in data["added_tokens"]}
        while len(learnt) in added:
            learnt.append(Learnt(added[len(learnt)], 0.0, Kind.CONTROL))
        charsmap = base64.b64decode(_charsmap(data.get("normalizer")), validate=True)
    except (LookupError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise ModelError("not the tokenizer of a T5", where=str(path), fix=_FIX) from error
    texts = {piece.text for piece in learnt}
    if not 0 <= unknown < len(learnt) or len(texts) != len(learnt) or "" in texts:
        raise ModelError("not the tokenizer of a T5", where=str(path), fix=_FIX)
    return SentencePieceModel(learnt, unknown, charsmap, extra_spaces_removed=True)


def _charsmap(normalizer: Any) -> str:
    """Return the table of characters, in base64; empty where there is none."""
    if normalizer is None:
        return ""
    steps = normalizer.get("normalizers", [normalizer])
    found = [step["precompiled_charsmap"] for step in steps if step["type"] == "Precompiled"]
    return str(found[0]) if found else ""
