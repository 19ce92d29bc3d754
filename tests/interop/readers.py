"""Folders of BERT as Hugging Face has them, small and random, written without transformers."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from heedful.data.labelled import LabelledBatch
from heedful.interop.huggingface.encoder import described_encoder
from heedful.interop.huggingface.layouts import encoder_places

SIZES = {
    "model_type": "bert",
    "vocab_size": 61,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
}


def words() -> list[str]:
    """Return 48 pieces, in the order of their ids."""
    controls = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    text = "the cat dog sat on mat a is good bad not very end zoe ate fish 猫 . , end2"
    parts = [f"##{letter}" for letter in "sabcdefghijklmnopqrtuv"]
    return [*controls, *text.split(), *parts, "x"]


def vocabulary() -> Tokenizer:
    """Return the tokenizer of these pieces."""
    table = {piece: number for number, piece in enumerate(words())}
    tokenizer = Tokenizer(models.WordPiece(table, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(words()[:5])
    ends = [(name, table[name]) for name in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    return tokenizer


def make_reader(
    folder: Path, architecture: str = "BertModel", size: int = 48, **changes: Any
) -> Path:
    """Write a folder of that architecture, with a vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    config = SIZES | {"vocab_size": size, "architectures": [architecture]} | changes
    (folder / "config.json").write_text(json.dumps(config))
    vocabulary().save(str(folder / "tokenizer.json"))
    said = described_encoder(folder / "config.json")
    prefix = "" if architecture == "BertModel" else "bert."
    pooler = architecture in ("BertModel", "BertForSequenceClassification")
    model = said.model.model_copy(update={"pooler": pooler})
    places = encoder_places(model, size, prefix=prefix, gain="weight", shift="bias")
    torch.manual_seed(0)
    tensors = {place.tensor: torch.randn(place.shape) * 0.3 for place in places.values()}
    save_file(tensors, folder / "model.safetensors")
    return folder


def labelled(
    ids: torch.Tensor, mask: torch.Tensor, segments: torch.Tensor, targets: torch.Tensor
) -> LabelledBatch:
    """Return a batch of these rows."""
    asked = int((targets >= 0).sum()) if targets.shape == ids.shape else len(ids)
    return LabelledBatch(ids, mask, segments, targets, asked)
