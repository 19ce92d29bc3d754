"""Our settings become the `config.json` of the model of transformers that computes the same.

The paper's wiring is a Marian, pre-norm a Pegasus; with learned positions and normalised embeddings
they are a BART and an mBART; with fairseq's sinusoids pre-norm is an M2M100. What none of them can
express is refused by its name.
"""

__all__ = ["architecture_of", "config_of", "numbers_of"]

from typing import Any

from heedful.errors import ModelError
from heedful.interop.huggingface.seq2seq.bart import OPENING, sinusoidal
from heedful.interop.huggingface.seq2seq.marian import NETWORKS, THEIR_EPS
from heedful.interop.huggingface.seq2seq.names import UNREAD
from heedful.model_folder import LoadedModel
from heedful.models.transformer import TransformerConfig
from heedful.nn.attention import MultiHead
from heedful.nn.embedding import ThreeWay, TwoWay
from heedful.nn.norm import LayerNorm, PostNorm, PreNorm
from heedful.nn.position import Learned, Sinusoidal
from heedful.settings import Settings
from heedful.text.pieces import CONTROL, END, PAD, START

_CLASSES = {
    "marian": "MarianMTModel",
    "pegasus": "PegasusForConditionalGeneration",
    "bart": "BartForConditionalGeneration",
    "mbart": "MBartForConditionalGeneration",
    "m2m_100": "M2M100ForConditionalGeneration",
}
_M2M100 = sinusoidal(UNREAD)


def numbers_of(kind: str, count: int) -> list[int]:
    """Return their number of each of our pieces: fairseq has `<s>` before `<pad>`."""
    first = [PAD, START] if kind in ("marian", "pegasus") else [START, PAD]
    return [*first, *range(len(first), count)]


def _refused(family: str, what: object, fix: str = "") -> ModelError:
    kind = getattr(what, "kind", what) if isinstance(what, Settings) else what
    return ModelError(
        f'no translator of transformers has {family} "{kind}" as this model has it',
        where=f"model.{family}",
        fix=fix or f"train with another {family}, or export it to ctranslate2 or onnx",
    )


def config_of(loaded: LoadedModel, config: TransformerConfig) -> dict[str, Any]:
    """Return config.json; raises ModelError for a variant that has no counterpart."""
    kind = architecture_of(config)
    activation = next((name for name, it in NETWORKS.items() if it == config.feed_forward), None)
    if activation is None:
        raise _refused("feed_forward", config.feed_forward)
    source_size = loaded.tokenizer.source_size
    shared = isinstance(config.embedding, ThreeWay)
    own = {"decoder_vocab_size": loaded.tokenizer.target_size} if kind == "marian" else {}
    return {
        "architectures": [_CLASSES[kind]],
        "model_type": kind,
        "vocab_size": source_size,
        **own,
        "share_encoder_decoder_embeddings": shared,
        "tie_word_embeddings": True,
        "d_model": config.d_model,
        "encoder_layers": config.encoder_layers,
        "decoder_layers": config.decoder_layers,
        "encoder_attention_heads": config.n_heads,
        "decoder_attention_heads": config.n_heads,
        "encoder_ffn_dim": config.d_ff,
        "decoder_ffn_dim": config.d_ff,
        "activation_function": activation,
        "dropout": config.dropout,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "max_position_embeddings": config.max_length + len(config.opening.before),
        "scale_embedding": config.embedding.scaled,
        **_begun(kind, loaded, config),
        "forced_eos_token_id": None,
        "heedful_languages": loaded.languages.model_dump(mode="json"),
    }


def architecture_of(config: TransformerConfig) -> str:
    """Return which model of transformers computes as this one."""
    _check_layers(config)
    if config.residual not in (PostNorm(), PreNorm()):
        raise _refused("residual.final_norm", config.residual.final_norm)
    pre = config.residual == PreNorm()
    if config.embedding_norm or config.position == _M2M100:
        return _of_fairseq(config, pre=pre)
    position = config.position
    if config.d_model % 2 or position not in (Sinusoidal(), Sinusoidal(layout="halves")):
        raise _refused("position", position)
    if not config.plain_ends:
        raise _refused("opening", "before" if config.opening.before else "tag")
    if pre and not isinstance(config.embedding, ThreeWay):
        raise _refused("embedding", config.embedding, "pre-norm is a Pegasus, which shares them")
    return "pegasus" if pre else "marian"


def _check_layers(config: TransformerConfig) -> None:
    """Raise ModelError for a part that none of them has."""
    ends = config.embedding
    if config.attention == MultiHead(scaled=False):
        raise _refused("attention.scaled", "false")
    if config.attention != MultiHead():
        raise _refused("attention", config.attention)
    if config.d_k is not None:
        raise _refused("d_k", config.d_k)
    if not isinstance(config.norm, LayerNorm):
        raise _refused("norm", config.norm)
    if config.norm.eps != THEIR_EPS:
        raise _refused("norm.eps", config.norm.eps)
    if not isinstance(ends, ThreeWay | TwoWay):
        raise _refused("embedding", ends)
    if ends.scaled_output:
        raise _refused("embedding.scaled_output", "true")


def _of_fairseq(config: TransformerConfig, *, pre: bool) -> str:
    """Return which of BART and its kin computes as this one."""
    if not isinstance(config.embedding, ThreeWay):
        raise _refused("embedding", config.embedding, "BART and its kin share one matrix")
    if len(config.opening.before) > 1:
        raise _refused("opening", "before")
    if config.embedding_norm:
        if not isinstance(config.position, Learned):
            raise _refused("position", config.position)
        return "mbart" if pre else "bart"
    if not pre:
        raise _refused("residual", config.residual)
    if config.embedding.output_bias:
        raise _refused("embedding", "output_bias")
    return "m2m_100"


def _begun(kind: str, loaded: LoadedModel, config: TransformerConfig) -> dict[str, Any]:
    """Return the control pieces, and what decoding begins with."""
    if kind in ("marian", "pegasus"):
        ends = {"pad_token_id": PAD, "bos_token_id": None, "eos_token_id": END}
        return ends | {"decoder_start_token_id": START}
    theirs = numbers_of(kind, len(CONTROL))
    opening, forced = config.opening, theirs[START]
    if opening.tag:
        known, target = loaded.tokenizer.languages, loaded.languages.target
        forced = len(CONTROL) + (known.index(target) if target in known else 0)
    start = theirs[opening.before[0]] if opening.before else forced
    return {
        "pad_token_id": theirs[PAD],
        "bos_token_id": theirs[START],
        "eos_token_id": theirs[END],
        "decoder_start_token_id": start,
        "forced_bos_token_id": forced if opening.before else None,
        OPENING: opening.model_dump(mode="json"),
    }
