"""Small random folders of T5 as transformers writes them, with a SentencePiece file of words."""

import json
from pathlib import Path
from typing import Any

import torch

from heedful.text.sentencepiece_file import Kind, Learnt, SentencePieceModel, written
from tests.interop.opus import SOURCE, TARGET, cutter

SPARE = 8
"""Rows of the weights that are no piece's."""


def t5_cutter() -> SentencePieceModel:
    """Return the pieces of a T5: `<pad>` 0, `</s>` 1, `<unk>` 2."""
    controls = [
        Learnt("<pad>", 0.0, Kind.CONTROL),
        Learnt("</s>", 0.0, Kind.CONTROL),
        Learnt("<unk>", 0.0, Kind.UNKNOWN),
    ]
    learnt = cutter(f"{SOURCE} {TARGET} translate English to German:").pieces[3:]
    return SentencePieceModel([*controls, *learnt], 2, b"", True)


def make_t5(
    folder: Path,
    *,
    kind: str = "T5",
    apart: bool = False,
    sentinels: int = 5,
    seed: int = 0,
    **changes: Any,
) -> Any:
    """Write a folder by transformers itself and return its model; its norms are no ones."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    model = t5_cutter()
    (folder / "spiece.model").write_bytes(written(model))
    (folder / "tokenizer_config.json").write_text(json.dumps({"extra_ids": sentinels}))
    shape = {
        "d_model": 16,
        "d_kv": 6,
        "d_ff": 24,
        "num_layers": 2,
        "num_decoder_layers": 3,
        "num_heads": 3,
        "relative_attention_num_buckets": 8,
        "relative_attention_max_distance": 12,
        "decoder_start_token_id": 0,
        "n_positions": 48,
    }
    size = len(model.pieces) + sentinels + SPARE
    config = getattr(transformers, f"{kind}Config")(vocab_size=size, **shape | changes)
    torch.manual_seed(seed)
    made = getattr(transformers, f"{kind}ForConditionalGeneration")(config).eval()
    if apart:
        made.lm_head.weight = torch.nn.Parameter(torch.randn(size, 16) * 0.3)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    made.save_pretrained(folder)
    return made
