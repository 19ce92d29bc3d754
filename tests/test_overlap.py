"""A model is not tested on what it has learnt: found in the token stores of its run folder."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.cli import main
from heedful.data.store import TokenStore
from heedful.overlap import learnt
from heedful.progress import Progress
from heedful.text.tokenizer import BPE, Tokenizer

PAIRS = [(f"the {n} cats sleep in the house", f"die {n} Katzen schlafen") for n in range(40)]
TOKENIZER = Tokenizer.train(lambda: PAIRS, BPE(vocabulary_size=300), ("en", "de"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder with stores of two languages, both ways."""
    folder = tmp_path_factory.mktemp("run")
    quiet = Progress(quiet=True)
    ways = [(0, "de"), (1, "en")]
    (folder / "zh" / "store").mkdir(parents=True)
    (folder / "store").mkdir()
    for place in (folder, folder / "zh"):
        (place / "corpus.json").write_text("{}", "utf-8")
    for name, pairs in (("store/train", PAIRS[:20]), ("zh/store/train", PAIRS[20:30])):
        TokenStore.build(folder / name, pairs, TOKENIZER, ways, 100, quiet)
    TokenStore.build(folder / "store" / "dev", PAIRS[30:], TOKENIZER, ways, 100, quiet)
    return folder


@given(st.lists(st.integers(0, 39), max_size=30), st.sampled_from([0, 1]))
def test_what_was_learnt_is_found(run: Path, rows: list[int], side: int) -> None:
    texts, tag = [PAIRS[row][side] for row in rows], ("de", "en")[side]
    expected = [place for place, row in enumerate(rows) if row < 30]
    assert learnt(run / "model", TOKENIZER, texts, tag) == expected
    assert learnt(run / "model", TOKENIZER, texts, ("en", "de")[side]) == []


def test_without_a_run_folder_nothing_is_known(tmp_path: Path) -> None:
    assert learnt(tmp_path / "model", TOKENIZER, ["the 1 cats sleep in the house"], "de") == []


def test_neighbours_are_not_asked(run: Path) -> None:
    texts = [PAIRS[0][0]]
    assert learnt(run / "model", TOKENIZER, texts, "de") == [0]
    assert learnt(run / "copied", TOKENIZER, texts, "de") == []
    assert learnt(run.parent / "model", TOKENIZER, texts, "de") == []


def test_heed_evaluate_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, test = tmp_path / "a.tsv", tmp_path / "b.tsv"
    corpus.write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS), "utf-8")
    words = ["train", "--recipe", "tiny", "--data", str(corpus), "--out", str(tmp_path / "run")]
    words += ["--training.max-steps", "1", "--model.d-model", "8", "--model.n-heads", "1"]
    words += ["--data.held-out", "0", "--tokenizer.vocabulary-size", "280", "--device", "cpu"]
    assert main([*words, "--quiet"]) == 0
    test.write_text("a new sentence\tein neuer Satz\nthe 7 cats sleep in the house\tx\n", "utf-8")
    asked = ["evaluate", "--model", str(tmp_path / "run"), "--data", str(test), "--quiet"]
    capsys.readouterr()
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert "1 of 2 sources are in the corpus that the model has learnt from" in said
    assert '"the 7 cats sleep in the house"; give' in said
    assert main([*asked, "--overlap"]) == 0
    test.write_text("a new sentence\tein neuer Satz\n", "utf-8")
    assert main(asked) == 0
