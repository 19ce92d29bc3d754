"""A model of ours becomes a folder from which `transformers` loads it, with equal logits.

The paper's wiring is a Marian, pre-norm a Pegasus, one with bucketed positions a T5. What those
cannot express is refused by its name. Our tokenizer goes along as it is, and as `transformers`
reads it; the ids of all of them are the rows of the weights. Nothing is written where
`transformers` translates otherwise than heedful.
"""

__all__ = ["export"]

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from heedful.errors import ModelError
from heedful.interop.checking import Difference, compare, probes
from heedful.interop.folder import different, fresh_folder, needed
from heedful.interop.huggingface.seq2seq.marian import ARCHITECTURES, NETWORKS, THEIR_EPS
from heedful.interop.huggingface.seq2seq.names import BIAS, SHARED, SOURCE, TARGET, layers
from heedful.interop.huggingface.seq2seq.pieces_written import write_pieces
from heedful.interop.huggingface.seq2seq.t5 import config_json
from heedful.interop.huggingface.seq2seq.t5_weights import tensors_of
from heedful.model_folder import LoadedModel
from heedful.models.architecture import as_transformer
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.attention import MultiHead
from heedful.nn.embedding import ThreeWay, TwoWay
from heedful.nn.norm import LayerNorm, PostNorm, PreNorm
from heedful.nn.position import Bucketed, Sinusoidal
from heedful.settings import Settings
from heedful.shapes import Shaped, Tensor
from heedful.text.pieces import END, PAD, START
from heedful.translator import limits_of


