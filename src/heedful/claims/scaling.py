"""Claim: the loss falls as a power of the number of weights, and of the pieces that are learnt.

A decoder in four sizes learns tinyshakespeare character by character, and the largest of them in
four trainings of different lengths, each with a schedule of its own. `N` counts the weights of the
layers, without the embedding, as Kaplan et al. 2020 (arXiv 2001.08361) do.
"""

__all__ = ["CLAIM", "LENGTHS", "SIZES"]

from collections.abc import Sequence
from pathlib import Path
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
from heedful.claims.learning import TextCorpus, learnt
from heedful.claims.power_law import PowerLaw, fit, foretold
from heedful.claims.statistics import exponent, mean
from heedful.config import TextRunConfig, merged
from heedful.errors import DataError
from heedful.recipes import gpt_char

SIZES: dict[str, list[tuple[int, int]]] = {
    "quick": [(1, 32), (2, 32), (2, 64), (2, 128)],
    "full": [(2, 32), (2, 64), (3, 96), (4, 128)],
}
"""Layers and width of each size, in the quick and in the full form."""

LENGTHS: dict[str, list[int]] = {"quick": [60, 120, 240], "full": [500, 1000, 2000, 4000]}
"""Steps of the trainings of the largest size; the last are those of the other sizes too."""

_WINDOWS = {"quick": 12, "full": 24}


def _text(data: Path) -> Path:
    return data / "tinyshakespeare" / "input.txt"


def missing(data: Path | None, size: Size) -> str | None:
    """Return what the data folder lacks; None if nothing."""
    if data is None:
        return "it needs tinyshakespeare: give --data a folder with tinyshakespeare/input.txt"
    text = _text(data)
    return None if text.is_file() else f"it needs tinyshakespeare, and {text} is not there"


def cases(size: Size) -> list[Case]:
    """Return each size with all steps, and the largest with fewer; one seed, or three."""
    *few, most = LENGTHS[size]
    shapes = [(shape, most) for shape in SIZES[size]]
    shapes += [(SIZES[size][-1], steps) for steps in few]
    return [
        {"layers": layers, "width": width, "steps": steps, "seed": seed, "size": size}
        for seed in ((1,) if size == "quick" else (1, 2, 3))
        for (layers, width), steps in shapes
    ]


def run(case: Case, place: Place) -> Figures:
    """Train one decoder; return its dev loss, its weights and the pieces that it has learnt."""
    if (lost := missing(place.data, case["size"])) is not None or place.data is None:
        raise DataError(str(lost), where="--data")
    config = _settings(case, _text(place.data), place.device.type)
    corpus = TextCorpus.of(config, place.folder / "text")
    found = learnt(config, corpus, place.folder / "run")
    layers = sum(weight.numel() for weight in found.model.layers.parameters())
    tokens = case["steps"] * config.training.batch_windows * config.model.max_length
    return found.record() | {"weights_of_layers": layers, "tokens": tokens}


def report(results: Sequence[Measured]) -> Report:
    """Say by which power the loss falls, how sure that is, and how well it foretells."""
    most = max(case["steps"] for case, _ in results)
    widest = max(figures["weights_of_layers"] for _, figures in results)
    of_sizes = [figures for case, figures in results if case["steps"] == most]
    of_lengths = [one for _, one in results if one["weights_of_layers"] == widest]
    sentences, tables, plots = [], [], []
    for name, key, figures in (
        ("weights of the layers", "weights_of_layers", of_sizes),
        ("characters learnt", "tokens", of_lengths),
    ):
        groups = {
            x: [one["dev_loss"] for one in figures if one[key] == x]
            for x in sorted({one[key] for one in figures})
        }
        rows = [[f"{x:,}", mean(found).said(".4f")] for x, found in groups.items()]
        tables.append(Table(f"Dev loss by {name}", [name, "nats a character"], rows))
        if len(groups) > 2:
            means = [fmean(found) for found in groups.values()]
            sentences.append(_said(name, list(groups), means))
            plots.append(_plot(name, key, groups, fit(list(groups), means)))
    return Report(sentences, tables, plots)


def _said(name: str, sizes: list[float], losses: list[float]) -> str:
    """Say which law the sizes' mean losses follow: seeds share what the law misses at a size."""
    law, slope = fit(sizes, losses), exponent(sizes, losses)
    sure = f", between {-slope.high:.3f} and {-slope.low:.3f}" if len(sizes) > 2 else ""
    said_so, measured = foretold(sizes, losses)
    floor = fit(sizes, losses, floor=True) if len(sizes) > 3 else None
    kept = ""
    if floor is not None:
        better = floor.error < law.error / 2
        found = f"with a floor of {floor.c:.2f} it misses by {100 * floor.error:.1f} %"
        kept = f"; {found}" if better else "; a floor below which no loss falls cannot be told"
    return (
        f"By {name}, L = {law.a:.3g} N^-{law.b:.3f}: the exponent is {law.b:.3f}{sure} (95 %, of "
        f"the means at each size), and losses are missed by {100 * law.error:.1f} %{kept}. The law "
        f"of all but the largest foretells {said_so:.3f} there, measured are {measured:.3f}."
    )


def _plot(name: str, key: str, groups: dict[float, list[float]], law: PowerLaw) -> Plot:
    measured = []
    for x, losses in groups.items():
        found = mean(losses)
        known = len(losses) > 1
        measured.append(
            Point(x, found.value, *((found.low, found.high) if known else (None, None)))
        )
    fitted = [Point(x, law(x)) for x in groups]
    lines = [Line("measured", measured), Line(f"{law.a:.3g} N^-{law.b:.3f}", fitted)]
    title = f"Loss of tinyshakespeare by {name}"
    return Plot(key.replace("_", "-"), title, name, "nats a character", lines, True, True)


def _settings(case: Case, text: Path, device: str) -> TextRunConfig:
    steps, width = case["steps"], case["width"]
    every = max(1, steps // 4)
    return merged(
        gpt_char(),
        {
            "data": {"train": [str(text)]},
            "seed": case["seed"],
            "device": device,
            "model": {
                "d_model": width,
                "d_ff": 4 * width,
                "n_layers": case["layers"],
                "n_heads": max(1, width // 32),
            },
            "schedule": {"warmup_steps": max(1, steps // 20)},
            "training": {
                "max_steps": steps,
                "batch_windows": _WINDOWS[case["size"]],
                "validate_every": every,
                "save_every": every,
                "log_every": every,
                "compile": False,
            },
        },
    )


CLAIM = Claim(
    name="scaling",
    title="Scaling",
    said="The loss of a language model falls as a power of its size, and of what it has read "
    "(Kaplan et al. 2020); on this the large models since GPT-2 are built.",
    how="Decoders of four sizes learn tinyshakespeare, character by character, in as many steps; "
    "the largest in shorter trainings, too, each with a learning rate that falls by its own end. "
    "Fitted by least squares of the logarithm; the text is small, so that what is learnt again "
    "and again counts as learnt.",
    cases=cases,
    run=run,
    report=report,
    missing=missing,
)
