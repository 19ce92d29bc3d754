"""A model for CTranslate2, the C++ engine: the same weights, checked to translate the same.

A loaded model folder comes in, a folder that `ctranslate2.Translator` takes goes out. Every variant
is mapped onto what CTranslate2 has, or refused by name. Two are not what its own converters make of
them: decoding starts from the row of `<s>`, never from zeros, and ALiBi becomes a table of T5's
relative biases, since only its decoder-only models know ALiBi. `heed export` calls it.
"""

__all__ = ["QUANTIZATIONS", "Engine", "export", "specification"]

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from heedful.errors import ModelError, SettingError, did_you_mean
from heedful.interop.checking import Difference, compare, probes
from heedful.interop.folder import (
    different,
    example_tag,
    fresh_folder,
    needed,
    source_form,
    tokenizer_files,
)
from heedful.model_folder import LoadedModel
from heedful.models.architecture import plain_transformer
from heedful.models.layers import DecoderLayer, EncoderLayer
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.attention import GroupedQuery, MultiHead, MultiHeadAttention
from heedful.nn.feedforward import GELU, GELUTanh, ReLU, SwiGLU, Swish
from heedful.nn.norm import LayerNorm, PostNorm, PreNorm, RMSNorm
from heedful.nn.position import (
    ALiBi,
    Learned,
    NoPosition,
    Relative,
    Rotary,
    Sinusoidal,
    Unscaled,
)
from heedful.settings import Settings
from heedful.text.pieces import CONTROL, END, PAD, START, UNKNOWN, language_tag
from heedful.text.tokenizer import Tokenizer

QUANTIZATIONS = (
    *("float32", "float16", "bfloat16", "int16", "int8"),
    *("int8_float32", "int8_float16", "int8_bfloat16"),
)
"""How CTranslate2 can keep the weights."""


def export(folder: Path, loaded: LoadedModel, quantization: str = "float32") -> Difference:
    """Write the folder, once CTranslate2 has translated with it as heedful does.

    That is checked in float32; the result says how near the quantized one comes. Raises
    SettingError without CTranslate2 or for an unknown quantization, ModelError for a variant that
    it cannot express or where it translates otherwise, OutputError if the folder is not free.
    """
    needed("ctranslate2")
    if quantization not in QUANTIZATIONS:
        raise SettingError(
            f'CTranslate2 knows no "{quantization}"',
            where="--quantization",
            fix=did_you_mean(quantization, QUANTIZATIONS),
        )
    with fresh_folder(folder) as fresh:
        found = _written(fresh, loaded, "float32")
        if not found.explained:
            raise different("CTranslate2", found.worst, folder)
        if quantization != "float32":
            found = _written(fresh, loaded, quantization)
        (fresh / "README.md").write_text(_readme(loaded, quantization), "utf-8")
        return found


def _written(folder: Path, loaded: LoadedModel, quantization: str) -> Difference:
    """Write model and vocabularies; return how it differs from ours in a handful of sentences."""
    spec = specification(loaded)
    spec.validate()
    spec.optimize(quantization)
    spec.save(str(folder))
    loaded.tokenizer.save_sides(folder)
    return compare(loaded, Engine(folder, loaded.tokenizer), probes(loaded))


class Engine:
    """CTranslate2 as the `heedful.interop.checking.Foreign` that is compared; ids in, ids out."""

    def __init__(self, folder: Path, tokenizer: Tokenizer) -> None:
        import ctranslate2

        self.translator = ctranslate2.Translator(str(folder), "cpu", intra_threads=1)
        self.source, self.target = tokenizer.vocabularies()
        self.ids = {piece: number for number, piece in enumerate(self.target)}

    def greedy(self, source: Sequence[int], most: int) -> list[int]:
        """Return the likeliest pieces, with `</s>` if it came among `most`."""
        (result,) = self.translator.translate_batch(
            [[self.source[number] for number in source]],
            beam_size=1,
            max_input_length=0,
            min_decoding_length=0,
            max_decoding_length=most,
            return_end_token=True,
        )
        return [self.ids[piece] for piece in result.hypotheses[0]]

    def log_probs(self, source: Sequence[int], target: Sequence[int]) -> list[float]:
        """Return the log-probability of each piece of `target`, which ends in `</s>`."""
        (result,) = self.translator.score_batch(
            [[self.source[number] for number in source]],
            [[self.target[number] for number in target[:-1]]],
            max_input_length=0,
        )
        return list(result.log_probs)


