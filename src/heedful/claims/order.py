"""Claim: a Transformer knows the order of words by its positions alone.

Models learn sentences as they are; then the words of each test sentence are shuffled. What a model
loses is what it knew of order: one without positions reads a bag of words and loses nothing, but
it was never able to tell who did what to whom.
"""

__all__ = ["CLAIM", "SCHEMES"]

from collections.abc import Sequence

from heedful.claims.claim import Case, Claim, Figures, Measured, Place, Report, Size, Table
from heedful.claims.learning import learnt
from heedful.claims.material import (
    MULTI30K,
    ROLES,
    Material,
    grouped,
    material,
    missing_data,
    shuffled,
)
from heedful.claims.statistics import mean
from heedful.config import RunConfig, merged

SCHEMES = {
    "no positions": "none",
    "sinusoidal": "sinusoidal",
    "learned": "learned",
    "rotary": "rotary",
    "ALiBi": "alibi",
    "relative": "relative",
}
"""Transformers with every position scheme of the house."""

RECURRENT = ("LSTM", "LSTM + attention")

_LEARN = {
    ROLES: (*SCHEMES, *RECURRENT),
    MULTI30K: ("no positions", "sinusoidal", *RECURRENT),
}
"""Who learns what: the schemes differ where order decides, captions are learnt by four alone."""


def cases(size: Size) -> list[Case]:
    """Return who learns what: in the quick form the little language, once; else both, thrice."""
    seeds = (1,) if size == "quick" else (1, 2, 3)
    return [
        {"task": task, "model": model, "seed": seed, "size": size}
        for task in ([ROLES] if size == "quick" else [ROLES, MULTI30K])
        for seed in seeds
        for model in _LEARN[task]
    ]


def run(case: Case, place: Place) -> Figures:
    """Train one model, and test it on sentences as they are and with their words shuffled."""
    known = material(case["task"], case["size"], place)
    config = _config(case["model"], known).model_copy(update={"seed": case["seed"]})
    found = learnt(config, known.corpus, place.folder / "run")
    mixed = shuffled([source for source, _ in known.test], seed=case["seed"])
    return found.record() | {
        "metric": known.metric,
        "in_order": known.measured(found),
        "shuffled": known.measured(found, mixed),
    }


def _config(name: str, known: Material) -> RunConfig:
    """Return the settings of a model as large as the Transformer with sinusoids."""
    base, choice = ("Transformer", SCHEMES[name]) if name in SCHEMES else (name, None)
    config = known.contender(base)
    return merged(config, {"model": {"position": {"kind": choice}}}) if choice else config


def report(results: Sequence[Measured]) -> Report:
    """Say what each model loses when words are shuffled."""
    sentences, tables = [], []
    for task in dict.fromkeys(case["task"] for case, _ in results):
        here = [one for one in results if one.case["task"] == task]
        groups = grouped(here, "model")
        metric = next(iter(groups.values()))[0]["metric"]
        rows, kept = [], {}
        for model, figures in groups.items():
            found = [
                mean([one[key] for one in figures]).within(0, 100)
                for key in ("in_order", "shuffled")
            ]
            lost = mean([one["in_order"] - one["shuffled"] for one in figures]).within(-100, 100)
            kept[model] = found[0].value, lost.value
            rows.append([model, _thousands(figures), *(one.said() for one in (*found, lost))])
        columns = ["model", "thousand weights", f"{metric}, in order", "words shuffled", "lost"]
        tables.append(Table(_TITLES[task], columns, rows))
        sentences.append(_said(task, metric, kept))
    return Report(sentences, tables)


def _thousands(figures: list[Figures]) -> str:
    return f"{figures[0]['parameters'] / 1000:,.0f}"


def _said(task: str, metric: str, kept: dict[str, tuple[float, float]]) -> str:
    losses = ", ".join(f"{model} {lost:.1f}" for model, (_, lost) in kept.items())
    said = f"{_TITLES[task]}: shuffling the words costs, in points of {metric}: {losses}."
    if "no positions" not in kept or len(kept) < 2:
        return said
    best = max(kept, key=lambda model: kept[model][0])
    bag, most = kept["no positions"][0], kept[best][0]
    return f"{said} Without positions a Transformer has {bag:.1f} in order, {best} {most:.1f}."


_TITLES = {
    ROLES: "Who does what to whom (a bag of words is right in a quarter of the sentences, by luck)",
    MULTI30K: "Multi30k, English to German",
}

CLAIM = Claim(
    name="order",
    title="Word order",
    said="Attention sees a set: without positions, which are added like a GPS for each word, a "
    "Transformer knows nothing of order (the paper, section 3.5; the popular account).",
    how="Models of as many weights, within 5 %, learn the same batches; then the words of each "
    "test sentence are shuffled. A little language is scored by whole sentences that are right, "
    "in percent, Multi30k (full form; four of the models) by BLEU.",
    cases=cases,
    run=run,
    report=report,
    missing=missing_data,
)
