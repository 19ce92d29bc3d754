"""What is refused, in one sentence that says what was given, what fits and what to do."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from heedful import torch_nn
from heedful.errors import DataError, HeedfulError, SettingError

X = torch.zeros(10, 4, 8)
"""Ten positions of four sentences; the batch is second, as by default."""
CAUSAL = torch_nn.Transformer.generate_square_subsequent_mask(10)
OTHER_WAY = CAUSAL.isinf().logical_not()
FLOAT_OTHER_WAY = torch.zeros(10, 10).masked_fill(OTHER_WAY, -math.inf)
ONE_ROW = torch.zeros(10, 10, dtype=torch.bool).index_fill(0, torch.tensor([3]), True)
EVERYWHERE = torch.ones(4, 10, dtype=torch.bool)


def layer() -> torch_nn.TransformerEncoderLayer:
    return torch_nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0)


def encoder() -> torch_nn.TransformerEncoder:
    return torch_nn.TransformerEncoder(layer(), 2)


def transformer(**named: Any) -> torch_nn.Transformer:
    return torch_nn.Transformer(8, 2, 1, 1, 12, **named)


def attention() -> torch_nn.MultiheadAttention:
    return torch_nn.MultiheadAttention(8, 2)


REFUSED: list[tuple[Callable[[], object], type[HeedfulError], str]] = [
    (lambda: torch_nn.TransformerEncoderLayer(10, 4), SettingError, "nhead=4 .*nhead=5 would"),
    (lambda: torch_nn.MultiheadAttention(8, 3), SettingError, "num_heads=3 .*=2 would"),
    (lambda: torch_nn.MultiheadAttention(0, 3), SettingError, "embed_dim must be above 0"),
    (lambda: transformer(activation="rellu"), SettingError, 'did you mean "relu"'),
    (lambda: encoder()(X, OTHER_WAY), DataError, "mask is the causal mask inverted.*pass ~mask"),
    (lambda: layer()(X, OTHER_WAY), DataError, "src_mask is the causal mask inverted"),
    (lambda: encoder()(X, FLOAT_OTHER_WAY), DataError, "invert.*float"),
    (lambda: encoder()(X, ONE_ROW), DataError, "blocks every position of row 3"),
    (lambda: attention()(X, X, X, attn_mask=ONE_ROW), DataError, "attn_mask blocks every position"),
    (lambda: encoder()(X, None, EVERYWHERE), DataError, "every position of every sentence.*~mask"),
    (lambda: encoder()(X, None, EVERYWHERE.t()), DataError, r"\(4, 10\).*transpose"),
    (lambda: encoder()(X, CAUSAL[:9]), DataError, r"\(10, 10\) or \(8, 10, 10\)"),
    (lambda: encoder()(X, CAUSAL.long()), DataError, "mask is int64, but a mask is bool or float"),
    (lambda: encoder()(X, None, EVERYWHERE.long()), DataError, "mask == 0 if where they may"),
    (lambda: encoder()(X, is_causal=True), DataError, "there is no mask; pass Transf"),
    (lambda: encoder()(X[..., :6]), DataError, r"\(10, 4, 6\), but .* d_model=8"),
    (lambda: encoder()(X.double()), DataError, "src is float64, but the weights are float32"),
    (lambda: encoder()(torch.zeros(4, 10, dtype=torch.long)), DataError, "embed token ids first"),
    (lambda: encoder()(X[None]), DataError, r"shape \(1, 10, 4, 8\), but states have 3"),
    (
        lambda: transformer()(X, X.transpose(0, 1)),
        DataError,
        r"src \(10, 4, 8\) has a batch of 4, tgt \(4, 10, 8\) one of 10.*batch_first=True",
    ),
    (lambda: transformer()(X, X[:, 0]), DataError, "both or neither must have a batch"),
    (lambda: attention()(X, X[:, :3], X[:, :3]), DataError, "query .* batch of 4, key .* one of 3"),
    (lambda: attention()(X, X, X[:9]), DataError, "one row for each of key"),
    (
        lambda: torch_nn.TransformerDecoder(torch_nn.TransformerDecoderLayer(8, 2), 1)(X, X[:, :2]),
        DataError,
        "tgt .* batch of 4, memory .* one of 2",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "words"), REFUSED)
def test_refused(call: Callable[[], object], kind: type[HeedfulError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_nested_tensors_are_refused() -> None:
    nested = torch.nested.nested_tensor([torch.zeros(3, 8), torch.zeros(2, 8)])
    with pytest.raises(DataError, match="src is a nested tensor; pass a padded one"):
        encoder()(nested)


def test_legal_masks_are_not_refused() -> None:
    """An inverted mask that leaves every row something is a mask like others."""
    past_blocked = torch.ones(10, 10, dtype=torch.bool).tril(-1)
    assert encoder()(X, past_blocked).isfinite().all()
    some_empty = torch.zeros(4, 10, dtype=torch.bool)
    some_empty[2] = True
    assert encoder()(X, None, some_empty).isfinite().all()
    each = torch.zeros(8, 10, 10, dtype=torch.bool)
    each[3, 5] = True
    assert encoder()(X, each).isfinite().all()
    further = torch_nn.MultiheadAttention(8, 2, add_zero_attn=True)
    assert further(X, X, X, attn_mask=ONE_ROW, key_padding_mask=EVERYWHERE)[0].isfinite().all()


def test_nothing_to_compute() -> None:
    """Empty batches and no sentences pass, as in torch."""
    assert encoder()(X[:, :0]).shape == (10, 0, 8)
    assert encoder()(X[:, :0], CAUSAL, EVERYWHERE[:0]).shape == (10, 0, 8)


def test_autocast_takes_other_formats() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert encoder()(X.bfloat16()).isfinite().all()
        assert nn.functional.linear(X, X[0]).dtype == torch.bfloat16