def specification(loaded: LoadedModel) -> Any:
    """Return the `TransformerSpec` with every weight in it, not yet quantized.

    Raises ModelError for a variant that CTranslate2 cannot express.
    """
    from ctranslate2.specs import TransformerSpec
    from ctranslate2.specs.transformer_spec import TransformerDecoderSpec, TransformerEncoderSpec

    model = plain_transformer(loaded.model, "an export to CTranslate2")
    config = model.config
    if config.d_k is not None or config.embedding.scaled_output:
        raise ModelError(
            "CTranslate2 has no width of heads of its own, and scales no states before the logits",
            where="model.d_k" if config.d_k is not None else "model.embedding.scaled_output",
            fix="translate with heedful",
        )
    options = _attention(config) | _feed_forward(config) | _norm(config) | _position(config)
    sides = (
        TransformerEncoderSpec(config.encoder_layers, config.n_heads, **options),
        TransformerDecoderSpec(config.decoder_layers, config.n_heads, **options),
    )
    spec = TransformerSpec(*sides)
    for side in sides:
        side.pre_norm = isinstance(config.residual, PreNorm)  # a final norm goes with either
        side.scale_embeddings = model.tables.scale
    spec.config.layer_norm_epsilon = config.norm.eps
    spec.config.add_source_bos = spec.config.add_source_eos = False
    spec.config.unk_token, spec.config.bos_token = CONTROL[UNKNOWN], CONTROL[START]
    spec.config.eos_token, spec.config.decoder_start_token = CONTROL[END], CONTROL[START]
    _fill(spec, model)
    source, target = loaded.tokenizer.vocabularies()
    spec.register_source_vocabulary(source)
    spec.register_target_vocabulary(target)
    return spec


def _refused(family: str, variant: Settings) -> ModelError:
    """Return the error for a variant that has no counterpart."""
    kind = getattr(variant, "kind", type(variant).__name__)
    return ModelError(
        f'CTranslate2 has nothing like {family} "{kind}"',
        where=f"model.{family}.kind",
        fix=f"train with another {family}, or translate with heedful",
    )


def _attention(config: TransformerConfig) -> dict[str, Any]:
    match config.attention:
        case MultiHead(scaled=True):
            return {}
        case GroupedQuery(n_kv_heads=count):
            return {"num_heads_kv": count}
    raise _refused("attention", config.attention)


def _feed_forward(config: TransformerConfig) -> dict[str, Any]:
    from ctranslate2.specs.common_spec import Activation

    match config.feed_forward:
        case ReLU():
            return {"activation": Activation.RELU}
        case GELU():
            return {"activation": Activation.GELU}
        case GELUTanh():
            return {"activation": Activation.GELUTanh}
        case Swish():
            return {"activation": Activation.SWISH}
        case SwiGLU():
            return {"activation": Activation.SWISH, "ffn_glu": True}
    raise _refused("feed_forward", config.feed_forward)


def _norm(config: TransformerConfig) -> dict[str, Any]:
    if not isinstance(config.residual, PostNorm | PreNorm):
        raise _refused("residual", config.residual)
    # The classes give a final norm to pre-norm models, the engine to all that have its weights.
    final = {"pre_norm": True, "no_final_norm": not config.residual.final_norm}
    match config.norm:
        case LayerNorm():
            return final
        case RMSNorm():
            return final | {"rms_norm": True}
    raise _refused("norm", config.norm)


