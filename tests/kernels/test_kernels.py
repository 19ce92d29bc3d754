"""Kernels are loaded late, see tensors without copying, and compile also where nothing is kept."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from heedful.kernels import as_array, available
from heedful.kernels.compiled import compiled


def test_they_are_available() -> None:
    assert available()


def test_importing_the_package_loads_neither_numba_nor_torch() -> None:
    code = "import heedful, heedful.kernels, sys; print({'numba', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("error", [ImportError("no such module"), OSError("no such library")])
def test_a_numba_that_cannot_be_loaded_is_not_available(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr("heedful.kernels.import_module", fail)
    available.cache_clear()
    assert not available()
    available.cache_clear()


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (torch.float32, "float32"),
        (torch.float64, "float64"),
        (torch.bfloat16, "uint16"),
        (torch.int64, "int64"),
    ],
)
def test_an_array_is_the_tensors_own_memory(dtype: torch.dtype, name: str) -> None:
    tensor = torch.arange(6).view(2, 3).to(dtype)
    array = as_array(tensor)
    assert array.shape == (2, 3)
    assert array.dtype.name == name
    array[1, 0] = 0
    assert tensor.tolist() == [[0, 1, 2], [0, 4, 5]]


def test_the_bits_of_a_bfloat16_are_kept() -> None:
    assert as_array(torch.tensor([1.0, -2.0]).bfloat16()).tolist() == [0x3F80, 0xC000]


def test_a_tensor_that_learns_has_an_array_too() -> None:
    assert as_array(torch.ones(2, requires_grad=True)).tolist() == [1, 1]


def test_a_tensor_that_is_not_contiguous_is_refused() -> None:
    with pytest.raises(ValueError, match="contiguous"):
        as_array(torch.ones(2, 3).T)


def test_a_function_is_compiled_also_where_its_code_cannot_be_kept() -> None:
    """Here because it has no file; in an installation because no folder can be written."""
    space: dict[str, object] = {}
    exec("def total(numbers):\n    return numbers.sum()", space)
    total = compiled("reassoc")(space["total"])
    assert total(np.arange(5.0)) == 10
