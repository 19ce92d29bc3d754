"""What a training will need before it is begun: arithmetic, memory, time, on 1 to 4,096 GPUs.

A model's settings come in, plain numbers go out. Operations and activations are not estimated but
counted, on a model without memory (PyTorch's meta device), as it reads one sentence pair; only
`measure` trains. Called by `heed plan`.
"""

__all__ = [
    "GPUS",
    "GPUS_A_NODE",
    "PAPER",
    "Gpu",
    "Measured",
    "Paper",
    "Speed",
    "Work",
    "days",
    "measure",
    "memory",
    "speed",
    "work_of",
]

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from heedful.data.batches import Batch
from heedful.device import has_bf16
from heedful.models.architecture import ModelConfig
from heedful.objectives import Translation
from heedful.train.gradient import Gradients, automatic_shards
from heedful.train.optimizer import Adam
from heedful.train.precision import Precision

GPUS_A_NODE = 8
_MASTER, _GRADIENT, _MOMENTS, _HALF = 4, 4, 8, 2
"""Bytes a weight: float32, its gradient, Adam's two moments, and the bf16 copy for products."""
_LOGIT_ROWS, _LOGIT_BYTES = 2048, 10
"""Rows whose logits exist at a time, in bf16 and twice in float32 (`nn/cross_entropy.py`)."""


class Gpu(NamedTuple):
    """From the vendor's data sheet: dense products, memory, and one direction of the links."""

    tflops: float
    """TFLOP/s in bf16, or what the GPU has in its place."""
    gigabytes: float
    link: float
    """GB/s to the others of a node."""


GPUS = {
    "p100": Gpu(10.6, 16, 80),  # float32: it multiplies nothing smaller faster in practice
    "v100": Gpu(125, 32, 150),  # float16
    "a100": Gpu(312, 80, 300),
    "h100": Gpu(989, 80, 450),
    "h200": Gpu(989, 141, 450),
    "b200": Gpu(2250, 180, 900),
}


class Work(NamedTuple):
    """What a model costs."""

    weights: int
    layer_weights: int
    """Those of the largest layer: what FSDP gathers at a time, besides the embeddings."""
    embedding_weights: int
    flops: float
    """Of one training step for one target piece and the source piece that goes with it."""
    activation_bytes: float
    """Kept for the way back, for such a pair of pieces, in bf16."""


