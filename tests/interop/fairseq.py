"""Small random folders as BART, mBART, M2M100 and NLLB have them, made by their own libraries."""

import io
import json
from pathlib import Path
from typing import Any

import torch

TEXT = [
    "the cat sat on the mat and the dog sat on the log while the rain came down",
    "die Katze saß auf der Matte, und der Hund saß auf dem Baumstamm",
    "where is the station? it is over there, behind the old town hall",
    "wo ist der Bahnhof? er ist dort drüben, hinter dem alten Rathaus",
    "le chat est assis sur le tapis; où est la gare?",
] * 3

KINDS = {
    "bart": ("bart", "Bart", {"activation_function": "gelu", "forced_bos_token_id": 0}),
    "mbart": ("mbart", "MBart", {"activation_function": "relu", "scale_embedding": True}),
    "mbart50": ("mbart", "MBart", {"activation_function": "gelu", "decoder_start_token_id": 2}),
    "m2m100": ("m2m_100", "M2M100", {"activation_function": "swish"}),
    "nllb": ("m2m_100", "M2M100", {"activation_function": "relu", "scale_embedding": True}),
}
"""The `model_type`, its name in transformers, and settings that differ from each other."""


def spm_bytes(kind: str, size: int = 130) -> bytes:
    """Return a SentencePiece model of the texts."""
    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT),
        model_writer=out,
        vocab_size=size,
        model_type=kind,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
    )
    return out.getvalue()


def bpe_files(folder: Path) -> int:
    """Write vocab.json and merges.txt as BART has them; return how many pieces there are."""
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(TEXT, vocab_size=330, special_tokens=special, show_progress=False)
    tokenizer.save_model(str(folder))
    path = folder / "vocab.json"
    pieces = json.loads(path.read_text("utf-8"))
    pieces["<mask>"] = len(pieces)
    path.write_text(json.dumps(pieces), "utf-8")
    return len(pieces)


def write_pieces(folder: Path, kind: str) -> tuple[int, dict[str, int]]:
    """Write the vocabulary; return the rows that its weights need, and those of the languages."""
    from heedful.interop.huggingface.seq2seq import languages

    if kind == "bart":
        return bpe_files(folder), {}
    bpe = kind in ("m2m100", "nllb")
    path = folder / "sentencepiece.bpe.model"
    path.write_bytes(spm_bytes("bpe" if bpe else "unigram"))
    import sentencepiece

    cutter = sentencepiece.SentencePieceProcessor(model_file=str(path))
    pieces = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces += [cutter.id_to_piece(at) for at in range(3, len(cutter))]
    if kind == "m2m100":
        numbers = {piece: at for at, piece in enumerate(pieces)}
        (folder / "vocab.json").write_text(json.dumps(numbers), "utf-8")
    codes = {
        "mbart": languages.MBART,
        "mbart50": languages.MBART50,
        "m2m100": languages.M2M100,
        "nllb": languages.NLLB,
    }[kind]
    rows = {code: len(pieces) + at for at, code in enumerate(codes)}
    filling = {"m2m100": 8, "nllb": 3}.get(kind, 1)
    return len(pieces) + len(codes) + filling, rows


PAIR = {
    "bart": ("", ""),
    "mbart": ("en_XX", "de_DE"),
    "mbart50": ("en_XX", "de_DE"),
    "m2m100": ("en", "de"),
    "nllb": ("eng_Latn", "deu_Latn"),
}


def make_fairseq(folder: Path, kind: str, **changes: Any) -> Any:
    """Write a folder by transformers itself and return its model."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    size, rows = write_pieces(folder, kind)
    architecture, name, settings = KINDS[kind]
    if kind == "mbart":
        settings = settings | {"decoder_start_token_id": rows[PAIR[kind][1]]}
    shape = {
        "vocab_size": size,
        "d_model": 16,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 24,
        "decoder_ffn_dim": 24,
        "max_position_embeddings": 48,
        "forced_eos_token_id": None,
    }
    config = getattr(transformers, f"{name}Config")(**(shape | settings | changes))
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}ForConditionalGeneration")(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
        if architecture != "m2m_100":
            model.final_logits_bias.copy_(torch.randn(1, size) * 0.5)
    model.save_pretrained(folder)
    return model
