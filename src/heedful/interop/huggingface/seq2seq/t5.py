"""`config.json` of a T5 becomes our settings, or is refused by the key's name; and the way back.

T5 v1.0 has ReLU and one matrix, and divides the last states by sqrt(d_model); v1.1, mT5 and FLAN-T5
have a gated GELU, another output matrix and no such scale. All else is the same: bucketed relative
positions, RMSNorm before each sublayer, no biases, scores that are not divided by sqrt(d_k).
"""

__all__ = ["ARCHITECTURES", "DescribedT5", "config_json", "described", "task_prefix"]

from pathlib import Path
from typing import Any, NamedTuple

from heedful.errors import ModelError
from heedful.interop.huggingface.config import kind_of, read_json, settings_named
from heedful.interop.huggingface.seq2seq.marian import piece
from heedful.interop.keys import Keys
from heedful.model_folder import LoadedModel
from heedful.model_header import Languages
from heedful.models.transformer import TransformerConfig
from heedful.nn.attention import MultiHead
from heedful.nn.embedding import OneInput, ThreeWay
from heedful.nn.feedforward import GEGLU, GELU, FeedForward, GELUTanh, ReLU, SwiGLU, Swish
from heedful.nn.norm import PreNorm, RMSNorm
from heedful.nn.position import Bucketed
from heedful.settings import Settings
from heedful.text.pieces import END, PAD, START

ARCHITECTURES = ("t5", "mt5")
"""What `model_type` may be."""

NETWORKS: dict[str, FeedForward] = {
    "relu": ReLU(bias=False),
    "gated-gelu": GEGLU(),
    "gated-gelu_new": GEGLU(),
    "gated-silu": SwiGLU(),
    "gelu": GELU(bias=False),
    "gelu_new": GELUTanh(bias=False),
    "silu": Swish(bias=False),
}
"""What `feed_forward_proj` may be."""

_ATTENTION = MultiHead(bias=False, scaled=False)
_LENGTH = 512
"""The longest text where the file names none; the positions have no end."""


class DescribedT5(NamedTuple):
    """What config.json says."""

    model: TransformerConfig
    """With one matrix for all; whether the output has its own is what the weights say."""
    size: int
    pad_id: int
    start_id: int
    """The piece whose embedding decoding begins with: `pad_id`."""
    end_id: int
    apart: bool
    """Whether the output matrix must be there."""


def described(path: Path) -> DescribedT5:
    """Return what a config.json says.

    Raises ModelError for an architecture, a size or a habit that is not known here.
    """
    keys = Keys(read_json(path), str(path))
    newer = kind_of(keys, ARCHITECTURES) == "mt5"
    keys.must(is_decoder=False, is_encoder_decoder=True)
    d_model, heads, d_k = keys.whole("d_model"), keys.whole("num_heads"), keys.whole("d_kv")
    layers = keys.whole("num_layers")
    network = keys.word("feed_forward_proj", "gated-gelu" if newer else "relu", [*NETWORKS])
    tied = keys.flag("tie_word_embeddings", True)
    told = (
        keys.data.get("scale_decoder_outputs") is not None
    )  # transformers 5, which calls all of them tied
    scaled = not newer and keys.flag("scale_decoder_outputs", tied)
    with settings_named(path):
        model = TransformerConfig(
            d_model=d_model,
            d_ff=keys.whole("d_ff"),
            n_heads=heads,
            d_k=None if heads * d_k == d_model else d_k,
            encoder_layers=layers,
            decoder_layers=keys.whole("num_decoder_layers", layers),
            dropout=keys.real("dropout_rate", 0.1),
            max_length=keys.whole("n_positions", _LENGTH),
            attention=_ATTENTION,
            position=Bucketed(
                n_buckets=keys.whole("relative_attention_num_buckets", 32),
                max_distance=keys.whole("relative_attention_max_distance", 128),
            ),
            feed_forward=NETWORKS[network],
            norm=RMSNorm(eps=keys.real("layer_norm_epsilon", 1e-6)),
            residual=PreNorm(),
            embedding=ThreeWay(scaled=False, scaled_output=scaled),
        )
    size = keys.whole("vocab_size")
    pad, end = (piece(keys, key, size) for key in ("pad_token_id", "eos_token_id"))
    begun = keys.data.get("decoder_start_token_id") is not None
    start = piece(keys, "decoder_start_token_id", size) if begun else pad
    return DescribedT5(model, size, pad, start, end, apart=not (tied or told))


def task_prefix(folder: Path, languages: Languages) -> str:
    """Return the words before a source that a config.json names for these languages, if it does."""
    tasks = read_json(folder / "config.json").get("task_specific_params")
    name = f"translation_{languages.source}_to_{languages.target}"
    task = tasks.get(name) if isinstance(tasks, dict) else None
    prefix = task.get("prefix") if isinstance(task, dict) else None
    return prefix if isinstance(prefix, str) else ""


def config_json(loaded: LoadedModel, config: TransformerConfig) -> dict[str, Any]:
    """Return config.json; raises ModelError for a variant that T5 has not."""
    _check(config)
    assert isinstance(config.position, Bucketed)
    scaled = config.embedding.scaled_output
    names = {settings.model_dump_json(): name for name, settings in reversed(NETWORKS.items())}
    return {
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        "vocab_size": loaded.tokenizer.target_size,
        "d_model": config.d_model,
        "d_kv": config.head_width,
        "d_ff": config.d_ff,
        "num_layers": config.encoder_layers,
        "num_decoder_layers": config.decoder_layers,
        "num_heads": config.n_heads,
        "relative_attention_num_buckets": config.position.n_buckets,
        "relative_attention_max_distance": config.position.max_distance,
        "feed_forward_proj": names[config.feed_forward.model_dump_json()],
        "dropout_rate": config.dropout,
        "layer_norm_epsilon": config.norm.eps,
        "tie_word_embeddings": scaled,
        "scale_decoder_outputs": scaled,
        "n_positions": config.max_length,
        "pad_token_id": PAD,
        "bos_token_id": None,
        "eos_token_id": END,
        "decoder_start_token_id": START,
        "heedful_languages": loaded.languages.model_dump(mode="json"),
    }


def _check(config: TransformerConfig) -> None:
    """Raise ModelError for a variant that T5 has not."""
    ends = config.embedding
    plain = not (ends.scaled or ends.output_bias)
    fits = {
        "attention": (config.attention == _ATTENTION, config.attention),
        "feed_forward": (config.feed_forward in NETWORKS.values(), config.feed_forward),
        "norm": (isinstance(config.norm, RMSNorm), config.norm),
        "residual": (config.residual == PreNorm(), config.residual),
        "embedding": (plain and _one_input(config), ends),
    }
    for family, (fit, settings) in fits.items():
        if not fit:
            raise _refused(family, settings)


def _one_input(config: TransformerConfig) -> bool:
    ends = config.embedding
    return isinstance(ends, ThreeWay) or (isinstance(ends, OneInput) and not ends.scaled_output)


def _refused(family: str, settings: Settings) -> ModelError:
    said = ", ".join(f"{key} {value}" for key, value in settings.model_dump(mode="json").items())
    return ModelError(
        f"T5 of transformers, which has bucketed positions, has no {family} of {said}",
        where=f"model.{family}",
        fix=f"train with another {family} or other positions",
    )
