"""The token store holds exactly what the tokenizer says, is reused, and never half-written."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.data import store as store_module
from heedful.data import store_writer, workers
from heedful.data.joined import Joined
from heedful.data.store import TokenStore
from heedful.errors import DataError, OutputError
from heedful.progress import Progress
from heedful.text.tokenizer import BPE, Tokenizer

QUIET = Progress(quiet=True)
PAIRS = [(f"row {n} {'ab ' * (n % 5)}", f"Zeile {n} {'猫' * (n % 4)}") for n in range(25)]
ONE_WAY = [(0, "de")]
BOTH_WAYS = [(0, "de"), (1, "en")]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(lambda: PAIRS, BPE(vocabulary_size=275), ["de", "en"])


def build(folder: Path, tokenizer: Tokenizer, **changes: object) -> TokenStore:
    wanted: dict[str, object] = {
        "pairs": PAIRS,
        "directions": ONE_WAY,
        "max_tokens": 100,
        "progress": QUIET,
        "fingerprint": "f",
    }
    return TokenStore.build(folder, tokenizer=tokenizer, **(wanted | changes))  # type: ignore[arg-type]


def rows_of(store: TokenStore) -> list[tuple[list[int], list[int]]]:
    return [(store.source(i).tolist(), store.target(i).tolist()) for i in range(len(store))]


def never() -> Iterator[tuple[str, str]]:
    raise AssertionError("the corpus is read again")
    yield ("", "")


@pytest.mark.parametrize("at_once", [1, 3, 4096])
def test_rows_are_what_the_tokenizer_says(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(store_module, "PAIRS_AT_ONCE", at_once)
    store = build(tmp_path / "store", tokenizer, directions=BOTH_WAYS)
    expected = []
    for english, german in PAIRS:
        for source, target, tag in ((english, german, "de"), (german, english, "en")):
            coded = tokenizer.encode_source([source], to=tag) + tokenizer.encode_target([target])
            expected.append(tuple(coded))
    assert rows_of(store) == expected
    source, target = store.lengths()
    assert source.tolist() == [len(row[0]) for row in expected]
    assert target.tolist() == [len(row[1]) for row in expected]
    assert store.too_long == 0
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


class Codes:
    """A stand-in tokenizer whose texts are their own ids: "7 70000" is [7, 70000, 2]."""

    languages = ()

    def __init__(self, size: int) -> None:
        self.source_size = self.target_size = size

    def encode_source(self, texts: list[str], to: str | None = None) -> list[list[int]]:
        assert to is None
        return [[*map(int, text.split()), 2] for text in texts]

    def encode_target(self, texts: list[str]) -> list[list[int]]:
        return self.encode_source(texts)

    def fingerprint(self) -> str:
        return "codes"


sides = st.lists(st.integers(4, 65_535), max_size=9)


@settings(deadline=None, max_examples=50)
@given(pairs=st.lists(st.tuples(sides, sides), min_size=1), longest=st.integers(1, 11))
def test_too_long_rows_are_left_out_and_counted(
    tmp_path_factory: pytest.TempPathFactory,
    pairs: list[tuple[list[int], list[int]]],
    longest: int,
) -> None:
    expected = [([*s, 2], [*t, 2]) for s, t in pairs if max(len(s), len(t)) < longest]
    texts = [(" ".join(map(str, s)), " ".join(map(str, t))) for s, t in pairs]
    folder = tmp_path_factory.mktemp("stores") / "store"
    if not expected:
        said = f"all {len(pairs)} rows of store are longer than {longest} pieces; .* --training"
        with pytest.raises(DataError, match=said):
            TokenStore.build(folder, texts, Codes(65_536), [(0, None)], longest, QUIET)
        assert not list(folder.parent.iterdir())
        return
    store = TokenStore.build(folder, texts, Codes(65_536), [(0, None)], longest, QUIET)
    assert rows_of(store) == expected
    assert store.too_long == len(pairs) - len(expected)
    assert TokenStore.open(folder).too_long == store.too_long


@pytest.mark.parametrize(("size", "dtype"), [(65_536, np.uint16), (65_537, np.uint32)])
def test_ids_take_as_few_bytes_as_they_need(tmp_path: Path, size: int, dtype: type) -> None:
    pairs = [(f"{size - 1}", "4 5")]
    store = TokenStore.build(tmp_path / "s", pairs, Codes(size), [(0, None)], 9, QUIET)
    assert store.source(0).dtype == dtype
    assert rows_of(store) == [([size - 1, 2], [4, 5, 2])]


def test_a_store_of_the_same_things_is_reused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    first = build(tmp_path / "store", tokenizer)
    again = build(tmp_path / "store", tokenizer, pairs=never())
    assert rows_of(again) == rows_of(first)
    assert again.fingerprint == first.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"fingerprint": "g"},
        {"fingerprint": None},
        {"max_tokens": 99},
        {"directions": BOTH_WAYS},
        {"tokenizer": "other"},
    ],
    ids=repr,
)
def test_a_store_of_other_things_is_built_anew(
    tokenizer: Tokenizer, tmp_path: Path, changes: dict[str, object]
) -> None:
    build(tmp_path / "store", tokenizer)
    if changes.pop("tokenizer", None):
        tokenizer = Tokenizer.train(lambda: PAIRS, BPE(vocabulary_size=270), ["de", "en"])
    again = build(tmp_path / "store", tokenizer, pairs=[("new", "neu")], **changes)
    assert len(again) == len(changes.get("directions", ONE_WAY))  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_failure_leaves_the_old_store_alone(tokenizer: Tokenizer, tmp_path: Path) -> None:
    def breaking() -> Iterator[tuple[str, str]]:
        yield from PAIRS[:5]
        raise DataError("broken", where="a.tsv:6")

    old = rows_of(build(tmp_path / "store", tokenizer))
    with pytest.raises(DataError, match=r"a\.tsv:6"):
        build(tmp_path / "store", tokenizer, pairs=breaking(), fingerprint="g")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert rows_of(TokenStore.open(tmp_path / "store")) == old


def test_a_full_disk_leaves_nothing(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, rows: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_writer._Array, "append", full)
    with pytest.raises(OutputError, match="No space left on device"):
        build(tmp_path / "store", tokenizer)
    assert not list(tmp_path.iterdir())


def test_an_unwritable_place(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        build(tmp_path / "file" / "store", tokenizer)


def test_a_foreign_folder_is_not_overwritten(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for place in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(OutputError, match="will not be overwritten"):
            build(place, tokenizer)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_empty_corpus(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pair"):
        build(tmp_path / "store", tokenizer, pairs=[])
    assert not list(tmp_path.iterdir())


def objects(path: Path) -> None:
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)


DAMAGES = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "longer": lambda path: path.write_bytes(path.read_bytes().replace(b"(", b"(9", 1)),
    "noise": lambda path: path.write_bytes(b"\x93NUMPY" + bytes(range(256))),
    "pickle": objects,
    "another type": lambda path: np.save(path, np.zeros(3)),
    "another shape": lambda path: np.save(path, np.zeros((2, 2), np.uint16)),
    "number": lambda path: np.save(path, np.int64(0)),
    "nested": lambda path: path.write_bytes(b"[" * 100_000),
    "list": lambda path: path.write_bytes(b"[]"),
    "no keys": lambda path: path.write_bytes(b"{}"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", sorted(store_module.FILES))
def test_a_damaged_store_is_refused_and_built_anew(
    tokenizer: Tokenizer, tmp_path: Path, name: str, damage: str
) -> None:
    folder = tmp_path / "store"
    rows = rows_of(build(folder, tokenizer))
    path = folder / name
    content = path.read_bytes()
    # Under the name that numpy is given, a suffix would be added to the JSON file's.
    spoiled = tmp_path / "spoiled.npy"
    spoiled.write_bytes(content)
    DAMAGES[damage](spoiled)
    path.unlink()
    if spoiled.exists():
        spoiled.replace(path)
    if path.exists() and path.read_bytes() == content:
        return  # there is nothing in this file that this damage could change
    with pytest.raises(DataError) as caught:
        TokenStore.open(folder)
    assert str(caught.value).startswith(str(folder))
    assert "\n" not in str(caught.value)
    assert rows_of(build(folder, tokenizer)) == rows


def test_parts_of_two_stores_are_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    build(tmp_path / "a", tokenizer)
    build(tmp_path / "b", tokenizer, pairs=PAIRS[:7])
    for part in ("ids", "offsets"):
        name = f"source.{part}.npy"
        (tmp_path / "a" / name).write_bytes((tmp_path / "b" / name).read_bytes())
        with pytest.raises(DataError, match="damaged"):
            TokenStore.open(tmp_path / "a")


def test_offsets_that_fall_are_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    build(tmp_path / "store", tokenizer)
    path = tmp_path / "store" / "target.offsets.npy"
    offsets = np.load(path)
    offsets[[3, 4]] = offsets[[4, 3]]
    np.save(path, offsets)
    with pytest.raises(DataError, match="do not fit"):
        TokenStore.open(tmp_path / "store")


def test_what_was_left_out_is_said(
    tokenizer: Tokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [("a", "b"), ("a" * 500, "b")]
    build(tmp_path / "store", tokenizer, pairs=pairs, progress=Progress())
    assert "token store: 1 rows, 1 longer than 100 pieces left out" in capsys.readouterr().err
    meta = json.loads((tmp_path / "store" / "meta.json").read_text())
    assert (meta["rows"], meta["too_long"], meta["max_tokens"]) == (1, 1, 100)


MANY = [(f"row {n} {'ab ' * (n % 5)}", f"Zeile {n} {'猫' * (n % 4)}") for n in range(300)]
BUILDING = """
import os, signal, sys
from pathlib import Path
from heedful.data import store, store_writer
from heedful.data.store import TokenStore
from heedful.progress import Progress
from heedful.text.tokenizer import Tokenizer
from tests.data.test_store import BOTH_WAYS, MANY

