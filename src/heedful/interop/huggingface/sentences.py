"""How a folder of sentence-transformers makes one vector of a text: pooling, length, scaling.

`modules.json` names the steps, `1_Pooling/config.json`, `sentence_bert_config.json` and
`config_sentence_transformers.json` say how; a folder without them is a plain BERT, whose states are
averaged and scaled to length 1.
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
    texts = _keys(folder / "sentence_bert_config.json")
    pools = _keys(folder / steps["Pooling"] / "config.json") if "Pooling" in steps else None
    prompt = _prompt(_keys(folder / "config_sentence_transformers.json"))
    if prompt and pools is not None:
        pools.must(include_prompt=True)
    return Sentences(
        max_length=min(texts.whole("max_seq_length", config.max_length), config.max_length),
        pooling="mean" if pools is None else _pooling(pools),
        normalised="Normalize" in steps,
        lower_case=texts.flag("do_lower_case", False),
        prompt=prompt,
    )


def _keys(path: Path) -> Keys:
    """Return what a file says, nothing where there is none."""
    return Keys(read_json(path) if path.is_file() else {}, str(path))


def _prompt(keys: Keys) -> str:
    """Return what stands before every text."""
    name, prompts = keys.data.get("default_prompt_name"), keys.data.get("prompts")
    if name is None:
        return ""
    if not isinstance(prompts, dict) or not isinstance(prompts.get(name), str):
        problem = f'"default_prompt_name" is {str(name)[:100]!r}, which "prompts" does not have'
        raise ModelError(problem, where=keys.where)
    return str(prompts[name])


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


def _pooling(keys: Keys) -> Pooling:
    """Return the one pooling that is switched on."""
    on = [key for key, value in keys.data.items() if key.startswith("pooling_mode") and value]
    if len(on) != 1 or on[0] not in _POOLINGS:
        problem = f"it asks for {', '.join(on)[:200] or 'no pooling'}"
        raise ModelError(problem, where=keys.where, fix=f"known: one of {', '.join(_POOLINGS)}")
    return _POOLINGS[on[0]]
