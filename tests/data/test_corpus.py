"""A corpus through `examine` and `pairs`, against plain Python and real data."""

import gzip
import random
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from heedful.data.clean import CleanConfig
from heedful.data.corpus import Corpus, DataConfig
from heedful.errors import DataError, SettingError
from heedful.progress import Progress

Pairs = list[tuple[str, str]]


def write(path: Path, pairs: Pairs) -> str:
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), newline="\n")
    return str(path)


def examine(config: DataConfig, seed: int = 1) -> Corpus:
    return Corpus.examine(config, seed=seed, progress=Progress(quiet=True))


def splits(corpus: Corpus) -> dict[str, Pairs]:
    found = {split: list(corpus.pairs(split)) for split in ("train", "dev", "test")}
    assert {split: corpus.size(split) for split in found} == {s: len(p) for s, p in found.items()}
    return found


@pytest.fixture
def pairs() -> Pairs:
    """Return 500 pairs with repeated sources, repeated targets and repeated rows."""
    draw = random.Random(3)
    return [(f"satz {draw.randrange(200)}", f"line {draw.randrange(200)}") for _ in range(500)]


@pytest.mark.parametrize("both", [False, True])
def test_hold_out(both: bool, pairs: Pairs, tmp_path: Path) -> None:
    config = DataConfig(train=(write(tmp_path / "a.tsv", pairs),), both_directions=both)
    found = splits(examine(config))
    sources = len({source for source, _ in pairs})
    assert len(found["dev"]) == len(found["test"]) == sources // 20
    held = found["dev"] + found["test"]
    assert len({source for source, _ in held}) == len(held)
    assert set(held) <= set(pairs)
    held_sources = {source for source, _ in held}
    held_targets = {target for _, target in held} if both else set()
    unique = list(dict.fromkeys(pairs))
    assert found["train"] == [
        (s, t) for s, t in unique if s not in held_sources and t not in held_targets
    ]


def test_everything_is_accounted_for(pairs: Pairs, tmp_path: Path) -> None:
    spec = write(tmp_path / "a.tsv", [*pairs, ("", "x"), ("x", " "), ("same", "same")])
    train = examine(DataConfig(train=(spec,), both_directions=True)).report.splits[0]
    gone = sum(finding.dropped for finding in train.findings)
    assert train.rows == 503 == train.kept + train.held_out + gone


def test_own_dev_and_test_are_not_cleaned(tmp_path: Path) -> None:
    config = DataConfig(
        train=write(tmp_path / "train.tsv", [("a", "b"), ("c", "d"), ("e", "f"), ("e ", "g ")]),
        dev=write(tmp_path / "dev.tsv", [("c", "x"), ("c", "x"), ("same", "same"), ("", "y")]),
        test=write(tmp_path / "test.tsv", [(" z ", "e"), ("c", "x")]),
    )
    corpus = examine(config)
    found = splits(corpus)
    assert found["train"] == [("a", "b"), ("e", "f"), ("e", "g")]
    assert found["dev"] == [("c", "x"), ("c", "x"), ("same", "same")]
    assert found["test"] == [(" z ", "e"), ("c", "x")]
    leaks = {(leak.split, leak.seen_in): leak.rows for leak in corpus.report.leaks}
    assert leaks == {("dev", "train"): 2, ("test", "train"): 1, ("test", "dev"): 1}


def test_leaks_may_be_kept(tmp_path: Path) -> None:
    config = DataConfig(
        train=write(tmp_path / "train.tsv", [("a", "b"), ("c", "d")]),
        dev=write(tmp_path / "dev.tsv", [("c", "x")]),
        test=write(tmp_path / "test.tsv", [("y", "b")]),
        clean=CleanConfig(drop_leaks=False),
        both_directions=True,
    )
    corpus = examine(config)
    assert corpus.size("train") == 2
    findings = {finding.name: finding for finding in corpus.report.splits[0].findings}
    assert (findings["leak"].rows, findings["leak_target"].rows) == (1, 1)
    assert (findings["leak"].dropped, findings["leak_target"].dropped) == (0, 0)


