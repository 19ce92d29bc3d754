"""A checkpoint of OpenNMT-py: one file with settings and vocabularies in it.

Pre-norm with a norm at the end of each stack, the paper's sinusoids, a bias before the softmax;
sources have no `</s>`. Names and options are those of the toolkit's versions 1.0 to 3.5:
`onmt/encoders/transformer.py`, `decoders/transformer.py`, `modules/multi_headed_attn.py`,
`modules/position_ffn.py`, `modules/embeddings.py`, `inputters/inputter.py` (`vocabs_to_dict`) and
`opts.py`. Since 3.0 attention has no biases unless trained with `add_qkvbias`, since 3.2 the
feed-forward layers have none unless with `add_ffnbias`; the tensors say which. `scaled-dot-flash`,
the default of 3.5, is another program for the same attention.
"""

__all__ = ["foreign"]

from pathlib import Path

from heedful.errors import ModelError
from heedful.interop.huggingface.config import settings_named
from heedful.interop.huggingface.layouts import Place
from heedful.interop.keys import Keys
from heedful.interop.toolkits.foreign import Foreign, Vocabulary
from heedful.interop.toolkits.sandbox import Opened
from heedful.models.transformer import TransformerConfig
from heedful.nn.attention import MultiHead
from heedful.nn.embedding import ThreeWay, TwoWay, Untied
from heedful.nn.feedforward import GELU, FeedForward, ReLU, SwiGLU, Swish
from heedful.nn.norm import LayerNorm, PreNorm
from heedful.nn.position import NoPosition, Sinusoidal

_NETWORKS: dict[str, type[ReLU | GELU | Swish]] = {"relu": ReLU, "gelu": GELU, "silu": Swish}
_POSITIONS = {
    "SinusoidalInterleaved": Sinusoidal(),
    "SinusoidalConcat": Sinusoidal(layout="halves", rates="closed"),
}
_LUT = "embeddings.make_embedding.emb_luts.0.weight"
_SOURCE, _TARGET = f"encoder.{_LUT}", f"decoder.{_LUT}"
_IGNORED = (
    r"(encoder|decoder)\.embeddings\.make_embedding\.pe\.pe"
    r"|decoder\.transformer_layers\.\d+\.mask"
)
_NOT_DONE = {
    "copy_attn": False,
    "model_type": "text",
    "max_relative_positions": 0,
    "relative_positions_buckets": 0,
    "full_context_alignment": False,
    "parallel_residual": False,
    "multiquery": False,
    "num_kv": 0,
    "sliding_window": 0,
    "num_experts": 0,
    "layer_norm": "standard",
    "aan_useffn": False,
    "lambda_coverage": 0.0,
}
_PARTS = {
    "query_proj": "linear_query",
    "key_proj": "linear_keys",
    "value_proj": "linear_values",
    "output_proj": "final_linear",
}
_LONGEST = 1024
"""The toolkit computes positions up to 5000, and no model has learnt so many."""


def foreign(opened: Opened, _folder: Path) -> Foreign:
    """Return what the checkpoint says; raises ModelError for what is not done here."""
    said = opened.said.get("settings")
    keys = Keys(said if isinstance(said, dict) else {}, f"{opened.checkpoint}, opt")
    kinds = [str(keys.data.get(f"{side}_type"))[:40] for side in ("encoder", "decoder")]
    if kinds != ["transformer", "transformer"]:
        problem = f"its encoder is {kinds[0]} and its decoder {kinds[1]}"
        raise ModelError(problem, where=keys.where, fix="known: transformer")
    keys.must(**_NOT_DONE)
    keys.word("self_attn_type", "scaled-dot", ["scaled-dot", "scaled-dot-flash"])
    keys.word("generator_function", "softmax", ["softmax", "log_softmax"])
    prefix = _generator(opened)
    with settings_named(opened.checkpoint):
        model = _model(opened, keys)
    one = isinstance(model.embedding, ThreeWay)
    shared = keys.flag("share_embeddings", False)
    output = f"{prefix}.weight"
    tied = not isinstance(model.embedding, Untied)
    copies = {_TARGET: _SOURCE} if shared else {}
    if tied:
        copies[output] = _TARGET
    start = keys.word("decoder_start_token", "<s>", ["<s>", "</s>"])
    sides = [_vocabulary(opened, side, start) for side in ("src", "tgt")]
    if one and sides[0].pieces != sides[1].pieces:
        problem = "its embeddings are shared and its two vocabularies are not one"
        raise ModelError(problem, where=str(opened.checkpoint))
    return Foreign(
        toolkit="OpenNMT-py",
        model=model,
        places=_places(model),
        source_table=_SOURCE,
        target_table=_TARGET,
        output_table=_TARGET if tied else output,
        output_bias=f"{prefix}.bias",
        copies=copies,
        ignored=_IGNORED,
        source=sides[0],
        target=sides[1],
        ended=False,
        languages=("", ""),
    )


def _generator(opened: Opened) -> str:
    """Return what the last product's tensors begin with: since version 3 it stands alone."""
    for prefix in ("generator.0", "generator"):
        if f"{prefix}.weight" in opened.held:
            return prefix
    named = [name for name in opened.held if name.startswith("generator")][:4]
    problem = f"its generator is in a form that was never seen here ({', '.join(named) or 'none'})"
    raise ModelError(problem, where=str(opened.checkpoint), fix="known: OpenNMT-py 1.0 to 3.5")


