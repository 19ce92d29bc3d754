"""Recipes of translators: Transformers, the paper's and those of today."""

__all__ = [
    "low_resource",
    "modern_base",
    "modern_small",
    "multi30k",
    "multi30k_protocol",
    "paper_base",
    "paper_big",
    "small",
    "tiny",
    "tune",
]

from heedful.config import RunConfig
from heedful.models.transformer import TransformerConfig
from heedful.nn.feedforward import SwiGLU
from heedful.nn.norm import PreNorm, RMSNorm
from heedful.nn.position import Rotary
from heedful.objectives import Translation
from heedful.text.tokenizer import BPE
from heedful.train.schedule import InverseSqrt, Linear
from heedful.train.settings import TrainingConfig


def paper_base() -> RunConfig:
    """The base model of the paper: 100,000 steps of 25,000 pieces (Table 3, section 5)."""
    return RunConfig(
        recipe="paper-base",
        tokenizer=BPE(vocabulary_size=37_000, exact=False),
        model=TransformerConfig(),
        schedule=InverseSqrt(warmup_steps=4000),
        training=TrainingConfig(max_steps=100_000, batch_tokens=25_000, average_last=5),
    )


def paper_big() -> RunConfig:
    """The big model of the paper: 300,000 steps, dropout 0.3, the last 20 averaged."""
    return RunConfig(
        recipe="paper-big",
        tokenizer=BPE(vocabulary_size=37_000, exact=False),
        model=TransformerConfig(d_model=1024, d_ff=4096, n_heads=16, dropout=0.3),
        schedule=InverseSqrt(warmup_steps=4000),
        training=TrainingConfig(max_steps=300_000, batch_tokens=25_000, average_last=20),
    )


def small() -> RunConfig:
    """For 50,000 to a million pairs on a laptop: 4 + 2 layers of 256, norms before them."""
    return RunConfig(
        recipe="small",
        tokenizer=BPE(vocabulary_size=8000, exact=False),
        model=TransformerConfig(
            d_model=256,
            d_ff=1024,
            n_heads=4,
            encoder_layers=4,
            decoder_layers=2,
            max_length=512,
            residual=PreNorm(),
        ),
        schedule=InverseSqrt(warmup_steps=2000),
        training=TrainingConfig(
            max_steps=60_000,
            batch_tokens=4000,
            clip_norm=1.0,
            validate_every=1000,
            save_every=500,
            average_last=8,
            patience=10,
        ),
    )


def low_resource() -> RunConfig:
    """For up to 50,000 pairs: 3 + 3 layers of 256, norms before them, dropout, averaging."""
    return RunConfig(
        recipe="low-resource",
        tokenizer=BPE(vocabulary_size=6000, exact=False),
        model=TransformerConfig(
            d_model=256,
            d_ff=512,
            n_heads=4,
            encoder_layers=3,
            decoder_layers=3,
            dropout=0.3,
            max_length=512,
            residual=PreNorm(),
        ),
        schedule=InverseSqrt(warmup_steps=1000),
        training=TrainingConfig(
            max_steps=20_000,
            batch_tokens=3000,
            clip_norm=1.0,
            validate_every=500,
            save_every=250,
            average_last=8,
            patience=8,
        ),
    )


def modern_small() -> RunConfig:
    """For 50,000 to a million pairs on a GPU: 6 + 2 layers of 256 with the blocks of today."""
    return RunConfig(
        recipe="modern-small",
        tokenizer=BPE(vocabulary_size=12_000, exact=False),
        model=_modern(
            d_model=256, d_ff=704, n_heads=4, encoder_layers=6, decoder_layers=2, max_length=512
        ),
        schedule=Linear(warmup_steps=1000, peak=2e-3),
        training=TrainingConfig(
            max_steps=12_000,
            batch_tokens=16_384,
            clip_norm=1.0,
            validate_every=1000,
            save_every=500,
            average_last=4,
            moving_average=0.999,
        ),
    )


def modern_base() -> RunConfig:
    """For millions of pairs: the weights of paper-base in 10 + 3 layers, the blocks of today."""
    return RunConfig(
        recipe="modern-base",
        tokenizer=BPE(vocabulary_size=32_000, exact=False),
        model=_modern(d_model=512, d_ff=1408, n_heads=8, encoder_layers=10, decoder_layers=3),
        schedule=Linear(warmup_steps=4000, peak=1e-3),
        training=TrainingConfig(
            max_steps=100_000, batch_tokens=25_000, clip_norm=1.0, moving_average=0.999
        ),
    )


def _modern(**sizes: int) -> TransformerConfig:
    """Return a model of these sizes with what has replaced the paper's blocks since."""
    return TransformerConfig.model_validate(
        {
            "residual": PreNorm(),
            "norm": RMSNorm(),
            "position": Rotary(),
            "feed_forward": SwiGLU(),
            "dropout": 0.15,
            **sizes,
        }
    )


def multi30k_protocol() -> RunConfig:
    """Multi30k's tiny model, 4 + 4 layers of 128, with R-Drop: 41 BLEU (docs/multi30k.md)."""
    return RunConfig(
        recipe="multi30k-protocol",
        tokenizer=BPE(vocabulary_size=10_000),
        model=TransformerConfig(
            d_model=128,
            d_ff=256,
            n_heads=4,
            encoder_layers=4,
            decoder_layers=4,
            dropout=0.3,
            max_length=512,
            residual=PreNorm(),
        ),
        objective=Translation(r_drop=2),
        schedule=Linear(warmup_steps=2000, peak=4e-3),
        training=TrainingConfig(
            max_steps=7700,
            batch_tokens=4096,
            precision="float32",
            clip_norm=10,
            validate_every=920,
            bleu_sentences=0,
            save_every=115,
            average_last=10,
        ),
    )


def multi30k() -> RunConfig:
    """Multi30k's own text in an hour on two cores: the tiny model of multi30k-protocol."""
    protocol = multi30k_protocol()
    training = {"max_steps": 20_000, "max_minutes": 60.0, "precision": "auto"}
    return protocol.model_copy(
        update={"recipe": "multi30k", "training": protocol.training.model_copy(update=training)}
    )


def tune() -> RunConfig:
    """For a model that knows the language and shall learn a domain: 1,000 small steps."""
    return RunConfig(
        recipe="tune",
        schedule=Linear(warmup_steps=50, peak=3e-4),
        training=TrainingConfig(
            max_steps=1000,
            batch_tokens=2000,
            clip_norm=1.0,
            log_every=10,
            validate_every=50,
            bleu_sentences=0,
            save_every=50,
            average_last=4,
            patience=5,
        ),
    )


def tiny() -> RunConfig:
    """A model that trains in under a minute: for trying things, tests and `heed demo`."""
    return RunConfig(
        recipe="tiny",
        tokenizer=BPE(vocabulary_size=500, exact=False),
        model=TransformerConfig(
            d_model=128,
            d_ff=256,
            n_heads=4,
            encoder_layers=2,
            decoder_layers=2,
            max_length=256,
        ),
        objective=Translation(label_smoothing=0.1),
        schedule=InverseSqrt(warmup_steps=200, scale=0.7),
        training=TrainingConfig(
            max_steps=1000,
            batch_tokens=2000,
            clip_norm=1.0,
            log_every=10,
            validate_every=200,
            save_every=200,
            average_last=2,
        ),
    )
