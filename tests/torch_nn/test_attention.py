"""`MultiheadAttention` against torch's, over all its arguments."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from heedful import torch_nn
from tests.torch_nn.cases import (
    MASKS,
    PADDINGS,
    Shape,
    attention_mask,
    close,
    covers,
    padding_mask,
    pair,
    same_gradients,
    shapes,
    states,
)

# torch warns of masks of different types
pytestmark = pytest.mark.filterwarnings("ignore:Support for mismatched:UserWarning")

arguments = st.fixed_dictionaries(
    {
        "bias": st.booleans(),
        "add_bias_kv": st.booleans(),
        "add_zero_attn": st.booleans(),
        "kdim": st.sampled_from([None, 10]),
        "vdim": st.sampled_from([None, 14]),
        "device": st.sampled_from([None, "cpu"]),
    }
)
calls = st.fixed_dictionaries(
    {
        "need_weights": st.booleans(),
        "average_attn_weights": st.booleans(),
        "is_causal": st.booleans(),
    }
)


def inputs_of(shape: Shape, made: dict[str, Any], same: str) -> list[torch.Tensor]:
    """Return query, key and value, of which some are one tensor."""
    width = 4 * shape.heads
    kdim, vdim = made["kdim"] or width, made["vdim"] or width
    query = states(shape, shape.target, width)
    if same == "all" and kdim == vdim == width:
        return [query, query, query]
    key = states(shape, shape.source, kdim)
    return [
        query,
        key,
        key if same != "none" and kdim == vdim else states(shape, shape.source, vdim),
    ]


@settings(max_examples=150)
@given(
    shapes,
    arguments,
    calls,
    st.sampled_from(["all", "memory", "none"]),
    st.sampled_from(MASKS),
    st.sampled_from(PADDINGS),
    st.booleans(),
    st.booleans(),
)
def test_results_weights_and_gradients(
    shape: Shape,
    made: dict[str, Any],
    call: dict[str, Any],
    same: str,
    masked: str,
    padded: str,
    alone: bool,
    training: bool,
) -> None:
    torch.manual_seed(shape.seed)
    if alone:
        shape = replace(shape, batch=1, alone=True)
    made = made | {
        "embed_dim": 4 * shape.heads,
        "num_heads": shape.heads,
        "dropout": 0.0 if training else 0.3,
        "batch_first": shape.batch_first,
        "dtype": shape.dtype,
    }
    covers(nn.MultiheadAttention, **made)
    theirs, ours = pair("MultiheadAttention", **made)
    query, key, value = inputs_of(shape, made, same)
    queries, keys = (x.shape[0 if alone or not shape.batch_first else 1] for x in (query, key))
    mask = attention_mask(masked, shape, queries, keys)
    call = call | {
        "attn_mask": mask,
        "key_padding_mask": padding_mask(padded, shape, keys),
        "is_causal": call["is_causal"] and masked.startswith("causal") and mask is not None,
    }
    covers(nn.MultiheadAttention.forward, theirs, query, key, value, **call)
    expected = call
    if made["add_bias_kv"] or made["add_zero_attn"]:
        # torch would drop the mask for the hint, and forget the keys added: ours must not
        expected = call | {"is_causal": False}
    found = [
        module.train(training)(query, key, value, **given)
        for module, given in ((theirs, expected), (ours, call))
    ]
    close(found[0][0], found[1][0])
    assert (found[0][1] is None) == (found[1][1] is None) == (not call["need_weights"])
    if call["need_weights"]:
        close(found[0][1], found[1][1])
    same_gradients(
        (theirs, ours),
        (found[0][0], found[1][0]),
        list({id(x): x for x in (query, key, value)}.values()),
    )


@given(shapes, st.booleans(), st.sampled_from(["none", "bool", "causal", "each"]))
@settings(max_examples=40)
def test_the_fast_path_of_evaluation(shape: Shape, need_weights: bool, masked: str) -> None:
    torch.manual_seed(shape.seed)
    theirs, ours = pair(
        "MultiheadAttention", 4 * shape.heads, shape.heads, batch_first=True, dtype=shape.dtype
    )
    shape = replace(shape, batch_first=True)
    x = states(shape, shape.source, 4 * shape.heads).detach()
    call = {
        "need_weights": need_weights,
        "average_attn_weights": False,
        "attn_mask": attention_mask(masked, shape, shape.source, shape.source),
    }
    with torch.inference_mode():
        found = [m.eval()(x, x, x, **call) for m in (theirs, ours)]
    close(found[0][0], found[1][0])
    if need_weights:
        close(found[0][1], found[1][1])


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    attention = torch_nn.MultiheadAttention(4, 2, batch_first=True, dtype=torch.float64)
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    padding = torch.tensor([[False, False, True], [False, False, False]])
    causal = nn.Transformer.generate_square_subsequent_mask(3).isinf()

    def attended(x: torch.Tensor) -> torch.Tensor:
        result, weights = attention(x, x, x, key_padding_mask=padding, attn_mask=causal)
        return result.sum() + weights.pow(2).sum()

    assert torch.autograd.gradcheck(attended, (x,))
    assert torch.autograd.gradgradcheck(attended, (x,))


def test_a_query_with_nothing_to_attend_to_gets_zeros() -> None:
    """The two masks together leave it nothing: no NaN, whichever way it is computed."""
    torch.manual_seed(0)
    attention = torch_nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        attention.out_proj.bias.zero_()
    x = torch.randn(2, 3, 8, requires_grad=True)
    causal = nn.Transformer.generate_square_subsequent_mask(3)
    padding = torch.tensor([[True, False, False], [False, False, False]])
    empty = torch.tensor([[True, True, True], [False, False, False]])
    for mask in (causal, causal.isinf(), causal + 0.5):
        for blocked, blind in ((padding, 1), (empty, 3)):
            for need_weights in (False, True):
                for grad in (False, True):
                    with torch.set_grad_enabled(grad):
                        found, weights = attention(
                            x, x, x, blocked, attn_mask=mask, need_weights=need_weights
                        )
                    assert found[0, :blind].abs().max() == 0
                    assert found[1].isfinite().all()
                    if weights is not None:
                        assert weights[0, :blind].abs().max() == 0
                    if grad:
                        (slope,) = torch.autograd.grad(found.sum(), x)
                        assert slope.isfinite().all()


def test_dropout_is_of_the_weights_and_at_its_rate() -> None:
    torch.manual_seed(0)
    attention = torch_nn.MultiheadAttention(8, 2, dropout=0.3, batch_first=True).train()
    x = torch.randn(8, 60, 8)
    plain = attention.eval()(x, x, x, average_attn_weights=False)[1]
    drawn = attention.train()(x, x, x, average_attn_weights=False)[1]
    kept = drawn != 0
    assert abs(kept.float().mean() - 0.7) < 0.01
    close(drawn[kept], (plain / 0.7)[kept])
    result = torch.stack([attention(x, x, x, need_weights=False)[0] for _ in range(200)]).mean(0)
    torch.testing.assert_close(result, attention.eval()(x, x, x)[0], rtol=0, atol=0.05)
    attention.dropout = 1.0
    assert attention.train()(x, x, x)[1].abs().max() == 0
