"""Files of llama2.c: the logits of a forward pass written here, and every damage refused."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import silu

from heedful.errors import ModelError
from heedful.interop.llama2c import load_model

SHAPES = [(16, 40, 2, 4, 2, 30, 12), (24, 20, 3, 2, 2, -17, 9), (16, 8, 1, 4, 1, -9, 16)]
"""Width, inner width, layers, heads, key-value heads, pieces (below 0: two matrices), positions."""
NAMES = ("tokens", "norm_1", "wq", "wk", "wv", "wo", "norm_2", "w1", "w2", "w3", "norm")


def weights_of(shape: tuple[int, ...], flat: np.ndarray | None = None) -> dict[str, torch.Tensor]:
    """Cut a file's numbers into its arrays, in the order of llama2.c; random ones without."""
    d, inner, layers, heads, groups, pieces, longest = shape
    narrow, half = groups * d // heads, d // heads // 2
    sizes = dict(
        zip(
            NAMES,
            [
                (abs(pieces), d),
                (layers, d),
                (layers, d, d),
                (layers, narrow, d),
                (layers, narrow, d),
                (layers, d, d),
                (layers, d),
                (layers, inner, d),
                (layers, d, inner),
                (layers, inner, d),
                (d,),
            ],
            strict=True,
        )
    )
    sizes |= {"cosine": (longest, half), "sine": (longest, half)}
    if pieces < 0:
        sizes["output"] = (abs(pieces), d)
    if flat is None:
        torch.manual_seed(sum(shape))
        found = {name: torch.randn(size) * 0.4 for name, size in sizes.items()}
        rate = 10_000.0 ** (-torch.arange(half) / half)
        angle = torch.arange(longest)[:, None] * rate
        return found | {"cosine": angle.cos(), "sine": angle.sin()}
    found, at = {}, 0
    for name, size in sizes.items():
        count = int(np.prod(size))
        found[name] = torch.from_numpy(flat[at : at + count].reshape(size).copy())
        at += count
    assert at == len(flat)
    return found


def written(path: Path, shape: tuple[int, ...], weights: dict[str, torch.Tensor]) -> Path:
    content = b"".join(values.numpy().astype("<f4").tobytes() for values in weights.values())
    path.write_bytes(struct.pack("<7i", *shape) + content)
    return path