def test_only_what_is_missing_is_held_out(pairs: Pairs, tmp_path: Path) -> None:
    dev = [("satz 1", "x"), ("anderes", "y")]
    config = DataConfig(
        train=write(tmp_path / "a.tsv", pairs), dev=write(tmp_path / "dev.tsv", dev), held_out=4
    )
    found = splits(examine(config))
    assert found["dev"] == dev
    assert len(found["test"]) == 4
    away = {source for source, _ in dev + found["test"]}
    assert not away & {source for source, _ in found["train"]}
    assert "satz 1" not in {source for source, _ in found["test"]}


@pytest.mark.parametrize(("rows", "held"), [(9, 0), (10, 1), (39, 1), (40, 2), (2000, 100)])
def test_a_small_corpus_gives_little(rows: int, held: int, tmp_path: Path) -> None:
    spec = write(tmp_path / "a.tsv", [(f"s{n}", f"t{n}") for n in range(rows)])
    corpus = examine(DataConfig(train=(spec,)))
    sizes = corpus.size("train"), corpus.size("dev"), corpus.size("test")
    assert sizes == (rows - 2 * held, held, held)
    said = " ".join(corpus.report.notes)
    assert ("fewer than 10 different usable sources" in said) == (held == 0)


def test_no_hold_out_when_none_is_asked(pairs: Pairs, tmp_path: Path) -> None:
    corpus = examine(DataConfig(train=write(tmp_path / "a.tsv", pairs), held_out=0))
    assert splits(corpus)["train"] == list(dict.fromkeys(pairs))
    assert corpus.report.notes == ("nothing is held out, as asked: there is no dev and no test",)


def test_several_files_and_formats(tmp_path: Path) -> None:
    (tmp_path / "b.en").write_text("two\nthree\n")
    (tmp_path / "b.de").write_text("zwei\ndrei\n")
    packed = tmp_path / "c.jsonl.gz"
    packed.write_bytes(gzip.compress(b'{"source": "four", "target": "vier"}\n'))
    one = write(tmp_path / "a.tsv", [("one", "eins"), ("two", "zwei")])
    config = DataConfig(train=(one, f"{tmp_path}/b.en,{tmp_path}/b.de", str(packed)))
    corpus = examine(config)
    wanted = [("one", "eins"), ("two", "zwei"), ("three", "drei"), ("four", "vier")]
    assert list(corpus.pairs("train")) == wanted
    train = corpus.report.splits[0]
    assert [file.lines for file in train.files] == [2, 2, 1]
    repeated = next(finding for finding in train.findings if finding.name == "duplicate")
    assert [example.where for example in repeated.examples] == [f"{tmp_path}/b.en:1"]


def test_white_space_is_trimmed_when_asked(tmp_path: Path) -> None:
    spec = write(tmp_path / "a.tsv", [(" a", "b\u00a0"), ("c", "d")])
    assert list(examine(DataConfig(train=spec)).pairs("train")) == [("a", "b"), ("c", "d")]
    config = DataConfig(train=spec, clean=CleanConfig(trim=False))
    assert next(examine(config).pairs("train")) == (" a", "b\u00a0")


