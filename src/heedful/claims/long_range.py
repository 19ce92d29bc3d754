"""Long-range dependency: who was on page 1, asked on page 100."""

__all__ = ["CLAIM", "RATES", "tries"]

from collections.abc import Sequence
from typing import Any

from heedful.claims.claim import (
    Case,
    Claim,
    Line,
    Measured,
    Plot,
    Point,
    Report,
    Size,
    Table,
)
from heedful.claims.rates import Tries, cells, tried
from heedful.claims.recall import COPIED, FACTS, POSITIONS, SYMBOLS, run
from heedful.claims.statistics import Estimate, mean

_MODELS = ("Transformer", "LSTM", "GRU", "LSTM + Luong", "ConvS2S")
_COMMON: dict[Size, dict[str, Any]] = {
    "quick": {"layers": 2, "width": 32, "steps": 200, "tokens": 1024, "asked": 64},
    "full": {"layers": 2, "width": 64, "steps": 2000, "tokens": 8192, "asked": 256},
}
RATES = {"Transformer": 3e-3, "LSTM": 3e-3, "GRU": 1e-2, "LSTM + Luong": 1e-2, "ConvS2S": 3e-3}
"""The peaks of the learning rates: of those tried, the ones with the least loss."""
_TRIED = (1e-3, 3e-3, 1e-2, 3e-2)
_TRIED_STEPS = 1000
_SEEDS: dict[Size, tuple[int, ...]] = {"quick": (1,), "full": (1, 2, 3)}
_DISTANCES: dict[Size, list[int]] = {"quick": [10, 30], "full": [10, 30, 100, 300, 1000]}
_TESTED: dict[Size, list[int]] = {"quick": [10, 30, 100], "full": _DISTANCES["full"]}
_SHORT: dict[Size, list[int]] = {"quick": [10, 30], "full": [10, 30, 100]}
"""What position schemes are trained on; they are tested on all."""


def _cases(size: Size) -> list[Case]:
    full, seeds = size == "full", _SEEDS[size]
    schemes = POSITIONS if full else ("sinusoidal", "rotary")
    return [
        *(
            _case(size, "rates", "recall", name, 1, rate=rate, steps=_TRIED_STEPS)
            for name in (_MODELS if full else ())
            for rate in _TRIED
        ),
        *(
            _case(size, "distance", task, name, seed)
            for seed in seeds
            for task in ("recall", "copy")
            for name in _MODELS
        ),
        *(
            _case(size, "positions", "recall", "Transformer", seed, position=scheme)
            for seed in seeds
            for scheme in schemes
        ),
    ]


def _case(size: Size, part: str, task: str, model: str, seed: int, **more: Any) -> Case:
    return {
        "part": part,
        "task": task,
        "model": model,
        "trained": (_SHORT if part == "positions" else _DISTANCES)[size],
        "tested": _TESTED[size],
        **_COMMON[size],
        "rate": RATES[model],
        "seed": seed,
        **more,
    }


def tries(known: Sequence[Measured]) -> Tries:
    """Return the loss of each model at the end of training, at each rate that was tried."""
    found: Tries = {}
    for case, figures in known:
        if case["part"] == "rates":
            found.setdefault(case["model"], {})[case["rate"]] = figures["loss"]
    return found


def _rates(losses: Tries) -> Table:
    """Return the losses by model and learning rate."""
    rates = tried(losses)
    rows = [[name, *cells(one, rates)] for name, one in losses.items()]
    title = f"Recall: training loss after {_TRIED_STEPS:,} steps, nats an answer, by learning rate"
    return Table(title, ["model", *(f"{rate:g}" for rate in rates)], rows)


Figure = dict[str, dict[int, Estimate]]
"""By who was asked and the distance."""


def _gathered(known: Sequence[Measured], who: str, figure: str, task: str, part: str) -> Figure:
    """Return the means over seeds of one figure; `who` names what of a case is compared."""
    found: dict[str, dict[int, list[float]]] = {}
    for case, figures in known:
        if (case["part"], case["task"]) != (part, task):
            continue
        for distance, value in figures[figure].items():
            if isinstance(value, dict):
                value = value["fact"] / value["last"] if value["last"] else 0.0
            found.setdefault(case[who], {}).setdefault(int(distance), []).append(value)
    most = 1.0 if figure == "accuracy" else float("inf")
    return {
        name: {distance: mean(values).within(0.0, most) for distance, values in sorted(one.items())}
        for name, one in found.items()
    }


