"""Small random folders of T5 as transformers writes them, with a SentencePiece file of words."""

import json
from pathlib import Path
from typing import Any

import torch

from heedful.text.sentencepiece_file import (
    BYTE_PIECES,
    Kind,
    Learnt,
    SentencePieceModel,
    written,
)
from tests.interop.opus import SOURCE, TARGET
from tests.interop.opus import cutter as words_cutter

SPARE = 8
"""Rows of the weights that are no piece's."""


def t5_cutter() -> SentencePieceModel:
    """Return the pieces of a T5: `<pad>` 0, `</s>` 1, `<unk>` 2."""
    controls = [
        Learnt("<pad>", 0.0, Kind.CONTROL),
        Learnt("</s>", 0.0, Kind.CONTROL),
        Learnt("<unk>", 0.0, Kind.UNKNOWN),
    ]
    learnt = words_cutter(f"{SOURCE} {TARGET} translate English to German:").pieces[3:]
    return SentencePieceModel([*controls, *learnt], 2, b"", True)


def mt5_cutter() -> SentencePieceModel:
    """Return the same as mT5 has it: with pieces for bytes, and with the sentinels at the end."""
    model = t5_cutter()
    bytes_ = [Learnt(piece, 0.0, Kind.BYTE) for piece in BYTE_PIECES]
    last = [Learnt(f"▁<extra_id_{n}>", 0.0, Kind.USER_DEFINED) for n in reversed(range(5))]
    return model._replace(pieces=[*model.pieces[:3], *bytes_, *model.pieces[3:], *last])


def make_t5(
    folder: Path,
    *,
    kind: str = "T5",
    cutter: SentencePieceModel | None = None,
    apart: bool = False,
    sentinels: int = 5,
    seed: int = 0,
    **changes: Any,
) -> Any:
    """Write a folder by transformers itself and return its model; its norms are no ones."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    model = cutter or t5_cutter()
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
