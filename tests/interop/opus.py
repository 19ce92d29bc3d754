"""Small random folders as OPUS-MT has them: SentencePiece files, vocab.json, a Marian's weights."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from heedful.text.sentencepiece_file import Kind, Learnt, SentencePieceModel, written

SOURCE = "the cat sat on mat dog log and house is small good morning where station my red"
TARGET = "die Katze saß auf der Matte Hund und das Haus ist klein guten Morgen wo Bahnhof mein"
CONTROLS = [
    Learnt("<unk>", 0.0, Kind.UNKNOWN),
    Learnt("<s>", 0.0, Kind.CONTROL),
    Learnt("</s>", 0.0, Kind.CONTROL),
]


def cutter(text: str) -> SentencePieceModel:
    """Return a model of the words of a text, their letters and halves; every score a float32."""
    words = text.split()
    halves = [f"▁{word[: len(word) // 2]}" for word in words if len(word) > 3]
    letters = sorted({"▁", ".", ",", *"".join(words), *"abcdefghijklmnopqrstuvwxyz"})
    texts = dict.fromkeys([*(f"▁{word}" for word in words), *halves, *letters])
    scores = [-(4.0 + number / 16) for number in range(len(texts))]
    learnt = [Learnt(*pair, Kind.NORMAL) for pair in zip(texts, scores, strict=True)]
    return SentencePieceModel([*CONTROLS, *learnt], 0, b"", True)


def texts_of(model: SentencePieceModel) -> list[str]:
    return [piece.text for piece in model.pieces if piece.kind == Kind.NORMAL]


def write_vocabulary(
    folder: Path, *, tags: tuple[str, ...] = (), apart: bool = False, pieces: int = 0
) -> list[int]:
    """Write the SentencePiece files and vocab.json; return how many pieces each side has.

    At least so many are learnt ones, most of them in no SentencePiece file.

    As with OPUS-MT, `</s>` is 0, `<unk>` 1 and `<pad>` the last, and a few of a side's pieces are
    not in vocab.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source, target = cutter(SOURCE), cutter(TARGET)
    (folder / "source.spm").write_bytes(written(source))
    (folder / "target.spm").write_bytes(written(target))
    known = [texts_of(source)[:-2], texts_of(target)]
    lists = known if apart else [list(dict.fromkeys([*tags, *known[1], *known[0]]))]
    longest = max(pieces, *map(len, lists))
    lists = [[*one, *(f"▁x{number}" for number in range(longest - len(one)))] for one in lists]
    for name, learnt in zip(("vocab.json", "target_vocab.json"), lists, strict=False):
        every = ["</s>", "<unk>", *learnt, "<pad>"]
        numbers = {piece: number for number, piece in enumerate(every)}
        (folder / name).write_text(json.dumps(numbers, ensure_ascii=False), "utf-8")
    settings = {"source_lang": "en", "target_lang": "de", "separate_vocabs": apart}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return [len(one) + 3 for one in lists]


def config_of(size: int, **changes: Any) -> dict[str, Any]:
    return {
        "model_type": "marian",
        "architectures": ["MarianMTModel"],
        "vocab_size": size,
        "decoder_vocab_size": size,
        "d_model": 16,
        "encoder_layers": 2,
        "decoder_layers": 1,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 24,
        "decoder_ffn_dim": 24,
        "activation_function": "swish",
        "scale_embedding": True,
        "max_position_embeddings": 48,
        "pad_token_id": size - 1,
        "eos_token_id": 0,
        "bos_token_id": None,
        "decoder_start_token_id": size - 1,
        "forced_eos_token_id": 0,
        "share_encoder_decoder_embeddings": True,
        "dropout": 0.1,
        **changes,
    }


def make_opus(
    folder: Path,
    *,
    tags: tuple[str, ...] = (),
    apart: bool = False,
    pieces: int = 0,
    seed: int = 0,
    **changes: Any,
) -> Any:
    """Write a folder by transformers itself and return its model, whose start row is not zero."""
    import transformers

    size = write_vocabulary(folder, tags=tags, apart=apart, pieces=pieces)[0]
    if apart:
        changes["share_encoder_decoder_embeddings"] = False
    config = transformers.MarianConfig(**config_of(size, **changes))
    torch.manual_seed(seed)
    model = transformers.MarianMTModel(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "embed_positions" not in name:
                weight.add_(torch.randn_like(weight) * 0.3)
        model.final_logits_bias.copy_(torch.randn(1, size) * 0.5)
    model.save_pretrained(folder)
    return model


def resave(folder: Path, **changed: torch.Tensor | None) -> None:
    """Write model.safetensors again with tensors changed, added or, for None, left out."""
    from safetensors.torch import load_file

    tensors: dict[str, torch.Tensor | None] = {**load_file(folder / "model.safetensors"), **changed}
    kept = {name: value for name, value in tensors.items() if value is not None}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
