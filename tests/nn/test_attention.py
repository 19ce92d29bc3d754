"""Attention four ways: the definition, PyTorch's kernel, the module, and loops of plain numbers."""

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from heedful.nn.attention import (
    GroupedQuery,
    MultiHead,
    MultiHeadAttention,
    attend,
    attention_weights,
    fused_attend,
)
from heedful.nn.mask import causal_mask, padding_mask
from heedful.nn.position import AttentionPosition

CPU = torch.device("cpu")


class Case(NamedTuple):
    """Queries, keys and values, with a mask and a bias or without."""

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    mask: torch.Tensor | None
    bias: torch.Tensor | None


def draw(
    *, heads: int = 4, kv_heads: int = 4, queries: int = 5, keys: int = 7, seed: int = 0
) -> Case:
    """Return a case of 2 sentences whose first query may look nowhere."""
    torch.manual_seed(seed)
    query = torch.randn(2, heads, queries, 8)
    key, value = torch.randn(2, 2, kv_heads, keys, 8).unbind()
    mask = torch.rand(2, 1, queries, keys) > 0.4
    mask[0, 0, 0] = False
    return Case(query, key, value, mask, torch.randn(1, heads, queries, keys))


CASES = {
    "plain": draw()._replace(mask=None, bias=None),
    "mask": draw()._replace(bias=None),
    "bias": draw()._replace(mask=None),
    "mask and bias": draw(),
    "one query": draw(queries=1, seed=1),
    "long": draw(queries=130, keys=129, seed=2),
}


def in_loops(case: Case) -> torch.Tensor:
    """Equation 1, number by number, in double precision."""
    query, key, value = (x.detach().double().numpy() for x in case[:3])
    n_rows, n_heads, n_queries, d_k = query.shape
    result = np.zeros((n_rows, n_heads, n_queries, value.shape[-1]))
    for row, head, place in np.ndindex(n_rows, n_heads, n_queries):
        shares = {}
        for other in range(key.shape[2]):
            if (
                case.mask is not None
                and not case.mask.expand(n_rows, 1, n_queries, -1)[row, 0, place, other].item()
            ):
                continue
            score = sum(query[row, head, place] * key[row, head, other]) / math.sqrt(d_k)
            if case.bias is not None:
                score += case.bias[0, head, place, other].item()
            shares[other] = math.exp(score)
        for other, share in shares.items():
            result[row, head, place] += share / sum(shares.values()) * value[row, head, other]
    return torch.from_numpy(result).float()


