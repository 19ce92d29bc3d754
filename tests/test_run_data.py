"""Which pairs a tokenizer learns from: so many, no more, and evenly spread."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.config import merged
from heedful.progress import Progress
from heedful.recipes import tiny
from heedful.run_data import prepare, spread
from heedful.text.tokenizer import Tokenizer


@given(count=st.integers(1, 200), most=st.integers(1, 300))
def test_pairs_are_evenlyspread(count: int, most: int) -> None:
    found = list(spread(range(count), count, most))
    assert len(found) == min(count, most)
    gaps = {after - before for before, after in pairwise(found)}
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert found[0] == 0


@pytest.fixture
def rows(tmp_path: Path) -> list[str]:
    """Return the lines of a corpus, which stand in pairs.tsv too."""
    words = ["Haus", "Katze", "Garten", "Hund", "Maus", "Kind"]
    rows = [f"{words[n % 6]} {n}\t{words[n * 5 % 6]} {n}\n" for n in range(200)]
    (tmp_path / "pairs.tsv").write_text("".join(rows), "utf-8")
    return rows


def test_the_tokenizer_learns_from_them(rows: list[str], tmp_path: Path) -> None:
    settings = {"vocabulary_size": 300, "exact": False, "learn_from": 20}
    data = {"train": str(tmp_path / "pairs.tsv"), "held_out": 0}
    config = merged(tiny(), {"data": data, "tokenizer": settings})
    folder = tmp_path / "run"
    folder.mkdir()
    found = prepare(config, folder, Progress(quiet=True))
    pairs = [(source, target.strip()) for source, target in (row.split("\t") for row in rows[::10])]
    expected = Tokenizer.train(lambda: pairs, config.tokenizer)
    assert found.tokenizer.fingerprint() == expected.fingerprint()
    assert len(found.train) == 200


def test_what_is_held_out_no_more_is_gone(rows: list[str], tmp_path: Path) -> None:
    """The pairs of an earlier start would be measured, though they are learnt now."""
    data = {"train": str(tmp_path / "pairs.tsv"), "held_out": 8}
    config = merged(tiny(), {"data": data, "tokenizer": {"vocabulary_size": 300}})
    held = [tmp_path / "dev.jsonl", tmp_path / "test.jsonl"]
    prepare(config, tmp_path, Progress(quiet=True))
    assert all(path.exists() for path in held)
    whole = merged(config, {"data": {"held_out": 0}})
    found = prepare(whole, tmp_path, Progress(quiet=True), accept_changes=True)
    assert len(found.train) == len(rows)
    assert not any(path.exists() for path in held)
