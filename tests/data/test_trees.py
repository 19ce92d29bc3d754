"""A treebank becomes rows of words and symbols; what is no tree is told by file and line."""

import gzip
from pathlib import Path

import pytest

from heedful.data.formats import ReadCounts, open_corpus
from heedful.data.formats.trees import trees_of
from heedful.errors import DataError
from heedful.text.linear_trees import rebuilt

CAT = "(TOP (S (NP-SBJ (DT The) (NN cat)) (VP (VBD sat)) (. .)))"
BAD = {
    "(S (NN a)\n": "not closed at the end of the file",
    "(S (NN a)))\n": "closes nothing",
    "(S (NP-SBJ (-NONE- *)))\n": "the tree has no words, traces alone",
    "(S (NP))\n": "holds neither word nor phrase",
}


def write(folder: Path, text: str, name: str = "a.trees") -> str:
    (folder / name).write_text(text, "utf-8")
    return str(folder / name)


@pytest.mark.parametrize("ending", ["trees", "tree", "mrg", "ptb"])
def test_rows(tmp_path: Path, ending: str) -> None:
    counts = ReadCounts()
    spec = write(tmp_path, f"\n( (NP\n  (NN Rain)) )\n{CAT}\n", f"a.{ending}")
    rows = [tuple(row) for row in open_corpus(spec, counts=counts)]
    assert rows == [
        ("Rain", "(NP NN )NP", 2),
        ("The cat sat .", "(S (NP DT NN )NP (VP VBD )VP . )S", 4),
    ]
    assert (counts.rows, counts.skipped_bad) == (2, 0)


def test_packed(tmp_path: Path) -> None:
    path = tmp_path / "a.trees.gz"
    path.write_bytes(gzip.compress(CAT.encode()))
    assert [row.source for row in open_corpus(str(path))] == ["The cat sat ."]


@pytest.mark.parametrize("bad", BAD)
def test_bad_trees_are_named_or_left_out(tmp_path: Path, bad: str) -> None:
    spec = write(tmp_path, f"{CAT}\n{bad}")
    with pytest.raises(DataError, match=r"a\.trees:2: .*--skip-bad") as caught:
        list(open_corpus(spec))
    assert BAD[bad] in str(caught.value)
    counts = ReadCounts()
    assert len(list(open_corpus(spec, skip_bad=True, counts=counts))) == 1
    assert (counts.skipped_bad, counts.examples[0].where) == (1, f"{spec}:2")
    with pytest.raises(DataError, match=r"a\.trees:2: "):
        list(trees_of(Path(spec)))


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.trees").write_bytes(CAT.encode() + b"\n\xff\n")
    with pytest.raises(DataError, match=r"a\.trees:2: invalid UTF-8"):
        list(open_corpus(str(tmp_path / "a.trees")))


def test_a_tree_with_a_line_that_is_no_text_is_left_out_whole(tmp_path: Path) -> None:
    """It was learnt without the words of that line."""
    path = tmp_path / "a.trees"
    torn = b"(S (NP (NN Rain))\n   (VP (VBD fell\xff))\n   (. .))\n"
    path.write_bytes(torn + CAT.encode() + b"\n")
    counts = ReadCounts()
    rows = list(open_corpus(str(path), skip_bad=True, counts=counts))
    assert [(row.source, row.line) for row in rows] == [("The cat sat .", 4)]
    assert (counts.skipped_bad, counts.examples[0].where) == (1, f"{path}:2")


@pytest.mark.slow
def test_real_treebanks(data_folder: Path) -> None:
    """Every tree of three treebanks is read, and comes back whole from its symbols."""
    folder = data_folder / "treebank"
    files = [*folder.glob("*.trees"), *folder.glob("wsj_sample/*"), *folder.glob("craft/penn/*")]
    count = 0
    for path in files:
        trees = list(trees_of(path))
        for row, tree in zip(open_corpus(str(path)), trees, strict=True):
            assert rebuilt(row.target, row.source.split(" ")) == (tree, {})
        count += len(trees)
    assert count == 30_830 + 3_914 + 1_700