store.PAIRS_AT_ONCE, store_writer.PAIRS_A_COMMIT = 10, 30
folder, number = Path(sys.argv[1]), int(sys.argv[2])
seen, flush = 0, os.fsync

def flushing(handle):
    global seen
    seen += 1
    if seen == number:
        os.kill(os.getpid(), signal.SIGKILL)
    flush(handle)

os.fsync = flushing
tokenizer = Tokenizer.load(folder / "tokenizer.json")
TokenStore.build(folder / "store", MANY, tokenizer, BOTH_WAYS, 100, Progress(), fingerprint="f")
"""


@pytest.mark.parametrize("number", [3, 5, 12, 27, 48, 55])
def test_a_killed_building_is_gone_on_with(
    tokenizer: Tokenizer, tmp_path: Path, number: int
) -> None:
    """SIGKILL before a flush: five of them make a commit, the fifth that of the journal."""
    tokenizer.save(tmp_path / "tokenizer.json")
    words = [sys.executable, "-c", BUILDING, str(tmp_path)]
    killed = subprocess.run([*words, str(number)], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "store").exists()
    ended = subprocess.run([*words, "0"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    safe = 30 * ((number - 1) // 5)
    assert (f"from pair {safe:,}" in ended.stderr) == (safe > 0)
    whole = build(tmp_path / "whole", tokenizer, pairs=MANY, directions=BOTH_WAYS)
    assert rows_of(TokenStore.open(tmp_path / "store")) == rows_of(whole)
    for name in store_module.FILES:
        assert (tmp_path / "store" / name).read_bytes() == (whole.folder / name).read_bytes()
    kept = {path.name for path in (tmp_path / "store").iterdir()}
    assert kept == store_module.FILES | {store_writer.JOURNAL}
    assert not list(tmp_path.glob("*.growing"))


def begun(folder: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leave a store of which 60 pairs are safe, as a full disk does."""
    monkeypatch.setattr(store_module, "PAIRS_AT_ONCE", 10)
    monkeypatch.setattr(store_writer, "PAIRS_A_COMMIT", 30)

    def breaking() -> Iterator[tuple[str, str]]:
        yield from MANY[:75]
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        build(folder / "store", tokenizer, pairs=breaking())
    return folder / "store.growing"


