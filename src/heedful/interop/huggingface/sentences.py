"""How a folder of sentence-transformers makes one vector of a text: pooling, length, scaling.

`modules.json` names the steps, `1_Pooling/config.json` and `sentence_bert_config.json` say how; a
folder without them is a plain BERT, whose states are averaged and scaled to length 1.
"""

__all__ = ["sentences_of"]

import json
from pathlib import Path
from typing import Any

from heedful.errors import ModelError
from heedful.interop.huggingface.config import read_json
from heedful.interop.keys import Keys
from heedful.models.bert import BERTConfig
from heedful.reader import Pooling, Sentences

_POOLINGS: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "first",
    "pooling_mode_max_tokens": "max",
}
_STEPS = ("Transformer", "Pooling", "Normalize")


def sentences_of(folder: Path, config: BERTConfig) -> Sentences:
    """Return how the folder's model makes a vector of a text.

    Raises ModelError for a step or a pooling that is not known here.
    """
    path = folder / "modules.json"
    if not path.is_file():
        return Sentences(max_length=config.max_length)
    steps = _steps(path)
    longest = _longest(folder / "sentence_bert_config.json", config.max_length)
    pooling = _pooling(folder / steps["Pooling"] / "config.json") if "Pooling" in steps else "mean"
    return Sentences(max_length=longest, pooling=pooling, normalised="Normalize" in steps)


def _steps(path: Path) -> dict[str, str]:
    """Return the folder of each step by the step's name."""
    try:
        data: Any = json.loads(path.read_text("utf-8"))
        steps = {str(one["type"]).rpartition(".")[2]: str(one["path"]) for one in data}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        fix = "fetch the folder again"
        raise ModelError("this is no list of steps", where=str(path), fix=fix) from None
    for step, place in steps.items():
        if step not in _STEPS or ".." in place or place.startswith("/"):
            problem = f"the step {step[:100]!r} in {place[:100]!r} is not known here"
            raise ModelError(problem, where=str(path), fix=f"known: {', '.join(_STEPS)}")
    return steps


def _longest(path: Path, most: int) -> int:
    """Return the most pieces of a text, control pieces counted."""
    if not path.is_file():
        return most
    return min(Keys(read_json(path), str(path)).whole("max_seq_length", most), most)


def _pooling(path: Path) -> Pooling:
    """Return the one pooling that is switched on."""
    data = read_json(path)
    on = [key for key, value in data.items() if key.startswith("pooling_mode") and value]
    if len(on) != 1 or on[0] not in _POOLINGS:
        problem = f"it asks for {', '.join(on)[:200] or 'no pooling'}"
        raise ModelError(problem, where=str(path), fix=f"known: one of {', '.join(_POOLINGS)}")
    return _POOLINGS[on[0]]
