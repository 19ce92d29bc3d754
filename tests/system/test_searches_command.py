"""Searches and wishes of `heed translate`: each option once, each mistake with its sentence."""

import io
import json
import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from heedful.cli import main
from heedful.data import windows
from heedful.data.glossary import Glossary
from heedful.model_folder import save_model
from heedful.model_header import Languages
from heedful.models.transformer import TransformerConfig
from heedful.search import (
    Alternatives,
    Beam,
    DiverseBeam,
    Greedy,
    MinimumBayesRisk,
    Sample,
    SearchConfig,
)
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.translator import Care, Request, load
from tests.system.test_translate_command import PAIRS, make_model, refused

LINES = ["The house is small.", "Good morning"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the folder of an untrained model from English to German."""
    folder = tmp_path_factory.mktemp("one") / "model"
    return make_model(folder, Languages(source="en", target="de"))


@pytest.fixture
def said(model: str, capsys: pytest.CaptureFixture[str]) -> "Said":
    return Said(model, capsys)


class Said:
    """Runs commands on the model."""

    def __init__(self, model: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.model, self.capsys = model, capsys

    def out(self, *words: str) -> list[str]:
        """Run a command that must succeed; return its lines."""
        assert main(["translate", "--model", self.model, *words]) == 0
        return self.capsys.readouterr().out.removesuffix("\n").split("\n")

    def refused(self, *words: str) -> str:
        """Run a command that must be refused with one sentence; return that."""
        return refused(["--model", self.model, *words], self.capsys)


SEARCHES: list[tuple[list[str], SearchConfig]] = [
    (["--search.kind", "greedy", "--search.min-length", "3"], Greedy(min_length=3)),
    (["--beam", "1", "--search.no-repeat-ngram", "2"], Greedy(no_repeat_ngram=2)),
    (["--search.coverage-penalty", "0.4", "--beam", "3"], Beam(beam_size=3, coverage_penalty=0.4)),
    (["--search.beam-size", "6", "--nbest", "5"], Beam(beam_size=6, n_best=5)),
    (
        ["--search.kind", "diverse", "--search.groups", "4", "--nbest", "3"],
        DiverseBeam(groups=4, n_best=3),
    ),
    (
        ["--search.kind", "sample", "--search.count", "2", "--search.seed", "9"],
        Sample(count=2, seed=9),
    ),
    (
        ["--search.kind", "mbr", "--search.count", "8", "--nbest", "2"],
        MinimumBayesRisk(count=8, n_best=2),
    ),
    (["--search.kind", "alternatives", "--search.count", "3"], Alternatives(count=3)),
    (["--beam", "700", "--search.max-extra", "2"], Beam(beam_size=700, max_extra=2)),
]


@pytest.mark.parametrize(
    ("words", "search"), SEARCHES, ids=[" ".join(words)[2:] for words, _ in SEARCHES]
)
def test_every_search(said: Said, words: list[str], search: SearchConfig) -> None:
    """Also a beam of more places than the vocabulary has pieces."""
    found = load(said.model, "cpu").translate_detailed(LINES, search=search)
    shown = said.out(*words, *LINES)
    if search.returned > 1:
        numbers, scores, texts = zip(*(line.split("\t", 2) for line in shown), strict=True)
        every = [(str(n), x) for n, one in enumerate(found) for x in one.hypotheses]
        assert list(zip(numbers, texts, strict=True)) == [(n, x.text) for n, x in every]
        wanted = [x.score for _, x in every]
        assert [float(score) for score in scores] == pytest.approx(wanted, abs=2e-4)
    else:
        assert shown == [one.text for one in found]


def test_wishes(said: Said, tmp_path: Path) -> None:
    translator = load(said.model, "cpu")

    def expected(request: Request, **options: object) -> list[str]:
        return translator.translate([request], **options)  # type: ignore[arg-type]

    [shown] = said.out("--prefix", "Das Hau", LINES[0])
    assert shown.startswith("Das Hau")
    assert [shown] == expected(Request(LINES[0], prefix="Das Hau"))
    [shown] = said.out("--must", "Katze|Kater", "--never", "klein", LINES[0])
    assert re.search(r"\b(?:Katze|Kater)\b", shown)
    assert [shown] == expected(Request(LINES[0], must=(("Katze", "Kater"),), never=("klein",)))
    terms = tmp_path / "terms.tsv"
    terms.write_text("house\tHütte|Hütten\n", "utf-8")
    record = json.loads(said.out("--glossary", str(terms), "--json", LINES[0])[0])
    assert "terms" in record["flags"]
    assert Glossary.load(terms).terms(LINES[0])[0].times_in(record["translation"]) >= 1
    [shown] = said.out("--glossary", str(terms), LINES[1])
    assert [shown] == expected(Request(LINES[1]))


def test_care_and_raw(said: Said) -> None:
    translator, given = load(said.model, "cpu"), ["Open %s now", "THE HOUSE IS SMALL"]
    care = {"protected": Care(protect=True), "raw": Care(capitals=False, loops=False)}
    protected = said.out("--protect", *given)
    assert "%s" in protected[0]
    assert protected[1] == protected[1].upper()
    assert protected == translator.translate(given, care=care["protected"])
    assert said.out("--raw", *given) == translator.translate(given, care=care["raw"])
    flags = [json.loads(line)["flags"] for line in said.out("--protect", "--json", *given)]
    assert "protected" in flags[0]
    assert "capitals" in flags[1]


def test_alignments(said: Said) -> None:
    """An untrained model may say what it cannot read again: that is said."""
    short = Beam(max_length=3)
    [found] = load(said.model, "cpu").translate_detailed(LINES[:1], align=True, search=short)
    pairs = " ".join(f"{link.source}-{link.target}" for link in found.links)
    assert pairs
    words = ["--alignments", "--search.max-length", "3", LINES[0]]
    assert said.out(*words) == [f"{found.text}\t{pairs}"]
    record = json.loads(said.out("--json", "--nbest", "2", *words)[0])
    assert record["alignment"] == [list(link) for link in found.links]
    assert len(record["hypotheses"]) == 2
    again = json.loads(said.out("--alignments", "--json", LINES[0])[0])
    assert "unaligned" in again["flags"]
    assert again["alignment"] == []


def test_live(said: Said) -> None:
    records = [json.loads(line) for line in said.out("--live", "--json", "--beam", "1", *LINES)]
    ends = [place for place, record in enumerate(records) if "translation" in record]
    assert len(ends) == 2
    assert [records[end]["source"] for end in ends] == LINES
    beginnings = [record["partial"] for record in records[: ends[0]]]
    assert beginnings[-1] == records[ends[0]]["translation"]
    assert all(later.startswith(one[:-1]) for one, later in pairwise(beginnings))
    assert [records[end]["translation"] for end in ends] == said.out("--beam", "1", *LINES)


class Screen(io.StringIO):
    """Standard output on a terminal."""

    def isatty(self) -> bool:
        return True


def test_live_on_a_terminal(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = said.out("--beam", "1", *LINES)
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(["translate", "--model", said.model, "--beam", "1", "--live", *LINES]) == 0
    rows = screen.getvalue().split("\n")
    assert [row.rpartition("\r\x1b[K")[2] for row in rows] == [*plain, ""]
    assert all(row.count("\r") > 2 for row in rows[:-1])


def test_ensemble(said: Said) -> None:
    alone = said.out("--precision", "float32", *LINES)
    assert said.out("--precision", "float32", "--ensemble", said.model, *LINES) == alone


# Mistakes


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--search.kind beem", '--search.kind: there is no kind "beem"; did you mean "beam"'),
        ("--search.beam-sise 3", '--search.beam-sise: there is no such setting; did you mean "b'),
        ("--search 3", "unknown option --search"),
        ("--model-size 3", "did you mean"),
        ("--serch.kind mbr", "did you mean"),
        ("--beam 3 --search.kind sample", "--search.kind: --beam is not for the search sample; l"),
        ("--beam 3 --search.kind greedy", "--search.kind: --beam is not for the search greedy; l"),
        ("--beam 3 --search.beam-size 3", "--search.beam-size: so is --beam; leave one of them"),
        ("--length-penalty 1 --search.kind mbr", "--length-penalty is not for the search mbr"),
        ("--nbest 9 --search.kind mbr --search.count 8", "n_best 9 is more than count 8"),
        ("--nbest 9", "--nbest: 9 are more than the beam holds; give --beam 9"),
        ("--nbest 9 --search.beam-size 8", "--nbest: 9 are more than the beam holds"),
        ("--search.kind diverse --search.groups 3", "beam_size 4 is not divisible by groups 3"),
        ("--beam 1025", "--beam: input should be less than or equal to 1024"),
        ("--beam 0", "--beam: input should be greater than or equal to 1"),
        ("--search.kind sample --search.top-p 0", "--search.top-p: input should be greater"),
        ("--search.min-length 9 --search.max-length 3", "min_length 9 is more than max_length 3"),
        ("--must Katze --never Katze", '"Katze" is asked for and holds "Katze", which must not'),
        ("--must Katze|Katze --never Katze", '"Katze or Katze" is asked for and holds "Katze"'),
        ("--must=", "--must: a word is empty"),
        ("--must Katze|", "--must: a word is empty"),
        ("--never=", "--never: a word is empty"),
        ("--search.kind greedy --search.max-length 3 --must Katze", "pieces and 3 are allowed"),
        (f"--prefix {'Katzenklo' * 9}", "pieces and 24 are allowed; ask for less"),
        ("--live", "--live: translations can be shown growing in a terminal alone; give --json"),
        ("--alignments --nbest 2", "--alignments: they are of the best translation alone, and"),
        ("--ensemble no-such", "there is no such folder"),
        ("--glossary no-such.tsv", "no-such.tsv: no such file; the working folder is"),
    ],
)
def test_mistakes(said: Said, words: str, told: str) -> None:
    assert told in said.refused(*words.split(" "), LINES[0])


def test_a_bad_row_of_a_glossary(said: Said, tmp_path: Path) -> None:
    terms = tmp_path / "terms.tsv"
    for row, told in [
        ("house", "the line has 1 field, 2 are needed; write source<TAB>target"),
        ("house\t", "the target is empty"),
        ("cat\tKater", '"cat" has another target than in line 1; join them in one line'),
    ]:
        terms.write_text(f"cat\tKatze\n{row}\n", "utf-8")
        sentence = said.refused("--glossary", str(terms), LINES[0])
        assert sentence.startswith(f"heed: {terms}:2: {told}")


def test_an_ensemble_of_other_vocabulary(said: Said, tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(lambda: PAIRS, BPE(vocabulary_size=280))
    sizes = {"d_model": 8, "d_ff": 8, "n_heads": 1, "encoder_layers": 1, "decoder_layers": 1}
    other = TransformerConfig(**sizes).build(tokenizer.source_size, tokenizer.target_size)
    folder = tmp_path / "other"
    save_model(folder, other, tokenizer, Languages(source="en", target="de"))
    sentence = said.refused("--ensemble", str(folder), LINES[0])
    assert f"{folder}: its vocabulary is another than the first model's; take models" in sentence


def test_a_run_goes_on_with_the_same_wishes_alone(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made with other words, terms or another search is not mixed with this."""
    monkeypatch.setattr(windows, "LONGEST_WAIT", float("inf"))
    source, out, terms = tmp_path / "a.en", tmp_path / "a.de", tmp_path / "terms.tsv"
    terms.write_text("house\tHaus\n", "utf-8")
    source.write_bytes(b"The house\n" * 100 + b"\xff\n")
    files = ["-i", str(source), "-o", str(out), "--quiet", "--never", "x"]
    words = [*files, "--glossary", str(terms), "--beam", "2", "--search.max-extra", "2"]
    assert "kept: 64 lines" in said.refused(*words)
    for more, told in [
        (["--prefix", "Das"], "--prefix "),
        (["--must", "Katze"], "--must "),
        (["--never", "y"], "--never "),
        (["--protect"], "with no --protect, this run is with --protect"),
        (["--raw"], "with no --raw, this run is with --raw"),
        (
            ["--search.no-repeat-ngram", "3"],
            "with --search.no-repeat-ngram 0, this run",
        ),
        (["--ensemble", said.model], "model with the checksum"),
    ]:
        sentence = said.refused(*words, "--resume", *more)
        assert "was made with" in sentence
        assert told in sentence
    terms.write_text("house\tHütte\n", "utf-8")
    assert "glossary with the checksum" in said.refused(*words, "--resume")
