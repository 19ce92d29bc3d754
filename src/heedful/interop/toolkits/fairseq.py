"""A checkpoint of fairseq: its settings, its dictionaries, and where its weights are.

fairseq's sinusoids have all sines first and a last wave exactly 10000 times as long as the first;
positions begin at 2; decoding begins with the embedding of `</s>`.
"""

__all__ = ["foreign"]

from pathlib import Path
from typing import Any

from heedful.errors import ModelError
from heedful.interop.huggingface.config import settings_named
from heedful.interop.huggingface.layouts import Place
from heedful.interop.keys import Keys
from heedful.interop.toolkits.files import found_in, lines_of
from heedful.interop.toolkits.foreign import Foreign, Vocabulary
from heedful.interop.toolkits.sandbox import Opened
from heedful.models.transformer import TransformerConfig
from heedful.nn.embedding import ThreeWay, TwoWay, Untied
from heedful.nn.feedforward import GELU, FeedForward, GELUTanh, ReLU, Swish
from heedful.nn.norm import LayerNorm, PostNorm, PreNorm
from heedful.nn.position import Learned, NoPosition, Position, Sinusoidal

_NETWORKS: dict[str, FeedForward] = {
    "relu": ReLU(),
    "gelu": GELU(),
    "gelu_fast": GELUTanh(),
    "gelu_accurate": GELUTanh(),
    "swish": Swish(),
}
_UNREAD = 2
"""Rows of a table of positions that no piece has: fairseq counts from behind `<pad>`."""
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_SOURCE, _TARGET = "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"
_OUTPUTS = ("decoder.output_projection.weight", "decoder.embed_out")
_NOT_DONE: dict[str, Any] = {
    "adaptive_input": False,
    "adaptive_softmax_cutoff": None,
    "char_embed_path": None,
    "cross_self_attention": False,
    "no_cross_attention": False,
    "decoder_output_dim": None,
    "decoder_input_dim": None,
    "layernorm_embedding": False,
    "no_decoder_final_norm": False,
}
_IGNORED = (
    r"(encoder|decoder)\.(version|embed_positions\._float_tensor)"
    r"|decoder\.embed_positions\.weights|encoder\.embed_positions\.weights"
)


def foreign(opened: Opened, folder: Path) -> Foreign:
    """Return what the checkpoint says; raises ModelError for what is not done here."""
    keys = _settings(opened)
    with settings_named(opened.checkpoint):
        model = _model(opened, keys)
    source, target = _languages(opened, folder)
    sides = [_dictionary(folder, language) for language in (source, target)]
    outputs = [name for name in _OUTPUTS if name in opened.held]
    tied = not isinstance(model.embedding, Untied)
    if not tied and not outputs:
        raise ModelError(
            f'tensor "{_OUTPUTS[0]}" is missing', where=keys.where, fix="fetch the file again"
        )
    one = isinstance(model.embedding, ThreeWay)
    copies = {name: _TARGET for name in outputs} if tied else {}
    if one:
        copies[_TARGET] = _SOURCE
    return Foreign(
        toolkit="fairseq",
        model=model,
        places=_places(opened, model),
        source_table=_SOURCE,
        target_table=_TARGET,
        output_table=_TARGET if tied else outputs[0],
        output_bias=None,
        copies=copies,
        ignored=_IGNORED,
        source=sides[0],
        target=sides[1],
        ended=True,
        languages=(source, target),
    )


