import copy
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from heedful.nn.mapped import can_be_mapped, fill, let_go

CPU = torch.device("cpu")
SHAPE = (512, 2048)
linux = pytest.mark.skipif(sys.platform != "linux", reason="weights are mapped on Linux alone")


@pytest.fixture
def numbers() -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def file(tmp_path: Path, numbers: torch.Tensor) -> Path:
    save_file({"weight": numbers}, tmp_path / "some.safetensors")
    return tmp_path / "some.safetensors"


def filled(file: Path, *, mapped: bool = True) -> nn.Parameter:
    weight = nn.Parameter(torch.empty(SHAPE))
    with safe_open(file, "pt") as tensors:
        fill(weight, tensors.get_tensor("weight"), mapped=mapped)
    return weight


def in_memory(weight: torch.Tensor) -> int:
    """Return how many kB of the mapping that a weight lies in are resident."""
    mine = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head = line.split()[0]
        if "-" in head and not head.endswith(":"):
            begin, end = (int(part, 16) for part in head.split("-"))
            mine = begin <= weight.data_ptr() < end
        elif mine and head == "Rss:":
            return int(line.split()[1])
    raise AssertionError("it lies nowhere")


@linux
def test_a_mapped_weight_is_its_file(file: Path, numbers: torch.Tensor) -> None:
    weight = filled(file)
    assert torch.equal(weight, numbers)
    assert weight.requires_grad
    file.unlink()  # as `save_model` does to a model that it replaces
    assert torch.equal(weight, numbers)


@linux
def test_what_is_let_go_leaves_the_memory_and_comes_back(file: Path, numbers: torch.Tensor) -> None:
    weight, kilobytes = filled(file), numbers.numel() * 4 // 1024
    assert in_memory(weight) < kilobytes // 4
    assert torch.equal(weight, numbers)
    assert in_memory(weight) >= kilobytes
    let_go(weight)
    assert in_memory(weight) < kilobytes // 4
    assert torch.equal(weight, numbers)


@linux
def test_what_is_written_stays_and_never_reaches_the_file(
    file: Path, numbers: torch.Tensor
) -> None:
    weight = filled(file)
    with torch.no_grad():
        weight[3:300] += 1
    let_go(weight)
    expected = numbers.clone()
    expected[3:300] += 1
    assert torch.equal(weight, expected)
    assert torch.equal(filled(file), numbers)


def test_a_copy_and_any_other_weight_are_left_alone(file: Path, numbers: torch.Tensor) -> None:
    copied = filled(file, mapped=False)
    for weight in (copied, copy.deepcopy(copied), numbers, numbers[1:]):
        before = weight.clone()
        let_go(weight)
        assert torch.equal(weight, before)
    assert not hasattr(copied, "mapped")


def test_numbers_of_another_type_are_copied(file: Path, numbers: torch.Tensor) -> None:
    weight = nn.Parameter(torch.empty(SHAPE))
    fill(weight, numbers.half(), mapped=True)
    assert weight.dtype == torch.float32
    assert torch.equal(weight, numbers.half().float())


def test_weights_are_mapped_for_a_cpu_on_linux_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert not can_be_mapped(CPU)
    monkeypatch.setattr(sys, "platform", "linux")
    assert can_be_mapped(CPU)
    assert not can_be_mapped(torch.device("cuda"))
