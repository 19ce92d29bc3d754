"""One model of several languages: corpora that bear a language in front of their names."""

import json
from pathlib import Path

import pytest

from heedful.cli import main
from heedful.config import RunConfig, merged, read_config
from heedful.data.corpus import DataConfig
from heedful.errors import SettingError
from heedful.model_header import Languages, read_header
from heedful.run_data import RunData, prepared
from heedful.text.pieces import language_tag
from heedful.translator import load

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
GERMAN = ["eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht"]
CHINESE = "一二三四五六七八"


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with 48 pairs of English and German, 24 of English and Chinese."""
    folder = tmp_path_factory.mktemp("corpora")
    for name, others, count in (("de", GERMAN, 48), ("zh", list(CHINESE), 24)):
        pairs = [(n % 8, n // 8) for n in range(count)]
        rows = [f"{WORDS[a]} and {WORDS[b]} {name}\t{others[a]} {others[b]}\n" for a, b in pairs]
        (folder / f"{name}.tsv").write_text("".join(rows), "utf-8")
    return folder


@pytest.fixture(scope="module")
def run(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several") / "run"
    words = ["train", "--recipe", "tiny", "--out", str(folder), "--quiet", "--device", "cpu"]
    words += ["--data", str(corpora / "de.tsv"), f"zh={corpora / 'zh.tsv'}"]
    words += ["--from", "en", "--to", "de", "--both-directions"]
    words += ["--tokenizer.vocabulary-size", "300", "--training.max-steps", "2"]
    words += ["--model.d-model", "16", "--model.d-ff", "16", "--model.n-heads", "1"]
    assert main(words) == 0
    return folder


def data_of(run: Path) -> RunData:
    return prepared(read_config(run / "config.json"), run)


def test_each_language_is_examined_and_held_out_by_itself(run: Path) -> None:
    for folder, rows in ((run, 48), (run / "zh", 24)):
        pairs = json.loads((folder / "corpus.json").read_text("utf-8"))["pairs"]
        assert sum(pairs.values()) == rows
        assert all(pairs.values())
        held = (folder / "test.jsonl").read_text("utf-8")
        assert held.count("\n") == pairs["test"]
        assert json.loads((folder / "data-report.json").read_text("utf-8"))
    assert "一" not in (run / "test.jsonl").read_text("utf-8")


def test_every_pair_is_learnt_both_ways(run: Path) -> None:
    data = data_of(run)
    assert data.tokenizer.languages == ("en", "de", "zh")
    pairs = [
        json.loads((folder / "corpus.json").read_text("utf-8"))["pairs"]
        for folder in (run, run / "zh")
    ]
    assert len(data.train) == 2 * sum(one["train"] for one in pairs)
    assert data.dev is not None
    assert len(data.dev) == 2 * sum(one["dev"] for one in pairs)
    seen = set()
    for row in range(len(data.train)):
        tag, *_ = data.train.source(row).tolist()
        target = data.tokenizer.decode_target([data.train.target(row).tolist()])[0]
        kind = "zh" if any(c in CHINESE for c in target) else "de"
        kind = "en" if any(c in target for c in ("one", "and", "two")) else kind
        assert data.tokenizer.vocabularies()[0][tag] == language_tag(kind)
        seen.add(kind)
    assert seen == {"en", "de", "zh"}


def test_a_temperature_repeats_the_smaller_language(run: Path) -> None:
    config = read_config(run / "config.json")
    sizes = [len(data_of(run).train)]
    for temperature in (2.0, 100.0):
        data = config.data.model_copy(update={"temperature": temperature})
        sizes.append(len(prepared(config.model_copy(update={"data": data}), run).train))
    german, chinese = (
        2 * json.loads((folder / "corpus.json").read_text("utf-8"))["pairs"]["train"]
        for folder in (run, run / "zh")
    )
    assert sizes == [german + chinese, german + chinese, german + 2 * chinese]


def test_the_model_says_what_it_translates(run: Path) -> None:
    languages = read_header(run / "model").languages
    expected = Languages(source="en", target="de", both_directions=True, others=("zh",))
    assert languages == expected
    translator = load(run, "cpu")
    assert translator.target("zh") == "zh"
    assert translator.target(None, "zh") == "en"
    with pytest.raises(SettingError, match="several languages; give --to de or --to zh"):
        translator.target(None, "en")
    with pytest.raises(SettingError, match="from de to en alone; translate to en first"):
        translator.target("zh", "de")
    assert "en to de and zh, both directions" in (run / "model" / "README.md").read_text("utf-8")


def test_a_resumed_run_finds_all_as_it_was(
    run: Path, corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ["train", "--out", str(run), "--resume", "--training.max-steps", "3"]
    assert main([*again, "--device", "cpu"]) == 0
    assert "the corpus is as it was" in capsys.readouterr().err
    path = corpora / "zh.tsv"
    before = path.read_text("utf-8")
    try:
        path.write_text(before + "one more\t一\n", "utf-8")
        assert main([*again[:-1], "4", "--device", "cpu"]) == 2
        assert "the corpus has changed" in capsys.readouterr().err
    finally:
        path.write_text(before, "utf-8")


def test_a_run_can_begin_with_such_a_model(
    run: Path, corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--start", str(run), "--out", str(tmp_path / "more"), "--device", "cpu"]
    words += ["--data", str(corpora / "zh.tsv"), "--training.max-steps", "2"]
    assert main([*words, "--from", "en"]) == 2
    assert "several directions: en to de, en to zh" in capsys.readouterr().err
    assert main([*words, "--from", "en", "--to", "zh", "--quiet"]) == 0
    assert read_header(tmp_path / "more" / "model").languages.others == ("zh",)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"both_directions": False}, "zh=FILE is for a model of --both-directions"),
        ({"source_language": "zh"}, "names the first column's language"),
        ({"train": ("zh=b.tsv",)}, "--data has no corpus of the language of --to: FILE alone"),
        ({"test": ("fr=c.tsv",)}, "--data has no corpus of fr=FILE"),
    ],
)
def test_what_cannot_be_learnt_is_said(data: dict[str, object], said: str) -> None:
    good = {
        "train": ("a.tsv", "zh=b.tsv"),
        "source_language": "en",
        "target_language": "de",
        "both_directions": True,
    }
    with pytest.raises(SettingError, match=said):
        merged(RunConfig(), {"data": good | data})


def test_the_language_of_to_may_be_named() -> None:
    config = DataConfig(
        train=("a.tsv", "de=b.tsv", "zh=c.tsv"),
        source_language="en",
        target_language="de",
        both_directions=True,
    )
    found = {language: one.train for language, one in config.of_languages().items()}
    assert found == {"de": ("a.tsv", "b.tsv"), "zh": ("c.tsv",)}


def test_an_equals_sign_further_on_is_of_the_path() -> None:
    config = DataConfig(train=("runs/lr=0.1/a.tsv", "/sizes/d_model=64/b.en,c.de"))
    (found,) = config.of_languages().values()
    assert found.train == config.train


def test_a_test_of_one_language_is_learnt_in_no_other(
    corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (corpora / "zh.tsv").read_text("utf-8").splitlines()
    shared = [row.split("\t")[0] for row in rows[:5]]
    test = tmp_path / "test.tsv"
    test.write_text("".join(f"{text}\tein Satz {n}\n" for n, text in enumerate(shared)), "utf-8")
    words = ["train", "--recipe", "tiny", "--out", str(tmp_path / "run"), "--device", "cpu"]
    words += ["--data", str(corpora / "de.tsv"), f"zh={corpora / 'zh.tsv'}", "--test", str(test)]
    words += ["--from", "en", "--to", "de", "--both-directions", "--quiet"]
    words += ["--tokenizer.vocabulary-size", "300", "--training.max-steps", "1"]
    assert main([*words, "--model.d-model", "16", "--model.n-heads", "1"]) == 0
    data = data_of(tmp_path / "run")
    rows_of = range(len(data.train))
    learnt = data.tokenizer.decode_target([data.train.target(row).tolist() for row in rows_of])
    assert not set(shared) & set(learnt)


def test_a_report_takes_one_pair(corpora: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", f"zh={corpora / 'zh.tsv'}"]) == 2
    assert "leave zh= out" in capsys.readouterr().err


def test_a_shortlist_is_learnt_of_every_language(
    run: Path, corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["shortlist", "--model", str(run), "--data", str(corpora / "zh.tsv")]) == 2
    assert "give texts of zh, too: --data zh=FILE" in capsys.readouterr().err


def test_a_path_with_an_equals_sign_is_a_path() -> None:
    assert DataConfig(train=("./zh=b.tsv", "runs/a=b.tsv")).other_languages() == ()


def test_what_is_mixed_in_has_no_test_sentence_of_any_language(
    run: Path, corpora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tests = [
        json.loads(line) for line in (run / "zh" / "test.jsonl").read_text("utf-8").split("\n")[:-1]
    ]
    asked = [pair["source"] for pair in tests]
    others = [f"a sentence {WORDS[n % 8]} {n}" for n in range(9)]
    mix = tmp_path / "mix.tsv"
    mix.write_text(
        "".join(f"{text}\tein Satz {n}\n" for n, text in enumerate([*asked, *others])), "utf-8"
    )
    words = ["train", "--start", str(run), "--out", str(tmp_path / "more"), "--device", "cpu"]
    words += ["--data", str(corpora / "de.tsv"), f"zh={corpora / 'zh.tsv'}", "--mix", str(mix)]
    words += ["--from", "en", "--to", "de", "--both-directions", "--training.max-steps", "1"]
    assert main(words) == 0
    assert f"{len(asked)} left out because a test has them" in capsys.readouterr().err
