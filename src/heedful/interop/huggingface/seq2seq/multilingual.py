"""The vocabulary of a BART, mBART, M2M100 or NLLB folder, and how their sources are framed.

A folder comes in, our tokenizer goes out, and for each of its pieces the row that it has in the
weights. Rows that spell nothing (`<mask>`, made-up words, filling) are left out.
"""

__all__ = ["numbered"]

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from heedful.errors import ModelError
from heedful.interop.huggingface.config import read_json
from heedful.interop.huggingface.seq2seq.languages import M2M100, MBART, MBART50, NLLB
from heedful.interop.huggingface.seq2seq.marian import DescribedTranslator
from heedful.interop.huggingface.seq2seq.tokenizer_json import byte_pieces, rows_of, sentence_pieces
from heedful.interop.huggingface.seq2seq.vocabulary import (
    FIX,
    OWN,
    Numbered,
    not_of,
    own,
    settings_of,
)
from heedful.model_header import Languages
from heedful.text.framing import Framing
from heedful.text.pieces import CONTROL, language_of, language_tag
from heedful.text.sentence_pieces import SentencePieces
from heedful.text.sentencepiece_file import SentencePieceModel, read_model
from heedful.text.tokenizer import Tokenizer
from heedful.text.tokenizer_file import BPE_MODEL, UNSPACED, read_backend

_SPM = "sentencepiece.bpe.model"
_FAIRSEQ = ("<s>", "<pad>", "</s>", "<unk>")
"""The first pieces of a model of fairseq; in a SentencePiece file they are <unk>, <s>, </s>."""
_MASK = "<mask>"
_FILLING = 64
"""Rows that a matrix may have beyond its pieces: it is padded to a multiple of that at most."""
_LANGUAGE = re.compile(r"__([a-z]{2,3})__|([a-z]{2,3}_[A-Z][A-Za-z]{1,3})")


class _Known(NamedTuple):
    """What a folder says of its pieces."""

    rows: dict[str, int]
    """The row of each, control pieces among them."""
    languages: dict[str, int]
    """The row of each language's piece."""
    path: Path
    """The file that says most of it."""


def numbered(folder: Path, said: DescribedTranslator) -> Numbered:
    """Return what a folder's files of pieces say.

    Raises ModelError for one that is missing or damaged, or does not belong to the weights.
    """
    assert said.begin_id is not None
    if (folder / OWN).is_file():
        sizes = (said.source_size, said.target_size)
        found = own(folder, *sizes, one_vocabulary=said.one_vocabulary)
        rows = [said.pad_id, said.begin_id, said.end_id, *range(3, said.source_size)]
        return found._replace(source_rows=rows, target_rows=rows)
    if said.kind == "bart":
        return _bart(folder, said)
    settings = settings_of(folder)
    model, known = _pieces(folder, said, settings)
    order = _order(known, said)
    names = _names(known, order)
    side = SentencePieces(names, model, str(known.path))
    tokenizer = Tokenizer(side, side, framing=_framing(said, settings))
    return Numbered(tokenizer, order, order, _languages(settings, said, known))


