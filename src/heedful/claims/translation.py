"""Claim: the Transformer translates better than the models before it, for less training.

Six models as large as each other learn Multi30k from the same batches; BLEU and loss stand against
the pieces that they have read and against the time that this took.
"""

__all__ = ["CLAIM"]

from collections.abc import Sequence
from statistics import fmean

from heedful.claims.claim import (
    Case,
    Claim,
    Figures,
    Line,
    Measured,
    Place,
    Plot,
    Point,
    Report,
    Size,
    Table,
)
from heedful.claims.contenders import MODELS
from heedful.claims.learning import learnt
from heedful.claims.material import MULTI30K, grouped, material, missing_multi30k
from heedful.claims.statistics import mean
from heedful.config import merged

_BLEU_SENTENCES = {"quick": 30, "full": 200}
"""Sentences of the dev set that are translated greedily at each validation."""


_A = {"cpu": "a CPU", "cuda": "a GPU"}


def cases(size: Size) -> list[Case]:
    """Return each model with each seed: one in the quick form; three, on both devices, else."""
    seeds = (1,) if size == "quick" else (1, 2, 3)
    devices = ("cpu",) if size == "quick" else ("cpu", "cuda")
    return [
        {"model": model, "seed": seed, "size": size, "device": device}
        for device in devices
        for seed in seeds
        for model in MODELS
    ]


def run(case: Case, place: Place) -> Figures:
    """Train one model; return its curve, and BLEU of the test set."""
    known = material(MULTI30K, case["size"], place)
    watched = {"bleu_sentences": _BLEU_SENTENCES[case["size"]]}
    config = merged(known.contender(case["model"]), {"training": watched, "seed": case["seed"]})
    found = learnt(config, known.corpus, place.folder / "run")
    return found.record() | {"d_model": config.model.d_model, "bleu": known.measured(found)}


def report(results: Sequence[Measured]) -> Report:
    """Say which model translates best after as many pieces, and what time that took."""
    devices = list(dict.fromkeys(case["device"] for case, _ in results))
    sentences, tables, plots = [], [], []
    for device in devices:
        here = [one for one in results if one.case["device"] == device]
        groups = grouped(here, "model")
        rows, best = [], {}
        for model, figures in groups.items():
            bleu = mean([one["bleu"] for one in figures]).within(0, 100)
            minutes = mean([one["seconds"] / 60 for one in figures])
            loss = mean([one["dev_loss"] for one in figures])
            best[model] = bleu.value, minutes.value
            millions = f"{figures[0]['parameters'] / 1e6:.2f}"
            rows.append([model, millions, bleu.said(), loss.said(".3f"), minutes.said()])
        columns = ["model", "million weights", "BLEU, test", "dev loss", "minutes of training"]
        tables.append(Table(f"On {_A[device]}, the same batches and steps", columns, rows))
        sentences.append(_said(device, best))
        plots += _plots(device, groups)
    return Report(sentences, tables, plots)


def _said(device: str, best: dict[str, tuple[float, float]]) -> str:
    order = sorted(best, key=lambda name: -best[name][0])
    listed = ", ".join(f"{name} {best[name][0]:.1f}" for name in order)
    said = f"On {_A[device]}, BLEU after the same pieces, best first: {listed}."
    if "Transformer" not in best or len(best) < 2:
        return said
    own = best["Transformer"][1]
    times = ", ".join(
        f"{name} {minutes / own:.2f}"
        for name, (_, minutes) in best.items()
        if name != "Transformer"
    )
    return f"{said} The time of their training, the Transformer's being 1: {times}."


def _plots(device: str, groups: dict[str, list[Figures]]) -> list[Plot]:
    """Return BLEU and loss against pieces and seconds, in the mean over seeds."""
    axes = {"pieces": (2, "target pieces learnt"), "time": (1, "seconds of training")}
    marks = {"bleu": (4, "greedy BLEU of dev sentences"), "loss": (3, "dev loss in nats a piece")}
    return [
        Plot(
            f"{mark}-{axis}-{device}",
            f"{y_name[0].upper()}{y_name[1:]} against {x_name}, on {_A[device]}",
            x_name,
            y_name,
            [Line(model, _curve(figures, x, y)) for model, figures in groups.items()],
        )
        for axis, (x, x_name) in axes.items()
        for mark, (y, y_name) in marks.items()
    ]


def _curve(figures: list[Figures], x: int, y: int) -> list[Point]:
    """Return the mean of the seeds' curves, point by point."""
    found = []
    for points in zip(*(one["curve"] for one in figures), strict=False):
        found.append(Point(fmean(p[x] for p in points), fmean(p[y] for p in points)))
    return found


CLAIM = Claim(
    name="translation",
    title="Translation quality",
    said="The Transformer translates better than the best models before it, at a fraction of what "
    "their training costs (the paper, section 6.1 and Table 2).",
    how="Multi30k, English to German, six models within 5 % of as many weights, the same batches "
    "and steps, each at the learning rate that `heed claims tuning` found best for it; BLEU of "
    "test_2016_flickr, with a beam of 4 (in the quick form all at one rate, and greedily, of 90 "
    "sentences).",
    cases=cases,
    run=run,
    report=report,
    missing=missing_multi30k,
)
