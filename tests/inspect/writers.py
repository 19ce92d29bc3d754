"""Small random decoders with a vocabulary, and transformers' models of the same weights."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.interop.folders import vocabulary

KINDS = {
    "gpt2": ("GPT2", {"n_embd": 24, "n_layer": 3, "n_head": 4, "n_positions": 64}),
    "llama": (
        "Llama",
        {
            "hidden_size": 24,
            "intermediate_size": 40,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 64,
        },
    ),
}
"""Learned positions, and rotary ones with grouped-query heads."""


def theirs(folder: Path, kind: str, scale: float = 0.3) -> Any:
    """Return transformers' model, as it is written to the folder; its attention shows itself."""
    transformers = pytest.importorskip("transformers", reason="needs transformers (the dev group)")
    name, sizes = KINDS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = vocabulary()
    tokenizer.save(str(folder / "tokenizer.json"))
    size = {"vocab_size": tokenizer.get_vocab_size(), "bos_token_id": 0, "eos_token_id": 0}
    config = getattr(transformers, f"{name}Config")(**sizes, **size, attn_implementation="eager")
    of = {"GPT2": "GPT2LMHeadModel", "Llama": "LlamaForCausalLM"}[name]
    torch.manual_seed(5)
    model = getattr(transformers, of)(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += scale * torch.randn_like(weight)
    model.save_pretrained(folder)
    return model
