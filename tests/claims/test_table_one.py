"""Table 1: restricted attention against a mask, paths by reckoning, memory by reckoning."""

import math
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.claims import table_one
from heedful.claims.claim import Measured, Place
from heedful.claims.table_one import LAYERS, PLAIN, WINDOW, layers_until_known, windowed
from heedful.claims.timing import kept_bytes
from heedful.nn.attention import attend
from heedful.progress import Progress


@given(st.integers(1, 40), st.sampled_from([2, 4, 8]), st.integers(1, 3))
@settings(deadline=None, max_examples=20)
def test_a_window_is_attention_under_a_mask(length: int, window: int, rows: int) -> None:
    query, key, value = torch.randn(3, rows, 2, length, 4, dtype=torch.float64)
    places = torch.arange(length)
    near = (places[:, None] - places).abs() <= window // 2
    torch.testing.assert_close(
        windowed(query, key, value, window), attend(query, key, value, near[None, None])
    )


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("self-attention", lambda n: 1),
        ("restricted self-attention", lambda n: math.ceil((n - 1) / (WINDOW / 2))),
        ("recurrent", lambda n: 1),
        ("convolutional", lambda n: math.ceil((n - 1) / 2)),
        ("dilated convolutional", lambda n: math.ceil(math.log(n, 3) - 1e-9)),
    ],
)
def test_layers_between_first_and_last_are_those_reckoned(layer: str, expected: object) -> None:
    for length in (9, 60):
        assert layers_until_known(layer, length) == expected(length)  # type: ignore[operator]


def test_what_is_kept_is_what_the_way_back_needs() -> None:
    states = torch.randn(10, 20, requires_grad=True)
    weight = torch.randn(20, 5, requires_grad=True)
    assert kept_bytes(lambda: (states @ weight).tanh(), [states, weight]) == 4 * 10 * 5
    assert kept_bytes(lambda: (states @ weight).tanh(), []) == 4 * (10 * 5 + 10 * 20 + 20 * 5)


def test_the_fused_kernel_keeps_no_matrix_of_weights() -> None:
    kept = {}
    for layer in ("self-attention", PLAIN):
        for n in (256, 512):
            mixes, states = LAYERS[layer][0](32), torch.randn(1, n, 32, requires_grad=True)
            kept[layer, n] = kept_bytes(partial(mixes, states), [states])
    assert kept["self-attention", 512] == 2 * kept["self-attention", 256]
    assert kept[PLAIN, 512] > 3.5 * kept[PLAIN, 256]


def test_tiny_cases_are_measured_and_told(tmp_path: Path) -> None:
    place = Place(torch.device("cpu"), Progress(quiet=True), tmp_path)
    known = []
    for layer in LAYERS:
        for along, n, d in (("n", 32, 32), ("n", 64, 32), ("d", 32, 32), ("d", 32, 64)):
            case = {"layer": layer, "along": along, "n": n, "d": d, "seconds": 0.0}
            known.append(Measured(case, table_one.CLAIM.run(case, place)))
    rows = {row[0]: row for row in table_one.CLAIM.report(known).tables[0].rows}
    assert rows[PLAIN][4:] == ["2.00 (2 sizes)", "1.00 (2 sizes)"]
    assert rows["convolutional"][4:] == ["1.00 (2 sizes)", "1.00 (2 sizes)"]
    assert 0.7 < float(rows["recurrent"][4].split()[0]) < 1.1
