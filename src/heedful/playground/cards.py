"""What the page says of each model: its shape, whether it was trained, examples, its heads.

Translators, writers and model folders come in, data for the page goes out.
"""

__all__ = ["Card", "atlas", "card", "examples", "heads_file", "prompts"]

import json
import re
from pathlib import Path
from typing import Any

from torch import nn

from heedful.inspect.names import Inspected, every_head, n_layers
from heedful.model_header import CARD
from heedful.models.gpt import GPT
from heedful.models.recurrent import Recurrent
from heedful.models.transformer import Transformer
from heedful.playground.refused import NamedRefusalError
from heedful.serve.refusal import RefusalError
from heedful.translator import Translator
from heedful.writer import Writer

HEADS = "heads.json"
"""What `heed heads -o` wrote, beside a model."""

Card = dict[str, Any]

_EXAMPLES = {
    "en": (
        "The cat ate the fish because it was hungry.",
        "The cat ate the fish because it was tasty.",
        "The animal didn't cross the street because it was too tired.",
        "Where is the station?",
    ),
    "de": ("Die Katze fraß den Fisch, weil sie hungrig war.", "Wo ist der Bahnhof?"),
    "zh": ("猫吃鱼,因为它饿了。", "车站在哪里？"),
}
"""Sentences that show something, by their language."""

_TEST_ROW = re.compile(r"\| [^|]*\btest \| ([\w-]{1,40}) \| (\d+\.\d+) \(")
_BLEU = re.compile(r"BLEU (\d+(?:\.\d+)?)")
_RUN = re.compile(
    r"(\d[\d,]{0,14}) steps(?:,| and) (\d[\d,]{0,14}(?:\.\d{1,3})?)( million)? (?:target )?pieces"
)
_FILE = re.compile(r"^- `([^`\n]{1,400})`(?:, translated .*)?$", re.MULTILINE)
_CORPORA = re.compile(r"^\| corpus \|.*\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)


_PROMPTS = (
    "Once upon a time, there was a",
    "The cat sat on the mat. The cat sat on the",
    "The capital of France is",
    "One, two, three, four,",
)
"""Beginnings that show something; English is what small models know."""


def prompts() -> list[dict[str, str]]:
    """Return beginnings for models that go on with texts."""
    return [{"text": text, "to": ""} for text in _PROMPTS]


def card(by: Translator | Writer, folder: Path | None) -> Card:
    """Return what a model is."""
    model, config, readme = by.model, by.model.config, _readme(folder)
    own: Card = dict.fromkeys(("d_ff", "position", "residual", "cell", "direction"))
    if isinstance(model, Transformer | GPT):
        own |= {
            "d_ff": model.config.d_ff,
            "position": model.config.position.kind,
            "residual": model.config.residual.kind,
        }
    if isinstance(model, Recurrent):
        own |= {"cell": model.config.cell.kind, "direction": model.config.direction}
    if isinstance(by, Writer):
        sizes, layers = [by.model.vocabulary_size], (0, n_layers(model, "decoder"))
    else:
        config = by.model.config
        sizes, layers = _sizes(by), (config.encoder_layers, config.decoder_layers)
    return {
        "kind": config.kind,
        "encoder_layers": layers[0],
        "decoder_layers": layers[1],
        "heads": config.n_heads,
        "d_model": config.d_model,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "vocabulary": sizes,
        **own,
        "bleu": _bleu(readme),
        "learnt": _learnt(readme),
        "trained": _trained(model),
    }


def _sizes(translator: Translator) -> list[int]:
    return [translator.tokenizer.source_size, translator.tokenizer.target_size]


def _trained(model: nn.Module) -> bool:
    """Return whether any gain of a norm has moved from 1, where all of them begin."""
    gains = [
        module.weight
        for module in model.modules()
        if isinstance(module, nn.LayerNorm | nn.RMSNorm) and module.weight is not None
    ]
    return not gains or any(bool((gain != 1).any()) for gain in gains)


def _readme(folder: Path | None) -> str:
    """Return what stands beside a model as its card; nothing where there is none to be read."""
    try:
        return "" if folder is None else (folder / CARD).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _bleu(readme: str) -> dict[str, float] | None:
    """Return the BLEU on a model's card: of each direction's first test set, or of the dev set."""
    found: dict[str, float] = {}
    for line in readme.split("\n"):
        if row := _TEST_ROW.match(line):
            found.setdefault(row[1], float(row[2]))
        elif line.startswith("- dev set:") and (score := _BLEU.search(line)):
            found["dev"] = float(score[1])
    return found or None


def _learnt(readme: str) -> dict[str, Any] | None:
    """Return how long a model has learnt, and from what, as far as its card says it."""
    run = _RUN.search(readme)
    if run is None:
        return None
    steps, pieces = (float(text.replace(",", "")) for text in run.groups()[:2])
    corpora = _CORPORA.search(readme)
    rows = corpora[1].splitlines() if corpora else []
    files = ["/".join(name.split("/")[-2:]) for name in _FILE.findall(readme)]
    return {
        "steps": int(steps),
        "pieces": int(pieces * (1e6 if run[3] else 1)),
        "data": files or [row.split("|")[1].strip() for row in rows],
    }


def examples(ways: list[tuple[str, str]]) -> list[dict[str, str]]:
    """Return sentences for the languages that are translated from, each with one to go to."""
    found = []
    for source, target in ways:
        found += [{"text": text, "to": target} for text in _EXAMPLES.get(source, ())]
    return found


def heads_file(folder: Path | None) -> Path | None:
    """Return what `heed heads -o` wrote beside a model, or beside its run; None if nothing."""
    if folder is None:
        return None
    folders = [folder, *([folder.parent] if folder.name == "model" else [])]
    return next((one / HEADS for one in folders if (one / HEADS).is_file()), None)


def atlas(name: str, model: Inspected, folder: Path | None) -> dict[str, Any]:
    """Return what each head is for; RefusalError, with how to measure it, if nobody knows."""
    file = heads_file(folder)
    if file is None:
        problem = f"nobody has measured the heads of {name}"
        fix = f"heed heads FOLDER -o FOLDER/{HEADS} does it, FOLDER being the model's own"
        raise NamedRefusalError(404, "atlas", f"{problem}; {fix}", name=name)
    try:
        found = _atlas(json.loads(file.read_text("utf-8")))
        known = {f"{one['kind']}.{one['layer']}.{one['head']}" for one in found["heads"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        known = set()
    if known != set(map(str, every_head(model))):
        raise RefusalError(404, f"{HEADS} beside {name} is not what heed heads wrote of this model")
    return found


def _atlas(report: dict[str, Any]) -> dict[str, Any]:
    at_it = {}
    if report.get("coreference"):
        at_it = {one["head"]: one["content"]["value"] for one in report["coreference"]["heads"]}
    heads = []
    for one in report["roles"]:
        habit = one["habit"]
        kind, layer, head = habit["head"].split(".")
        scores = {
            name: float(habit[name])
            for name in ("offset", "at_offset", "rare", "specials", "confidence")
        }
        if habit["head"] in at_it:
            scores["at_it"] = float(at_it[habit["head"]])
        heads.append(
            {
                "kind": kind,
                "layer": int(layer),
                "head": int(head),
                "role": str(one["roles"][0]) if one["roles"] else "none",
                "roles": [str(role) for role in one["roles"]],
                "relation": one["relation"],
                "scores": scores,
            }
        )
    verdict = report.get("verdict")
    return {"heads": heads, "verdict": "" if verdict is None else str(verdict["said"])}
