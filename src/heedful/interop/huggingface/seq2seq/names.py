"""Where the weights of a translator stand in the files of Hugging Face: names and shapes."""

__all__ = ["BIAS", "COPIES", "POSITIONS", "SHARED", "SOURCE", "TARGET", "UNREAD", "layers"]

from collections.abc import Iterator

from heedful.interop.huggingface.layouts import Place
from heedful.models.transformer import TransformerConfig
from heedful.nn.position import Learned

SHARED = "model.shared.weight"
"""The one embedding matrix."""
SOURCE, TARGET = "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"
"""The two, where they are two."""
COPIES = (SOURCE, TARGET, "lm_head.weight")
"""What a file may hold besides; all are the embedding, of both sides or of the target."""
BIAS = "final_logits_bias"
"""[1, pieces], added to the logits."""
POSITIONS = ("model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight")
"""Learned ones; or sinusoids, which older files hold and everybody computes."""
UNREAD = 2
"""Rows of learned positions that stand before the first piece's."""

_NORMS = {
    "attention_block.norm": "self_attn_layer_norm",
    "cross_attention_block.norm": "encoder_attn_layer_norm",
    "feed_forward_block.norm": "final_layer_norm",
}
_ATTENTIONS = {"attention": "self_attn", "cross_attention": "encoder_attn"}
_PROJECTIONS = {
    "query_proj": "q_proj",
    "key_proj": "k_proj",
    "value_proj": "v_proj",
    "output_proj": "out_proj",
}


def layers(config: TransformerConfig) -> dict[str, Place]:
    """Return the place of every weight of ours but the tables, by our name."""
    found: dict[str, Place] = {}
    sides = (("encoder", config.encoder_layers), ("decoder", config.decoder_layers))
    for side, count in sides:
        for number in range(count):
            for own, name, shape in _layer(config, across=side == "decoder"):
                ours, theirs = f"{side}.{number}.{own}", f"model.{side}.layers.{number}.{name}"
                found[f"{ours}.weight"] = Place(f"{theirs}.weight", shape)
                found[f"{ours}.bias"] = Place(f"{theirs}.bias", shape[:1])
        if config.embedding_norm:
            own = {"encoder": "source_norm", "decoder": "target_norm"}[side]
            for part in ("weight", "bias"):
                name = f"model.{side}.layernorm_embedding.{part}"
                found[f"{own}.{part}"] = Place(name, (config.d_model,))
        if config.residual.final_norm:
            for part in ("weight", "bias"):
                place = Place(f"model.{side}.layer_norm.{part}", (config.d_model,))
                found[f"{side}_norm.{part}"] = place
    if isinstance(config.position, Learned):
        rows = config.max_length + len(config.opening.before) + UNREAD
        for own, name in zip(("source", "target"), POSITIONS, strict=True):
            found[f"{own}_position.table"] = Place(name, (rows, config.d_model), UNREAD)
    return found


def _layer(
    config: TransformerConfig, *, across: bool
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Yield our name of each part, theirs, and the shape of its weight."""
    d_model, d_ff = config.d_model, config.d_ff
    for own, name in _NORMS.items():
        if across or not own.startswith("cross"):
            yield own, name, (d_model,)
    for own, name in _ATTENTIONS.items():
        if across or not own.startswith("cross"):
            for ours, theirs in _PROJECTIONS.items():
                yield f"{own}.{ours}", f"{name}.{theirs}", (d_model, d_model)
    yield "feed_forward.inner", "fc1", (d_ff, d_model)
    yield "feed_forward.outer", "fc2", (d_model, d_ff)