def export(folder: Path, loaded: LoadedModel) -> Difference:
    """Write the folder, in float32.

    Raises SettingError without transformers, ModelError for a variant that its models cannot
    express or where they translate otherwise, OutputError if the folder is not free.
    """
    needed("transformers")
    model = as_transformer(loaded.model, "an export to transformers")
    if isinstance(model.config.position, Bucketed):
        config, tensors = config_json(loaded, model.config), tensors_of(model)
    else:
        config = _config(loaded, model.config)
        tensors = _tensors(model, loaded.tokenizer.target_size)
    with fresh_folder(folder) as fresh:
        (fresh / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
        never = [[piece] for piece in limits_of(loaded.tokenizer, 1).forbidden]
        begun = {key: value for key, value in config.items() if key.endswith("_token_id")}
        generation = begun | {
            "bad_words_ids": never,
            "max_length": model.config.max_length,
            "num_beams": 4,
        }
        (fresh / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
        save_file(tensors, fresh / "model.safetensors", {"format": "pt"})
        write_pieces(fresh, loaded, marian=config["model_type"] in ARCHITECTURES)
        found = compare(loaded, Engine(fresh), probes(loaded))
        if not found.explained:
            raise different("transformers", found.worst, folder)
        return found


class Engine:
    """The folder in transformers, as the `heedful.interop.checking.Foreign` that is compared."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForSeq2SeqLM

        self.model: Any = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()

    def greedy(self, source: Sequence[int], most: int) -> list[int]:
        """Return the likeliest pieces, with `</s>` if it came among `most`."""
        found = [START]
        while len(found) <= most and found[-1] != END:
            found.append(int(self._logits(source, found)[-1].argmax()))
        return found[1:]

    def log_probs(self, source: Sequence[int], target: Sequence[int]) -> list[float]:
        """Return the log-probability of each piece of `target`."""
        known = torch.log_softmax(self._logits(source, [START, *target[:-1]]), dim=-1)
        return [float(row[piece]) for row, piece in zip(known, target, strict=True)]

    @torch.no_grad()
    def _logits(self, source: Sequence[int], target_in: Sequence[int]) -> Shaped[Tensor, "T N"]:
        rows = torch.tensor([list(source)])
        given = {"input_ids": rows, "attention_mask": torch.ones_like(rows)}
        logits: Tensor = self.model(**given, decoder_input_ids=torch.tensor([target_in])).logits
        return logits[0]


def _refused(family: str, what: object, fix: str = "") -> ModelError:
    kind = getattr(what, "kind", what) if isinstance(what, Settings) else what
    return ModelError(
        f'neither Marian nor Pegasus of transformers has {family} "{kind}"',
        where=f"model.{family}",
        fix=fix or f"train with another {family}, or export it to ctranslate2 or onnx",
    )


def _config(loaded: LoadedModel, config: TransformerConfig) -> dict[str, Any]:
    """Return config.json; raises ModelError for a variant that has no counterpart."""
    kind = _architecture(config)
    activation = next((name for name, it in NETWORKS.items() if it == config.feed_forward), None)
    if activation is None:
        raise _refused("feed_forward", config.feed_forward)
    architecture = {"marian": "MarianMTModel", "pegasus": "PegasusForConditionalGeneration"}[kind]
    source_size = loaded.tokenizer.source_size
    shared = isinstance(config.embedding, ThreeWay)
    own = {"decoder_vocab_size": loaded.tokenizer.target_size} if kind == "marian" else {}
    return {
        "architectures": [architecture],
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
        "max_position_embeddings": config.max_length,
        "scale_embedding": config.embedding.scaled,
        "pad_token_id": PAD,
        "bos_token_id": None,
        "eos_token_id": END,
        "decoder_start_token_id": START,
        "forced_eos_token_id": None,
        "heedful_languages": loaded.languages.model_dump(mode="json"),
    }


def _architecture(config: TransformerConfig) -> str:
    """Return which model of transformers computes as this one."""
    if config.attention != MultiHead():
        raise _refused("attention", config.attention)
    if not isinstance(config.position, Sinusoidal) or config.d_model % 2:
        raise _refused("position", config.position)
    if not isinstance(config.norm, LayerNorm):
        raise _refused("norm", config.norm)
    if config.norm.eps != THEIR_EPS:
        raise _refused("norm.eps", config.norm.eps)
    if not isinstance(config.embedding, ThreeWay | TwoWay):
        raise _refused("embedding", config.embedding)
    if config.residual == PostNorm():
        return "marian"
    if config.residual != PreNorm():
        raise _refused("residual.final_norm", config.residual.final_norm)
    if not isinstance(config.embedding, ThreeWay):
        raise _refused("embedding", config.embedding, "pre-norm is a Pegasus, which shares them")
    return "pegasus"


def _tensors(model: Transformer, target_size: int) -> dict[str, Tensor]:
    """Return the tensors of model.safetensors, by their names there."""
    config = model.config
    weights = {name: weight.detach().cpu().float() for name, weight in model.named_parameters()}
    tables = model.tables
    shared = isinstance(config.embedding, ThreeWay)
    weights["tables.source.weight"] = tables.source.weight.detach().cpu().float()
    found = {SHARED if shared else SOURCE: weights["tables.source.weight"]}
    if not shared:
        found[TARGET] = tables.target.weight.detach().cpu().float()
    places = layers(config)
    assert isinstance(config.position, Sinusoidal)
    interleaved = config.position.layout == "interleaved"
    order = _halves(config.d_model) if interleaved else None
    found |= {place.tensor: weights[name] for name, place in places.items()}
    if order is not None:
        found = {name: _reordered(name, weight, order) for name, weight in found.items()}
    bias = tables.bias
    found[BIAS] = torch.zeros(1, target_size) if bias is None else bias.detach().cpu().float()[None]
    return {name: weight.contiguous().clone() for name, weight in found.items()}


def _halves(d_model: int) -> Shaped[Tensor, " D"]:
    """Return the order that puts the sines of alternating sines and cosines first."""
    return torch.cat([torch.arange(0, d_model, 2), torch.arange(1, d_model, 2)])


_WRITES = ("out_proj.weight", "out_proj.bias", "fc2.weight", "fc2.bias")
"""What gives states: its outputs change their order; of all other matrices their inputs do."""
_INSIDE = ("q_proj.bias", "k_proj.bias", "v_proj.bias", "fc1.bias")


def _reordered(name: str, weight: Tensor, order: Shaped[Tensor, " D"]) -> Tensor:
    """Return a weight of the same model whose states stand in another order."""
    if name.endswith(_INSIDE):
        return weight
    return weight[order] if weight.dim() == 1 or name.endswith(_WRITES) else weight[:, order]
