"""One text at a time: the logits are the model's, and what is kept is not computed again."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.decode.alone import Past, go_on_alone
from heedful.decode.prompted import go_on
from heedful.decode.quantize import Int8Linear
from heedful.decode.two_terms import TwoTermProduct, whole_products_are_exact
from heedful.kernels import available
from heedful.kernels.warm import ready
from heedful.models.gpt import GPT, GPTConfig
from heedful.models.int8 import multiplied_out, to_int8
from heedful.nn.attention import GroupedQuery, MultiHead
from heedful.nn.feedforward import GEGLU, GELU, ReLU, SwiGLU, Swish
from heedful.nn.norm import PostNorm, RMSNorm
from heedful.nn.position import ALiBi, Bucketed, Llama3Scaling, Rotary, Sinusoidal
from heedful.search import Client, Greedy, Limits, Sample

SMALL = {"d_model": 24, "d_ff": 40, "n_heads": 4, "n_layers": 3, "dropout": 0.1, "max_length": 700}
STRETCHED = Llama3Scaling(factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_length=24)
SHAPES = {
    "gpt2": GPTConfig(**SMALL),
    "llama": GPTConfig(
        **SMALL,
        attention=GroupedQuery(n_kv_heads=2, bias=False),
        position=Rotary(theta=500.0),
        feed_forward=SwiGLU(),
        norm=RMSNorm(eps=1e-5),
    ),
    "one key head": GPTConfig(
        **SMALL,
        d_k=10,
        attention=GroupedQuery(n_kv_heads=1),
        position=Rotary(scaling=STRETCHED),
        tied_output=False,
    ),
    "alibi": GPTConfig(**SMALL, position=ALiBi(), feed_forward=ReLU()),
    "T5's": GPTConfig(
        **SMALL,
        attention=MultiHead(bias=False, scaled=False),
        position=Bucketed(n_buckets=8, max_distance=9),
        feed_forward=GEGLU(),
    ),
    "swish": GPTConfig(**SMALL, position=Sinusoidal(), feed_forward=Swish()),
    "gelu": GPTConfig(**SMALL, feed_forward=GELU(), norm=RMSNorm(eps=1e-5)),
    "post": GPTConfig(
        **SMALL, position=Sinusoidal(), residual=PostNorm(), feed_forward=GELU(), tied_output=False
    ),
}  # fmt: skip

WAYS = [
    False,
    pytest.param(True, marks=pytest.mark.skipif(not available(), reason="needs numba")),
]


def model_of(name: str) -> GPT:
    torch.manual_seed(len(name))
    model = SHAPES[name].build(50).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.15 * torch.randn_like(weight)
    return model


@torch.inference_mode()
def last_logits(model: GPT, ids: list[int]) -> torch.Tensor:
    return model.project(model.hidden(torch.tensor([ids])))[0, -1]


@pytest.mark.parametrize("name", SHAPES)
def test_logits_are_those_of_the_model(name: str) -> None:
    model = model_of(name)
    past = Past(model)
    text = np.random.default_rng(1).integers(0, 50, 600).tolist()
    for count in (1, 7, 8, 9, 30, 3, 12, 12, 300, 600):
        found = past.read(text[:count])
        expected = last_logits(model, text[:count])
        assert expected.std() > 0.1
        torch.testing.assert_close(found, expected, atol=2e-4, rtol=0)


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), min_size=1, max_size=6))
@settings(max_examples=15, deadline=None)
def test_only_what_is_new_is_computed(texts: list[list[int]]) -> None:
    model = model_of("llama")
    past, before = Past(model), list[int]()
    for ids in texts:
        shared = 0
        while shared < min(len(before), len(ids) - 1) and before[shared] == ids[shared]:
            shared += 1
        was = past.computed
        found = past.read(ids)
        assert past.computed - was == len(ids) - shared
        torch.testing.assert_close(found, last_logits(model, ids), atol=1e-4, rtol=0)
        before = ids


def test_a_reading_that_is_broken_off_leaves_nothing_false(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("llama")
    past, ids = Past(model), [3, 1, 4, 1, 5]
    past.read(ids)
    with monkeypatch.context() as patched:
        patched.setattr(past.layers[2], "read", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            past.read([3, 1, 2, 2, 2, 2])
    expected = last_logits(model, [3, 1, 4, 1, 5, 9])
    torch.testing.assert_close(past.read([3, 1, 4, 1, 5, 9]), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("search", [Greedy(), Sample(seed=5, temperature=0.9)])
@pytest.mark.parametrize("int8", [False, True])
def test_a_search_finds_the_same_from_scratch(search: Greedy | Sample, int8: bool) -> None:
    model, limits = model_of("llama"), Limits(0, -1, (), 700, 50)
    past, text = Past(model, int8=int8), [5, 6, 7]
    for _ in range(3):
        how = {"most": 12, "client": Client()}
        (kept,) = go_on_alone(past, text, search, limits, **how)
        (fresh,) = go_on_alone(Past(model, int8=int8), text, search, limits, **how)
        assert kept.tokens == fresh.tokens
        if not int8:
            ((eager,),) = go_on(model, [text], search, limits, most=12, clients=[Client()])
            assert kept.tokens == eager.tokens
        text = [*text, *kept.tokens, 9, 8]
    assert past.computed == len(text) - 2 - 1


@pytest.mark.parametrize("width", [2, 24, 1500])
@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("kernels", WAYS)
def test_whole_numbers_give_the_product_of_their_weights(
    width: int, rows: int, kernels: bool
) -> None:
    """Rows are kept to 15 bits: two hundred times nearer than in the 8 of the translators."""
    torch.manual_seed(3)
    layer = torch.nn.Linear(width, 33)
    states = torch.randn(rows, width) * torch.logspace(0, 2, width)  # outliers, as Llamas have
    product = TwoTermProduct(layer, layer)
    if kernels:
        product.arrange()
    rounded = multiplied_out(*to_int8(layer.weight.detach()))
    expected = (states.double() @ rounded.double().t() + layer.bias).float().repeat(1, 2)
    found = product(states)
    coarse = Int8Linear(layer.weight, layer.bias)(states)
    near = (found[:, :33] - expected[:, :33]).abs().max()
    far = (coarse - expected[:, :33]).abs().max()
    torch.testing.assert_close(found[:, :33], found[:, 33:])
    assert near < 2e-4 * expected.abs().max() + 1e-5
    assert near < far / 30
    assert torch.equal(product(torch.zeros(1, width))[0, :33], layer.bias.detach())


@pytest.mark.skipif(not available(), reason="needs numba")
@pytest.mark.parametrize("name", SHAPES)
def test_kernels_find_the_logits_of_pytorch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of 15 bits may be rounded to the neighbour, so that the two are nearly the same."""
    assert ready(wait=True)
    model = model_of(name)
    by_kernels = Past(model, int8=True)
    monkeypatch.setattr("heedful.decode.alone.ready", lambda **_: False)
    monkeypatch.setattr("heedful.decode.alone.are_ready", lambda: False)
    by_pytorch = Past(model, int8=True)
    assert by_pytorch._step is None
    assert (by_kernels._step is not None) == (name in ("llama", "gelu"))
    text = np.random.default_rng(1).integers(0, 50, 300).tolist()
    for count in (*range(1, 40), 260, 261, 300, 30, 31):
        found, expected = by_kernels.read(text[:count]), by_pytorch.read(text[:count])
        assert expected.std() > 0.1
        torch.testing.assert_close(found, expected, atol=5e-3, rtol=0)
        assert by_kernels.computed == by_pytorch.computed


