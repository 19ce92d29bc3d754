"""A translation becomes what is printed for its line of the input, and all of them a summary.

Translations and counts come in, text goes out; `heed translate` prints it, of documents too.
"""

__all__ = ["notes", "summary", "written"]

import json as encoder
from collections.abc import Mapping
from typing import Any

from heedful.decode.alignment import pharaoh
from heedful.pipeline import FLAGS
from heedful.translation import Translation

_DROPPED = {
    "blank": "blank, kept as they are",
    "bom": "byte-order mark dropped",
    "crlf": "carriage returns at line ends dropped",
}


def notes(counts: Mapping[str, int]) -> list[str]:
    """Return what was done to how many lines or texts.

    >>> notes({"split": 2, "bom": 1})
    ['1 byte-order mark dropped', '2 split at sentence ends']
    """
    told = _DROPPED | FLAGS
    return [f"{counts[name]:,} {what}" for name, what in told.items() if counts.get(name)]


def summary(counts: Mapping[str, int], seconds: float, *, short: bool, done: int) -> str:
    """Return what was done to the `lines` counted; `short`: only what needs to be known.

    `done` lines were there before, and are in the notes as well.

    >>> summary({"lines": 3, "split": 2}, 0.5, short=False, done=0)
    '3 lines in 0.5 s (6.0 a second); 2 split at sentence ends'
    """
    if short:
        return "; ".join(notes({**counts, "blank": 0}))
    lines = counts["lines"]
    head = f"{done:,} line{'s' * (done != 1)} were there already, " if done else ""
    head += f"{lines:,} line{'s' * (lines != 1)} in {seconds:.1f} s"
    speed = f" ({lines / seconds:,.1f} a second)" if seconds else ""
    return "; ".join([head + speed, *notes(counts)])


def written(
    index: int,
    translation: Translation,
    *,
    several: bool = False,
    json: bool = False,
    alignments: bool = False,
    confidence: bool = False,
) -> str:
    """Return the best translation, the `several` best with number and score, or all as JSON.

    `index` is the number of the text. What else is asked for stands behind tabs, in this order.
    """
    if json:
        return _object(translation, alignments=alignments, confidence=confidence)
    if several:
        return "\n".join(f"{index}\t{x.score:.4f}\t{x.text}" for x in translation.hypotheses)
    fields = [translation.text]
    fields += [pharaoh(translation.links)] if alignments else []
    if confidence:
        fields.append("" if translation.confidence is None else f"{translation.confidence:.0f}")
    return "\t".join(fields)


def _object(translation: Translation, *, alignments: bool, confidence: bool) -> str:
    hypotheses: list[dict[str, Any]] = [x._asdict() for x in translation.hypotheses]
    record: dict[str, Any] = {
        "source": translation.source,
        "translation": translation.text,
        "hypotheses": hypotheses,
        "flags": list(translation.flags),
    }
    if alignments:
        record["alignment"] = translation.links
    if confidence:
        record["confidence"] = translation.confidence
    return encoder.dumps(record, ensure_ascii=False)
