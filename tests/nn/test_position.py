"""Position schemes against their papers' formulas in plain Python, and by what they promise."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.errors import ModelError
from heedful.nn.buckets import buckets
from heedful.nn.position import (
    ALiBi,
    Bucketed,
    Learned,
    NoPosition,
    Relative,
    Rotary,
    Sinusoidal,
    sinusoids,
)


@pytest.mark.parametrize("d_model", [8, 7, 512])
def test_sinusoids_are_the_papers(d_model: int) -> None:
    table = sinusoids(40, d_model, "interleaved")
    for position in (0, 1, 2, 39):
        for i in range(d_model):
            angle = position / 10_000 ** (2 * (i // 2) / d_model)
            expected = math.cos(angle) if i % 2 else math.sin(angle)
            assert table[position, i].item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("d_model", [8, 7])
def test_halves_are_the_same_numbers_with_all_sines_first(d_model: int) -> None:
    interleaved = sinusoids(20, d_model, "interleaved")
    expected = torch.cat([interleaved[:, 0::2], interleaved[:, 1::2]], dim=1)
    assert torch.equal(sinusoids(20, d_model, "halves"), expected)


@given(position=st.integers(0, 200), step=st.integers(0, 50))
def test_a_step_is_the_same_rotation_everywhere(position: int, step: int) -> None:
    # Section 3.5: PE(pos + k) is a linear function of PE(pos), the same for every pos.
    table = sinusoids(256, 16, "interleaved").double()
    for pair in range(8):
        angle = step / 10_000 ** (2 * pair / 16)
        turn = torch.tensor(
            [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]],
            dtype=torch.float64,
        )
        here = table[position, 2 * pair : 2 * pair + 2]
        there = table[position + step, 2 * pair : 2 * pair + 2]
        torch.testing.assert_close(turn @ here, there, atol=1e-6, rtol=0)


@pytest.mark.parametrize("scheme", [Sinusoidal(), Sinusoidal(layout="halves"), Learned()])
def test_positions_are_added_to_the_input_from_where_it_starts(
    scheme: Sinusoidal | Learned,
) -> None:
    module = scheme.on_input(16, 32)
    states = torch.randn(2, 8, 16)
    whole = module(states, 5)
    added = whole - states
    torch.testing.assert_close(added[0], added[1])
    torch.testing.assert_close(module(states[:, 3:], 8), whole[:, 3:])
    nothing = scheme.on_attention(2, 8)
    heads = torch.randn(1, 2, 4, 8)
    assert torch.equal(nothing.turn(heads, 3), heads)
    assert nothing.bias(heads, 4) is None


@pytest.mark.parametrize("scheme", [Sinusoidal(), Learned()])
@pytest.mark.parametrize(("start", "length"), [(0, 9), (7, 2), (8, 1), (20, 3)])
def test_a_position_beyond_the_table_is_refused(
    scheme: Sinusoidal | Learned, start: int, length: int
) -> None:
    module = scheme.on_input(16, 8)
    with pytest.raises(ModelError, match="8"):
        module(torch.zeros(2, length, 16), start)


def test_learned_positions_are_drawn_like_the_embeddings_and_learn() -> None:
    torch.manual_seed(0)
    (table,) = Learned().on_input(64, 500).parameters()
    assert table.shape == (500, 64)
    assert table.std().item() == pytest.approx(64**-0.5, rel=0.02)
    assert not list(Sinusoidal().on_input(64, 500).parameters())


@given(offset=st.integers(0, 500), gap=st.integers(-20, 20))
def test_rotary_scores_depend_on_the_distance_alone(offset: int, gap: int) -> None:
    torch.manual_seed(1)
    module = Rotary().on_attention(1, 16)
    query, key = torch.randn(2, 1, 1, 1, 16).unbind()

    def score(at: int) -> float:
        turned = module.turn(query, at) * module.turn(key, at + gap)
        return turned.sum().item()

    assert score(20 + offset) == pytest.approx(score(20), abs=2e-3)


def test_rotary_turns_pair_i_by_position_times_its_rate() -> None:
    torch.manual_seed(2)
    heads = torch.randn(1, 2, 5, 6)
    turned = Rotary(theta=100.0).on_attention(2, 6).turn(heads, 3)
    for place in range(5):
        for i in range(3):
            angle = (3 + place) * 100.0 ** (-2 * i / 6)
            for head in range(2):
                before = complex(heads[0, head, place, i], heads[0, head, place, i + 3])
                after = before * complex(math.cos(angle), math.sin(angle))
                assert turned[0, head, place, i].item() == pytest.approx(after.real, abs=1e-5)
                assert turned[0, head, place, i + 3].item() == pytest.approx(after.imag, abs=1e-5)


def test_rotary_keeps_lengths_and_leaves_position_0_alone() -> None:
    heads = torch.randn(2, 3, 7, 8)
    module = Rotary().on_attention(3, 8)
    torch.testing.assert_close(module.turn(heads, 11).norm(dim=-1), heads.norm(dim=-1))
    assert torch.equal(module.turn(heads[:, :, :1], 0), heads[:, :, :1])


@pytest.mark.parametrize(
    ("n_heads", "slopes"),
    [
        (8, [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]),
        (16, [2 ** (-k / 2) for k in range(1, 17)]),
        (3, [2 ** (-8 * k / 3) for k in (1, 2, 3)]),
    ],
)
def test_alibi_slopes_are_the_papers(n_heads: int, slopes: list[float]) -> None:
    # Section 3 of arXiv 2108.12409: a geometric sequence from 2^(-8/n) with that ratio.
    bias = ALiBi().on_attention(n_heads, 8).bias(torch.zeros(1, n_heads, 3, 8), 5)
    assert bias is not None
    for head, slope in enumerate(slopes):
        for query in range(3):  # the queries are the last 3 of the 5 positions
            for key in range(5):
                expected = -slope * abs(query + 2 - key)
                assert bias[0, head, query, key].item() == pytest.approx(expected, rel=1e-6)


def test_shaw_adds_the_query_times_the_vector_of_the_clipped_distance() -> None:
    torch.manual_seed(3)
    module = Relative(max_distance=2).on_attention(2, 8)
    (table,) = module.parameters()
    assert table.shape == (5, 8)
    query = torch.randn(2, 2, 4, 8)
    bias = module.bias(query, 9)  # the queries stand at positions 5 to 8
    assert bias is not None
    assert bias.shape == (2, 2, 4, 9)
    for row in range(2):
        for head in range(2):
            for place in range(4):
                for key in range(9):
                    distance = max(-2, min(2, key - (5 + place)))
                    vector = table[distance + 2]
                    expected = (query[row, head, place] @ vector / math.sqrt(8)).item()
                    actual = bias[row, head, place, key].item()
                    assert actual == pytest.approx(expected, abs=1e-6)


@given(
    half=st.integers(2, 40),
    reach=st.integers(1, 300),
    start=st.integers(-400, 400),
    causal=st.booleans(),
)
def test_buckets_are_those_of_transformers(half: int, reach: int, start: int, causal: bool) -> None:
    module = pytest.importorskip("transformers.models.t5.modeling_t5", reason="needs transformers")
    distance = torch.arange(start, start + 60)
    shape = (2 * half, half + reach)
    theirs = module.T5Attention._relative_position_bucket(distance, not causal, *shape)
    assert torch.equal(buckets(distance, *shape, causal=causal), theirs)


def test_a_bucket_adds_its_number_in_all_layers_alike() -> None:
    scheme = Bucketed(n_buckets=8, max_distance=9)
    for causal in (False, True):
        first, *others = scheme.on_stack(3, 2, 5, causal=causal)
        assert all(other is first for other in others)
        (table,) = first.parameters()
        bias = first.bias(torch.zeros(1, 2, 4, 5), 7)  # the queries stand at positions 3 to 6
        starts = torch.tensor([3, 0])
        placed = first.bias(torch.zeros(2, 2, 4, 5), 7, starts)
        assert bias is not None
        assert placed is not None
        assert torch.equal(placed[:1], bias)
        for begin, added in ((3, bias[0]), (0, placed[1])):
            for query in range(4):
                for key in range(7):
                    distance = torch.tensor([key - (begin + query)])
                    [number] = buckets(distance, 8, 9, causal=causal)
                    assert torch.equal(added[:, query, key], table[number])


def test_no_position_adds_nothing_anywhere() -> None:
    states, heads = torch.randn(2, 3, 8), torch.randn(2, 2, 3, 4)
    assert torch.equal(NoPosition().on_input(8, 4)(states, 2), states)
    nothing = NoPosition().on_attention(2, 4)
    assert torch.equal(nothing.turn(heads, 2), heads)
    assert nothing.bias(heads, 3) is None
