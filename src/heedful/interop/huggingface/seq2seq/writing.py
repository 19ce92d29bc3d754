"""A model of ours becomes a folder from which `transformers` loads it, with equal logits.

`outgoing.py` says which of its models computes the same, `t5.py` of those with bucketed positions.
Our tokenizer goes along as it is, and as `transformers` reads it. Nothing is written where
`transformers` translates otherwise than heedful.
"""

__all__ = ["export"]

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from heedful.interop.checking import Difference, compare, probes
from heedful.interop.folder import different, fresh_folder, needed
from heedful.interop.huggingface.seq2seq.bart import sinusoidal
from heedful.interop.huggingface.seq2seq.names import (
    BIAS,
    SHARED,
    SOURCE,
    TARGET,
    UNREAD,
    layers,
)
from heedful.interop.huggingface.seq2seq.outgoing import architecture_of, config_of, numbers_of
from heedful.interop.huggingface.seq2seq.pieces_written import write_pieces
from heedful.interop.huggingface.seq2seq.t5 import config_json
from heedful.interop.huggingface.seq2seq.t5_weights import tensors_of
from heedful.model_folder import LoadedModel
from heedful.models.architecture import as_transformer
from heedful.models.opening import Opening
from heedful.models.transformer import Transformer
from heedful.nn.embedding import ThreeWay
from heedful.nn.position import Bucketed, Sinusoidal
from heedful.shapes import Float, Shaped, Tensor
from heedful.text.pieces import END, START
from heedful.translator import limits_of


def export(folder: Path, loaded: LoadedModel) -> Difference:
    """Write the folder, in float32.

    Raises SettingError without transformers, ModelError for a variant that its models cannot
    express or where they translate otherwise, OutputError if the folder is not free.
    """
    needed("transformers")
    model = as_transformer(loaded.model, "an export to transformers")
    size = loaded.tokenizer.target_size
    if isinstance(model.config.position, Bucketed):
        kind, config, numbers = "t5", config_json(loaded, model.config), [*range(size)]
        tensors = tensors_of(model)
    else:
        kind, config = architecture_of(model.config), config_of(loaded, model.config)
        numbers = numbers_of(kind, size)
        tensors = _tensors(model, numbers, numbers_of(kind, loaded.tokenizer.source_size))
    with fresh_folder(folder) as fresh:
        (fresh / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
        never = [[numbers[piece]] for piece in limits_of(loaded.tokenizer, 1).forbidden]
        begun = {key: value for key, value in config.items() if key.endswith("_token_id")}
        generation = begun | {
            "bad_words_ids": never,
            "max_length": model.config.max_length,
            "num_beams": 4,
        }
        (fresh / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
        save_file(tensors, fresh / "model.safetensors", {"format": "pt"})
        write_pieces(fresh, loaded, kind, numbers)
        engine = Engine(fresh, numbers, model.config.opening)
        found = compare(loaded, engine, probes(loaded))
        if not found.explained:
            raise different("transformers", found.worst, folder)
        return found


class Engine:
    """The folder in transformers, as the `heedful.interop.checking.Foreign` that is compared."""

    def __init__(self, folder: Path, numbers: Sequence[int], opening: Opening) -> None:
        from transformers import AutoModelForSeq2SeqLM

        self.numbers, self.opening = torch.tensor(numbers), opening
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
        opening, rows, known = self.opening, torch.tensor([source]), torch.tensor([target_in])
        if opening.tag:
            rows, known = rows[:, 1:], opening.named(known, rows[:, 0])
        rows, known = self.numbers[rows], self.numbers[opening.begun(known)]
        given = {"input_ids": rows, "attention_mask": torch.ones_like(rows)}
        logits: Tensor = self.model(**given, decoder_input_ids=known).logits
        return logits[0, len(opening.before) :, self.numbers]


def _tensors(
    model: Transformer, numbers: Sequence[int], source_numbers: Sequence[int]
) -> dict[str, Tensor]:
    """Return the tensors of model.safetensors, by their names there."""
    config = model.config
    weights = {name: weight.detach().cpu().float() for name, weight in model.named_parameters()}
    tables = model.tables
    shared = isinstance(config.embedding, ThreeWay)
    sides = {SHARED if shared else SOURCE: (tables.source, source_numbers)}
    if not shared:
        sides[TARGET] = (tables.target, numbers)
    found = {
        name: _by_number(table.weight.detach().cpu().float(), rows)
        for name, (table, rows) in sides.items()
    }
    places, position = layers(config), config.position
    interleaved = isinstance(position, Sinusoidal) and position.layout == "interleaved"
    order = _halves(config.d_model) if interleaved else None
    found |= {
        place.tensor: F.pad(weights[name], (0, 0, place.first, 0)) if place.first else weights[name]
        for name, place in places.items()
    }
    if order is not None:
        found = {name: _reordered(name, weight, order) for name, weight in found.items()}
    if config.position != sinusoidal(UNREAD):  # M2M100 alone has none
        bias = torch.zeros(len(numbers)) if tables.bias is None else tables.bias.detach()
        found[BIAS] = _by_number(bias.cpu().float(), numbers)[None]
    return {name: weight.contiguous().clone() for name, weight in found.items()}


def _by_number(values: Float[Tensor, "N *D"], numbers: Sequence[int]) -> Float[Tensor, "N *D"]:
    """Return the rows of our pieces where transformers has them."""
    found = torch.empty_like(values)
    found[torch.tensor(numbers)] = values
    return found


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
