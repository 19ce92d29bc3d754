"""Recipes of tasks beside translation: small Transformers that read characters.

docs/your-own-task.md tells of both, from a TSV on.
"""

__all__ = ["g2p", "normalise"]

from heedful.config import RunConfig
from heedful.data.clean import CleanConfig
from heedful.data.corpus import DataConfig
from heedful.models.transformer import TransformerConfig
from heedful.nn.embedding import ThreeWay, TwoWay
from heedful.nn.norm import PreNorm
from heedful.nn.position import Rotary
from heedful.text.tokenizer import BPE
from heedful.train.schedule import Linear
from heedful.train.settings import TrainingConfig


def g2p() -> RunConfig:
    """Letters become symbols with spaces between, such as phones: 3 + 3 layers of 128.

    The source is read byte by byte; a symbol of the target is one piece. Positions are rotary: what
    a letter says depends on its neighbours, wherever in the word they stand.
    """
    return RunConfig(
        recipe="g2p",
        data=DataConfig(clean=CleanConfig(max_ratio=None)),
        tokenizer=BPE(vocabulary_size=260, exact=False, shared=False, target_vocabulary_size=512),
        model=TransformerConfig(
            d_model=128,
            d_ff=512,
            n_heads=4,
            encoder_layers=3,
            decoder_layers=3,
            max_length=256,
            position=Rotary(),
            residual=PreNorm(),
            embedding=TwoWay(),
        ),
        schedule=Linear(warmup_steps=250, peak=2e-3),
        training=TrainingConfig(
            max_steps=5000,
            batch_tokens=2500,
            clip_norm=1.0,
            validate_every=1000,
            bleu_sentences=0,
            save_every=200,
            average_last=5,
        ),
    )


def normalise() -> RunConfig:
    """Characters become characters, such as "half past nine" 09:30: g2p, pieces shared."""
    base = g2p()
    changes = {
        "recipe": "normalise",
        "tokenizer": BPE(vocabulary_size=260, exact=False),
        "model": base.model.model_copy(update={"embedding": ThreeWay()}),
    }
    return base.model_copy(update=changes)
