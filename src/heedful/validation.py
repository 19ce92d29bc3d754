"""How a model does on the dev set while it is trained: loss, and BLEU of some translations.

Settings, data and a model come in, a function that measures goes out; `heedful.run` calls it.
"""

__all__ = ["validation"]

from collections.abc import Callable
from itertools import chain
from statistics import fmean
from typing import NamedTuple

import torch

from heedful import evaluate
from heedful.config import RunConfig
from heedful.data.batches import BatchPlan
from heedful.data.evenly import evenly
from heedful.data.store import TokenStore
from heedful.decode.engine import decode
from heedful.directions import learnt_ways
from heedful.models.architecture import Model
from heedful.search import Greedy
from heedful.text.framing import parted
from heedful.text.tokenizer import Tokenizer
from heedful.train.loop import Validation
from heedful.train.precision import autocast
from heedful.translator import limits_of


def validation(
    config: RunConfig,
    store: TokenStore | None,
    tokenizer: Tokenizer,
    model: Model,
    device: torch.device,
) -> Callable[[], Validation] | None:
    """Return what measures the model on the dev set; None without a dev set."""
    if store is None:
        return None
    tokens = max(config.training.sized_batch_tokens, config.training.max_pieces)
    plan = BatchPlan(store, tokens, 0)
    batches = [plan.batch(rows) for rows in plan.epoch(0)]
    asked = _asked(config, tokenizer, store)

    def validate() -> Validation:
        model.eval()
        with torch.compiler.set_stance("force_eager"):  # a search has too many shapes to compile
            return measured()

    def measured() -> Validation:
        with torch.inference_mode(), autocast(config.training.precision, device):
            losses = [config.objective.loss(model, batch.to(device)) for batch in batches]
        mean = sum(float(loss.nll) for loss in losses) / sum(loss.tokens for loss in losses)
        found = _dev_translations(tokenizer, model, store, asked, device)
        return Validation.of(mean, _mean_bleu(found), tuple(chain(*(one.texts for one in found))))

    return validate


class _Asked(NamedTuple):
    """Rows of the dev set that are translated in one direction, and the language they become."""

    language: str
    rows: list[int]


class _Translated(NamedTuple):
    """What they have become, and what they should."""

    language: str
    texts: list[str]
    references: list[str]


def _asked(config: RunConfig, tokenizer: Tokenizer, store: TokenStore) -> list[_Asked]:
    """Return as many rows of each direction, evenly spread over it.

    The marks around a source tell its direction: of a corpus learnt both ways the rows of the two
    take turns in the store.
    """
    data, most = config.data, config.training.bleu_sentences
    if not most:
        return []
    languages = {}
    for _, to in chain(*(learnt_ways(one, tokenizer) for one in data.of_languages().values())):
        before, behind = tokenizer.marks(to)
        languages[*before, *behind] = parted(to)[1] or data.target_language
    start, end = len(tokenizer.framing.before), len(tokenizer.framing.behind)
    rows: dict[tuple[int, ...], list[int]] = {}
    for row in range(len(store)):
        ids = store.source(row).tolist()
        rows.setdefault((*ids[:start], *ids[len(ids) - end :]), []).append(row)
    each = max(1, most // len(rows))
    return [
        _Asked(languages[marks], [some[at] for at in evenly(len(some), each)])
        for marks, some in rows.items()
    ]


def _dev_translations(
    tokenizer: Tokenizer,
    model: Model,
    store: TokenStore,
    asked: list[_Asked],
    device: torch.device,
) -> list[_Translated]:
    """Return greedy translations of each direction, and their references."""
    sources = [store.source(row).tolist() for one in asked for row in one.rows]
    limits = limits_of(tokenizer, model.config.max_length)
    best = iter(decode(model, sources, Greedy(), limits=limits, device=device) if sources else [])
    return [
        _Translated(
            one.language,
            tokenizer.decode_target([next(best)[0].tokens for _ in one.rows]),
            tokenizer.decode_target([store.target(row).tolist() for row in one.rows]),
        )
        for one in asked
    ]


def _mean_bleu(found: list[_Translated]) -> float | None:
    """Return the mean of the directions' sacreBLEU; None where nothing was translated."""
    if not found:
        return None
    return fmean(
        evaluate.score(one.texts, one.references, language=one.language, resamples=0).bleu.value
        for one in found
    )
