"""A teacher's translations are what is learnt: distillation, texts of one language, bad input."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from heedful import taught
from heedful.cli import main
from heedful.config import RunConfig, merged
from heedful.data.corpus import DataConfig
from heedful.errors import DataError, SettingError
from heedful.progress import Progress
from heedful.resuming import Part
from heedful.search import Greedy
from heedful.translation import Translation
from heedful.translator import Translator, load

SHORT = ["--training.max-steps", "2", "--device", "cpu", "--search.kind", "greedy", "--quiet"]
SHORT += ["--recipe", "tiny", "--tokenizer.vocabulary-size", "300", "--model.d-model", "16"]
SHORT += ["--model.d-ff", "16", "--model.n-heads", "1", "--model.decoder-layers", "1"]


@pytest.fixture(scope="module")
def files(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with train, dev and test, and texts of one language each."""
    folder = tmp_path_factory.mktemp("files")
    rows = corpus.read_text("utf-8").splitlines(keepends=True)
    for name, some in (("train", rows[:60]), ("dev", rows[60:70]), ("test", rows[70:80])):
        (folder / f"{name}.tsv").write_text("".join(some), "utf-8")
    for name, side in (("more.en", 0), ("more.de", 1)):
        texts = [row.strip().split("\t")[side] for row in rows[80:]]
        (folder / name).write_text("\n".join([*texts, "", "  "]) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def teacher(files: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("teacher") / "run"
    words = ["train", "--data", str(files / "train.tsv"), "--out", str(folder), *SHORT]
    words += ["--from", "en", "--to", "de", "--both-directions"]
    words += ["--model.d-model", "32", "--model.n-heads", "2", "--model.dropout", "0"]
    words += [
        "--schedule.kind",
        "linear",
        "--schedule.peak",
        "0.005",
        "--training.max-steps",
        "120",
    ]
    words += ["--training.batch-tokens", "1000", "--training.validate-every", "1000"]
    assert main(words) == 0
    return str(folder)


def learn(files: Path, out: Path, *words: str) -> int:
    given = ["train", "--data", str(files / "train.tsv"), "--out", str(out), *SHORT]
    given += ["--dev", str(files / "dev.tsv"), "--test", str(files / "test.tsv")]
    return main([*given, "--from", "en", "--to", "de", *words])


def pairs(path: Path) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [(row["source"], row["target"]) for row in rows]


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if line.strip()]


def finished(translator: Translator, texts: list[str], to: str) -> list[str]:
    """Return translations, empty where they have no end."""
    found = translator.translate_detailed(texts, to, search=Greedy())
    bad = {"unfinished", "repeats"}
    return ["" if bad & set(one.flags) else one.text for one in found]


def test_texts_of_both_languages(files: Path, teacher: str, tmp_path: Path) -> None:
    texts = ["--source-texts", str(files / "more.en"), "--target-texts", str(files / "more.de")]
    assert learn(files, tmp_path / "run", "--teacher", teacher, *texts) == 0
    translator = load(teacher, "cpu")
    translator.settle()
    sources, targets = lines(files / "more.en"), lines(files / "more.de")
    made = tmp_path / "run" / "taught"
    forward = list(zip(sources, finished(translator, sources, "de"), strict=True))
    assert pairs(made / "source-texts-1.jsonl") == forward
    assert any(target for _, target in forward)
    back = list(zip(finished(translator, targets, "en"), targets, strict=True))
    assert pairs(made / "target-texts-1.jsonl") == back
    report = json.loads((tmp_path / "run" / "data-report.json").read_text("utf-8"))
    train = next(split for split in report["splits"] if split["name"] == "train")
    assert train["rows"] == 60 + 16 + 16
    card = (tmp_path / "run" / "model" / "README.md").read_text("utf-8")
    assert f"translated back by `{teacher}`" in card


def test_distilled(files: Path, teacher: str, tmp_path: Path) -> None:
    assert learn(files, tmp_path / "run", "--teacher", teacher, "--distil") == 0
    sources = [line.split("\t")[0] for line in lines(files / "train.tsv")]
    translator = load(teacher, "cpu")
    translator.settle()
    expected = list(zip(sources, finished(translator, sources, "de"), strict=True))
    assert pairs(tmp_path / "run" / "taught" / "distilled.jsonl") == expected
    report = json.loads((tmp_path / "run" / "data-report.json").read_text("utf-8"))
    train = next(split for split in report["splits"] if split["name"] == "train")
    assert train["rows"] == 60


def made_of(config: RunConfig, folder: Path, progress: Progress | None = None) -> DataConfig:
    return taught.taught(config, folder, progress or Progress(quiet=True), lambda: None)


def config_of(files: Path, teacher: str, **data: Any) -> RunConfig:
    given = {
        "train": (str(files / "train.tsv"),),
        "dev": (str(files / "dev.tsv"),),
        "test": (str(files / "test.tsv"),),
        "source_language": "en",
        "target_language": "de",
        "teacher": teacher,
        "source_texts": (str(files / "more.en"),),
    }
    changes = {"data": given | data, "search": {"kind": "greedy"}, "device": "cpu"}
    return merged(RunConfig(), changes)


def test_what_was_translated_is_not_again(
    files: Path, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(files, teacher)
    whole = made_of(config, tmp_path)
    [*_, made] = map(Path, whole.train)
    expected = made.read_text("utf-8")
    asked: list[str] = []
    stream: Callable[..., Iterator[Any]] = Translator.stream

    def counting(self: Translator, texts: Iterator[str], *a: Any, **k: Any) -> Iterator[Any]:
        for text in texts:
            asked.append(text)
            yield from stream(self, [text], *a, **k)
            if len(asked) == 5:
                raise KeyboardInterrupt

    monkeypatch.setattr(Translator, "stream", counting)
    assert made_of(config, tmp_path) == whole
    assert asked == []
    made.unlink()
    with pytest.raises(KeyboardInterrupt):
        made_of(config, tmp_path)
    assert not made.exists()
    assert made_of(config, tmp_path) == whole
    assert asked == lines(files / "more.en")
    assert made.read_text("utf-8") == expected


def test_what_is_finished_stays_whatever_the_search(
    files: Path, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(files, teacher)
    whole = made_of(config, tmp_path)
    other = merged(config, {"search": {"kind": "beam", "beam_size": 2}})
    monkeypatch.setattr(Translator, "load", None)
    assert made_of(other, tmp_path) == whole
    gone = merged(config, {"data": {"teacher": f"{teacher}-gone"}})
    with pytest.raises(TypeError):  # of another name, it is asked
        made_of(gone, tmp_path)


def test_what_is_cut_off_is_made_anew_with_another_search(
    files: Path, teacher: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(files, teacher)
    made = tmp_path / "taught" / "source-texts-1.jsonl"
    made.parent.mkdir()
    with suppress(KeyboardInterrupt), Part(made) as part:
        part.begin({"something": "else"}, resume=True)
        part.add("dog 80 finds child", "old")
        raise KeyboardInterrupt
    made_of(config, tmp_path, Progress())
    assert "more.en is translated anew" in capsys.readouterr().err
    assert [source for source, _ in pairs(made)] == lines(files / "more.en")


def test_changed_texts_are_translated_anew(files: Path, teacher: str, tmp_path: Path) -> None:
    texts = tmp_path / "some.en"
    texts.write_text("the dog\n", "utf-8")
    config = config_of(files, teacher, source_texts=(str(texts),))
    made = tmp_path / "taught" / "source-texts-1.jsonl"
    made_of(config, tmp_path)
    assert [source for source, _ in pairs(made)] == ["the dog"]
    texts.write_text("the dog\n\nthe cat\n", "utf-8")
    made_of(config, tmp_path)
    assert [source for source, _ in pairs(made)] == ["the dog", "the cat"]


def test_a_bad_row_is_said_before_all_is_translated(
    files: Path, teacher: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.tsv"
    bad.write_text("one\teins\ntwo\n", "utf-8")
    words = ["--teacher", teacher, "--distil", "--test", str(bad)]
    assert learn(files, tmp_path / "run", *words) == 2
    assert f"{bad}:2: the row has 1 field" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_is_not_distilled_is_told(files: Path, teacher: str, tmp_path: Path) -> None:
    given = tmp_path / "given.tsv"
    given.write_text("the dog\tx\nbad\n\ty\nthe cat\tz\n", "utf-8")
    data = {"train": (str(given),), "skip_bad": True, "distil": True, "source_texts": ()}
    told = io.StringIO()
    made_of(config_of(files, teacher, **data), tmp_path, Progress(stream=told))
    assert f"{given}: 1 bad row left out, the first {given}:2: " in told.getvalue()
    assert f"{given}: 1 blank text left out" in told.getvalue()


def test_a_text_that_no_corpus_may_hold(files: Path, teacher: str, tmp_path: Path) -> None:
    """It is said before anything is translated: its pair could not be read."""
    texts = tmp_path / "odd.en"
    texts.write_text("the dog\na\0b\nthe cat\n", "utf-8")
    given = {"source_texts": (str(texts),)}
    with pytest.raises(DataError, match=r"odd\.en:2: a NUL character at byte 2; drop such rows"):
        made_of(config_of(files, teacher, **given), tmp_path)
    told = io.StringIO()
    config = config_of(files, teacher, **given, skip_bad=True)
    [*_, made] = made_of(config, tmp_path, Progress(stream=told)).train
    assert [source for source, _ in pairs(Path(made))] == ["the dog", "the cat"]
    assert f"{texts}: 1 bad row left out, the first {texts}:2: a NUL" in told.getvalue()


def test_targets_of_a_test_are_not_learnt(files: Path, teacher: str, tmp_path: Path) -> None:
    texts = tmp_path / "test.de"
    texts.write_text(
        "".join(line.split("\t")[1] + "\n" for line in lines(files / "test.tsv")), "utf-8"
    )
    words = ["--teacher", teacher, "--target-texts", str(texts)]
    assert learn(files, tmp_path / "run", *words) == 0
    report = json.loads((tmp_path / "run" / "data-report.json").read_text("utf-8"))
    train = next(split for split in report["splits"] if split["name"] == "train")
    assert train["rows"] == 70
    assert train["kept"] <= 60


@pytest.mark.parametrize("text", ["", " ", "a\0b"])
def test_what_no_corpus_may_hold_is_left_out(text: str) -> None:
    assert not taught._is_good(Translation("x", text, ()))
    assert taught._is_good(Translation("x", "y", ()))
    assert not taught._is_good(Translation("x", "y", (), ("repeats",)))


def test_line_ends_do_not_tear_a_row(files: Path, teacher: str) -> None:
    data = config_of(files, teacher, columns=("1", "2")).data
    assert taught._written(data, "a\r\nb", "c\td\ne") == "a b\tc d e"


def test_columns_are_those_of_the_corpora(files: Path, teacher: str, tmp_path: Path) -> None:
    [*_, made] = made_of(config_of(files, teacher, columns=("3", "1")), tmp_path).train
    assert [line.split("\t")[2] for line in lines(Path(made))] == lines(files / "more.en")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--distil"], "--distil is for a teacher: give --teacher MODEL"),
        (["--teacher", "everyday"], "--teacher has nothing to do: give --distil"),
        (["--teacher", "nowhere", "--distil"], "nowhere: there is no such folder"),
        (
            ["--teacher", "TEACHER", "--distil", "--to", "fr"],
            'it cannot translate en to fr: the model knows no language "fr"; take another teacher',
        ),
        (["--teacher", "TEACHER", "--source-texts", "no.txt"], "no.txt: no such file"),
    ],
)
def test_bad_input(
    words: list[str],
    said: str,
    files: Path,
    teacher: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [teacher if word == "TEACHER" else word for word in words]
    assert learn(files, tmp_path / "run", *given) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_nothing_of_its_own_judges(files: Path, teacher: str) -> None:
    with pytest.raises(SettingError, match="--teacher needs --dev and --test"):
        config_of(files, teacher, test=())


def test_the_users_files_are_looked_at_once_and_first(
    files: Path, teacher: str, tmp_path: Path
) -> None:
    config, looked = config_of(files, teacher), []

    def look() -> None:
        looked.append(any((tmp_path / "taught").glob("*")))

    for _ in range(2):
        taught.taught(config, tmp_path, Progress(quiet=True), look)
    assert looked == [False]


def test_a_teacher_beside_other_languages(files: Path, teacher: str, tmp_path: Path) -> None:
    chinese = tmp_path / "zh.tsv"
    chinese.write_text("".join(f"the cat {n} sleeps\t猫睡{n}\n" for n in range(30)), "utf-8")
    words = ["--data", f"de={files / 'train.tsv'}", f"zh={chinese}", "--both-directions"]
    words += ["--teacher", teacher, "--target-texts", str(files / "more.de")]
    assert learn(files, tmp_path / "run", *words) == 0
    report = json.loads((tmp_path / "run" / "data-report.json").read_text("utf-8"))
    train = next(split for split in report["splits"] if split["name"] == "train")
    assert train["rows"] == 60 + 16
