"""A checkpoint of JoeyNMT: weights alone; `config.yaml` and two vocabularies stand beside it.

The paper's sinusoids, scaled embeddings, no bias before the softmax; pre-norm, or since version 2
post-norm.
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
from heedful.nn.feedforward import GELU, FeedForward, ReLU, Swish
from heedful.nn.norm import LayerNorm, PostNorm, PreNorm
from heedful.nn.position import Sinusoidal

_NETWORKS: dict[str, FeedForward] = {"relu": ReLU(), "gelu": GELU(), "swish": Swish()}
_SOURCE, _TARGET = "src_embed.lut.weight", "trg_embed.lut.weight"
_OUTPUT = "decoder.output_layer.weight"
_IGNORED = r"(encoder|decoder)\.pe\.pe"
_PARTS = {
    "query_proj": "q_layer",
    "key_proj": "k_layer",
    "value_proj": "v_layer",
    "output_proj": "output_layer",
}
_LONGEST = 1024
"""The toolkit computes positions up to 5000, and no model has learnt so many."""


def foreign(opened: Opened, folder: Path) -> Foreign:
    """Return what checkpoint and configuration say; raises ModelError for what is not done here."""
    said = opened.said.get("settings")
    where = str(opened.said.get("config"))
    top = Keys(said if isinstance(said, dict) else {}, where)
    keys = top.group("model")
    data = top.group("data")
    if keys is None or data is None:
        raise ModelError('it has no "model" or no "data"', where=where)
    with settings_named(Path(where)):
        model = _model(opened, keys)
    tied = not isinstance(model.embedding, Untied)
    copies = {_OUTPUT: _TARGET} if tied else {}
    if keys.flag("tied_embeddings", False):
        copies[_TARGET] = _SOURCE
    special = data.group("special_symbols")
    sides = [_vocabulary(folder, data, side, special) for side in ("src", "trg")]
    return Foreign(
        toolkit="JoeyNMT",
        model=model,
        places=_places(model),
        source_table=_SOURCE,
        target_table=_TARGET,
        output_table=_TARGET if tied else _OUTPUT,
        output_bias=None,
        copies=copies,
        ignored=_IGNORED,
        source=sides[0],
        target=sides[1],
        ended=True,
        languages=(_language(data, "src"), _language(data, "trg")),
    )


def _side(keys: Keys, name: str) -> Keys:
    found = keys.group(name)
    if found is None:
        raise ModelError(f'the key "{name}" is missing', where=keys.where)
    return found


def _alike(key: str, encoder: object, decoder: object, where: Keys) -> None:
    """Raise ModelError where the sides differ; what a side leaves out is the toolkit's default."""
    if encoder != decoder:
        problem = f'"{key}" is {decoder} here, and {encoder} for the encoder'
        raise ModelError(problem, where=where.where, fix="take a model whose sides are alike")


def _model(opened: Opened, keys: Keys) -> TransformerConfig:
    encoder, decoder = _side(keys, "encoder"), _side(keys, "decoder")
    for side in (encoder, decoder):
        if side.data.get("type") != "transformer":
            problem = f'"type" is {str(side.data.get("type"))[:40]!r}'
            raise ModelError(problem, where=side.where, fix="known: transformer")
    width, d_ff = encoder.whole("hidden_size"), encoder.whole("ff_size")
    heads = encoder.whole("num_heads")
    decoder.must(hidden_size=width, ff_size=d_ff)
    _alike("num_heads", heads, decoder.whole("num_heads", 8), decoder)
    before = "encoder.layer_norm.weight" in opened.held
    named = "pre" if before else "post"
    scaled = []
    for side in (encoder, decoder):
        side.must(layer_norm=named)
        for name in ("alpha", "encoder_alpha", "decoder_alpha"):
            side.must(**{name: 1.0})
        embeddings = _side(side, "embeddings")
        embeddings.must(embedding_dim=width)
        scaled.append(embeddings.flag("scale", False))
    if scaled[0] != scaled[1]:
        raise ModelError('"scale" is true for one side alone', where=keys.where)
    ends = {"scaled": scaled[0], "output_bias": True}
    scheme: ThreeWay | TwoWay | Untied = Untied(**ends)
    if keys.flag("tied_softmax", False):
        scheme = ThreeWay(**ends) if keys.flag("tied_embeddings", False) else TwoWay(**ends)
    function = encoder.word("activation", "relu", [*_NETWORKS])
    _alike("activation", function, decoder.word("activation", "relu", [*_NETWORKS]), decoder)
    return TransformerConfig(
        d_model=width,
        d_ff=d_ff,
        n_heads=heads,
        encoder_layers=encoder.whole("num_layers"),
        decoder_layers=decoder.whole("num_layers"),
        dropout=encoder.real("dropout", 0.1),
        max_length=_LONGEST,
        position=Sinusoidal(),
        feed_forward=_NETWORKS[function],
        norm=LayerNorm(eps=1e-6),
        residual=PreNorm() if before else PostNorm(),
        embedding=scheme,
    )


