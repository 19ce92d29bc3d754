"""The benchmark of searches puts its tables where they belong, and its labels apart."""

import doctest
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks import Part, parts_of

ROW = {
    "sentences": 1000,
    "bleu": 35.04,
    "chrf": 59.0,
    "chrf against beam 4": {"value": -0.25, "low": -1.0, "high": 0.5},
    "sentences_per_second": 80.0,
}
LIST = {"unlike": 20.0, "distinct": 0.9, "chrf of the first": 59.0, "chrf of the best": 65.0}


@pytest.fixture(scope="module")
def part() -> Part:
    """Return a module of benchmarks/search by its name."""
    return parts_of("search", "plot", "table")


@pytest.mark.parametrize("name", ["plot", "table"])
def test_examples(part: Part, name: str) -> None:
    assert doctest.testmod(part(name)).failed == 0


def test_tables_take_the_place_of_earlier_ones(part: Part, tmp_path: Path) -> None:
    table = part("table")
    page = tmp_path / "page.md"
    page.write_text(f"# before\n\n{table.BEGIN}\nold\n{table.END}\nafter\n", "utf-8")
    sets = {"Tatoeba": {"beam 4": ROW, "beam 8": ROW | {"list": LIST}}}
    table.fill(page, sets)
    once = page.read_text("utf-8")
    table.fill(page, sets)
    assert page.read_text("utf-8") == once
    assert once.startswith("# before\n\n")
    assert once.endswith("\nafter\n")
    assert "old" not in once
    assert "| beam 4 | 35.0 | 59.0 | -0.2 (-1.0 to +0.5) | 80.0 | 1,000 |\n" in once
    assert "| beam 8 | 20.0 | 90% | 59.0 | 65.0 |\n" in once


def test_a_page_without_a_place_is_left_as_it_is(part: Part, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# nothing\n", "utf-8")
    with pytest.raises(SystemExit):
        part("table").fill(page, {})
    assert page.read_text("utf-8") == "# nothing\n"


@given(heights=st.lists(st.floats(0, 1), max_size=20))
def test_labels_stand_apart_in_their_order(part: Part, heights: list[float]) -> None:
    gap = 0.05
    found = part("plot").spread(sorted(heights), gap)
    assert len(found) == len(heights)
    assert all(after - before >= gap - 1e-9 for before, after in pairwise(found))
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in found)