def _position(config: TransformerConfig) -> dict[str, Any]:
    match config.position:
        case Sinusoidal() | Learned() | NoPosition():
            return {}
        case Rotary(theta=theta, scaling=Unscaled()):
            return {"rotary_dim": 0, "rotary_interleave": False, "rotary_base": theta}
        case Relative():
            return {"relative_position": True}
        case ALiBi():
            return {"relative_attention_bias": True}
        case Rotary(scaling=scaling):
            raise _refused("position.scaling", scaling)
    raise _refused("position", config.position)


def _fill(spec: Any, model: Transformer) -> None:
    """Copy every weight into its place."""
    tables = model.tables
    spec.encoder.embeddings[0].weight = _copy(tables.source.weight)
    spec.decoder.embeddings.weight = _copy(tables.target.weight)
    spec.decoder.projection.weight = _copy(tables.output.weight)
    if tables.bias is not None:
        spec.decoder.projection.bias = _copy(tables.bias)
    for side, norm, place in (
        (spec.encoder, model.encoder_norm, model.source_position),
        (spec.decoder, model.decoder_norm, model.target_position),
    ):
        if model.config.residual.final_norm:
            _fill_norm(side.layer_norm, norm)
        if hasattr(side, "position_encodings"):
            # Without a table CTranslate2 would add sinusoids of its own.
            nothing = torch.zeros(model.config.max_length, model.config.d_model)
            side.position_encodings.encodings = _copy(getattr(place, "table", nothing))
    for encoder_layer, to in zip(model.encoder, spec.encoder.layer, strict=True):
        assert isinstance(encoder_layer, EncoderLayer)
        _fill_self(to.self_attention, encoder_layer.attention, model.config, causal=False)
        _fill_norm(to.self_attention.layer_norm, encoder_layer.attention_block.norm)
        _fill_feed_forward(to.ffn, encoder_layer)
    for decoder_layer, to in zip(model.decoder, spec.decoder.layer, strict=True):
        assert isinstance(decoder_layer, DecoderLayer)
        _fill_self(to.self_attention, decoder_layer.attention, model.config, causal=True)
        _fill_norm(to.self_attention.layer_norm, decoder_layer.attention_block.norm)
        across = decoder_layer.cross_attention
        _fill_linear(to.attention.linear[0], across.query_proj)
        _fill_linear(to.attention.linear[1], across.key_proj, across.value_proj)
        _fill_linear(to.attention.linear[2], across.output_proj)
        _fill_norm(to.attention.layer_norm, decoder_layer.cross_attention_block.norm)
        _fill_feed_forward(to.ffn, decoder_layer)


def _fill_self(
    spec: Any, attention: MultiHeadAttention, config: TransformerConfig, *, causal: bool
) -> None:
    parts = (attention.query_proj, attention.key_proj, attention.value_proj)
    _fill_linear(spec.linear[0], *parts)
    _fill_linear(spec.linear[1], attention.output_proj)
    if hasattr(spec, "relative_position_keys"):
        table = getattr(attention.position, "key_table")  # noqa: B009
        spec.relative_position_keys = _copy(table)
        spec.relative_position_values = torch.zeros_like(spec.relative_position_keys)
    if hasattr(spec, "relative_attention_bias"):
        table, farthest = _buckets(attention, config.max_length, causal=causal)
        spec.relative_attention_bias = table
        spec.relative_attention_max_distance = farthest


