"""Parallel training: the time of a training step against the length of the sequences."""

__all__ = ["CLAIM", "crossing", "sequential_steps", "waits"]

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch

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
from heedful.claims.contestants import CONTESTANTS, contestant, fitted, parameters
from heedful.claims.timing import median_seconds
from heedful.data.batches import Batch
from heedful.models.architecture import Model, ModelConfig
from heedful.models.seq2seq import forward
from heedful.nn.convolution import NormedLinear
from heedful.nn.linear import Linear
from heedful.nn.recurrent import RecurrentLayer
from heedful.objectives import Translation
from heedful.train.gradient import Gradients, automatic_shards
from heedful.train.optimizer import Adam
from heedful.train.precision import Precision

PIECES = 1000
"""Of the vocabulary: small, so that the time is that of the layers."""

_LENGTHS = {"quick": (16, 64, 256), "full": (16, 32, 64, 128, 256, 512, 1024, 2048)}
_MODEL = {
    "quick": {"width": 64, "layers": 2},
    "full": {"width": 128, "layers": 3},
    "full on cuda": {"width": 256, "layers": 3},
}
_TOKENS = {"quick": 512, "full": 2048, "full on cuda": 8192}
"""Of a batch, on each side."""
_SECONDS = {"quick": 1.0, "full": 6.0, "full on cuda": 0.6}
"""How long a point is measured."""
_FIRST = "Transformer"


def _cases(size: Size) -> list[Case]:
    cases: list[Case] = []
    for device in ("cpu", "cuda"):
        sort = f"{size} on {device}" if f"{size} on {device}" in _MODEL else size
        for precision in ("float32", "bf16"):
            if precision == "bf16" and size == "quick":
                continue
            cases += [
                {
                    "device": device,
                    "precision": precision,
                    "model": name,
                    "length": length,
                    **_MODEL[sort],
                    "tokens": _TOKENS[sort],
                    "seconds": _SECONDS[sort],
                    "seed": 1,
                }
                for length in _LENGTHS[size]
                for name in CONTESTANTS
            ]
    return cases


def _settings(case: Case) -> ModelConfig:
    """Return a contestant with as many parameters as the Transformer of the case's width."""
    longest = max(case["length"], 8)
    pattern, _ = contestant(_FIRST, case["layers"], longest)
    wanted = parameters(pattern(case["width"]), PIECES)
    return fitted(*contestant(case["model"], case["layers"], longest), wanted, PIECES)


