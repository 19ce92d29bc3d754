"""A text as the model reads it: its pieces with their places and bytes, and its words.

A translator or a writer and a text come in, data for the page goes out; no model runs.
"""

__all__ = ["tokens", "tokens_of_prompt"]

import re
from itertools import accumulate
from typing import Any

from heedful.inspect.sides import Side, source_side, text_side
from heedful.inspect.wire import side_of
from heedful.text.pieces import CONTROL, UNKNOWN
from heedful.text.spans import piece_edges
from heedful.translator import Translator
from heedful.writer import Writer

_LONE_BYTE = re.compile("<0x[89A-F][0-9A-F]>")


def tokens(translator: Translator, text: str, to: str | None) -> dict[str, Any]:
    """Return a text's pieces; `start` and `end` are characters of the text as it is read.

    The tokenizer changes nothing but that white space around a text is left out. `bytes` are those
    of a piece that spells no whole characters, in hexadecimal.
    """
    read = text.strip()
    side = source_side(translator.tokenizer, read, to)
    found = side_of(side)
    controls = len(CONTROL) + len(translator.tokenizer.languages) * translator.tokenizer.shared
    raw = (" " + read).encode()
    edges = _edges(side, *translator.tokenizer.around)
    begun = [0, *accumulate((byte & 0xC0) != 0x80 for byte in raw)]  # characters before each byte
    begun.append(begun[-1] + 1)
    for number, piece in enumerate(found["pieces"]):
        first, last = edges[number], edges[number + 1]
        lone = bool(_LONE_BYTE.search(piece["s"]))
        piece |= {
            "special": piece["id"] < controls,
            "unknown": piece["id"] == UNKNOWN,
            "bytes": raw[first:last].hex(" ") if lone else None,
            "start": max(0, begun[first + 1] - 2),
            "end": max(0, begun[last] - 1),
        }
    return {"text": text, "normalised": read, "to": to, **found | {"text": text}}


def tokens_of_prompt(writer: Writer, text: str) -> dict[str, Any]:
    """Return the pieces of a prompt; see `tokens`."""
    ids = writer.prompt(text, "text") if text or writer.begin_id is not None else []
    read, covered = writer.vocabulary.spelled(ids)
    raw = (" " + read).encode()
    found = side_of(text_side(writer.vocabulary, ids))
    for piece, (first, last) in zip(found["pieces"], covered, strict=True):
        before, after = (len(raw[:end].decode(errors="ignore")) - 1 for end in (first, last))
        lone = re.findall("<0x([0-9A-F]{2})>", piece["s"])
        piece |= {
            "special": piece["id"] in writer.vocabulary.controls,
            "unknown": False,
            "bytes": " ".join(lone).lower() or None,
            "start": max(0, before),
            "end": max(0, after),
        }
    return {"text": text, "normalised": read, "to": None, **found | {"text": text}}


def _edges(side: Side, before: int, behind: int) -> list[int]:
    """Return where each piece begins in the bytes of a space and the text, and the last ends."""
    inner = piece_edges(side.tokens[before : len(side.tokens) - behind], side.text)
    return [*([0] * before), *inner, *([inner[-1]] * behind)]
