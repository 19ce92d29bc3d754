"""What a forward pass computes in: float32, or bf16 products with float32 weights."""

import pytest
import torch

from heedful.device import has_bf16
from heedful.train.precision import autocast

CPU = torch.device("cpu")


def product(precision: str) -> torch.Tensor:
    with autocast(precision, CPU):  # type: ignore[arg-type]
        return torch.full((2, 2), 1 + 2**-9) @ torch.eye(2)


def test_float32_stays_float32() -> None:
    assert product("float32").dtype == torch.float32
    assert product("float32")[0, 0] == 1 + 2**-9


def test_bf16_products_round() -> None:
    """bf16 has 8 bits: 1 + 2^-9 becomes 1."""
    assert product("bf16").dtype == torch.bfloat16
    assert product("bf16")[0, 0] == 1


def test_weights_stay_float32_under_bf16() -> None:
    layer = torch.nn.Linear(2, 2)
    with autocast("bf16", CPU):
        layer(torch.ones(1, 2)).float().sum().backward()
    assert layer.weight.dtype == torch.float32
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize("has", [False, True])
def test_auto_follows_the_machine(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert has_bf16(CPU) is has
    assert product("auto").dtype == (torch.bfloat16 if has else torch.float32)


def test_autocast_ends() -> None:
    product("bf16")
    assert not torch.is_autocast_enabled("cpu")