def _buckets(attention: MultiHeadAttention, length: int, *, causal: bool) -> tuple[Tensor, Any]:
    """Return what a scheme adds to the scores as T5's table [bucket, head], and its limit.

    T5 gives each of the nearer half of the distances a bucket of its own (Raffel et al. 2019,
    section 2.1), an encoder first all backward ones and then all forward ones; with twice as many
    buckets as positions no two distances share one.
    """
    import numpy as np

    query = torch.zeros(1, attention.n_heads, 1, attention.d_k)
    back = attention.position.bias(query, length)
    assert back is not None
    near = back[0, :, 0].flip(1).T  # distance 0 first
    one_way = torch.cat([near, near[-1:].expand_as(near)])
    table = one_way if causal else torch.cat([one_way, one_way])
    return table.contiguous(), np.dtype("int32").type(2 * length)


def _fill_feed_forward(spec: Any, layer: EncoderLayer | DecoderLayer) -> None:
    _fill_norm(spec.layer_norm, layer.feed_forward_block.norm)
    inside: Any = layer.feed_forward
    if hasattr(spec, "linear_0_noact"):
        _fill_linear(spec.linear_0, inside.gate)
        _fill_linear(spec.linear_0_noact, inside.inner)
    else:
        _fill_linear(spec.linear_0, inside.inner)
    _fill_linear(spec.linear_1, inside.outer)


def _fill_linear(spec: Any, *parts: nn.Linear) -> None:
    """Copy one layer, or several one below the other."""
    spec.weight = torch.cat([_copy(part.weight) for part in parts])
    if parts[0].bias is not None:
        spec.bias = torch.cat([_copy(part.bias) for part in parts])


def _fill_norm(spec: Any, norm: nn.Module) -> None:
    spec.gamma = _copy(norm.weight)
    if hasattr(spec, "beta"):
        bias: Any = norm.bias
        spec.beta = torch.zeros_like(spec.gamma) if bias is None else _copy(bias)


def _copy(weight: Any) -> Tensor:
    """Return the numbers in memory of their own: quantizing changes them in place."""
    copied: Tensor = weight.detach().to("cpu", torch.float32).clone()
    return copied


_README = """\
# A heedful model for CTranslate2

The weights of a model that was trained with heedful, kept as {kept}. When it was exported,
CTranslate2 {version} translated with it, in float32, as heedful did.

Tokens go in and come out. The source is {source}; nothing is added by itself.
Decoding begins with `<s>`. What is named in `suppress_sequences` heedful never produces either.

```python
import ctranslate2
from tokenizers import Tokenizer

source = Tokenizer.from_file("{source_file}")
source.encode_special_tokens = True  # a text that spells </s> stays text
target = Tokenizer.from_file("{target_file}")
translator = ctranslate2.Translator(".", device="cpu")

tokens = [{tag}*source.encode("A sentence.").tokens, "</s>"]
(result,) = translator.translate_batch(
    [tokens],
    beam_size=4,
    max_input_length=0,
    min_decoding_length=0,
    max_decoding_length=min(len(tokens) + 50, {longest}),
    suppress_sequences={suppressed},
)
print(target.decode([target.token_to_id(token) for token in result.hypotheses[0]]))
```

The model knows {longest} positions; a longer source is an error. CTranslate2 ranks a beam by
log-probability / length^`length_penalty`, heedful by another formula (Wu et al. 2016), so that a
beam may choose otherwise now and then. Greedy search (`beam_size=1`) chooses the same.
"""


def _readme(loaded: LoadedModel, quantization: str) -> str:
    """Return how to use the folder."""
    import ctranslate2

    tokenizer = loaded.tokenizer
    tags = [language_tag(language) for language in tokenizer.languages]
    never = [CONTROL[PAD], CONTROL[START], CONTROL[UNKNOWN], *(tags if tokenizer.shared else [])]
    files = tokenizer_files(tokenizer)
    return _README.format(
        kept=quantization,
        version=ctranslate2.__version__,
        source=source_form(tokenizer),
        source_file=files[0],
        target_file=files[-1],
        tag=f'"{tag}", ' if (tag := example_tag(loaded)) else "",
        longest=loaded.model.config.max_length,
        suppressed=json.dumps([[piece] for piece in never]),
    )