def _table(title: str, first: str, figure: Figure, form: str) -> Table:
    distances = sorted({distance for one in figure.values() for distance in one})
    rows = [
        [name, *(one[n].said(form) if n in one else "" for n in distances)]
        for name, one in figure.items()
    ]
    return Table(title, [first, *(f"{n:,}" for n in distances)], rows)


def _plot(name: str, title: str, y: str, figure: Figure, *, log_y: bool = False) -> Plot:
    lines = []
    for label, one in figure.items():
        points = []
        for distance, found in one.items():
            edges = (None, None) if log_y else found.edges
            if found.value > 0 or not log_y:
                points.append(Point(distance, found.value, *edges))
        lines.append(Line(label, points))
    x = "pieces between the fact and the end"
    return Plot(name, title, x, y, lines, log_x=True, log_y=log_y)


def _report(known: Sequence[Measured]) -> Report:
    sentences: list[str] = []
    tables: list[Table] = []
    plots: list[Plot] = []
    for task in ("recall", "copy"):
        right = _gathered(known, "model", "accuracy", task, "distance")
        if right:
            tables.append(
                _table(f"Share of right answers, {task}, by distance", "model", right, ".2f")
            )
            plots.append(_plot(task, f"Right answers against distance ({task})", "share", right))
            sentences.append(_told(f"{task}: right answers", right))
    for moment, word in (("before", "before training"), ("after", "after training")):
        slopes = _gathered(known, "model", f"slopes_{moment}", "recall", "distance")
        if not slopes:
            continue
        title = f"Gradient to the fact, in those to the last piece, {word}, by distance"
        tables.append(_table(title, "model", slopes, ".1e"))
        plots.append(
            _plot(f"gradient-{moment}", title.rsplit(",", 1)[0], "ratio", slopes, log_y=True)
        )
        sentences.append(_told(f"gradient to the fact {word}", slopes, ".1e"))
    schemes = _gathered(known, "position", "accuracy", "recall", "positions")
    if schemes:
        trained = next(case["trained"] for case, _ in known if case["part"] == "positions")
        title = f"Share of right answers, recall, trained on distances up to {max(trained)}"
        tables.append(_table(title, "positions", schemes, ".2f"))
        plots.append(_plot("positions", title, "share", schemes))
        sentences.append(_told(f"Trained on distances up to {max(trained)}: right", schemes))
    if losses := tries(known):
        tables.append(_rates(losses))
    tables.append(_sizes(known))
    return Report(sentences, tables, plots)


def _told(what: str, figure: Figure, form: str = ".0%") -> str:
    """Say what each has at the shortest and at the longest distance."""
    told = []
    for name, one in figure.items():
        near, far = min(one), max(one)
        told.append(
            f"{name} {one[near].value:{form}} at {near} and {one[far].value:{form}} at {far:,}"
        )
    return f"{what[0].upper()}{what[1:]}: {'; '.join(told)}."


def _sizes(known: Sequence[Measured]) -> Table:
    sizes = {
        case["model"] + (f", {case['position']}" if "position" in case else ""): figures
        for case, figures in known
    }
    rows = [[name, f"{one['parameters']:,}", f"{one['d_model']}"] for name, one in sizes.items()]
    return Table("Sizes", ["model", "parameters", "d_model"], rows)


CLAIM = Claim(
    name="long-range",
    title="Long-range dependency",
    said=(
        "An RNN reading a novel has forgotten page 1 by page 100, LSTM and GRU soften it, a "
        "convolution sees only nearby pages; to attention, words 100 or 1,000 apart are as near "
        "as neighbours (the popular account; Vaswani et al. 2017, section 4: the shorter the "
        "paths, the easier long-range dependencies are to learn)."
    ),
    how=(
        f"Recall: {FACTS} facts of different kinds, {SYMBOLS} kinds with {SYMBOLS} facts each, "
        "then pieces that say nothing, then questions for the kinds in another order; the facts "
        f"are to be written (a guess of the kind asked for is right in 1 of {SYMBOLS}). Copy: "
        f"{COPIED} symbols of {SYMBOLS}, then pieces that say nothing; the symbols are to be "
        f"written (a guess is right in 1 of {SYMBOLS}). Encoder-decoders of equal parameters "
        "(tables of learnt positions apart) learn the same batches, in which all distances are "
        "mixed, for the same steps, with Adam and no dropout, each at the best of four learning "
        "rates (full form; recall, one seed, half of the steps). LSTM and GRU read from left to "
        "right, the LSTM with attention both ways. The gradient is that of the first answer's "
        "logit to the vector of the fact, divided by that to the source's last piece."
    ),
    cases=_cases,
    run=run,
    report=_report,
)
