"""Folders as Hugging Face has them, small and random, written without transformers."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from heedful.interop.huggingface.config import described
from heedful.interop.huggingface.layouts import places

TEXTS = ["once upon a time there was a cat", "the cat sat on the mat, and Zoë ate 猫 fish\n"] * 4
GPT2 = {
    "model_type": "gpt2",
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 48,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
LLAMA = {
    "model_type": "llama",
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 48,
    "bos_token_id": 0,
    "eos_token_id": [0, 5],
}


def vocabulary() -> Tokenizer:
    """Return a byte-level BPE of 280 pieces, `<|end|>` the first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=280, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def tensors_of(folder: Path, seed: int = 0) -> dict[str, torch.Tensor]:
    """Return random tensors of the names and shapes that the folder's config.json asks for."""
    torch.manual_seed(seed)
    every = places(described(folder / "config.json")).values()
    return {place.tensor: torch.randn(place.shape) * 0.3 for place in every}


def make_folder(folder: Path, config: dict[str, Any] = GPT2, **changes: Any) -> Path:
    """Write a folder with a vocabulary that is three pieces smaller than the model's."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = vocabulary()
    size = tokenizer.get_vocab_size() + 3
    (folder / "config.json").write_text(json.dumps({"vocab_size": size, **config, **changes}))
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(tensors_of(folder), folder / "model.safetensors")
    return folder