def work_of(config: ModelConfig, vocabulary: int, length: int) -> Work:
    """Count the work of a pair of sentences of so many pieces each.

    A step is three times the products of the way forward (each gives a gradient to both of its
    factors). Attention's products count, recomputation does not.
    """
    with torch.device("meta"):
        model = config.build(vocabulary, vocabulary)
    model.train().to(torch.bfloat16)
    ids = torch.ones(1, length, dtype=torch.int64, device="meta")
    kept: dict[int, int] = {}
    known = {weight.untyped_storage()._cdata for weight in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            kept[storage._cdata] = storage.nbytes()
            alive.append(tensor)
        return tensor

    alive: list[torch.Tensor] = []
    counter = FlopCounterMode(display=False)
    with counter:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            hidden = model.hidden(ids, model.encode(ids, ids > 0))
        with torch.no_grad():
            model.project(hidden)
    layers = [_size(layer) for layer in (*model.encoder, *model.decoder)]
    return Work(
        weights=_size(model),
        layer_weights=max(layers),
        embedding_weights=_size(model) - sum(layers),
        flops=3 * counter.get_total_flops() / length,
        activation_bytes=sum(kept.values()) / length,
    )


def _size(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def memory(work: Work, vocabulary: int, tokens: int, gpus: int, kind: str) -> dict[str, float]:
    """Return the bytes on each GPU, by part, for so many pairs of pieces on it at a time."""
    held = work.weights / (gpus if kind == "fsdp" else 1)
    gathered = work.weights
    if kind == "fsdp" and gpus > 1:
        gathered = work.layer_weights + work.embedding_weights
        held += work.embedding_weights  # gathered in float32, the layers in bf16
    return {
        "weights": held * _MASTER + gathered * _HALF,
        "gradients": work.weights / (gpus if kind == "fsdp" else 1) * _GRADIENT,
        "optimizer": work.weights / (gpus if kind == "fsdp" else 1) * _MOMENTS,
        "activations": work.activation_bytes * tokens,
        "logits": min(_LOGIT_ROWS, tokens) * vocabulary * _LOGIT_BYTES,
    }


class Speed(NamedTuple):
    """How fast a number of GPUs is together."""

    compute: float
    """Seconds a step."""
    communicate: float
    """Seconds a step, none of it hidden."""
    tokens_per_second: float


def speed(
    work: Work,
    tokens: int,
    gpus: int,
    kind: str,
    *,
    flops_per_second: float,
    link: float,
    network: float,
) -> Speed:
    """Return the speed of `gpus` with so many target pieces each.

    `link` and `network` are bytes a second of one direction, within a node and between nodes. A
    ring passes each gradient twice (DDP); FSDP scatters gradients once, gathers the layers' weights
    twice, in bf16, and the embeddings once. Nothing is hidden behind computing, which it partly is.
    """
    compute = work.flops * tokens / flops_per_second
    passed = 2 * work.weights * _GRADIENT
    if kind == "fsdp":
        layers = work.weights - work.embedding_weights
        gathered = 2 * layers * _HALF + work.embedding_weights * _MASTER
        passed = work.weights * _GRADIENT + gathered
    slowest = link if gpus <= GPUS_A_NODE else min(link, network)
    communicate = (gpus - 1) / gpus * passed / slowest
    return Speed(compute, communicate, gpus * tokens / (compute + communicate))


def days(target_tokens: float, tokens_per_second: float) -> float:
    """Return how long so many target pieces take."""
    return target_tokens / tokens_per_second / 86_400


class Paper(NamedTuple):
    """A training as the paper reports it (section 5.2, Table 2)."""

    hours: float
    gpus: int
    tflops: float
    """The rate of a GPU that the paper reckons with (its footnote 5)."""

    @property
    def flops(self) -> float:
        """The paper's estimate: hours x GPUs x sustained rate."""
        return self.hours * 3600 * self.gpus * self.tflops * 1e12


PAPER = {"paper-base": Paper(12, 8, 9.5), "paper-big": Paper(3.5 * 24, 8, 9.5)}


class Measured(NamedTuple):
    """What this machine does, in FLOP/s."""

    peak: float
    """Of one large product."""
    step: float
    """Of whole training steps, padding and all that is no product counted as time alone."""


def measure(
    config: ModelConfig, vocabulary: int, length: int, tokens: int, device: torch.device
) -> Measured:
    """Train a few steps on random pieces; takes some seconds to minutes."""
    precision: Precision = "bf16" if has_bf16(device) else "float32"
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    square = torch.randn(2048, 2048, device=device, dtype=kind)
    peak = 2 * 2048**3 / _seconds(lambda: square @ square, device)
    model = config.build(vocabulary, vocabulary).to(device)
    shards = automatic_shards(tokens, device)
    gradients = Gradients(model, Translation(), precision, device, shards, lambda _: None)
    optimizer = Adam().build(model)
    ids = torch.randint(4, vocabulary, (max(1, tokens // length), length))
    batch = Batch(ids, ids, ids, ids.numel(), ids.numel())

    def step() -> None:
        gradients.add(batch, batch.n_target)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    flops = work_of(config, vocabulary, length).flops * batch.n_target
    return Measured(peak, flops / _seconds(step, device))


def _seconds(act: Callable[[], object], device: torch.device, times: int = 3) -> float:
    """Return the shortest of some times, after one that is not counted."""
    found = []
    for _ in range(times + 1):
        started = time.perf_counter()
        act()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(time.perf_counter() - started)
    return min(found[1:])
