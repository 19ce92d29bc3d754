"""A tokenizer.json beside an exported BART, mBART or M2M100: its numbers are those of the weights.

Our tokenizer comes in, what the `tokenizers` library reads goes out, with the marks that stand
around a source. The target's language is none of them: the decoder is told it.
"""

__all__ = ["library_file"]

import json
from collections.abc import Sequence
from typing import Any

from heedful.model_folder import LoadedModel
from heedful.text.pieces import CONTROL, END, START, UNKNOWN, language_tag
from heedful.text.tokenizer import Tokenizer

_RARE = -1e6
"""Score of a piece that no text is cut to."""


def library_file(loaded: LoadedModel, numbers: Sequence[int]) -> dict[str, Any] | None:
    """Return what tokenizer.json holds; `numbers` are the rows of our pieces.

    None where a library's tokenizer would cut otherwise: one of two vocabularies, or with pieces
    that cut texts and are none of the model's.
    """
    tokenizer = loaded.tokenizer
    if not tokenizer.shared:
        return None
    names = tokenizer.vocabularies()[0]
    data: dict[str, Any] = json.loads(tokenizer.library_text())
    model = data["model"]
    rows = dict(zip(names, numbers, strict=True))
    if model["type"] == "BPE":
        learnt = {piece for piece in model["vocab"] if not piece.startswith(" ")}
        if not learnt <= rows.keys():
            return None
        model["vocab"] = rows
        model["unk_token"] = CONTROL[UNKNOWN] if model["unk_token"] else None
    else:
        scores = {piece: score for piece, score in model["vocab"] if not piece.startswith(" ")}
        if not scores.keys() <= rows.keys():
            return None
        order = sorted(names, key=rows.__getitem__)
        model |= {"vocab": [[one, scores.get(one, _RARE)] for one in order], "unk_id": UNKNOWN}
    controls = names[: len(CONTROL) + len(tokenizer.languages)]
    controls = sorted(controls, key=rows.__getitem__)
    data["added_tokens"] = [_added(piece, rows[piece]) for piece in controls]
    return data | {"post_processor": _framed(loaded, tokenizer, rows)}


def _added(piece: str, row: int) -> dict[str, Any]:
    """Return how the library knows a control piece."""
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": row, "content": piece, **plain, "special": True}


def _framed(loaded: LoadedModel, tokenizer: Tokenizer, rows: dict[str, int]) -> dict[str, Any]:
    """Return the marks around a source in the model's language, or in its first."""
    known, source = tokenizer.languages, loaded.languages.source
    told = {"<s>": CONTROL[START]}
    if known:
        told["from"] = language_tag(source if source in known else known[0])
    before, behind = (
        [told[mark] for mark in marks if mark in told]
        for marks in (tokenizer.framing.before, tokenizer.framing.behind)
    )
    behind = [CONTROL[END], *behind]
    used = {*before, *behind}

    def marks(some: Sequence[str]) -> list[dict[str, Any]]:
        return [{"SpecialToken": {"id": mark, "type_id": 0}} for mark in some]

    def text(name: str) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": 0}}

    return {
        "type": "TemplateProcessing",
        "single": [*marks(before), text("A"), *marks(behind)],
        "pair": [*marks(before), text("A"), text("B"), *marks(behind)],
        "special_tokens": {
            mark: {"id": mark, "ids": [rows[mark]], "tokens": [mark]} for mark in sorted(used)
        },
    }
