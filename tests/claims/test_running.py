"""Cases are written as they are done: an interruption costs the running one, and no other."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from heedful.claims.claim import Case, Claim, Figures, Measured, Place, Report, Size, Table
from heedful.claims.results import read_results
from heedful.claims.running import Where, measure, where
from heedful.cli import main
from heedful.device import pick_device
from heedful.errors import DataError, ModelError, OutputError, SettingError
from heedful.progress import Progress

CPU = pick_device("cpu")


def cases(size: Size) -> list[Case]:
    numbers: list[Case] = [{"number": number, "seed": number} for number in (1, 2, 3)]
    return [*numbers, {"number": 4, "device": "cuda"}]


def report(known: Sequence[Measured]) -> Report:
    rows = [[str(case["number"]), str(figures["square"])] for case, figures in known]
    return Report([f"{len(known)} squares"], [Table("Squares", ["number", "square"], rows)])


class Squares:
    """Squares numbers, and is interrupted at one of them."""

    def __init__(self, interrupted: int | None = None) -> None:
        self.interrupted = interrupted
        self.done: list[int] = []

    def run(self, case: Case, place: Place) -> Figures:
        if case["number"] == self.interrupted:
            raise KeyboardInterrupt
        self.done.append(case["number"])
        return {"square": case["number"] ** 2}

    def claim(self) -> Claim:
        return Claim("squares", "Squares", "they grow", "squared", cases, self.run, report)


def square(case: Case, place: Place) -> Figures:
    return {"square": case["number"] ** 2}


SQUARES = Claim("squares", "Squares", "they grow", "squared", cases, square, report)


@pytest.fixture
def site() -> Where:
    return Where((CPU,), Progress(quiet=True), None)


def test_a_second_run_goes_on_where_the_first_was_interrupted(tmp_path: Path, site: Where) -> None:
    first, second = Squares(interrupted=3), Squares()
    with pytest.raises(KeyboardInterrupt) as stop:
        measure(first.claim(), "full", tmp_path, site)
    assert json.loads((tmp_path / "squares.json").read_bytes())["size"] == "full"
    assert stop.value.__notes__ == ["2 cases of squares are kept, the same command goes on"]
    results = measure(second.claim(), "full", tmp_path, site)
    assert (first.done, second.done) == ([1, 2], [3])
    assert [figures["square"] for _, figures in results.known(second.claim())] == [1, 4, 9]
    assert read_results(tmp_path / "squares.json", "squares", "full") == results


def lame(case: Case, place: Place) -> Figures:
    if case["number"] == 2:
        raise ModelError("the loss has blown up")
    return square(case, place)


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_case_that_fails_is_told_and_takes_no_other_with_it(
    tmp_path: Path, jobs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = Claim("squares", "Squares", "", "", cases, lame, report)
    results = measure(claim, "full", tmp_path, where("cpu", Progress(), None, jobs))
    assert results.failed == [{"number": 2, "seed": 2}]
    assert [case["number"] for case, _ in results.known(claim)] == [1, 3]
    err = capsys.readouterr().err
    assert "squares: number 2, seed 2 has failed: the loss has blown up" in err
    again = measure(SQUARES, "full", tmp_path, where("cpu", Progress(quiet=True), None))
    assert (len(again.known(SQUARES)), again.failed) == (3, [])


def test_what_is_for_another_device_is_left_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = measure(SQUARES, "quick", tmp_path, Where((CPU,), Progress(), None))
    assert len(results.cases) == 3
    assert "1 cases are for cuda" in capsys.readouterr().err


@pytest.mark.slow
def test_processes_side_by_side_measure_the_same(tmp_path: Path, site: Where) -> None:
    beside = where("cpu", Progress(quiet=True), None, jobs=2)
    some = replace(SQUARES, cases=lambda size: cases(size)[1:])  # as `heed sweep --rows` has them
    both = [
        measure(some, "full", tmp_path / name, one) for name, one in (("a", site), ("b", beside))
    ]
    assert both[0].known(some) == both[1].known(some)


def ended(case: Case, place: Place) -> Figures:
    if case["number"] == 2:
        os._exit(1)
    return square(case, place)


@pytest.mark.slow
def test_a_process_that_is_ended_is_one_sentence_and_the_same_command_goes_on(
    tmp_path: Path, site: Where
) -> None:
    beside = where("cpu", Progress(quiet=True), None, jobs=2)
    with pytest.raises(SettingError, match="--jobs 2: a process that measured squares was ended"):
        measure(replace(SQUARES, run=ended), "full", tmp_path, beside)
    assert len(measure(SQUARES, "full", tmp_path, site).known(SQUARES)) == 3


def test_a_claim_that_lacks_something_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Where((CPU,), Progress(quiet=True), None)
    claim = Claim("s", "S", "", "", cases, square, report, missing=lambda *_: "there is no data")
    assert measure(claim, "quick", tmp_path, site).cases == []
    assert "s: 3 cases are not measured: there is no data" in capsys.readouterr().err
    assert not (tmp_path / "s.json").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"claim": "squares",\n', "squares.json:2: no readable results; remove it"),
        ('{"claim": "squares"}', "these are no results of a claim; remove it"),
        ('{"claim": "other", "size": "full", "machines": [], "cases": []}', 'results of "other"'),
        ('{"claim": "squares", "size": "quick", "machines": [], "cases": []}', "the quick form"),
        (
            '{"claim": "squares", "size": "full", "machines": [], '
            '"cases": [{"case": {}, "figures": {}, "machine": 0, "date": "2026-01-01"}]}',
            "these are no results of a claim",
        ),
    ],
)
def test_a_damaged_file_is_one_sentence_and_stays(
    tmp_path: Path, site: Where, content: str, said: str
) -> None:
    path = tmp_path / "squares.json"
    path.write_text(content, "utf-8")
    with pytest.raises(DataError) as caught:
        measure(SQUARES, "full", tmp_path, site)
    assert said in str(caught.value)
    assert path.read_text("utf-8") == content


def test_figures_of_cases_that_are_no_more_are_left_out(tmp_path: Path, site: Where) -> None:
    results = measure(SQUARES, "full", tmp_path, site)
    results.add({"number": 9, "seed": 9}, {"square": 81}, {})
    assert [case["number"] for case, _ in results.known(SQUARES)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["paralel"], 'there is no claim "paralel"; did you mean "parallel"?'),
        (["--jobs", "0", "parallel"], "--jobs: 0 at a time is too few"),
        (["--document", "x.md", "--out", "none"], "no claim has full results here"),
        (["parallel", "--document", "x.md"], "the page is of all claims; leave the names out"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["claims", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, site: Where) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="taken: cannot be written: file exists; name another"):
        measure(SQUARES, "full", tmp_path / "taken", site)


def test_nothing_measured_is_a_failure_and_no_figures_are_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HEEDFUL_DATA", raising=False)
    assert main(["claims", "translation", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "cases are not measured: it needs Multi30k" in said
    assert "figures and plots" not in said
    assert not (tmp_path / "out").exists()


def test_claims_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "parallel        Parallel training" in lines
