"""`heed parse`, and `heed train` on trees, by their words."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from heedful.cli import main
from tests.parsers import TREES, make_parser

CAT = TREES.splitlines()[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parse")
    make_parser(folder / "model")
    (folder / "gold.trees").write_text(TREES, "utf-8")
    return folder


@pytest.fixture(autouse=True)
def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def parse(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    precision = [] if "--found" in words else ["--precision", "float32"]
    assert main(["parse", *words, *precision]) == code
    out, err = capsys.readouterr()
    return out, err


def test_a_tree_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = parse(capsys, "--model", "model", "The cat sat.")
    assert out.splitlines()[:4] == ["TOP", "└─ S", "   ├─ NP", "   │  ├─ DT  The"]
    assert err == "1 tree\n"


def test_lines_of_a_file_become_as_many(capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.txt").write_text("The cat sat.\n\nI can't sing.\n", "utf-8")
    _, err = parse(
        capsys, *("--model", "model", "-i", "in.txt", "-o", "out.trees", "--bracketed", "--quiet")
    )
    trees = TREES.splitlines()
    assert Path("out.trees").read_text("utf-8") == f"{trees[0]}\n\n{trees[2]}\n"
    assert err == "heed: 1 blank line left blank: no words, no tree\n"


def test_words_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = parse(capsys, "--model", "model", "--tokenized", "--json", "The cat sat .")
    record = json.loads(out)
    assert (record["words"], record["tree"]) == (["The", "cat", "sat", "."], CAT)
    assert record["repairs"] == {}
    assert record["score"] < 0


def test_a_no_break_space_is_within_a_word_as_in_the_files_of_trees(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`30 000` of a French treebank was two words, and its tree of another sentence."""
    out, _ = parse(capsys, "--model", "model", "--tokenized", "--json", "30\u00a0000 cats")
    assert json.loads(out)["words"] == ["30\u00a0000", "cats"]


def test_repairs_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """So little room that no tree can be finished; where only trees are searched, flat ones."""
    words = ["--model", "model", "--max-extra", "1", "--bracketed", "The cat sat.", "Rain!"]
    out, err = parse(capsys, *words)
    assert out.splitlines()[0] != CAT
    assert "repaired" not in err
    out, err = parse(capsys, *words, "--free")
    assert out.splitlines()[0] != CAT
    assert "heed: 2 of 2 repaired\n" in err
    assert "  2 had too few words: the rest put in the last phrase, as XX\n" in err


def test_svg(capsys: pytest.CaptureFixture[str]) -> None:
    parse(capsys, "--model", "model", "--svg", "cat.svg", "The cat sat.", "Rain!")
    drawing = ElementTree.parse("cat.svg").getroot()
    texts = [one.text for one in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"The", "cat", "Rain", "FRAG"} <= set(texts)


def test_where_nothing_can_be_drawn_is_said_before_any_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And nothing of the name of the other file is written."""
    words = ("--model", "model", "--svg", "none/cat.svg", "-o", "early.trees", "The cat sat.")
    _, err = parse(capsys, *words, code=2)
    assert err == "heed: none/cat.svg: cannot be written: no such file or directory\n"
    assert not Path("early.trees").exists()


def test_a_model_is_scored(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = parse(capsys, "--model", "model", "--gold", "gold.trees", "--json")
    figures = json.loads(out)
    assert (figures["f1"], figures["complete_match"], figures["repaired"]) == (100, 100, 0)
    assert (figures["sentences"], figures["labels"]["FRAG"]["found"]) == (6, 1)


def test_labels_that_the_model_has_not_learnt_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("new.trees").write_text(CAT.replace("(S ", "(SINV "), "utf-8")
    out, err = parse(capsys, "--model", "model", "--gold", "new.trees")
    assert "SINV\t1\t0\t0.0\t0.0\t0.0" in out
    assert "heed: labels that the model has never learnt: SINV (1)\n" in err


def test_found_trees_are_scored(capsys: pytest.CaptureFixture[str]) -> None:
    other = TREES.replace("sang", "sung").replace("Rain", "Snow").replace("(FRAG", "(S")
    Path("theirs.trees").write_text(other, "utf-8")
    out, err = parse(capsys, "--gold", "gold.trees", "--found", "theirs.trees")
    assert "f1\t100.0" in out
    assert "sentences\t5" in out
    assert "heed: 1 of 6 left out, their words differ: 5\n" in err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["A cat."], "--model: no parser is given; train one"),
        (["--model", "model", "  "], "text 1: the sentence has no words"),
        (["--model", "model", "--gold", "gold.trees", "A"], "texts and --gold are both given"),
        (["--found", "gold.trees"], "--found: it is for --gold"),
        (["--gold", "gold.trees", "--found", "gold.trees", "--free"], "--free: it is for --model"),
        (["--gold", "gold.trees", "--found", "one.trees"], "one.trees: has 1 trees, and gold"),
        (["--gold", "bad.trees", "--model", "model"], "bad.trees:2: the tree is not closed"),
        (["--gold", "none.trees", "--model", "model"], "none.trees: there is no tree in it"),
        (["--gold", "empty.trees", "--model", "model"], "empty.trees:1: the tree has no words"),
        (["--model", "model", "--beam", "0", "A"], "--beam: "),
        (["--model", "model", "--max-extra", "0", "A"], "--max-extra: input should be greater"),
        (["--model", "model", "--max-extra", "0", "--beam", "1", "A"], "--max-extra: input should"),
        (["--model", "model", "--json", "--bracketed", "A"], "--bracketed: so is --json"),
        (["--model", "model", "--svg", "a", "-o", "a", "A"], "--svg a: --output names the same"),
    ],
)
def test_what_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], problem: str
) -> None:
    Path("one.trees").write_text(CAT, "utf-8")
    Path("bad.trees").write_text(f"{CAT}\n(S (NN a)\n{CAT}\n", "utf-8")
    Path("none.trees").write_text("\n", "utf-8")
    Path("empty.trees").write_text("(S (NP (-NONE- *)))\n", "utf-8")
    out, err = parse(capsys, *words, code=2)
    assert out == ""
    assert err.startswith(f"heed: {problem}")
    assert err.count("\n") == 1
    assert "--skip-bad" not in err


@pytest.mark.parametrize("name", ["parse", "parse-lstm"])
def test_a_parser_is_trained_as_a_translator_is(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two steps, whole way: trees to a run folder, whose model `heed parse` takes."""
    small = ["--model.d-model", "16", "--model.encoder-layers", "1", "--model.decoder-layers", "1"]
    small += ["--model.n-heads", "2", "--model.d-ff", "16"] if name == "parse" else []
    words = ["train", "--recipe", name, "--data", "gold.trees", "--out", f"runs/{name}"]
    steps = ["--training.max-steps", "2", "--data.held-out", "0", "--quiet", "--device", "cpu"]
    assert main([*words, *small, *steps]) == 0
    capsys.readouterr()
    out, _ = parse(
        capsys, "--model", f"runs/{name}", "--beam", "2", "--max-extra", "2", "--json", "A cat."
    )
    assert json.loads(out)["words"] == ["A", "cat", "."]


def test_training_names_a_bad_tree(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.trees").write_text(f"{CAT}\n(S (NN a)\n{CAT}\n", "utf-8")
    assert main(["train", "--recipe", "parse", "--data", "bad.trees", "--out", "runs/bad"]) == 2
    assert "bad.trees:2: the tree is not closed before the next one, in line 3" in (
        capsys.readouterr().err
    )