def _settings(opened: Opened) -> Keys:
    """Return the settings of the model, of whichever form; nested ones as one name each."""
    where = f"{opened.checkpoint}, {opened.said.get('form')}"
    said = opened.said.get("settings")
    said = said if isinstance(said, dict) else {}
    if opened.said.get("form") == "cfg":
        said = said.get("model") if isinstance(said.get("model"), dict) else {}
    if not said:
        problem = "its settings are in a form that was never seen here"
        raise ModelError(problem, where=where, fix="save it again with fairseq 0.6 to 0.12")
    flat = dict(said)
    for side in ("encoder", "decoder"):
        if isinstance(said.get(side), dict):
            flat |= {f"{side}_{name}": value for name, value in said[side].items()}
    keys = Keys(flat, where)
    arch = str(flat.get("arch") or flat.get("_name"))[:60]
    if not arch.startswith("transformer") or arch.startswith("transformer_lm"):
        problem = f'its architecture is "{arch}"'
        fix = "known: those of fairseq whose names begin with transformer, but transformer_lm"
        raise ModelError(problem, where=where, fix=fix)
    width = keys.whole("encoder_embed_dim", 512)
    same = {"decoder_output_dim": width, "decoder_input_dim": width}
    keys.must(**(_NOT_DONE | same))
    return keys


def _model(opened: Opened, keys: Keys) -> TransformerConfig:
    width, d_ff = keys.whole("encoder_embed_dim", 512), keys.whole("encoder_ffn_embed_dim", 2048)
    heads, before = (
        keys.whole("encoder_attention_heads", 8),
        keys.flag("encoder_normalize_before", False),
    )
    learned = keys.flag("encoder_learned_pos", False)
    keys.must(
        decoder_embed_dim=width,
        decoder_ffn_embed_dim=d_ff,
        decoder_attention_heads=heads,
        decoder_normalize_before=before,
        decoder_learned_pos=learned,
    )
    ends = {"scaled": not keys.flag("no_scale_embedding", False), "output_bias": True}
    final = [f"{side}.layer_norm.weight" in opened.held for side in ("encoder", "decoder")]
    if final[0] != final[1]:
        raise ModelError("one of its stacks alone ends in a norm", where=keys.where)
    position: Position = Sinusoidal(layout="halves", rates="closed", first=_UNREAD)
    if keys.flag("no_token_positional_embeddings", False):
        position = NoPosition()
    elif learned:
        position = Learned()
    return TransformerConfig(
        d_model=width,
        d_ff=d_ff,
        n_heads=heads,
        encoder_layers=keys.whole("encoder_layers", 6),
        decoder_layers=keys.whole("decoder_layers", 6),
        dropout=keys.real("dropout", 0.1),
        max_length=min(
            keys.whole("max_source_positions", 1024), keys.whole("max_target_positions", 1024)
        ),
        position=position,
        feed_forward=_NETWORKS[keys.word("activation_fn", "relu", [*_NETWORKS])],
        norm=LayerNorm(eps=1e-5),
        residual=PreNorm(final_norm=final[0]) if before else PostNorm(final_norm=final[0]),
        embedding=_embedding(keys, ends),
    )


def _embedding(keys: Keys, ends: dict[str, bool]) -> ThreeWay | TwoWay | Untied:
    if keys.flag("share_all_embeddings", False):
        return ThreeWay(**ends)
    tied = keys.flag("share_decoder_input_output_embed", False)
    return TwoWay(**ends) if tied else Untied(**ends)


_ATTENTION = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}
_JOINT = ("query", "key", "value")


def _places(opened: Opened, model: TransformerConfig) -> dict[str, Place]:
    width = model.d_model
    found: dict[str, Place] = {}
    for side, count in (("encoder", model.encoder_layers), ("decoder", model.decoder_layers)):
        for number in range(count):
            found |= _layer(opened, model, f"{side}.{number}", f"{side}.layers.{number}")
        if model.residual.final_norm:
            found |= _both(f"{side}_norm", f"{side}.layer_norm", (width,))
        if isinstance(model.position, Learned):
            ours = "source" if side == "encoder" else "target"
            name = f"{side}.embed_positions.weight"
            rows = opened.held[name].shape[0] if name in opened.held else 0
            shape = (max(rows, model.max_length + _UNREAD), width)
            found[f"{ours}_position.table"] = Place(name, shape, _UNREAD)
    return found


