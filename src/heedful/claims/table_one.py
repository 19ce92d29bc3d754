"""Table 1: how time, memory and path length of a layer grow with the length and the width.

Layers as the table counts them: attention without its projections, which make a row of their own.
"""

__all__ = ["CLAIM", "LAYERS", "layers_until_known", "windowed"]

from collections.abc import Callable, Sequence
from itertools import count

import torch
from torch import nn
from torch.nn import functional as F

from heedful.claims.claim import (
    Case,
    Claim,
    Figures,
    Line,
    Measured,
    Place,
    Plot,
    Point,
    Report,
    Size,
    Table,
)
from heedful.claims.statistics import Estimate, exponent
from heedful.claims.timing import kept_bytes, median_seconds
from heedful.nn.attention import KeyValue, MultiHeadAttention, attend, fused_attend
from heedful.nn.convolution import GatedConvolution
from heedful.nn.linear import Linear
from heedful.nn.position import NoPosition
from heedful.nn.recurrent import LSTM, RecurrentLayer
from heedful.shapes import Float, Tensor

PLAIN = "self-attention, plain products"
"""The same as self-attention, as the formula says it, without PyTorch's fused kernel."""
PROJECTED, DILATED = "self-attention with projections", "dilated convolutional"

WINDOW, KERNEL, HEAD = 32, 3, 32
"""Keys that restricted attention sees, at most; inputs of a convolution; width of a head."""

_SIZES = {
    "quick": {"n": (128, 256, 512, 1024), "d": (64, 128, 256, 512), "at": (256, 128)},
    "full": {"n": (256, 512, 1024, 2048, 4096), "d": (64, 128, 256, 512, 1024), "at": (512, 128)},
}
"""Lengths, widths, and at what length and width the other is measured."""

_SECONDS = {"quick": 0.5, "full": 4.0}
_PATHS = (16, 64, 256)