def test_fingerprint_follows_the_content(pairs: Pairs, tmp_path: Path) -> None:
    one = DataConfig(train=write(tmp_path / "one.tsv", pairs))
    same = DataConfig(train=write(tmp_path / "two.tsv", pairs))
    dev = write(tmp_path / "dev.tsv", [("x", "y")])
    first = examine(one).fingerprint()
    assert examine(same).fingerprint() == first
    others = {
        examine(one, seed=2).fingerprint(),
        examine(DataConfig(train=one.train, held_out=3)).fingerprint(),
        examine(DataConfig(train=one.train, clean=CleanConfig(trim=False))).fingerprint(),
        examine(DataConfig(train=one.train, test=dev)).fingerprint(),
        examine(DataConfig(train=write(tmp_path / "b.tsv", pairs[::-1]))).fingerprint(),
        examine(
            DataConfig(train=write(tmp_path / "c.tsv", [(" x", "y"), *pairs[1:]]))
        ).fingerprint(),
        examine(
            DataConfig(train=write(tmp_path / "d.tsv", [("x", "y"), *pairs[1:]]))
        ).fingerprint(),
    }
    assert len(others | {first}) == 8


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    spec = write(tmp_path / "a.tsv", [("a", "b"), ("c", "d")])
    corpus = examine(DataConfig(train=spec))
    write(tmp_path / "a.tsv", [("a", "b"), ("c", "d"), ("e", "f")])
    with pytest.raises(DataError, match="changed since it was examined"):
        next(corpus.pairs("train"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "a.tsv: the corpus is empty"),
        (b"\n\n", r"none of 2 rows is usable \(a side is empty: 2\)"),
        (b"a\tb\tc\nd\te\tf\n", r"a.tsv:1: the row has 3 fields, 2 are needed.*--columns 1,2"),
    ],
)
@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_corpus_without_use(content: bytes, said: str, split: str, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(content)
    files = {"train": write(tmp_path / "ok.tsv", [("a", "b")]), split: str(tmp_path / "a.tsv")}
    for skip_bad in (False, True):
        with pytest.raises(DataError, match=said):
            examine(DataConfig(**files, skip_bad=skip_bad))


def test_blank_rows_do_not_hide_that_none_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"a;b\nc;d\n\n")
    said = r"none of 3 rows is usable \(a side is empty: 1, cannot be read: 2, the first \S*a.tsv:1"
    with pytest.raises(DataError, match=said):
        examine(DataConfig(train=str(tmp_path / "a.tsv"), skip_bad=True))


def test_a_train_file_that_is_the_test_file(tmp_path: Path) -> None:
    spec = write(tmp_path / "a.tsv", [("a", "b")])
    with pytest.raises(
        DataError, match=r"none of 1 rows is usable \(the source is in dev or test: 1\)"
    ):
        examine(DataConfig(train=spec, dev=spec, test=spec))


def test_no_training_files() -> None:
    with pytest.raises(SettingError, match="no training files"):
        examine(DataConfig())


def test_skipped_rows_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"a\tb\nbad\nc\td\n\xff\tx\ne\tf\n")
    with pytest.raises(DataError, match=r"a\.tsv:2: the row has 1 field"):
        examine(DataConfig(train=str(path)))
    corpus = examine(DataConfig(train=str(path), skip_bad=True))
    assert list(corpus.pairs("train")) == [("a", "b"), ("c", "d"), ("e", "f")]
    file = corpus.report.splits[0].files[0]
    assert (file.lines, file.rows, file.bad_rows) == (5, 3, 2)
    assert [bad.where for bad in file.bad_examples] == [f"{path}:2", f"{path}:4"]


def test_settings_from_the_command_line() -> None:
    config = DataConfig(train="a.tsv", columns="1, 2")
    assert (config.train, config.columns) == (("a.tsv",), ("1", "2"))
    assert DataConfig(columns=[2, 1]).columns == ("2", "1")
    assert DataConfig.model_validate_json(config.model_dump_json()) == config
    for wrong in ({"columns": 3}, {"held_out": -1}, {"train": 5}, {"clean": {"max_ratio": 1}}):
        with pytest.raises(ValidationError):
            DataConfig.model_validate(wrong)


def test_real_corpora(data_folder: Path) -> None:
    folder = data_folder / "multi30k"
    spec = f"{folder}/train.en,{folder}/train.de"
    lines = [
        (folder / name).read_bytes().decode().removesuffix("\n").split("\n")
        for name in ("train.en", "train.de")
    ]
    pairs = [(source.strip(), target.strip()) for source, target in zip(*lines, strict=True)]
    found = splits(examine(DataConfig(train=spec)))
    assert [len(found[split]) for split in ("dev", "test")] == [1000, 1000]
    taken = Counter(found["train"]) + Counter(found["dev"]) + Counter(found["test"])
    assert not taken - Counter(pairs)
    assert len(pairs) - taken.total() < 20
