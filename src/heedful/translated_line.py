"""A translation becomes what is printed for its line of the input; `heed translate` prints it."""

__all__ = ["written"]

import json as encoder
from typing import Any

from heedful.decode.alignment import pharaoh
from heedful.translation import Translation


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