def _places(model: TransformerConfig) -> dict[str, Place]:
    width, d_ff = model.d_model, model.d_ff
    found: dict[str, Place] = {}

    def both(ours: str, theirs: str, shape: tuple[int, ...]) -> None:
        found[f"{ours}.weight"] = Place(f"{theirs}.weight", shape)
        found[f"{ours}.bias"] = Place(f"{theirs}.bias", shape[:1])

    for side, count in (("encoder", model.encoder_layers), ("decoder", model.decoder_layers)):
        decodes = side == "decoder"
        for number in range(count):
            ours, theirs = f"{side}.{number}", f"{side}.layers.{number}"
            norms = {"attention_block": "x_layer_norm" if decodes else "layer_norm"}
            attentions = {"attention": "trg_trg_att" if decodes else "src_src_att"}
            if decodes:
                norms["cross_attention_block"] = "dec_layer_norm"
                attentions["cross_attention"] = "src_trg_att"
            norms["feed_forward_block"] = "feed_forward.layer_norm"
            for own, name in norms.items():
                both(f"{ours}.{own}.norm", f"{theirs}.{name}", (width,))
            for own, name in attentions.items():
                for part, its in _PARTS.items():
                    both(f"{ours}.{own}.{part}", f"{theirs}.{name}.{its}", (width, width))
            inside = f"{theirs}.feed_forward.pwff_layer"
            both(f"{ours}.feed_forward.inner", f"{inside}.0", (d_ff, width))
            both(f"{ours}.feed_forward.outer", f"{inside}.3", (width, d_ff))
        if model.residual.final_norm:
            both(f"{side}_norm", f"{side}.layer_norm", (width,))
    return found


def _vocabulary(folder: Path, data: Keys, side: str, special: Keys | None) -> Vocabulary:
    """Return the pieces of one side; four control pieces come first where the file has none."""
    inside = data.group(side) if isinstance(data.data.get(side), dict) else None
    named = data.data.get(f"{side}_vocab") if inside is None else inside.data.get("voc_file")
    names = [Path(named).name] if isinstance(named, str) else []
    path = found_in(folder, list(dict.fromkeys([f"{side}_vocab.txt", *names])), "a vocabulary")
    told: dict[str, Any] = {} if special is None else special.data
    marks = ("unk", "pad", "bos", "eos")
    usual = ("<unk>", "<pad>", "<s>", "</s>")
    unk, pad, bos, eos = (
        str(told.get(f"{mark}_token", name)) for mark, name in zip(marks, usual, strict=True)
    )
    pieces = list(dict.fromkeys([unk, pad, bos, eos, *lines_of(path)]))
    return Vocabulary(pieces, pad, bos, eos, unk, str(path))


def _language(data: Keys, side: str) -> str:
    """Return a language, which version 1 names itself and version 2 with other things."""
    found = data.data.get(side)
    found = found.get("lang") if isinstance(found, dict) else found
    return found if isinstance(found, str) and found.isidentifier() else ""