def _model(opened: Opened, keys: Keys) -> TransformerConfig:
    size = _first(keys, ("enc_hid_size", "enc_rnn_size", "rnn_size", "hidden_size"))
    for key in ("dec_hid_size", "dec_rnn_size", "src_word_vec_size", "tgt_word_vec_size"):
        if keys.data.get(key) not in (None, -1):
            keys.must(**{key: size})
    biased = "encoder.transformer.0.self_attn.linear_query.bias" in opened.held
    if "encoder.transformer.0.layer_norm.a_2" in opened.held:
        problem = "its norms are those of OpenNMT-py before 0.5, which divide by another deviation"
        raise ModelError(problem, where=str(opened.checkpoint), fix="known: OpenNMT-py 0.5 to 3.5")
    placed = keys.flag("position_encoding", False)
    ends = {"scaled": placed, "output_bias": True}
    shared = keys.flag("share_embeddings", False)
    tied = keys.flag("share_decoder_embeddings", False)
    scheme: ThreeWay | TwoWay | Untied = Untied(**ends)
    if tied:
        scheme = ThreeWay(**ends) if shared else TwoWay(**ends)
    order = keys.word("position_encoding_type", "SinusoidalInterleaved", [*_POSITIONS])
    drop = keys.data.get("dropout")
    return TransformerConfig(
        d_model=size,
        d_ff=keys.whole("transformer_ff", 2048),
        n_heads=keys.whole("heads", 8),
        encoder_layers=_first(keys, ("enc_layers", "layers")),
        decoder_layers=_first(keys, ("dec_layers", "layers")),
        dropout=float(drop[0] if isinstance(drop, list) and drop else 0.1),
        max_length=_LONGEST,
        attention=MultiHead(bias=biased),
        position=_POSITIONS[order] if placed else NoPosition(),
        feed_forward=_network(opened, keys),
        norm=LayerNorm(eps=keys.real("norm_eps", 1e-6)),
        residual=PreNorm(),
        embedding=scheme,
    )


def _network(opened: Opened, keys: Keys) -> FeedForward:
    """Return the feed-forward layers; `w_3` is there where they are gated."""
    name = keys.word("pos_ffn_activation_fn", "relu", [*_NETWORKS])
    inside = "encoder.transformer.0.feed_forward"
    biased = f"{inside}.w_1.bias" in opened.held
    if name == "silu" and not biased and f"{inside}.w_3.weight" in opened.held:
        return SwiGLU()
    return _NETWORKS[name](bias=biased)


def _first(keys: Keys, names: tuple[str, ...]) -> int:
    """Return the first of some sizes that is set; -1 stands for none."""
    for name in names:
        if keys.data.get(name) not in (None, -1):
            return keys.whole(name)
    raise ModelError(f'the key "{names[0]}" is missing', where=keys.where)


def _places(model: TransformerConfig) -> dict[str, Place]:
    width, d_ff = model.d_model, model.d_ff
    gated = isinstance(model.feed_forward, SwiGLU)
    inner = {"gate": "w_1", "inner": "w_3"} if gated else {"inner": "w_1"}
    biased = isinstance(model.feed_forward, ReLU | GELU | Swish) and model.feed_forward.bias
    found: dict[str, Place] = {}

    def both(ours: str, theirs: str, shape: tuple[int, ...], *, bias: bool = True) -> None:
        found[f"{ours}.weight"] = Place(f"{theirs}.weight", shape)
        if bias:
            found[f"{ours}.bias"] = Place(f"{theirs}.bias", shape[:1])

    stacks = (
        ("encoder", "transformer", model.encoder_layers),
        ("decoder", "transformer_layers", model.decoder_layers),
    )
    for side, stack, count in stacks:
        for number in range(count):
            ours, theirs = f"{side}.{number}", f"{side}.{stack}.{number}"
            decodes = side == "decoder"
            norms = {"attention_block": "layer_norm_1" if decodes else "layer_norm"}
            attentions = {"attention": "self_attn"}
            if decodes:
                norms["cross_attention_block"] = "layer_norm_2"
                attentions["cross_attention"] = "context_attn"
            norms["feed_forward_block"] = "feed_forward.layer_norm"
            for own, name in norms.items():
                both(f"{ours}.{own}.norm", f"{theirs}.{name}", (width,))
            for own, name in attentions.items():
                for part, its in _PARTS.items():
                    place = (f"{ours}.{own}.{part}", f"{theirs}.{name}.{its}", (width, width))
                    both(*place, bias=model.attention.bias)
            inside = f"{theirs}.feed_forward"
            for own, name in inner.items():
                both(f"{ours}.feed_forward.{own}", f"{inside}.{name}", (d_ff, width), bias=biased)
            both(f"{ours}.feed_forward.outer", f"{inside}.w_2", (width, d_ff), bias=biased)
        both(f"{side}_norm", f"{side}.layer_norm", (width,))
    return found


def _vocabulary(opened: Opened, side: str, start: str) -> Vocabulary:
    pieces = opened.said["pieces"][side]
    where = f"{opened.checkpoint}, vocab, {side}"
    unknown = next((name for name in ("<unk>", "<UNK>") if name in pieces[:8]), "<unk>")
    pad = next((name for name in ("<blank>", "<pad>") if name in pieces[:8]), "<blank>")
    return Vocabulary(pieces, pad, start, "</s>", unknown, where)