def _bart(folder: Path, said: DescribedTranslator) -> Numbered:
    """Return the pieces of bytes."""
    rows, merges, path = byte_pieces(folder)
    order = _order(_Known(rows, {}, path), said)
    names = _names(_Known(rows, {}, path), order)
    data = UNSPACED | {
        "added_tokens": [
            {
                "id": number,
                "content": piece,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for number, piece in enumerate(CONTROL)
        ],
        "model": {
            "type": "BPE",
            **BPE_MODEL,
            "vocab": {piece: number for number, piece in enumerate(names)},
            "merges": merges,
        },
    }
    side = read_backend(data, str(path))
    tokenizer = Tokenizer(side, side, framing=Framing(("<s>",)))
    return Numbered(tokenizer, order, order, Languages())


def _pieces(
    folder: Path, said: DescribedTranslator, settings: dict[str, Any]
) -> tuple[SentencePieceModel, _Known]:
    """Return what cuts a text, and the rows of the pieces."""
    file, whole = folder / _SPM, folder / "tokenizer.json"
    if file.is_file() or not whole.is_file():
        model, rows, path = read_model(file), None, file
    else:
        model, rows = sentence_pieces(whole)
        path = whole
    codes = MBART50 if said.model.opening.before else MBART
    if said.kind == "m2m_100":
        codes = NLLB
        if (folder / "vocab.json").is_file():
            path, codes = folder / "vocab.json", M2M100
            rows = rows_of(read_json(path), path)
    if rows is None:
        rows = _fairseq(model, file)
    return model, _Known(rows, _codes(folder, settings, rows, codes), path)


def _fairseq(model: SentencePieceModel, path: Path) -> dict[str, int]:
    """Return the rows of a SentencePiece file's pieces: one more than their numbers there."""
    first = tuple(piece.text for piece in model.pieces[:3])
    if first != ("<unk>", "<s>", "</s>"):
        problem = f"its first pieces are {', '.join(first)} and not <unk>, <s>, </s>"
        raise ModelError(problem, where=str(path), fix=FIX)
    texts = [*_FAIRSEQ, *(piece.text for piece in model.pieces[3:])]
    return {text: row for row, text in enumerate(texts)}


def _codes(
    folder: Path, settings: dict[str, Any], rows: Mapping[str, int], usual: tuple[str, ...]
) -> dict[str, int]:
    """Return the row of each language's piece: as the folder says, or as they usually follow."""
    told: dict[str, int] = {}
    decoder = settings.get("added_tokens_decoder")
    for row, piece in (decoder if isinstance(decoder, dict) else {}).items():
        if isinstance(piece, dict) and str(row).isdecimal():
            told[str(piece.get("content"))] = int(row)
    if not told and (folder / "tokenizer.json").is_file():
        added = read_json(folder / "tokenizer.json").get("added_tokens")
        for piece in added if isinstance(added, list) else []:
            if isinstance(piece, dict) and type(piece.get("id")) is int:
                told[str(piece.get("content"))] = piece["id"]
    found = {
        code[1] or code[2]: row for name, row in told.items() if (code := _LANGUAGE.fullmatch(name))
    }
    return found or {code: len(rows) + at for at, code in enumerate(usual)}


def _order(known: _Known, said: DescribedTranslator) -> list[int | None]:
    """Return the row of each piece in our order: control pieces, languages, the others.

    Raises ModelError where they do not belong to the weights.
    """
    where, begin = str(known.path), said.begin_id
    for name, row in (("<pad>", said.pad_id), ("<s>", begin), ("</s>", said.end_id)):
        if known.rows.get(name) != row:
            found = known.rows.get(name, "missing")
            problem = f'"{name}" is {found} and config.json says {row}: it belongs to another model'
            raise ModelError(problem, where=where, fix=FIX)
    if "<unk>" not in known.rows:
        raise ModelError('it has no piece "<unk>"', where=where, fix=FIX)
    rows = {*known.rows.values(), *known.languages.values()}
    count = len(rows | ({max(rows) + 1} if _MASK not in known.rows else set()))
    if max(rows) >= said.source_size or said.source_size - count > _FILLING:
        raise not_of(known.path, max(rows) + 1, said.source_size)
    first = [known.rows[name] for name in CONTROL] + sorted(known.languages.values())
    if len(set(first)) != len(first):
        raise ModelError("two of its control pieces are one", where=where, fix=FIX)
    rest = {row for name, row in known.rows.items() if name != _MASK} - set(first)
    return [*first, *sorted(rest)]


def _names(known: _Known, order: list[int | None]) -> list[str]:
    """Return the pieces in our order; one that is called as a control piece of ours is quoted."""
    tags = {row: language_tag(code) for code, row in known.languages.items()}
    texts = {row: text for text, row in known.rows.items()}
    rest = [texts[row] for row in order[len(CONTROL) + len(tags) :] if row is not None]
    return [
        *CONTROL,
        *(tags[row] for row in sorted(tags)),
        *(f'"{text}"' if text in CONTROL or language_of(text) else text for text in rest),
    ]


def _framing(said: DescribedTranslator, settings: dict[str, Any]) -> Framing:
    """Return where a source has its language: mBART and older NLLB have it at the end."""
    last = not said.model.opening.before or settings.get("legacy_behaviour") is True
    return Framing(("to",), ("from",)) if last else Framing(("to", "from"))


def _languages(settings: dict[str, Any], said: DescribedTranslator, known: _Known) -> Languages:
    """Return the languages that a text is taken to be in and translated to, where none is named."""
    codes = {row: code for code, row in known.languages.items()}
    start = said.forced_id if said.model.opening.before else said.start_id
    source, target = settings.get("src_lang"), settings.get("tgt_lang")
    return Languages(
        source=source if source in known.languages else "",
        target=codes.get(-1 if start is None else start)
        or (target if target in known.languages else ""),
    )
