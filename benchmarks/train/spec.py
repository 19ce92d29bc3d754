"""What is trained and how: sizes, settings, one task for a worker, and the work it must do.

Everything here is plain data that travels as JSON between the benchmark and its workers.
"""

__all__ = ["DEFAULT_BATCH_TOKENS", "SIZES", "Settings", "Size", "Task", "useful_flops"]

from dataclasses import asdict, dataclass
from typing import Any

DEFAULT_BATCH_TOKENS = 4096


@dataclass(frozen=True)
class Size:
    """The shape of a model; every implementation builds it as nearly as it can."""

    layers: int
    d_model: int
    d_ff: int
    heads: int
    vocabulary: int
    dropout: float = 0.1


SIZES = {
    "small": Size(layers=3, d_model=256, d_ff=1024, heads=4, vocabulary=8_000),
    "base": Size(layers=6, d_model=512, d_ff=2048, heads=8, vocabulary=37_000),
    "big": Size(layers=6, d_model=1024, d_ff=4096, heads=16, vocabulary=37_000, dropout=0.3),
    "tiny": Size(layers=1, d_model=32, d_ff=64, heads=2, vocabulary=8_000),
}
"""`base` and `big` are the paper's (Table 3); `tiny` only shows that the benchmark runs."""


def useful_flops(size: Size, source_tokens: int, target_tokens: int) -> int:
    """Return the work of one training step: 6 x weights x real tokens.

    Each weight of a matrix multiplies and adds once forward and twice backward for every token
    that passes it. Source tokens pass the encoder and the keys and values that the decoder takes
    of it, target tokens the rest of the decoder and the logits. Attention scores are left out,
    and so is padding: it is no use to anybody.

    >>> useful_flops(Size(layers=1, d_model=2, d_ff=3, heads=1, vocabulary=5), 10, 100)
    29760
    """
    d, ff = size.d_model, size.d_ff
    encoder_layer = 4 * d * d + 2 * d * ff
    cross_keys_values = 2 * d * d
    decoder_layer = 4 * d * d + 2 * d * d + 2 * d * ff
    source = size.layers * (encoder_layer + cross_keys_values)
    target = size.layers * decoder_layer + size.vocabulary * d
    return 6 * (source * source_tokens + target * target_tokens)


@dataclass(frozen=True)
class Settings:
    """What a user of an implementation can set; a peer gets the fastest that the search finds."""

    threads: int
    processes: int = 1
    """Above 1: DistributedDataParallel over gloo, the batch divided."""
    fused: bool = True
    """torch.optim.Adam(fused=True)."""
    batch_tokens: int = DEFAULT_BATCH_TOKENS
    multiple: int = 1
    """Both sides of a batch are padded to a multiple of this."""
    dropout_everywhere: bool = False
    """torch.nn only: also on attention weights and inside the feed-forward network."""
    keep_memory: bool = False
    """glibc told by its environment variables to keep freed memory (as heedful does itself)."""

    def words(self) -> str:
        """Return the settings for the table."""
        shared = f"{self.processes} processes (DDP) x " if self.processes > 1 else ""
        said = [f"{shared}{self.threads} thread{'s' if self.threads > 1 else ''}"]
        said += [f"{self.batch_tokens:,} tokens"]
        said += ["fused Adam" if self.fused else "default Adam"]
        said += [f"padded to {self.multiple}"] if self.multiple > 1 else []
        said += ["dropout everywhere"] if self.dropout_everywhere else []
        said += ["freed memory kept"] if self.keep_memory else []
        return ", ".join(said)


@dataclass(frozen=True)
class Task:
    """One run of one implementation, in a process of its own."""

    implementation: str
    size: str
    precision: str
    settings: Settings
    device: str = "cpu"
    data: str = "multi30k"
    work: str = ""
    warmup: int = 1
    min_steps: int = 2
    seconds: float = 20.0
    """How long to measure, by the speed of the warm-up."""
    target_tokens: int | None = None
    """How much to measure instead, so that all take the same batches."""

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Task":
        """Return the task again."""
        return cls(**{**data, "settings": Settings(**data["settings"])})
