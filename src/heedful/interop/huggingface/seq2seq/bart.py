"""`config.json` of a BART, mBART, M2M100 or NLLB becomes our settings, or is refused by its key.

BART is the paper's model with learned positions and embeddings that are normalised; mBART the same
with pre-norm, and with languages; M2M100 and NLLB have fairseq's sinusoids in place of both.
Decoding begins with `</s>`, and then with `<s>` or the target's language.
"""

__all__ = ["ARCHITECTURES", "OPENING", "described", "sinusoidal"]

from pathlib import Path

from heedful.errors import ModelError
from heedful.interop.huggingface.config import read_json, settings_named
from heedful.interop.huggingface.seq2seq.marian import (
    NETWORKS,
    THEIR_EPS,
    DescribedTranslator,
    piece,
)
from heedful.interop.huggingface.seq2seq.names import UNREAD
from heedful.interop.keys import Keys
from heedful.models.opening import Opening
from heedful.models.transformer import TransformerConfig
from heedful.nn.embedding import ThreeWay
from heedful.nn.norm import LayerNorm, PostNorm, PreNorm
from heedful.nn.position import Learned, Sinusoidal
from heedful.text.pieces import END, PAD, START

ARCHITECTURES = ("bart", "mbart", "m2m_100")
"""What `model_type` may be; NLLB calls itself m2m_100."""

OPENING = "heedful_opening"
"""Key of `config.json` where heedful wrote it."""

_BEFORE = {
    "bart": {"normalize_before": False, "add_final_layer_norm": False, "normalize_embedding": True},
    "mbart": {"normalize_before": True, "add_final_layer_norm": True, "normalize_embedding": True},
    "m2m_100": {"normalize_before": True, "add_final_layer_norm": True},
}
_COMPUTED = {
    "add_bias_logits": False,
    "static_position_embeddings": False,
    "extra_pos_embeddings": UNREAD,
    "tie_word_embeddings": True,
    "is_decoder": False,
}
"""Keys of older files, too, and the only values with which these compute as ours do."""


def sinusoidal(first: int) -> Sinusoidal:
    """Return the positions of M2M100."""
    return Sinusoidal(layout="halves", rates="closed", first=first)


def described(path: Path) -> DescribedTranslator:
    """Return what a config.json says.

    Raises ModelError for a size or a habit that is not known here.
    """
    keys = Keys(read_json(path), str(path))
    kind = str(keys.data["model_type"])
    keys.must(**(_COMPUTED | _BEFORE[kind]))
    heads, d_ff = keys.whole("encoder_attention_heads"), keys.whole("encoder_ffn_dim")
    keys.must(decoder_attention_heads=heads, decoder_ffn_dim=d_ff)
    size, d_model = keys.whole("vocab_size"), keys.whole("d_model")
    pad, begin, end = (
        piece(keys, key, size) for key in ("pad_token_id", "bos_token_id", "eos_token_id")
    )
    opening = _opening(keys, kind, {pad: PAD, begin: START, end: END}, size)
    positions = keys.whole("max_position_embeddings", 1024)
    m2m = kind == "m2m_100"
    if m2m and d_model % 2:
        raise ModelError(f'"d_model" is {d_model}, which is odd', where=keys.where)
    activation = keys.word("activation_function", "relu" if m2m else "gelu", [*NETWORKS])
    with settings_named(path):
        model = TransformerConfig(
            d_model=d_model,
            d_ff=d_ff,
            n_heads=heads,
            encoder_layers=keys.whole("encoder_layers"),
            decoder_layers=keys.whole("decoder_layers"),
            dropout=keys.real("dropout", 0.1),
            max_length=positions - len(opening.before),
            feed_forward=NETWORKS[activation],
            position=sinusoidal(pad + 1) if m2m else Learned(),
            norm=LayerNorm(eps=THEIR_EPS),
            residual=PostNorm() if kind == "bart" else PreNorm(),
            embedding=ThreeWay(scaled=keys.flag("scale_embedding", m2m), output_bias=not m2m),
            embedding_norm=not m2m,
            opening=opening,
        )
    named = {key: keys.ids(key)[:1] for key in ("decoder_start_token_id", "forced_bos_token_id")}
    start, forced = (next(iter(ids), None) for ids in named.values())
    return DescribedTranslator(
        model, size, size, pad, end if start is None else start, end, kind, begin, forced
    )


def _opening(keys: Keys, kind: str, controls: dict[int, int], size: int) -> Opening:
    """Return what decoding begins with; `controls` are our numbers of their control pieces."""
    if (own := keys.data.get(OPENING)) is not None:
        with settings_named(Path(keys.where)):
            return Opening.model_validate(own)
    start = keys.ids("decoder_start_token_id")
    first = piece(keys, "decoder_start_token_id", size) if start else None
    begin = next(number for number, own in controls.items() if own == START)
    if kind != "bart":
        return Opening(before=(controls[first],) if first in controls else (), tag=True)
    if first not in controls:
        problem = '"decoder_start_token_id" is none of "pad_token_id", "bos_token_id" and'
        raise ModelError(f'{problem} "eos_token_id"', where=keys.where)
    keys.must(forced_bos_token_id=begin)
    return Opening() if first == begin else Opening(before=(controls[first],))
