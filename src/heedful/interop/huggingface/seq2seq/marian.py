"""`config.json` of a Marian (OPUS-MT) becomes our settings, or is refused by the key's name.

Marian is the paper's model with all sines before all cosines, a bias on the output, and decoding
that begins with the embedding of `<pad>`. Pegasus is the same with pre-norm.
"""

__all__ = ["ARCHITECTURES", "NETWORKS", "THEIR_EPS", "DescribedTranslator", "described", "piece"]

from pathlib import Path
from typing import NamedTuple

from heedful.errors import ModelError
from heedful.interop.huggingface.config import kind_of, read_json, settings_named
from heedful.interop.keys import Keys
from heedful.models.transformer import TransformerConfig
from heedful.nn.embedding import ThreeWay, TwoWay
from heedful.nn.feedforward import GELU, FeedForward, GELUTanh, ReLU, Swish
from heedful.nn.norm import LayerNorm, PostNorm, PreNorm
from heedful.nn.position import Sinusoidal

ARCHITECTURES = ("marian", "pegasus")
"""What `model_type` may be."""

NETWORKS: dict[str, FeedForward] = {
    "relu": ReLU(),
    "gelu": GELU(),
    "gelu_new": GELUTanh(),
    "gelu_pytorch_tanh": GELUTanh(),
    "swish": Swish(),
    "silu": Swish(),
}
"""What `activation_function` may be."""

THEIR_EPS = 1e-5
"""What is added to the variance."""

_COMPUTED = {
    "normalize_embedding": False,
    "add_bias_logits": False,
    "static_position_embeddings": True,
    "extra_pos_embeddings": 0,
    "tie_word_embeddings": True,
    "is_decoder": False,
}
"""Keys of older files, too, and the only values with which these compute as ours do."""


class DescribedTranslator(NamedTuple):
    """What config.json says of a translator."""

    model: TransformerConfig
    source_size: int
    target_size: int
    pad_id: int
    start_id: int
    """The piece whose embedding decoding begins with; often `pad_id`."""
    end_id: int
    kind: str = "marian"
    """Its `model_type`."""
    begin_id: int | None = None
    """The piece `<s>`, where there is one beside that which decoding begins with."""
    forced_id: int | None = None
    """The language's piece that every translation begins with, unless another is asked for."""

    @property
    def one_vocabulary(self) -> bool:
        """Whether both sides have one embedding matrix."""
        return isinstance(self.model.embedding, ThreeWay)


def described(path: Path) -> DescribedTranslator:
    """Return what a config.json says.

    Raises ModelError for an architecture, a size or a habit that is not known here.
    """
    keys = Keys(read_json(path), str(path))
    before = kind_of(keys, ARCHITECTURES) == "pegasus"
    keys.must(**_COMPUTED, normalize_before=before, add_final_layer_norm=before)
    heads = keys.whole("encoder_attention_heads")
    d_ff = keys.whole("encoder_ffn_dim")
    keys.must(decoder_attention_heads=heads, decoder_ffn_dim=d_ff)
    shared = keys.flag("share_encoder_decoder_embeddings", True)
    scaled = keys.flag("scale_embedding", False)
    ends = {"scaled": scaled, "output_bias": True}
    with settings_named(path):
        model = TransformerConfig(
            d_model=keys.whole("d_model"),
            d_ff=d_ff,
            n_heads=heads,
            encoder_layers=keys.whole("encoder_layers"),
            decoder_layers=keys.whole("decoder_layers"),
            dropout=keys.real("dropout", 0.1),
            max_length=keys.whole("max_position_embeddings", 1024),
            feed_forward=NETWORKS[keys.word("activation_function", "gelu", [*NETWORKS])],
            position=Sinusoidal(layout="halves"),
            norm=LayerNorm(eps=THEIR_EPS),
            residual=PreNorm() if before else PostNorm(),
            embedding=ThreeWay(**ends) if shared else TwoWay(**ends),
        )
    source_size = keys.whole("vocab_size")
    target_size = keys.whole("decoder_vocab_size", source_size)
    if shared:
        keys.must(decoder_vocab_size=source_size)
    special = [piece(keys, key, target_size) for key in ("pad_token_id", "eos_token_id")]
    start = piece(keys, "decoder_start_token_id", target_size)
    return DescribedTranslator(model, source_size, target_size, special[0], start, special[1])


def piece(keys: Keys, key: str, size: int) -> int:
    """Return the one piece that a key names."""
    ids = keys.ids(key)
    if len(ids) != 1:
        raise ModelError(f'"{key}" names {len(ids)} pieces where one is needed', where=keys.where)
    if ids[0] >= size:
        problem = f'"{key}" is {ids[0]:,} and the model has {size:,} pieces'
        raise ModelError(problem, where=keys.where)
    return ids[0]
