"""How a model does on the dev set while it is trained: loss, and BLEU of some translations.

Settings, data and a model come in, a function that measures goes out; `heedful.run` calls it.
"""

__all__ = ["validation"]

from collections.abc import Callable

import torch

from heedful import evaluate
from heedful.config import RunConfig
from heedful.data.batches import BatchPlan
from heedful.data.evenly import evenly
from heedful.data.store import TokenStore
from heedful.decode.engine import decode
from heedful.models.architecture import Model
from heedful.search import Greedy
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

    def validate() -> Validation:
        model.eval()
        with torch.compiler.set_stance("force_eager"):  # a search has too many shapes to compile
            return measured()

    def measured() -> Validation:
        with torch.inference_mode(), autocast(config.training.precision, device):
            losses = [config.objective.loss(model, batch.to(device)) for batch in batches]
        mean = sum(float(loss.nll) for loss in losses) / sum(loss.tokens for loss in losses)
        found = _dev_translations(config, tokenizer, model, store, device)
        bleu = _dev_bleu(config, *found) if found[0] else None
        return Validation.of(mean, bleu, tuple(found[0]))

    return validate


def _dev_translations(
    config: RunConfig,
    tokenizer: Tokenizer,
    model: Model,
    store: TokenStore,
    device: torch.device,
) -> tuple[list[str], list[str]]:
    """Return greedy translations of evenly spread rows of the dev set, and their references."""
    rows = evenly(len(store), config.training.bleu_sentences)
    sources = [store.source(row).tolist() for row in rows]
    limits = limits_of(tokenizer, model.config.max_length)
    found = decode(model, sources, Greedy(), limits=limits, device=device) if rows else []
    hypotheses = tokenizer.decode_target([best[0].tokens for best in found])
    return hypotheses, tokenizer.decode_target([store.target(row).tolist() for row in rows])


def _dev_bleu(config: RunConfig, hypotheses: list[str], references: list[str]) -> float:
    """Return sacreBLEU."""
    language = config.data.target_language
    return evaluate.score(hypotheses, references, language=language, resamples=0).bleu.value