@pytest.mark.skipif(not available(), reason="needs numba")
def test_kernels_that_become_ready_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ready(wait=True)
    model, text = model_of("llama"), [*range(50)]
    with monkeypatch.context() as patched:
        patched.setattr("heedful.decode.alone.ready", lambda **_: False)
        patched.setattr("heedful.decode.alone.are_ready", lambda: False)
        past = Past(model, int8=True)
        past.read(text[:20])
        assert past._step is None
    found = [past.read(text[:count]) for count in (21, 22, 40, 41)]
    assert past._step is not None
    assert past.computed == 41
    anew = Past(model, int8=True).read(text[:41])
    torch.testing.assert_close(found[-1], anew, atol=5e-3, rtol=0)


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("name", ["llama", "post"])
def test_a_model_that_is_given_up_is_smaller_and_reads_the_same(name: str, int8: bool) -> None:
    text = [3, 1, 4, 1, 5]
    expected = Past(model_of(name), int8=int8).read(text)
    model = model_of(name)
    size = sum(weight.numel() for weight in model.parameters())
    past = Past(model, int8=int8, given_up=True)
    assert torch.equal(past.read(text), expected)
    assert sum(weight.numel() for weight in model.parameters()) < size / 3


def test_a_network_of_one_unit_is_computed_otherwise() -> None:
    model = GPTConfig(**SMALL | {"d_ff": 1}).build(50).eval()
    expected = last_logits(model, [1, 2, 3])
    torch.testing.assert_close(Past(model, int8=True).read([1, 2, 3]), expected, atol=0.05, rtol=0)


def test_this_processor_multiplies_rightly() -> None:
    assert whole_products_are_exact()


@pytest.mark.parametrize("kernels", WAYS)
def test_rows_alone_and_together_are_the_same(
    kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    torch.manual_seed(3)
    product = TwoTermProduct(torch.nn.Linear(48, 20))
    if kernels:
        product.arrange()
    states = torch.randn(30, 48)
    together = product(states)
    for row in range(30):
        assert torch.equal(product(states[row : row + 1])[0], together[row])
