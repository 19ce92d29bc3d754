"""What is typed after a command's name becomes its options, or one sentence that refuses it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import tyro
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.errors import SettingError
from heedful.options import read_options, show_help


@dataclass(frozen=True, kw_only=True)
class Options:
    """Do something with text."""

    data: str
    """Where the text is."""
    input: Annotated[Path | None, tyro.conf.arg(aliases=["-i"])] = None
    """Read this file."""
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """The language."""
    beam: int = 4
    """How many hypotheses to keep."""
    alpha: float | None = None
    """Length penalty."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    compare: tuple[str, str] | None = None
    """Two models."""
    test: tuple[str, ...] = ()
    """Test sets."""
    quiet: bool = False
    """Say nothing."""
    colour: bool = True
    """Use colours."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """Take words that stand alone."""

    words: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="WORD")] = ()
    """What to say."""
    quiet: bool = False
    """Say nothing."""


@dataclass(frozen=True, kw_only=True)
class MaybeAWord:
    """Take one word or none."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """What to show."""


@dataclass(frozen=True, kw_only=True)
class OneWord:
    """Take one word."""

    corpus: tyro.conf.Positional[str]
    """What to look at."""


def read(line: str, options: type = Options, *, by_path: bool = False) -> Any:
    found, nested = read_options("x", options, line.split(), accepts_settings=by_path)
    return (found, nested) if by_path else found


def test_values() -> None:
    line = "--data d.tsv --from en -i a.txt --beam 2 --alpha -0.5 --device cpu --quiet --no-colour"
    assert read(line) == Options(
        data="d.tsv",
        from_="en",
        input=Path("a.txt"),
        beam=2,
        alpha=-0.5,
        device="cpu",
        quiet=True,
        colour=False,
    )


def test_spellings_of_one_option() -> None:
    assert read("--data=d --beam=7") == read("--beam 7 --data d") == Options(data="d", beam=7)


def test_several_values() -> None:
    assert read("--compare a b --test x y z --data d") == Options(
        data="d", compare=("a", "b"), test=("x", "y", "z")
    )


def test_a_dash_is_a_value() -> None:
    assert read("--data -").data == "-"


def test_the_word_none_is_a_word() -> None:
    assert read("--data d -i None").input == Path("None")


def test_words_alone() -> None:
    assert read("ein Wort --quiet mehr", Words) == Words(words=("ein", "Wort", "mehr"), quiet=True)
    assert read("--quiet -- ein", Words) == Words(words=("ein",), quiet=True)
    assert read("a -- --quiet -b", Words) == Words(words=("a", "--quiet", "-b"))
    assert read("-- --a.b c --d.e=f", Words, by_path=True) == (
        Words(words=("--a.b", "c", "--d.e=f")),
        {},
    )
    assert read("", Words) == Words()
    assert read("small", MaybeAWord) == MaybeAWord(name="small")
    assert read("", MaybeAWord) == MaybeAWord()
    assert read("a.tsv", OneWord) == OneWord(corpus="a.tsv")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "heed x: --data is missing"),
        ("--data", "--data: needs a value"),
        ("--data --beam 3", "--data: needs a value"),
        ("--data d --bean 3", 'heed x: unknown option --bean; did you mean "--beam"?'),
        ("--data d --debgu", 'heed x: unknown option --debgu; did you mean "--debug"?'),
        ("--data d --beam k", '--beam: "k" is not a whole number'),
        ("--data d --beam=1.5", '--beam: "1.5" is not a whole number'),
        ("--data d --alpha k", '--alpha: "k" is not a number'),
        ("--data d --device gpu", '--device: "gpu" is not one of auto, cpu, cuda'),
        ("--data d --compare a", "--compare: needs 2 values"),
        ("--data d --quiet=yes", "--quiet: takes no value"),
        (
            "--data d yes",
            'heed x: the word "yes" belongs to no option; see heed x --help',
        ),
    ],
)
def test_refusals(line: str, sentence: str) -> None:
    with pytest.raises(SettingError) as refusal:
        read(line)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("line", "fix"),
    [("-5°C", "stands behind --"), ("-item", "known: "), ("--qiet", 'did you mean "--quiet"')],
)
def test_a_text_that_begins_with_a_dash_is_told_where_to_stand(line: str, fix: str) -> None:
    with pytest.raises(SettingError, match=fix):
        read(line, Words)


@pytest.mark.parametrize(("line", "part"), [("", "one more word"), ("a.tsv b.tsv", '"b.tsv"')])
def test_refusals_of_words(line: str, part: str) -> None:
    with pytest.raises(SettingError, match=part):
        read(line, OneWord)


def test_settings_by_path() -> None:
    line = "--model.d-ff 64 --data d --training.max-steps=120 --model.norm.kind rms --model.x true"
    options, nested = read(line, by_path=True)
    assert options == Options(data="d")
    assert nested == {
        "model": {"d_ff": 64, "norm": {"kind": "rms"}, "x": True},
        "training": {"max_steps": 120},
    }


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("--data d --a.b", "--a.b: needs a value"),
        ("--data d --a.b --c.d 1", "--a.b: needs a value"),
        ("--data d --a.b 1 --a.b.c 1", "--a.b.c: b was given a value and a setting inside it"),
        ("--data d --a.b.c 1 --a.b 1", "--a.b: b was given a setting inside it and a value"),
    ],
)
def test_refusals_of_settings(line: str, part: str) -> None:
    with pytest.raises(SettingError) as refusal:
        read(line, by_path=True)
    assert str(refusal.value) == part


def test_settings_where_none_are_taken() -> None:
    with pytest.raises(SettingError, match=r"unknown option --model\.d-ff"):
        read("--data d --model.d-ff 64")


VALUES = st.none() | st.booleans() | st.integers() | st.lists(st.integers()) | st.text(min_size=1)
NAMES = st.text("abc_", min_size=1).filter(lambda name: name == name.strip("_"))


@settings(max_examples=30)
@given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=3), max_size=3))
def test_settings_come_back_as_written(written: dict[str, dict[str, Any]]) -> None:
    words = [
        f"--{group}.{name}={json.dumps(value)}".replace("_", "-", (group + name).count("_"))
        for group, inside in written.items()
        for name, value in inside.items()
    ]
    _, found = read_options("x", Words, words, accepts_settings=True)
    assert found == written


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    show_help("x", Options, "heed x --data my.tsv\n\n# quieter\nheed x --data my.tsv --quiet\n")
    shown = capsys.readouterr().out
    assert "Do something with text." in shown
    assert "-i PATH, --input PATH" in shown
    assert "{None}" not in shown
    assert shown.endswith(
        "\nExamples:\n  heed x --data my.tsv\n\n  # quieter\n  heed x --data my.tsv --quiet\n"
    )