def _run(case: Case, place: Place) -> Figures:
    config, device = _settings(case), place.device
    model = config.build(PIECES, PIECES).to(device).train()
    rows, length = max(1, case["tokens"] // case["length"]), case["length"]
    ids = torch.randint(4, PIECES, (rows, length))
    batch = Batch(ids, ids, ids, ids.numel(), ids.numel())
    precision: Precision = case["precision"]
    shards = automatic_shards(case["tokens"], device)
    say = place.progress.say
    gradients = Gradients(model, Translation(), precision, device, shards, say)
    optimizer = Adam().build(model)

    def step() -> None:
        gradients.add(batch, batch.n_target)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    seconds = median_seconds(step, device, seconds=case["seconds"])
    return {
        "seconds": seconds,
        "tokens_per_second": batch.n_target / seconds,
        "parameters": parameters(config, PIECES),
        "d_model": config.d_model,
        "rows": rows,
        "divided": gradients.out_of_memory,
        "sequential": sequential_steps(model, length),
        "sequential_by_formula": waits(config, length),
    }


def waits(config: ModelConfig, length: int) -> int:
    """Return how many steps of recurrent layers wait for each other in one pass forward.

    A recurrent layer has one a position; all other layers take all positions at once. A layer read
    both ways does both at once.
    """
    if config.kind != "recurrent":
        return 0
    return (config.encoder_layers + config.decoder_layers) * length


@torch.no_grad()
def sequential_steps(model: Model, length: int) -> dict[str, int]:
    """Return what was counted in one pass forward of a sentence: `recurrent` steps, `products`.

    A recurrent layer adds as many steps as its input has positions, each call of a matrix product
    one product; those of a fused recurrent kernel are its steps.
    """
    device = next(model.parameters()).device
    ids = torch.full((1, length), 4, device=device)
    with _counted(model) as counts:
        forward(model, ids, torch.ones_like(ids, dtype=torch.bool), ids)
    return counts


@contextmanager
def _counted(model: Model) -> Iterator[dict[str, int]]:
    counts = {"recurrent": 0, "products": 0}

    def see(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        if isinstance(module, RecurrentLayer):
            counts["recurrent"] += inputs[0].shape[1]
        elif isinstance(module, Linear | NormedLinear):
            counts["products"] += 1

    handles = [module.register_forward_pre_hook(see) for module in model.modules()]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


def crossing(lengths: Sequence[int], ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return at which lengths two lines cross, straight between points on logarithmic axes.

    >>> [round(one) for one in crossing([16, 64, 256], [2.0, 2.0, 2.0], [1.0, 4.0, 4.0])]
    [32]
    """
    gaps = [math.log(a / b) for a, b in zip(ours, theirs, strict=True)]
    found = []
    for (n, gap), (m, following) in pairwise(zip(lengths, gaps, strict=True)):
        if gap * following < 0:
            share = gap / (gap - following)
            found.append(math.exp(math.log(n) + share * math.log(m / n)))
    return found


Series = dict[str, dict[int, Figures]]
"""By model and length, what was measured on one device in one precision."""


def _report(known: Sequence[Measured]) -> Report:
    sentences: list[str] = []
    tables: list[Table] = []
    plots: list[Plot] = []
    for device, precision in dict.fromkeys(
        (case["device"], case["precision"]) for case, _ in known
    ):
        some = [
            one
            for one in known
            if (one.case["device"], one.case["precision"]) == (device, precision)
        ]
        series: Series = {}
        for case, figures in some:
            series.setdefault(case["model"], {})[case["length"]] = figures
        name = f"{'CPU' if device == 'cpu' else 'GPU'}, {precision}"
        sentences += [*_sentences(name, series), *_divided(name, series)]
        tables += _tables(name, series, some[0].case)
        plots.append(_plot(name, series))
    return Report(sentences, [*tables, _sequential(known)], plots)


def _sentences(name: str, series: Series) -> list[str]:
    """Say how the Transformer stands to each of the others."""
    ours, said = series.get(_FIRST, {}), []
    for other, theirs in series.items():
        lengths = sorted(set(ours) & set(theirs))
        if other == _FIRST or not lengths:
            continue
        times = [[one[n]["seconds"] for n in lengths] for one in (ours, theirs)]
        ratio = [b / a for a, b in zip(*times, strict=True)]
        crossed = crossing(lengths, *times)
        told = f"{other} {ratio[0]:.2f} at {lengths[0]} and {ratio[-1]:.2f} at {lengths[-1]:,}"
        equal = " and ".join(f"{one:,.0f}" for one in crossed) or "no length between"
        said.append(f"{told} (equal at {equal})")
    if not said:
        return []
    return [f"{name}: time of a training step, the Transformer's being 1: {'; '.join(said)}."]


def _divided(name: str, series: Series) -> list[str]:
    """Say which batches did not fit in memory and were computed in parts."""
    found = [
        f"{model} at {length:,}"
        for model, one in series.items()
        for length, figures in one.items()
        if figures["divided"]
    ]
    return [f"{name}: batches that did not fit were divided: {', '.join(found)}."] if found else []


def _tables(name: str, series: Series, case: Case) -> list[Table]:
    """Return milliseconds and tokens a second, a row a model."""
    lengths = sorted({length for one in series.values() for length in one})
    columns = ["model", "parameters", *(f"{length:,}" for length in lengths)]

    def rows(cell: str, scale: float) -> list[list[str]]:
        return [
            [
                model,
                f"{next(iter(found.values()))['parameters']:,}",
                *(f"{scale * found[n][cell]:,.0f}" if n in found else "" for n in lengths),
            ]
            for model, found in series.items()
        ]

    batch = f"batches of {case['tokens']:,} tokens"
    return [
        Table(
            f"{name}: milliseconds a training step, by length, {batch}",
            columns,
            rows("seconds", 1000),
        ),
        Table(f"{name}: target tokens a second, by length", columns, rows("tokens_per_second", 1)),
    ]


def _sequential(known: Sequence[Measured]) -> Table:
    """Return what waits for what, counted at the longest length of each model."""
    longest: dict[str, Measured] = {}
    for one in known:
        name = one.case["model"]
        if name not in longest or one.case["length"] > longest[name].case["length"]:
            longest[name] = one
    rows = [
        [
            name,
            f"{one.case['length']:,}",
            f"{one.figures['sequential']['recurrent']:,}",
            f"{one.figures['sequential_by_formula']:,}",
            f"{one.figures['sequential']['products']:,}",
        ]
        for name, one in longest.items()
    ]
    columns = ["model", "length", "recurrent steps", "by formula", "calls of linear layers"]
    title = (
        "Recurrent steps that wait for each other in one pass forward, counted in the model, and "
        "calls of linear layers outside recurrent kernels"
    )
    return Table(title, columns, rows)


def _plot(name: str, series: Series) -> Plot:
    lines = [
        Line(model, [Point(n, found[n]["tokens_per_second"]) for n in sorted(found)])
        for model, found in series.items()
    ]
    file = name.lower().replace(", ", "-")
    title = f"Training speed against length ({name})"
    return Plot(
        file, title, "length of source and target", "target tokens a second", lines, True, True
    )


CLAIM = Claim(
    name="parallel",
    title="Parallel training",
    said=(
        "A recurrent network reads word by word, so that its training is slow; a Transformer "
        "takes all words at once (Vaswani et al. 2017, section 1). The popular account makes it "
        "ten times faster."
    ),
    how=(
        "Encoder-decoders with equal parameters (within 5 %, tables of learnt positions apart) are "
        "trained on random pieces in batches of equal tokens, source and target equally long. The "
        "time is the median of whole steps: forward, back, Adam; each point is measured once. "
        "Recurrent layers are PyTorch's own, whose kernel on a CPU is fused for the LSTM and not "
        "for the GRU; Luong's attention is computed for all steps at once, Bahdanau's must go step "
        "by step. Models are not compiled."
    ),
    cases=_cases,
    run=_run,
    report=_report,
)