@pytest.mark.parametrize("name", sorted(store_module.FILES - {"meta.json"}))
@pytest.mark.parametrize("damage", ["gone", "empty", "a byte less"])
def test_a_begun_store_with_damage_is_begun_anew(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, damage: str
) -> None:
    growing = begun(tmp_path, tokenizer, monkeypatch)
    whole = rows_of(build(tmp_path / "whole", tokenizer, pairs=MANY))
    if damage == "a byte less":
        side, part, _ = name.split(".")
        journal = json.loads((growing / store_writer.JOURNAL).read_text())
        safe = journal["ids"][side == "target"] if part == "ids" else journal["rows"] + 1
        os.truncate(growing / name, 128 + safe * (2 if part == "ids" else 8) - 1)
    else:
        DAMAGES[damage](growing / name)
    assert rows_of(build(tmp_path / "store", tokenizer, pairs=MANY)) == whole
    assert not list(tmp_path.glob("*.growing"))


def test_a_folder_of_that_name_that_is_no_store_stays(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "store.growing").mkdir()
    (tmp_path / "store.growing" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="will not be overwritten"):
        build(tmp_path / "store", tokenizer)
    assert (tmp_path / "store.growing" / "thesis.txt").exists()


def test_what_was_begun_is_removed_when_the_store_is_there(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path / "store", tokenizer, fingerprint="whole")
    begun(tmp_path, tokenizer, monkeypatch)
    build(tmp_path / "store", tokenizer, pairs=never(), fingerprint="whole")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


