"""The model and training of 2017, sized for some minutes on Multi30k, and the changes to it."""

__all__ = ["BASE", "FIRST", "RATES", "SEEDS", "VARIANTS"]

SEEDS = (1, 2, 3)
FIRST = "2017"
BASE = [
    *("--recipe", "low-resource", "--tokenizer.vocabulary-size", "4000"),
    *("--model.d-model", "128", "--model.d-ff", "512", "--model.n-heads", "4"),
    *("--model.encoder-layers", "3", "--model.decoder-layers", "3", "--model.dropout", "0.1"),
    *("--model.residual.kind", "post_norm"),
    *("--training.batch-tokens", "1024", "--schedule.warmup-steps", "400"),
    *("--schedule.scale", "0.5"),
    *("--training.validate-every", "100000", "--training.bleu-sentences", "0"),
    *("--training.save-every", "100", "--training.average-last", "5"),
    *("--training.log-every", "10"),
]
"""Words of `heed train`. No validation but that of the end, which chooses among the averages."""

_NEW_BLOCKS = [
    *("--model.residual.kind", "pre_norm", "--model.norm.kind", "rms_norm"),
    *("--model.position.kind", "rotary"),
    *("--model.feed-forward.kind", "swiglu", "--model.d-ff", "344"),
]

VARIANTS: dict[str, list[str]] = {
    FIRST: [],
    "pre-norm": ["--model.residual.kind", "pre_norm"],
    "pre-norm, RMSNorm, rotary, SwiGLU": _NEW_BLOCKS,
    "the same with Muon": [*_NEW_BLOCKS, "--optimizer.kind", "muon"],
    "RMSNorm": ["--model.norm.kind", "rms_norm"],
    "rotary positions": ["--model.position.kind", "rotary"],
    "SwiGLU": ["--model.feed-forward.kind", "swiglu", "--model.d-ff", "344"],
    "grouped queries, 1 of 4": [
        "--model.attention.kind",
        "grouped_query",
        "--model.attention.n-kv-heads",
        "1",
    ],
    "5 + 1 layers": ["--model.encoder-layers", "5", "--model.decoder-layers", "1"],
    "AdamW": ["--optimizer.kind", "adamw"],
    "Muon": ["--optimizer.kind", "muon"],
    "moving average": ["--training.moving-average", "0.998"],
    "BPE dropout 0.1": ["--training.bpe-dropout", "0.1"],
    "R-Drop": ["--objective.r-drop", "5"],
}
"""Words added to those."""

RATES: dict[str, list[str]] = {
    f"{name}, {scale} of the rate": [*VARIANTS[name], "--schedule.scale", scale]
    for name in (FIRST, "pre-norm")
    for scale in ("0.25", "1.0")
}
"""The same at other learning rates, with the first seed alone."""