_Mix = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From queries, keys and values [B H T K] to the mixed values."""


class _Attention(nn.Module):
    """Self-attention without projections, mixed as `mix` says."""

    def __init__(self, width: int, mix: _Mix) -> None:
        super().__init__()
        self.heads, self.mix = max(1, width // HEAD), mix

    def forward(self, states: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return the mixed states."""
        rows, length, width = states.shape
        split = states.view(rows, length, self.heads, width // self.heads).transpose(1, 2)
        return self.mix(split, split, split).transpose(1, 2).flatten(2)


class _Projected(nn.Module):
    """Multi-head self-attention with its four projections, as it stands in a Transformer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        heads = max(1, width // HEAD)
        position = NoPosition().on_attention(heads, width // heads)
        self.inner = MultiHeadAttention(width, heads, heads, position)

    def forward(self, states: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return what the heads have mixed."""
        memory: KeyValue = self.inner.keys_values(states)
        mixed: Tensor = self.inner(self.inner.queries(states), memory)
        return mixed


class _Recurrent(nn.Module):
    """An LSTM layer from left to right."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = RecurrentLayer(width, width, LSTM())

    def forward(self, states: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return the states of all steps."""
        found: Tensor = self.inner(states)[0]
        return found


def _convolution(width: int, dilation: int = 1) -> nn.Module:
    """Return a convolution with plain weights: normed ones are made anew, and would be kept."""
    made = GatedConvolution(width, KERNEL, 0.0, causal=True, dilation=dilation)
    made.add_module("inputs_proj", Linear(KERNEL * width, 2 * width, True))
    return made


LAYERS: dict[str, tuple[Callable[[int], nn.Module], str, str]] = {
    "self-attention": (lambda width: _Attention(width, fused_attend), "O(n² d)", "O(1)"),
    PLAIN: (lambda width: _Attention(width, attend), "O(n² d)", "O(1)"),
    "restricted self-attention": (lambda width: _Attention(width, _near), "O(r n d)", "O(n/r)"),
    "recurrent": (_Recurrent, "O(n d²)", "O(n)"),
    "convolutional": (_convolution, "O(k n d²)", "O(n/k), dilated O(log_k(n))"),
    PROJECTED: (_Projected, "O(n² d + n d²)", "O(1)"),
}
"""A layer of a width, the table's complexity, and its longest path."""


def _near(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return windowed(query, key, value, WINDOW)


def windowed(
    query: Float[Tensor, "B H T K"],
    key: Float[Tensor, "B H T K"],
    value: Float[Tensor, "B H T K"],
    window: int,
) -> Float[Tensor, "B H T K"]:
    """Return attention in which position i sees j with |i - j| <= window / 2, and nothing else.

    Positions stand in blocks of half a window; a block looks at itself and its two neighbours, so
    that time and memory grow with `T window`.
    """
    batch, heads, length, width = query.shape
    half = window // 2
    blocks = -(-length // half)
    rest = blocks * half - length

    def spread(states: Tensor) -> Tensor:
        wide = F.pad(states, (0, 0, half, half + rest)).unfold(2, 3 * half, half)
        return wide.transpose(-1, -2).permute(0, 2, 1, 3, 4).flatten(0, 1)

    wide = F.pad(query, (0, 0, 0, rest))
    asked = wide.reshape(batch, heads, blocks, half, width).transpose(1, 2).flatten(0, 1)
    places = torch.arange(3 * half, device=query.device) - half
    mine = torch.arange(half, device=query.device)
    near = (places[None, :] - mine[:, None]).abs() <= half
    starts = torch.arange(blocks, device=query.device)[:, None, None] * half
    real = (starts + places >= 0) & (starts + places < length)
    mask = (near & real).repeat(batch, 1, 1)[:, None]
    mixed: Tensor = attend(asked, spread(key), spread(value), mask)
    apart = mixed.view(batch, blocks, heads, half, width).transpose(1, 2)
    return apart.flatten(2, 3)[:, :, :length]


def _cases(size: Size) -> list[Case]:
    sizes = _SIZES[size]
    length, width = sizes["at"]
    shapes = [("n", n, width) for n in sizes["n"]] + [("d", length, d) for d in sizes["d"]]
    cases: list[Case] = [
        {"layer": layer, "along": along, "n": n, "d": d, "seconds": _SECONDS[size], "device": "cpu"}
        for layer in LAYERS
        for along, n, d in shapes
    ]
    paths = [name for name in LAYERS if name not in (PLAIN, PROJECTED)] + [DILATED]
    return cases + [{"layer": layer, "along": "path", "n": n} for layer in paths for n in _PATHS]


def _run(case: Case, place: Place) -> Figures:
    if case["along"] == "path":
        layers = layers_until_known(case["layer"], case["n"])
        return {"layers": layers, "path": layers * (case["n"] if _steps(case["layer"]) else 1)}
    layer = LAYERS[case["layer"]][0](case["d"])
    states = torch.randn(1, case["n"], case["d"], requires_grad=True)
    weights = list(layer.parameters())

    def forward() -> Tensor:
        made: Tensor = layer(states)
        return made

    def step() -> None:
        torch.autograd.backward(forward().sum())

    kept = kept_bytes(forward, [*weights, states])
    seconds = median_seconds(step, place.device, seconds=case["seconds"])
    return {"seconds": seconds, "bytes": kept, "parameters": sum(one.numel() for one in weights)}


def _steps(layer: str) -> bool:
    """Return whether positions of a layer wait for each other."""
    return layer == "recurrent"


def layers_until_known(layer: str, length: int) -> int:
    """Return how many layers it takes until the last of so many positions depends on the first.

    Found by the gradient of the last state to the first input, in float64: it is not zero.
    """
    width = 4
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        states = first = torch.randn(1, length, width, dtype=torch.float64, requires_grad=True)
        for number in count(1):
            if layer == DILATED:
                made = _convolution(width, dilation=KERNEL ** (number - 1))
            else:
                made = LAYERS[layer][0](width)
            states = F.layer_norm(made.double()(states), (width,))  # of any depth, in range
            known = torch.autograd.grad(states[0, -1, 0], first, retain_graph=True)[0]
            if bool(known[0, 0].any()):
                return number
    raise AssertionError("it goes on for ever")


def _exponents(known: Sequence[Measured], layer: str, along: str, what: str) -> Estimate | None:
    found = [
        (case[along], figures[what])
        for case, figures in known
        if (case["layer"], case["along"]) == (layer, along)
    ]
    if len(found) < 2 or not all(amount for _, amount in found):
        return None
    return exponent(*zip(*found, strict=True))


def _report(known: Sequence[Measured]) -> Report:
    rows, told = [], []
    for layer, (_, complexity, _) in LAYERS.items():
        found = [
            _exponents(known, layer, along, what)
            for what in ("seconds", "bytes")
            for along in ("n", "d")
        ]
        rows.append(
            [
                layer,
                complexity,
                *("" if one is None else one.said(".2f", "2 sizes") for one in found),
            ]
        )
        if found[0] is not None:
            told.append(f"{layer} with n^{found[0].value:.2f}")
    sentences = [f"Time grew so: {', '.join(told)}."] if told else []
    growth = Table(
        f"Exponents of growth, forward and back on a CPU (r = {WINDOW}, k = {KERNEL})",
        ["layer", "said", "time, n", "time, d", "memory, n", "memory, d"],
        rows,
    )
    paths = [(case, figures) for case, figures in known if case["along"] == "path"]
    tables = [growth]
    if paths:
        tables.append(_paths(paths))
        most = max(case["n"] for case, _ in paths)
        longest = {case["layer"]: one["path"] for case, one in paths if case["n"] == most}
        lengths = ", ".join(f"{name} {length}" for name, length in longest.items())
        sentences.append(f"Steps from the first of {most} positions to the last: {lengths}.")
    return Report(sentences, tables, _plots(known))


def _paths(paths: Sequence[tuple[Case, Figures]]) -> Table:
    names = dict.fromkeys(case["layer"] for case, _ in paths)
    lengths = sorted({case["n"] for case, _ in paths})
    found = {(case["layer"], case["n"]): str(figures["path"]) for case, figures in paths}
    said = {name: LAYERS[name][2] if name in LAYERS else "O(log_k(n))" for name in names}
    rows = [[name, said[name], *(found.get((name, n), "") for n in lengths)] for name in names]
    return Table("Longest path", ["layer", "said", *(f"n = {n}" for n in lengths)], rows)


def _plots(known: Sequence[Measured]) -> list[Plot]:
    plots = []
    for along, word in (("n", "positions"), ("d", "width")):
        lines = []
        for layer in LAYERS:
            points = [
                Point(case[along], 1000 * figures["seconds"])
                for case, figures in known
                if (case["layer"], case["along"]) == (layer, along)
            ]
            if points:
                lines.append(Line(layer, points))
        if lines:
            title = f"Time of a layer, forward and back, against {along}"
            y = "milliseconds"
            plots.append(Plot(along, title, word, y, lines, log_x=True, log_y=True))
    return plots


CLAIM = Claim(
    name="table-1",
    title="Table 1: time, memory and paths",
    said=(
        "A layer of self-attention costs O(n² d) and connects any two positions in one step; a "
        "recurrent layer costs O(n d²) and takes n steps; a convolution costs O(k n d²) and needs "
        "n/k layers, or log_k(n) dilated ones; self-attention within a window of r costs O(r n d) "
        "(Vaswani et al. 2017, section 4, Table 1)."
    ),
    how=(
        "One layer of each kind, forward and back, one sentence, float32. Time is the median of "
        "many runs, memory what autograd keeps for the way back, weights apart. Self-attention is "
        "PyTorch's fused kernel, as in a Transformer here, which keeps no matrix of weights; a "
        "row of its own has the plain products of the formula. Exponents are least squares on "
        "logarithms with 95 % intervals; small sizes, in which overheads count, pull them below "
        "the theory's, what no longer fits into the processor's cache above it. Paths are counted: "
        "layers until the last position's gradient reaches the first, times the steps in a layer "
        "that wait for each other."
    ),
    cases=_cases,
    run=_run,
    report=_report,
)
