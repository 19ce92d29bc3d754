"""Which pairs a tokenizer learns from: so many, no more, and evenly spread."""

from itertools import pairwise
from pathlib import Path

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


def test_the_tokenizer_learns_from_them(tmp_path: Path) -> None:
    words = ["Haus", "Katze", "Garten", "Hund", "Maus", "Kind"]
    rows = [f"{words[n % 6]} {n}\t{words[n * 5 % 6]} {n}\n" for n in range(200)]
    (tmp_path / "pairs.tsv").write_text("".join(rows), "utf-8")
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
