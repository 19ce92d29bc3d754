"""Hostile folders: every importer refuses them in a sentence, before it allocates anything."""

import json
import shutil
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from heedful.errors import HeedfulError
from heedful.interop.huggingface import config, encoder
from heedful.interop.huggingface.seq2seq import ARCHITECTURES
from tests.interop.importers import IMPORTERS, Importer

pytest.importorskip("transformers", reason="needs transformers (the dev group)")

FEW = 50 * 2**20
"""Bytes that a refusal may need."""
SOON = 0.1
"""Seconds of the processor that refusing a config.json may need."""


def test_every_architecture_is_among_the_importers() -> None:
    known = {*ARCHITECTURES, *config.ARCHITECTURES, *encoder.ARCHITECTURES}
    assert known == IMPORTERS.keys(), "add a line to tests/interop/importers.py"


ALIKE = {"mbart", "mt5", "pegasus"}
"""Those that the code of another among them reads."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.slow if name in ALIKE else ()) for name in IMPORTERS
    ],
)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("hostile") / "whole"
    importer = IMPORTERS[request.param]
    importer.make(folder)
    importer.read(folder)
    return importer, folder


def refused(importer: Importer, folder: Path) -> float:
    """Assert that a folder is refused in one sentence, and that it needs little; return seconds."""
    tracemalloc.start()
    try:
        spent = _seconds(importer, folder)
        assert tracemalloc.get_traced_memory()[1] < FEW
        return spent
    finally:
        tracemalloc.stop()


def _seconds(importer: Importer, folder: Path) -> float:
    """Return the processor's time for a refusal."""
    begun = time.process_time()
    with pytest.raises(HeedfulError) as error:
        importer.read(folder)
    spent = time.process_time() - begun
    assert "\n" not in error.value.problem
    return spent


def refused_soon(importer: Importer, folder: Path) -> None:
    """Assert that it needs less than SOON, too: the least of three, so that chance has no say."""
    spent = [refused(importer, folder)]
    while min(spent) >= SOON and len(spent) < 3:
        spent.append(_seconds(importer, folder))
    assert min(spent) < SOON, (folder / "config.json").read_text()[:200]


def _headed(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def _tensor(dtype: str = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def _one(**changes: Any) -> bytes:
    return _headed(json.dumps({"w": _tensor(**changes)}).encode(), bytes(4))


ENTRY = json.dumps(_tensor())
MANY = ",".join(
    f'"{n:x}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for n in range(100_001)
)
FILES: dict[str, bytes] = {
    "empty": b"",
    "seven bytes": bytes(7),
    "no header": struct.pack("<Q", 0),
    "a header of 2^63": struct.pack("<Q", 2**63) + b"{}",
    "a header of 100 MB": struct.pack("<Q", 100_000_000) + b"{}",
    "longer than the file": struct.pack("<Q", 99) + b"{}",
    "no JSON": _headed(b"{nothing}"),
    "a list": _headed(b"[]"),
    "no UTF-8": _headed(b'{"\xff": 1}'),
    "spaces in front": _headed(b"  {}"),
    "nested deeply": _headed(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "the same key twice": _headed(f'{{"w": {ENTRY}, "w": {ENTRY}}}'.encode(), bytes(4)),
    "unknown type": _one(dtype="F33"),
    "negative shape": _one(shape=[-1]),
    "shape beyond 64 bits": _one(shape=[2**40, 2**40]),
    "shape no list": _one(shape="1"),
    "offsets backwards": _one(offsets=[4, 0]),
    "offsets beyond the file": _one(offsets=[0, 4_000_000_000]),
    "offsets with a hole": _headed(
        json.dumps({"a": _tensor(), "b": _tensor(offsets=[8, 12])}).encode(), bytes(12)
    ),
    "offsets that overlap": _headed(
        json.dumps({"a": _tensor(), "b": _tensor(offsets=[2, 6])}).encode(), bytes(6)
    ),
    "shape and bytes differ": _one(shape=[2]),
    "bytes behind the end": _headed(json.dumps({"w": _tensor()}).encode(), bytes(9)),
    "metadata no texts": _headed(b'{"__metadata__": {"a": 1}}'),
    "a name with ../": _headed(f'{{"../../w": {ENTRY}}}'.encode(), bytes(4)),
    "100,001 tensors": _headed(f"{{{MANY}}}".encode()),
}


def test_hostile_headers(whole: Any, tmp_path: Path) -> None:
    importer, folder = whole
    shutil.copytree(folder, tmp_path / "x")
    for data in FILES.values():
        (tmp_path / "x" / "model.safetensors").write_bytes(data)
        refused(importer, tmp_path / "x")


def _spoilt(value: float) -> Callable[[dict[str, torch.Tensor]], None]:
    def spoil(tensors: dict[str, torch.Tensor]) -> None:
        name = max(tensors, key=lambda name: tensors[name].numel())
        tensors[name].view(-1)[-1] = value

    return spoil


def _renamed(tensors: dict[str, torch.Tensor]) -> None:
    name = max(tensors, key=lambda name: tensors[name].numel())
    tensors[f"../{name}"] = tensors.pop(name)


WEIGHTS: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "NaN": _spoilt(float("nan")),
    "infinity": _spoilt(float("inf")),
    "another name": _renamed,
    "one too many": lambda tensors: tensors.update({"more": torch.zeros(1)}),
    "whole numbers": lambda tensors: tensors.update({x: y.int() for x, y in tensors.items()}),
}


def test_hostile_weights(whole: Any, tmp_path: Path) -> None:
    importer, folder = whole
    shutil.copytree(folder, tmp_path / "x")
    for spoil in WEIGHTS.values():
        tensors = load_file(folder / "model.safetensors")
        spoil(tensors)
        save_file(tensors, tmp_path / "x" / "model.safetensors")
        refused(importer, tmp_path / "x")


def test_hostile_settings(whole: Any, tmp_path: Path) -> None:
    """Each number that has a meaning becomes huge, NaN, negative, a text, a list; then the rest."""
    importer, folder = whole
    shutil.copytree(folder, tmp_path / "x")
    path = tmp_path / "x" / "config.json"
    said = json.loads((folder / "config.json").read_text("utf-8"))
    layers = "encoder_layers" if "encoder_layers" in said else "num_hidden_layers"
    names = {"d_model", "n_embd", "hidden_size", "vocab_size", "n_layer", "n_head", layers}
    names |= {"d_kv", "d_ff", "num_layers", "num_heads"}
    parts = ("attention_heads", "ffn_dim", "intermediate_size", "coder_layers")
    sizes = [key for key in said if key in names or key.endswith(parts)]
    assert len(sizes) >= 3
    for key in sizes:
        for value in (2**31, 10**9, 10**30, -1, 0, 1.5, float("nan"), "9", [9], {"a": 9}, True):
            path.write_text(json.dumps(said | {key: value}))
            refused_soon(importer, tmp_path / "x")
    text = json.dumps(said)
    for other in (
        "[" * 10_000,
        '{"a":' * 10_000,
        f'{text[:-1]}, "{sizes[0]}": {said[sizes[0]]}}}',
        "",
        "null",
        "[]",
        '"x"',
        "\ufeff{}",
        text[:-1],
    ):
        path.write_text(other)
        refused_soon(importer, tmp_path / "x")
