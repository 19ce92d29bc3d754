"""Every class and method takes what torch's takes, by the same names, order and defaults."""

import inspect

import pytest
import torch
from torch import nn

from heedful import torch_nn
from tests.torch_nn.cases import pair

CLASSES = [name for name in torch_nn.__all__ if hasattr(nn, name)]
METHODS = [
    (name, method)
    for name in CLASSES
    for method, value in inspect.getmembers(getattr(nn, name))
    if (not method.startswith("_") or method == "__init__")
    and inspect.isfunction(value)
    and not hasattr(nn.Module, method)
] + [(name, method) for name in CLASSES for method in ("__init__", "forward")]


def parameters(kind: type, method: str) -> list[tuple[str, object, object]]:
    found = inspect.signature(getattr(kind, method)).parameters.values()
    return [(each.name, each.kind, each.default) for each in found]


def test_all_classes_are_there() -> None:
    assert set(CLASSES) == {"MultiheadAttention", *torch.nn.modules.transformer.__all__}


@pytest.mark.parametrize(("name", "method"), sorted(set(METHODS)))
def test_a_signature_is_torchs(name: str, method: str) -> None:
    ours, theirs = getattr(torch_nn, name), getattr(nn, name)
    assert parameters(ours, method) == parameters(theirs, method)


@pytest.mark.parametrize("name", CLASSES)
def test_isinstance_holds_and_forward_is_ours(name: str) -> None:
    ours, theirs = getattr(torch_nn, name), getattr(nn, name)
    assert issubclass(ours, theirs)
    assert ours.forward is not theirs.forward


SMALL = {
    "MultiheadAttention": {"embed_dim": 8, "num_heads": 2, "add_bias_kv": True, "kdim": 6},
    "TransformerEncoderLayer": {"d_model": 8, "nhead": 2, "dim_feedforward": 12},
    "TransformerDecoderLayer": {"d_model": 8, "nhead": 2, "dim_feedforward": 12},
    "Transformer": {
        "d_model": 8,
        "nhead": 2,
        "dim_feedforward": 12,
        "num_encoder_layers": 2,
        "num_decoder_layers": 3,
    },
}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*was found in ScriptModule constants:UserWarning")
def test_weights_names_and_the_draws_of_a_seed_are_torchs(name: str, bias: bool) -> None:
    made = []
    for library in (nn, torch_nn):
        torch.manual_seed(3)
        made.append(getattr(library, name)(**SMALL[name], bias=bias))
    theirs, ours = (module.state_dict() for module in made)
    assert list(theirs) == list(ours)
    assert all(torch.equal(theirs[key], ours[key]) for key in theirs)
    names = [[key for key, _ in module.named_modules()] for module in made]
    assert names[0] == names[1]
    theirs, ours = pair(name, **SMALL[name], bias=bias)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    if bias:  # without, torch cannot script its own
        ours.load_state_dict(torch.jit.script(theirs).state_dict(), strict=True)