def forward(
    shape: tuple[int, ...], weights: dict[str, torch.Tensor], text: list[int]
) -> torch.Tensor:
    """Return the logits as run.c computes them, a head and a pair at a time."""
    d, _, layers, heads, groups, *_ = shape
    width, w = d // heads, weights

    def norm(x: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        return gain * x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()

    def turned(x: torch.Tensor) -> torch.Tensor:
        found = torch.empty_like(x)
        for place in range(len(x)):
            for first in range(0, x.shape[1], 2):
                pair = first % width // 2
                cosine, sine = w["cosine"][place, pair], w["sine"][place, pair]
                one, other = x[place, first], x[place, first + 1]
                found[place, first] = one * cosine - other * sine
                found[place, first + 1] = one * sine + other * cosine
        return found

    x = w["tokens"][text]
    for layer in range(layers):
        y = norm(x, w["norm_1"][layer])
        query, key = turned(y @ w["wq"][layer].T), turned(y @ w["wk"][layer].T)
        value = y @ w["wv"][layer].T
        mixed = torch.zeros_like(query)
        for head in range(heads):
            its = slice(head * width, head * width + width)
            of = head * groups // heads
            shared = slice(of * width, of * width + width)
            for place in range(len(text)):
                scores = key[: place + 1, shared] @ query[place, its] / width**0.5
                mixed[place, its] = scores.softmax(0) @ value[: place + 1, shared]
        x = x + mixed @ w["wo"][layer].T
        y = norm(x, w["norm_2"][layer])
        x = x + (silu(y @ w["w1"][layer].T) * (y @ w["w3"][layer].T)) @ w["w2"][layer].T
    return norm(x, w["norm"]) @ w.get("output", w["tokens"]).T


@torch.no_grad()
def differ(path: Path, shape: tuple[int, ...], weights: dict[str, torch.Tensor]) -> float:
    text = torch.randint(0, abs(shape[5]), (min(shape[6], 12),)).tolist()
    model = load_model(path)
    found = model.project(model.hidden(torch.tensor([text])))[0]
    return float((found - forward(shape, weights, text)).abs().max())


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_are_those_of_an_independent_pass(shape: tuple[int, ...], tmp_path: Path) -> None:
    weights = weights_of(shape)
    assert differ(written(tmp_path / "m.bin", shape, weights), shape, weights) < 1e-4


def real(folder: Path) -> tuple[Path, tuple[int, ...], dict[str, torch.Tensor]]:
    path = folder / "weights_stories260k" / "stories260K.bin"
    content = path.read_bytes()
    shape = struct.unpack("<7i", content[:28])
    assert shape == (64, 172, 5, 8, 4, 512, 512)
    return path, shape, weights_of(shape, np.frombuffer(content[28:], "<f4"))


def test_the_real_file(data_folder: Path) -> None:
    path, shape, weights = real(data_folder)
    assert differ(path, shape, weights) < 1e-3  # logits of up to 10


@torch.no_grad()
def test_the_real_model_tells_its_story(data_folder: Path, tmp_path: Path) -> None:
    """Behind `<s>` it is sure of "Once upon a time", which is what its card shows.

    Our copy of the file holds each matrix as if transposed five times, each time in the wrong
    shape, which leaves its size and its norms as they were. That is undone first.
    """
    _, shape, weights = real(data_folder)
    for name in ("wq", "wk", "wv", "wo", "w1", "w2", "w3"):
        matrices = weights[name]
        for _ in range(5):
            matrices = matrices.transpose(1, 2).reshape(matrices.shape)
        weights[name] = matrices
    path = written(tmp_path / "m.bin", shape, weights)
    assert differ(path, shape, weights) < 1e-3
    model = load_model(path)
    story = [1, 403, 407, 261, 378]
    found = model.project(model.hidden(torch.tensor([story])))[0].softmax(dim=-1)
    assert (found[range(4), story[1:]] > 0.75).all()


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ((0, 40, 2, 4, 2, 30, 12), "a size below 1"),
        ((16, 40, -2, 4, 2, 30, 12), "a size below 1"),
        ((16, 40, 2, 4, 2, 0, 12), "a size below 1"),
        ((16, 40, 2, 3, 2, 30, 12), "d_model 16 is not divisible by n_heads 3"),
        ((16, 40, 2, 4, 3, 30, 12), "n_heads 4 is not divisible by n_kv_heads 3"),
        ((16, 40, 2, 16, 2, 30, 12), "heads of an even width"),
        ((16, 40, 2_000_000_000, 4, 2, 30, 12), "n_layers: Input should be less than or equal to"),
        ((65_536, 2**20, 1024, 4, 2, 2**31 - 1, 12), "bytes where its header needs"),
        ((16, 40, 2, 4, 2, 31, 12), "bytes where its header needs"),
    ],
)
def test_a_header_that_is_wrong(header: tuple[int, ...], said: str, tmp_path: Path) -> None:
    path = written(tmp_path / "m.bin", SHAPES[0], weights_of(SHAPES[0]))
    path.write_bytes(struct.pack("<7i", *header) + path.read_bytes()[28:])
    assert said in refused(path)


@pytest.mark.parametrize("cut", [0, 5, 28, 1000, -1])
def test_a_truncated_file(cut: int, tmp_path: Path) -> None:
    path = written(tmp_path / "m.bin", SHAPES[0], weights_of(SHAPES[0]))
    path.write_bytes(path.read_bytes()[:cut])
    said = refused(path)
    assert "ends within its header" in said or "bytes where its header needs" in said


def test_garbage(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(b"GGUF" + bytes(range(256)) * 8)
    refused(path)
    assert "cannot be read" in refused(tmp_path / "none.bin")
    assert "cannot be read" in refused(tmp_path)


def test_numbers_that_are_none(tmp_path: Path) -> None:
    weights = weights_of(SHAPES[0])
    weights["w2"][1, 0, 0] = torch.inf
    path = written(tmp_path / "m.bin", SHAPES[0], weights)
    assert "layers.1.feed_forward.outer.weight hold NaN or infinity" in refused(path)


def test_other_rotations(tmp_path: Path) -> None:
    weights = weights_of(SHAPES[0])
    weights["sine"] = weights["sine"] * 0.5
    path = written(tmp_path / "m.bin", SHAPES[0], weights)
    assert "it rotates otherwise" in refused(path)