LIMITED = """
import resource, sys
from pathlib import Path
from heedful.data.store import TokenStore
from heedful.progress import Progress
from heedful.text.tokenizer import Tokenizer
from tests.data.test_store import MANY

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
folder = Path(sys.argv[1])
tokenizer = Tokenizer.load(folder / "tokenizer.json")
TokenStore.build(folder / "store", MANY, tokenizer, [(0, "de")], 100, Progress(), fingerprint="f")
"""


@pytest.mark.parametrize("size", [0, 100, 1000])
def test_files_that_nobody_can_close(tokenizer: Tokenizer, tmp_path: Path, size: int) -> None:
    """What waits in a file's buffer is written again when it is closed, and fails again."""
    tokenizer.save(tmp_path / "tokenizer.json")
    words = [sys.executable, "-c", LIMITED, str(tmp_path), str(size)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    last = run.stderr.strip().rpartition("\n")[2]
    assert "OutputError" in last, run.stderr
    assert "cannot be written (File too large); make room there" in last
    assert "ResourceWarning" not in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]


@pytest.mark.parametrize("journal", ["", "[]", "{}", '{"fingerprint": 3}', "[" * 100_000])
def test_a_broken_journal_counts_as_none(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: str
) -> None:
    growing = begun(tmp_path, tokenizer, monkeypatch)
    (growing / store_writer.JOURNAL).write_text(journal)
    whole = rows_of(build(tmp_path / "whole", tokenizer, pairs=MANY))
    assert rows_of(build(tmp_path / "store", tokenizer, pairs=MANY)) == whole


def test_what_was_begun_of_other_things_is_not_gone_on_with(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(tmp_path, tokenizer, monkeypatch)
    other = rows_of(build(tmp_path / "other", tokenizer, pairs=MANY, max_tokens=8))
    found = build(tmp_path / "store", tokenizer, pairs=MANY, max_tokens=8)
    assert rows_of(found) == other
    assert found.too_long > 0


def test_other_processes_code_the_same_rows(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PAIRS_AT_ONCE", 10)
    alone = build(tmp_path / "alone", tokenizer, pairs=MANY, directions=BOTH_WAYS)
    monkeypatch.setattr(store_module, "_PORTIONS_HERE", 2)
    monkeypatch.setattr(workers, "usable_cores", lambda: 2)
    shared = build(tmp_path / "shared", tokenizer, pairs=MANY, directions=BOTH_WAYS)
    assert rows_of(shared) == rows_of(alone)


@given(rows=st.lists(st.integers(0, 2 * len(MANY) - 1), max_size=30), side=st.integers(0, 1))
@settings(deadline=None)
def test_rows_at_once_are_the_rows(
    two_stores: tuple[TokenStore, TokenStore], rows: list[int], side: int
) -> None:
    """Also of several stores, in any order and more than once."""
    both = Joined(*two_stores)
    one_by_one = [(both.source, both.target)[side](row) for row in rows]
    width = max(map(len, one_by_one), default=0) + 3
    found = both.padded(side, np.array(rows, np.int64), width)
    assert found.tolist() == [[*ids.tolist(), *[0] * (width - len(ids))] for ids in one_by_one]


@pytest.fixture(scope="module")
def two_stores(
    tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TokenStore, TokenStore]:
    """Two stores of as many rows."""
    place = tmp_path_factory.mktemp("two")
    return (
        build(place / "first", tokenizer, pairs=MANY),
        build(place / "second", tokenizer, pairs=MANY[::-1]),
    )
