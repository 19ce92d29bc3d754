"""The page holds what was measured in full, beside what is said; quick figures never enter it."""

from pathlib import Path

import pytest

from heedful.claims.page import lines, page
from heedful.claims.running import Where, measure, render
from heedful.device import pick_device
from heedful.errors import DataError
from heedful.progress import Progress
from tests.claims.test_running import SQUARES

SITE = Where((pick_device("cpu"),), Progress(quiet=True), None)


def test_said_stands_beside_measured(tmp_path: Path) -> None:
    folder, target = tmp_path / "results", tmp_path / "docs" / "claims.md"
    measure(SQUARES, "full", folder, SITE)
    text = page([SQUARES], folder, target)
    assert "## Squares\n\n| said | measured |\n|---|---|\n| they grow | 3 squares |" in text
    assert "| number | square |\n|---|---|\n| 1 | 1 |\n| 2 | 4 |\n| 3 | 9 |" in text
    assert "From 3 of 4 cases, in [squares.json](../results/squares.json)" in text
    assert text == page([SQUARES], folder, target)


def test_the_quick_form_never_enters(tmp_path: Path) -> None:
    measure(SQUARES, "quick", tmp_path, SITE)
    with pytest.raises(DataError, match="figures of the quick form, not of the full one"):
        page([SQUARES], tmp_path, tmp_path / "claims.md")


def test_the_terminal_is_told_the_same(tmp_path: Path) -> None:
    known = measure(SQUARES, "quick", tmp_path, SITE).known(SQUARES)
    told = lines(SQUARES, render(SQUARES, known, tmp_path))
    assert told[:3] == ["Squares", "  said: they grow", "  measured: 3 squares"]
    assert told[-2] == "  3       9"