def _layer(opened: Opened, model: TransformerConfig, ours: str, theirs: str) -> dict[str, Place]:
    width, d_ff = model.d_model, model.d_ff
    decodes = ours.startswith("decoder")
    attentions = {"attention": "self_attn", "cross_attention": "encoder_attn"}
    norms = [
        "attention_block",
        *(["cross_attention_block"] if decodes else []),
        "feed_forward_block",
    ]
    names = ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"]
    if not decodes:
        names.pop(1)
    if f"{theirs}.layer_norms.0.weight" in opened.held:  # before fairseq 0.6.1
        names = [f"layer_norms.{number}" for number in range(len(names))]
    found: dict[str, Place] = {}
    for own, name in zip(norms, names, strict=True):
        found |= _both(f"{ours}.{own}.norm", f"{theirs}.{name}", (width,))
    for own, name in attentions.items():
        if decodes or own == "attention":
            found |= _attention(opened, width, f"{ours}.{own}", f"{theirs}.{name}")
    found |= _both(f"{ours}.feed_forward.inner", f"{theirs}.fc1", (d_ff, width))
    return found | _both(f"{ours}.feed_forward.outer", f"{theirs}.fc2", (width, d_ff))


def _attention(opened: Opened, width: int, ours: str, theirs: str) -> dict[str, Place]:
    """Return the places of four products; before fairseq 0.9 three of them are one tensor."""
    joint = f"{theirs}.in_proj_weight" in opened.held
    found = _both(f"{ours}.output_proj", f"{theirs}.out_proj", (width, width))
    for part, name in enumerate(_JOINT):
        if joint:
            first = part * width
            found[f"{ours}.{name}_proj.weight"] = Place(
                f"{theirs}.in_proj_weight", (3 * width, width), first
            )
            found[f"{ours}.{name}_proj.bias"] = Place(f"{theirs}.in_proj_bias", (3 * width,), first)
        else:
            its = f"{theirs}.{_ATTENTION[name]}"
            found |= _both(f"{ours}.{name}_proj", its, (width, width))
    return found


def _both(ours: str, theirs: str, shape: tuple[int, ...]) -> dict[str, Place]:
    return {
        f"{ours}.weight": Place(f"{theirs}.weight", shape),
        f"{ours}.bias": Place(f"{theirs}.bias", shape[:1]),
    }


def _languages(opened: Opened, folder: Path) -> tuple[str, str]:
    """Return the languages, by which the dictionaries are called."""
    said = opened.said["settings"]
    some = [said.get("task"), said.get("model"), said]
    for found in (one for one in some if isinstance(one, dict)):
        pair = found.get("source_lang"), found.get("target_lang")
        if all(isinstance(one, str) and one.isidentifier() for one in pair):
            return str(pair[0]), str(pair[1])
    names = sorted(path.name for path in folder.glob("dict.*.txt"))
    problem = "it does not name its languages, by which its dictionaries are called"
    fix = f"in the folder there are {', '.join(names) or 'no dict.LANGUAGE.txt'}"
    raise ModelError(problem, where=str(opened.checkpoint), fix=fix)


def _dictionary(folder: Path, language: str) -> Vocabulary:
    """Return the pieces of `dict.LANGUAGE.txt`; four that are in no file come first."""
    path = found_in(folder, [f"dict.{language}.txt"], "its dictionary")
    pieces = [*_SPECIAL]
    for number, line in enumerate(lines_of(path), start=1):
        piece, _, count = line.removesuffix(" #fairseq:overwrite").rpartition(" ")
        if not piece or not count.isdigit():
            problem = "this is no piece and its count"
            raise ModelError(problem, where=f"{path}:{number}", fix="fetch the file again")
        if line.endswith(" #fairseq:overwrite") and piece in _SPECIAL:
            problem = f"it gives {piece} another row, which heedful does not read"
            raise ModelError(problem, where=f"{path}:{number}")
        pieces.append(piece)
    return Vocabulary(pieces, "<pad>", "</s>", "</s>", "<unk>", str(path))
