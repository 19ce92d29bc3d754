"""Claim: without its mask a decoder sees the answer, learns to copy it, and cannot translate.

The same model is trained with the causal mask of section 3.2.3 and without. The loss of training,
of the dev set seen the same way, of the dev set with the mask put back, and what is translated in
the end, where nothing is there yet to be seen.
"""

__all__ = ["CLAIM", "unmasked"]

import math
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
from heedful.claims.learning import Learnt, learnt
from heedful.claims.material import (
    LOTS,
    MULTI30K,
    Material,
    grouped,
    material,
    missing_data,
)
from heedful.claims.statistics import Estimate, mean
from heedful.config import merged
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.attention import KeyValue, fused_attend
from heedful.shapes import Tensor
from heedful.validation import validation

CAUSAL, PEEKING = "with the mask", "without it"


def cases(size: Size) -> list[Case]:
    """Return each way with each seed: in the quick form the little language, once."""
    seeds = (1,) if size == "quick" else (1, 2, 3)
    return [
        {"task": task, "model": way, "seed": seed, "size": size}
        for task in ([LOTS] if size == "quick" else [LOTS, MULTI30K])
        for seed in seeds
        for way in (CAUSAL, PEEKING)
    ]


def run(case: Case, place: Place) -> Figures:
    """Train with or without the mask; measure as the house measures every model."""
    known = material(case["task"], case["size"], place)
    own = {"seed": case["seed"], "objective": {"label_smoothing": 0.0}}
    config = merged(known.contender("Transformer"), own)
    shape = config.model
    assert isinstance(shape, TransformerConfig)

    def made(source_size: int, target_size: int) -> Transformer:
        return unmasked(shape.build(source_size, target_size))

    peeks = case["model"] == PEEKING
    found = learnt(config, known.corpus, place.folder / "run", made if peeks else None)
    _put_back(found.model)
    return found.record() | {
        "metric": known.metric,
        "least_loss": _least(known) if case["task"] == LOTS else 0.0,
        "dev_loss_masked": _dev_loss(known, found),
        "score": known.measured(found),
    }


def report(results: Sequence[Measured]) -> Report:
    """Say how far the loss falls without the mask, and what is left of translating."""
    sentences, tables, plots = [], [], []
    for task in dict.fromkeys(case["task"] for case, _ in results):
        groups = grouped([one for one in results if one.case["task"] == task], "model")
        metric = next(iter(groups.values()))[0]["metric"]
        rows, found = [], {}
        for way, figures in groups.items():
            found[way] = {key: mean([one[key] for one in figures]).within(0, 100) for key in _FORMS}
            rows.append([way, *(one.said(_FORMS[key]) for key, one in found[way].items())])
        columns = ["trained", "training loss", "dev loss, as trained", "dev loss, masked", metric]
        tables.append(Table(_TITLES[task], columns, rows))
        plots.append(_plot(task, groups))
        if len(found) == 2:
            sentences.append(
                _said(task, metric, found, next(iter(groups.values()))[0]["least_loss"])
            )
    return Report(sentences, tables, plots)


_FORMS = {"train_loss": ".3f", "dev_loss": ".3f", "dev_loss_masked": ".3f", "score": ".1f"}
_TITLES = {
    LOTS: "A little language with a word drawn by lot",
    MULTI30K: "Multi30k, English to German",
}


def _least(known: Material) -> float:
    """Return what the lot costs an honest model: ln 8 nats a sentence, over its pieces."""
    dev = known.corpus.data.dev
    assert dev is not None  # this corpus has a dev set
    return math.log(8) * len(dev) / int(dev.lengths()[1].sum())


def _said(task: str, metric: str, found: dict[str, dict[str, Estimate]], least: float) -> str:
    causal, peeking = found[CAUSAL], found[PEEKING]
    said = (
        f"{_TITLES[task]}: without the mask the loss ends at {peeking['train_loss'].value:.3f} "
        f"nats a piece in training and {peeking['dev_loss'].value:.3f} on the dev set, with it at "
        f"{causal['train_loss'].value:.3f} and {causal['dev_loss'].value:.3f}; when the mask is "
        f"put back the first one's dev loss is {peeking['dev_loss_masked'].value:.2f}, and "
        f"{metric} {peeking['score'].value:.1f} where the honest model has "
        f"{causal['score'].value:.1f}."
    )
    lot = f" The lot alone costs who does not peek {least:.3f} on sentences that are new."
    return said + lot if least else said


def _plot(task: str, groups: dict[str, list[Figures]]) -> Plot:
    """Return the dev loss, as trained, against steps, in the mean over seeds."""
    lines = [
        Line(
            way,
            [
                Point(points[0][0], fmean(point[3] for point in points))
                for points in zip(*(one["curve"] for one in figures), strict=False)
            ],
        )
        for way, figures in groups.items()
    ]
    return Plot(task, f"{_TITLES[task]}: dev loss, as trained", "steps", "nats a piece", lines)


def unmasked(model: Transformer) -> Transformer:
    """Let the decoder's self-attention see every place, those to come too; return the model."""

    def look(
        query: Tensor, memory: KeyValue, mask: Tensor | None, bias: Tensor | None, causal: bool
    ) -> Tensor:
        return fused_attend(query, memory.key, memory.value, None, bias)

    for layer in model.decoder:
        vars(layer.attention)["look"] = look
    return model


def _put_back(model: Transformer) -> None:
    """Let the decoder see what is behind alone, as any other."""
    for layer in model.decoder:
        vars(layer.attention).pop("look", None)


def _dev_loss(known: Material, found: Learnt) -> float:
    """Return the loss on the dev set, with the mask."""
    device = next(found.model.parameters()).device
    data = known.corpus.data
    measure = validation(known.config, data.dev, data.tokenizer, found.model, device)
    assert measure is not None  # this corpus has a dev set
    return measure().loss


CLAIM = Claim(
    name="peeking",
    title="Peeking",
    said="The decoder's self-attention is masked so that no place can see what comes after it; "
    "else it would copy the answer (the paper, section 3.2.3; the popular account).",
    how="The same Transformer is trained with the causal mask and without, by the same batches. "
    "Losses are in nats a piece, without label smoothing; in training that of the last steps, all "
    "else of the weights with the least dev loss. Each sentence of a little language "
    "begins with one of eight words, drawn by lot, which only who peeks can know; it is scored by "
    "whole sentences that are right but for that word, in percent, Multi30k (full form) by BLEU.",
    cases=cases,
    run=run,
    report=report,
    missing=missing_data,
)
