"""Not a claim of the paper but what a comparison must show: that all were tuned alike.

Each translator learns Multi30k for a quarter of the steps at the same few learning rates; the one
with the least dev loss is the one that it is compared with, in every other claim that trains on
Multi30k (`heedful.claims.contenders.FACTORS`).
"""

__all__ = ["CLAIM", "TRIED", "tries"]

from collections.abc import Sequence

from heedful.claims.claim import Case, Claim, Figures, Measured, Place, Report, Size, Table
from heedful.claims.contenders import FACTORS, MODELS, at_rate, rate_of, solved
from heedful.claims.contestants import parameters
from heedful.claims.learning import learnt
from heedful.claims.material import MULTI30K, grouped, material, missing_multi30k
from heedful.claims.rates import Tries, best, cells, tried
from heedful.config import merged
from heedful.train.doctor import DivergedError

TRIED = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Times the peak of the learning rate that the settings say."""

SHARE = 4
"""The tuning takes this part of the steps, and of the warm-up."""


def cases(size: Size) -> list[Case]:
    """Return each model at each rate; in the quick form two models at two."""
    quick = size == "quick"
    models = ("Transformer", "LSTM + attention") if quick else MODELS
    return [
        {"model": model, "factor": factor, "seed": 1, "size": size}
        for model in models
        for factor in (TRIED[1:3] if quick else TRIED)
    ]


def run(case: Case, place: Place) -> Figures:
    """Train one model for a part of the steps; return its curve and dev loss, or why there is none.

    A rate with which the training diverges is a result as any other: the worst.
    """
    known = material(MULTI30K, case["size"], place)
    config = at_rate(solved(case["model"], known.config, known.corpus.vocabulary), case["factor"])
    steps = config.training.max_steps // SHARE
    warmup = max(1, config.schedule.warmup_steps // SHARE)
    every = {"max_steps": steps, "validate_every": steps, "save_every": steps, "log_every": steps}
    changes = {"training": every, "schedule": {"warmup_steps": warmup}, "seed": case["seed"]}
    config = merged(config, changes)
    try:
        found = learnt(config, known.corpus, place.folder / "run").record()
    except DivergedError as error:
        weights = parameters(config.model, known.corpus.vocabulary)
        found = {"parameters": weights, "diverged": error.problem, "dev_loss": None}
    return found | {"rate": rate_of(config)}


def tries(results: Sequence[Measured]) -> Tries:
    """Return the dev loss of each model at each factor."""
    found: Tries = {}
    for case, figures in results:
        found.setdefault(case["model"], {})[case["factor"]] = figures["dev_loss"]
    return found


def report(results: Sequence[Measured]) -> Report:
    """Say at which rate each model learnt best, and what it is compared with."""
    losses = tries(results)
    factors, chosen, rows = tried(losses), best(losses), []
    for model, figures in grouped(results, "model").items():
        millions = f"{figures[0]['parameters'] / 1e6:.2f}"
        factor = f"{chosen[model]:g}" if model in chosen else "none"
        rows.append([model, millions, *cells(losses[model], factors), factor])
    rates = [f"rate x {factor:g}" for factor in factors]
    columns = ["model", "million weights", *rates, "best"]
    listed = ", ".join(f"{model} {factor:g}" for model, factor in chosen.items())
    compared = ", ".join(f"{model} {FACTORS[model]:g}" for model in chosen)
    base = results[0].figures["rate"] / results[0].case["factor"]
    said = f"The best of {len(factors)} learning rates, as a multiple of {base:g}: {listed}"
    same = "; the comparisons use the same." if compared == listed else f"; compared: {compared}."
    return Report(
        [said + same],
        [Table("Dev loss, nats a piece, after a quarter of the steps", columns, rows)],
    )


CLAIM = Claim(
    name="tuning",
    title="The same tuning for all",
    said="A new model must win against old ones that were tuned as well as it was (what anyone "
    "asks of a comparison).",
    how="Before they are compared on Multi30k the six translators get the same budget of tuning, "
    "the learning rate and nothing else: a training of a quarter of the steps at each rate, the "
    "same batches, one seed; the least dev loss decides.",
    cases=cases,
    run=run,
    report=report,
    missing=missing_multi30k,
)
