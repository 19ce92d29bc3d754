"""A parser's attention is taught the word that comes next, whatever its tokenizer makes of it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.config import merged
from heedful.progress import Progress
from heedful.recipes import tiny
from heedful.run import train
from heedful.text.linear_trees import linearised
from heedful.text.pieces import PAD
from heedful.text.tokenizer import BPE, Tokenizer, Unigram
from heedful.text.trees import Tree
from heedful.train import tree_guidance
from heedful.train.tree_guidance import TreeGuide
from tests.parsers import TREES, learnt
from tests.text.growing import trees

PAIRS = [(" ".join(tree.words), linearised(tree)) for tree in learnt()] * 4
KINDS = {
    "spaces": BPE(vocabulary_size=300, exact=False, shared=False, words="spaces"),
    "kinds": BPE(vocabulary_size=300, exact=False),
    "unigram": Unigram(vocabulary_size=300, exact=False),
}


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Tokenizer]:
    return {name: Tokenizer.train(lambda: iter(PAIRS), kind) for name, kind in KINDS.items()}


def padded(sentences: list[list[int]]) -> np.ndarray:
    array = np.full((len(sentences), max(map(len, sentences)) + 1), PAD, np.int64)
    for row, ids in zip(array, sentences, strict=True):
        row[: len(ids)] = ids
    return array


def numbered(text: str, pieces: list[str]) -> list[int]:
    """Return which of the text's words each piece is of; `</s>` is one behind the last."""
    lengths, found, read = [len(word) for word in f" {text}".split(" ")[1:]], list[int](), ""
    for piece in pieces[:-1]:
        read += piece
        whole = read.replace("▁", " ")[1:]
        found.append(whole.count(" "))
    assert len(lengths) == found[-1] + 1, (text, pieces)
    return [*found, len(lengths)]


@pytest.mark.parametrize("kind", KINDS)
@given(both=st.lists(trees, min_size=1, max_size=3))
def test_every_piece_looks_at_the_first_word_without_a_tag(
    kind: str, both: list[Tree], tokenizers: dict[str, Tokenizer]
) -> None:
    """Counted piece by piece; words that are spelled of bytes have many."""
    tokenizer = tokenizers[kind]
    texts = [" ".join(tree.words) for tree in both]
    symbols = [linearised(tree) for tree in both]
    sources, targets = tokenizer.encode_source(texts), tokenizer.encode_target(symbols)
    found = TreeGuide.of(tokenizer)(padded(sources), padded(targets))
    assert found.dtype == np.float32
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        words = numbered(texts[row], tokenizer.source_pieces(source))
        places = numbered(symbols[row], tokenizer.target_pieces(target))
        tags = [symbol[0] not in "()" for symbol in symbols[row].split(" ")]
        for t, place in enumerate(places):
            now = sum(tags[:place])
            expected = np.array([word == now for word in words], np.float32)
            assert (found[row, t, : len(source)] == expected / expected.sum()).all(), (row, t)
            assert not found[row, t, len(source) :].any()
        assert not found[row, len(target) :].any()


@pytest.mark.parametrize("guided", [True, False])
def test_a_corpus_of_trees_is_guided_by_them(
    guided: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Beside a corpus of pairs all are guided by the lexicon, and that is said."""
    (tmp_path / "bank.trees").write_text(TREES * 3)
    (tmp_path / "pairs.tsv").write_text("The cat\tDie Katze\n")
    asked = []

    def counted(self: TreeGuide, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        asked.append(len(source))
        return real(self, source, target)

    real = TreeGuide.__call__
    monkeypatch.setattr(tree_guidance.TreeGuide, "__call__", counted)
    data = ["bank.trees"] if guided else ["bank.trees", "pairs.tsv"]
    config = merged(
        tiny(),
        {
            "data": {
                "train": [str(tmp_path / name) for name in data],
                "clean": {"drop_duplicates": False},
            },
            "device": "cpu",
            "tokenizer": {"vocabulary_size": 300, "exact": False},
            "objective": {"guided_alignment": 1.0},
            "training": {"max_steps": 2, "bleu_sentences": 0},
        },
    )
    train(config, tmp_path / "run", Progress(quiet=True))
    assert bool(asked) == guided
    assert ("not all that is learnt are words and their trees" in capsys.readouterr().err) != guided
