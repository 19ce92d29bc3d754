"""Named experiments: functions that return a RunConfig. A variation is a few lines here."""

__all__ = [
    "RECIPES",
    "bert_classify",
    "bert_words",
    "chat",
    "conv_s2s",
    "g2p",
    "gnmt",
    "gpt_char",
    "gru_attention",
    "low_resource",
    "lstm",
    "lstm_attention",
    "modern_base",
    "modern_small",
    "multi30k",
    "multi30k_protocol",
    "normalise",
    "paper_base",
    "paper_big",
    "parse",
    "parse_lstm",
    "preference",
    "recipe",
    "recipe_for",
    "recipe_of",
    "small",
    "tiny",
    "tune",
]

from collections.abc import Callable
from typing import Any

from heedful.config import KnownRunConfig
from heedful.errors import SettingError, did_you_mean
from heedful.recipes.parsing import parse, parse_lstm
from heedful.recipes.reading import bert_classify, bert_words
from heedful.recipes.replaced import conv_s2s, gnmt, gru_attention, lstm, lstm_attention
from heedful.recipes.tasks import g2p, normalise
from heedful.recipes.text import chat, gpt_char, preference
from heedful.recipes.translation import (
    low_resource,
    modern_base,
    modern_small,
    multi30k,
    multi30k_protocol,
    paper_base,
    paper_big,
    small,
    tiny,
    tune,
)

RECIPES: dict[str, Callable[[], KnownRunConfig]] = {
    "tiny": tiny,
    "low-resource": low_resource,
    "small": small,
    "lstm": lstm,
    "lstm-attention": lstm_attention,
    "gru-attention": gru_attention,
    "gnmt": gnmt,
    "conv-s2s": conv_s2s,
    "paper-base": paper_base,
    "paper-big": paper_big,
    "modern-small": modern_small,
    "modern-base": modern_base,
    "multi30k": multi30k,
    "multi30k-protocol": multi30k_protocol,
    "parse": parse,
    "parse-lstm": parse_lstm,
    "tune": tune,
    "g2p": g2p,
    "normalise": normalise,
    "gpt-char": gpt_char,
    "bert-classify": bert_classify,
    "bert-words": bert_words,
    "chat": chat,
    "preference": preference,
}


def recipe(name: str) -> KnownRunConfig:
    """Return a recipe by name; raises SettingError with the nearest known name."""
    made = RECIPES.get(name.replace("_", "-"))
    if made is None:
        fix = did_you_mean(name, RECIPES)
        raise SettingError(f'there is no recipe "{name}"', where="--recipe", fix=fix)
    return made()


def recipe_for(n_pairs: int) -> str:
    """Return the name of the recipe for a corpus of this many pairs.

    >>> recipe_for(29_000), recipe_for(160_000), recipe_for(4_500_000)
    ('low-resource', 'small', 'paper-base')
    """
    if n_pairs < 1000:
        return "tiny"
    if n_pairs < 50_000:
        return "low-resource"
    return "small" if n_pairs < 1_000_000 else "paper-base"


def recipe_of(settings: dict[str, Any]) -> str | None:
    """Return the recipe that an objective asks for where none is named; None for any other.

    >>> recipe_of({"objective": {"kind": "chat"}})
    'chat'
    """
    objective = settings.get("objective")
    kind = objective.get("kind") if isinstance(objective, dict) else None
    return kind if kind in ("chat", "preference") else None