@pytest.mark.parametrize("name", [name for name in CASES if name != "long"])
def test_attend_is_equation_1(name: str) -> None:
    torch.testing.assert_close(attend(*CASES[name]), in_loops(CASES[name]), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_attend_is_pytorchs_function(name: str) -> None:
    query, key, value, mask, bias = CASES[name]
    allowed = mask
    if bias is not None:
        allowed = bias if mask is None else bias.masked_fill(~mask, -math.inf)
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
    torch.testing.assert_close(attend(*CASES[name]), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
@pytest.mark.parametrize("name", CASES)
def test_the_kernel_path_and_the_training_path_are_the_definition(name: str, kv_heads: int) -> None:
    case = CASES[name]
    grouped = case._replace(key=case.key[:, :kv_heads], value=case.value[:, :kv_heads])
    # Head i of 4 looks at key-value head i // (4 / kv_heads).
    served = [head * kv_heads // 4 for head in range(4)]
    expected = attend(case.query, case.key[:, served], case.value[:, served], case.mask, case.bias)
    with torch.no_grad():
        by_kernel = fused_attend(*grouped)
    in_training = fused_attend(*grouped)
    torch.testing.assert_close(by_kernel, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(in_training, expected, atol=1e-6, rtol=1e-5)


def gradients(case: Case, *, short: bool, monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Return the gradients of the sum of squares, by plain products (`short`) or by the kernel."""
    monkeypatch.setattr("heedful.nn.attention._SHORT", 10**9 if short else 0)
    inputs = [x.clone().requires_grad_() for x in case[:3]]
    mixed = fused_attend(*inputs, case.mask, case.bias)
    return list(torch.autograd.grad(mixed.square().sum(), inputs))


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("name", CASES)
def test_both_paths_have_the_same_gradients(
    name: str, kv_heads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    grouped = case._replace(key=case.key[:, :kv_heads], value=case.value[:, :kv_heads])
    short = gradients(grouped, short=True, monkeypatch=monkeypatch)
    kernel = gradients(grouped, short=False, monkeypatch=monkeypatch)
    for one, other in zip(short, kernel, strict=True):
        assert one.isfinite().all()
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["mask", "mask and bias", "one query", "long"])
def test_a_query_with_nothing_to_attend_gets_zeros_on_every_path(name: str) -> None:
    case = CASES[name]
    with torch.no_grad():
        by_kernel = fused_attend(*case)
    for mixed in (attend(*case), fused_attend(*case), by_kernel):
        assert (mixed[0, :, 0] == 0).all()
        assert (mixed[1, :, 0] != 0).any()
    assert (attention_weights(case.query, case.key, case.mask, case.bias)[0, :, 0] == 0).all()


@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_the_gpu_agrees(name: str) -> None:
    moved = [None if x is None else x.cuda() for x in CASES[name]]
    mixed = fused_attend(*moved).cpu()
    torch.testing.assert_close(mixed, attend(*CASES[name]), atol=1e-5, rtol=1e-4)


@given(seed=st.integers(0, 1000), shift=st.floats(-1e4, 1e4))
def test_weights_are_shares_of_what_may_be_seen(seed: int, shift: float) -> None:
    query, key, _, mask, bias = draw(seed=seed)
    assert mask is not None
    assert bias is not None
    weights = attention_weights(query, key, mask, bias + shift)
    assert (weights >= 0).all()
    assert (weights.masked_select(~mask) == 0).all()
    some = mask.any(dim=-1).float().expand(2, 4, 5)
    torch.testing.assert_close(weights.sum(dim=-1), some, atol=1e-5, rtol=0)


def test_what_the_mask_hides_has_no_influence() -> None:
    query, key, value, mask, bias = CASES["mask and bias"]
    assert mask is not None
    mask = mask.clone()
    mask[:, :, :, 3] = False
    expected = attend(query, key, value, mask, bias)
    key, value = key.clone(), value.clone()
    key[:, :, 3], value[:, :, 3] = 1e6, -1e6
    assert torch.equal(attend(query, key, value, mask, bias), expected)


@pytest.mark.parametrize("settings", [MultiHead(), GroupedQuery(n_kv_heads=2)])
def test_the_module_is_concat_of_heads_times_w_o(settings: MultiHead | GroupedQuery) -> None:
    torch.manual_seed(3)
    module: MultiHeadAttention = settings.build(32, 4, AttentionPosition())
    states, memory = torch.randn(2, 5, 32), torch.randn(2, 7, 32)
    mask = torch.rand(2, 1, 1, 7) > 0.3
    mask[:, :, :, 0] = True
    heads = []
    for head in range(4):
        mine = slice(8 * head, 8 * head + 8)
        group = head * module.key_proj.out_features // 32
        shared = slice(8 * group, 8 * group + 8)
        query = F.linear(states, module.query_proj.weight[mine], module.query_proj.bias[mine])
        key = F.linear(memory, module.key_proj.weight[shared], module.key_proj.bias[shared])
        value = F.linear(memory, module.value_proj.weight[shared], module.value_proj.bias[shared])
        scores = (query @ key.transpose(1, 2) / math.sqrt(8)).masked_fill(~mask[:, 0], -math.inf)
        heads.append(scores.softmax(-1) @ value)
    expected = module.output_proj(torch.cat(heads, dim=-1))
    actual = module(module.queries(states), module.keys_values(memory), mask)
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=1e-5)


def test_the_module_is_torchs_multihead_attention() -> None:
    torch.manual_seed(4)
    module = MultiHead().build(32, 4, AttentionPosition())
    reference = torch.nn.MultiheadAttention(32, 4, batch_first=True)
    ours = [module.query_proj, module.key_proj, module.value_proj]
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.cat([x.weight for x in ours]))
        reference.in_proj_bias.copy_(torch.cat([x.bias for x in ours]))
        reference.out_proj.weight.copy_(module.output_proj.weight)
        reference.out_proj.bias.copy_(module.output_proj.bias)
    states = torch.randn(3, 6, 32)
    real = padding_mask(torch.tensor([[5, 5, 5, 5, 5, 5], [5, 5, 5, 5, 0, 0], [5] + [0] * 5]), 0)
    expected, _ = reference(states, states, states, key_padding_mask=~real)
    actual = module(module.queries(states), module.keys_values(states), real[:, None, None, :])
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("settings", [MultiHead(), GroupedQuery(n_kv_heads=2)])
@pytest.mark.parametrize("width", [1, 3])
def test_rows_of_one_sentence_share_its_memory(
    settings: MultiHead | GroupedQuery, width: int
) -> None:
    torch.manual_seed(5)
    module = settings.build(32, 4, AttentionPosition())
    memory = module.keys_values(torch.randn(2, 7, 32))
    mask = torch.arange(7) < torch.tensor([7, 4])[:, None]
    queries = module.queries(torch.randn(2 * width, 2, 32))
    with torch.no_grad():
        folded = module(queries, memory, mask[:, None, None])
        copied = type(memory)(*(x.repeat_interleave(width, dim=0) for x in memory))
        expected = module(queries, copied, mask.repeat_interleave(width, dim=0)[:, None, None])
    torch.testing.assert_close(folded, expected, atol=1e-6, rtol=1e-5)


@given(n_queries=st.integers(1, 6), before=st.integers(0, 4))
def test_the_causal_mask_shows_all_up_to_a_querys_own_place(n_queries: int, before: int) -> None:
    mask = causal_mask(n_queries, before + n_queries, CPU)
    for query in range(n_queries):
        for key in range(before + n_queries):
            assert mask[query, key].item() == (key <= before + query)
