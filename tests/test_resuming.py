"""The file in the making: whatever is cut off or altered, a later run ends with the same bytes."""

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful import resuming
from heedful.errors import DataError, HeedfulError, OutputError, SettingError
from heedful.resuming import Left, Part

MADE_WITH = {"--beam": 4, "--fast": False, "model": "9f86"}
LINES = ["The house", "", "is small\r", "The house", "猫 \u2028", "x" * 300, "last"]


def result(line: str) -> tuple[str, tuple[str, ...]]:
    """Return what stands for a translation: one line or more, and notes."""
    notes = ("blank",) if not line else ("split", "unfinished") if len(line) > 100 else ()
    return "\n".join([line.swapcase()] * (1 + len(line) % 3)), notes


def write(part: Part, lines: list[str], *, resume: bool, stop: int | None = None) -> Counter[str]:
    """Write the results of all lines, or raise KeyboardInterrupt when so many are there."""
    left = part.begin(MADE_WITH, resume=resume)
    notes = Counter(left.notes) if resume else Counter[str]()
    done = left.lines if resume else 0
    for number, line in enumerate(part.after(iter(lines), "in.txt"), start=done):
        if number == stop:
            raise KeyboardInterrupt
        text, noted = result(line)
        part.add(line, text, noted)
        notes.update(noted)
    return notes


def whole(folder: Path, name: str = "whole.txt") -> bytes:
    with Part(folder / name) as part:
        write(part, LINES, resume=False)
    return (folder / name).read_bytes()


def half_done(folder: Path, stop: int = 5) -> tuple[Path, Path, Path]:
    """Return the output, the part and the journal of a run that ended too early."""
    out = folder / "out.txt"
    with pytest.raises(KeyboardInterrupt), Part(out) as part:
        write(part, LINES, resume=False, stop=stop)
    return out, folder / ".out.txt.part", folder / ".out.txt.part.lines"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for tests that hypothesis runs many times."""
    return tmp_path_factory.mktemp("resuming")


def test_a_run_left_alone(tmp_path: Path) -> None:
    expected = "".join(result(line)[0] + "\n" for line in LINES)
    assert whole(tmp_path) == expected.encode()
    assert [path.name for path in tmp_path.iterdir()] == ["whole.txt"]


def test_no_lines(tmp_path: Path) -> None:
    for _ in range(2):
        with Part(tmp_path / "out.txt") as part:
            assert part.begin(MADE_WITH, resume=True) == Left(0, Counter())
            assert list(part.after(iter([]), "in.txt")) == []
        assert [(x.name, x.read_bytes()) for x in tmp_path.iterdir()] == [("out.txt", b"")]


def test_what_is_kept_is_said(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    for stop, said in [(0, []), (1, ["kept: 1 line, with which --resume goes on"])]:
        with pytest.raises(KeyboardInterrupt) as raised, Part(out) as part:
            write(part, LINES, resume=True, stop=stop)
        assert getattr(raised.value, "__notes__", []) == said
        assert bool(list(tmp_path.iterdir())) == bool(said), "without a line nothing is left"
    assert not out.exists()


def test_a_run_that_adds_nothing_keeps_what_was_there(tmp_path: Path) -> None:
    out, *_ = half_done(tmp_path)
    with pytest.raises(KeyboardInterrupt) as raised, Part(out) as part:
        write(part, LINES, resume=True, stop=5)
    assert raised.value.__notes__ == ["kept: 5 lines, with which --resume goes on"]


def test_the_notes_of_both_runs_are_counted(tmp_path: Path) -> None:
    out, *_ = half_done(tmp_path, 6)
    with Part(out) as part:
        notes = write(part, LINES, resume=True)
    assert notes == {"blank": 1, "split": 1, "unfinished": 1}


@given(st.data())
def test_cut_anywhere(folder: Path, data: st.DataObject) -> None:
    out, *files = half_done(folder, data.draw(st.integers(1, 6)))
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with Part(out) as part:
        write(part, LINES, resume=True)
    assert out.read_bytes() == whole(folder)
    assert not any(file.exists() for file in files)


@given(st.data())
def test_one_bit_flipped(folder: Path, data: st.DataObject) -> None:
    """The run is refused with one sentence, or ends with the same bytes."""
    out, *files = half_done(folder)
    out.unlink(missing_ok=True)
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)
    try:
        with Part(out) as part:
            write(part, LINES, resume=True)
    except HeedfulError as error:
        said = str(error)
        assert "leave --resume out" in said
        assert file == files[1], "the results never are a reason"
        assert not out.exists()
        for one in files:
            one.unlink()
    else:
        assert out.read_bytes() == whole(folder)


def test_every_line_before_the_damage_is_kept(tmp_path: Path) -> None:
    out, part_file, _ = half_done(tmp_path)
    content = part_file.read_bytes()
    part_file.write_bytes(content.replace(b"IS SMALL", b"is small", 1))
    with Part(out) as part:
        assert part.begin(MADE_WITH, resume=True).lines == 2


def test_resume_again_and_again(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    for stop in range(1, len(LINES)):
        with pytest.raises(KeyboardInterrupt), Part(out) as part:
            write(part, LINES, resume=True, stop=stop)
    with Part(out) as part:
        write(part, LINES, resume=True)
    assert out.read_bytes() == whole(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"--beam": 5}, "made with --beam 4, this run is with --beam 5; give the same, or leave"),
        ({"--fast": True}, "made with no --fast, this run is with --fast; give the same"),
        ({"--new": 1}, "made with no --new, this run is with --new 1"),
        ({"model": "abcd"}, "made with the model 9f86, this run is with the model abcd"),
    ],
)
def test_made_with_something_else(tmp_path: Path, change: dict[str, object], said: str) -> None:
    out, *files = half_done(tmp_path)
    before = [file.read_bytes() for file in files]
    with pytest.raises(SettingError, match=said), Part(out) as part:
        part.begin(MADE_WITH | change, resume=True)
    assert [file.read_bytes() for file in files] == before


def test_another_input(tmp_path: Path) -> None:
    out, *files = half_done(tmp_path)
    before = [file.read_bytes() for file in files]
    others = [
        ([*LINES[:2], "is smell\r", *LINES[3:]], "in.txt:3: the line is not the one that the"),
        (LINES[1:], "in.txt:1: "),
        (LINES[:3], "in.txt: it has 3 lines, and results of 5 are there; leave --resume out to"),
    ]
    for lines, said in others:
        with pytest.raises(DataError, match=said) as raised, Part(out) as part:
            write(part, lines, resume=True)
        assert not hasattr(raised.value, "__notes__"), "--resume does not go on with this input"
    assert [file.read_bytes() for file in files] == before
    with Part(out) as part:  # what stands behind the lines that are done may change
        write(part, [*LINES[:5], "more"], resume=True)
    assert out.read_bytes().endswith(b"MORE\nMORE\n")


def test_begun_anew(tmp_path: Path) -> None:
    """What an earlier run left stays until there is something in its place."""
    out, *files = half_done(tmp_path)
    before = [file.read_bytes() for file in files]
    with pytest.raises(KeyboardInterrupt), Part(out):
        raise KeyboardInterrupt
    assert [file.read_bytes() for file in files] == before
    with pytest.raises(KeyboardInterrupt), Part(out) as part:
        write(part, LINES, resume=False, stop=0)
    assert [file.read_bytes() for file in files] == before
    with Part(out) as part:
        assert part.begin({"other": 1}, resume=False) == Left(5, Counter({"blank": 1}))
        part.add("a", "b")
    assert out.read_text() == "b\n"


def test_the_second_process_is_refused(tmp_path: Path) -> None:
    """The lock belongs to the open file: a second one in this process stands for another's."""
    out = tmp_path / "out.txt"
    with Part(out) as part:
        write(part, LINES[:3], resume=False)
        with pytest.raises(OutputError, match="another process is writing it; wait"), Part(out):
            pass
    with Part(out) as part:
        assert part.begin(MADE_WITH, resume=True).lines == 0


def test_the_first_process_ends_while_the_second_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.txt"
    lock, asked = resuming.try_lock, []

    def late(file: object) -> bool | None:
        if not asked:
            asked.append(file)
            with Part(out) as first:
                write(first, LINES, resume=False)
        return lock(file)

    monkeypatch.setattr(resuming, "try_lock", late)
    with Part(out) as part:
        write(part, LINES[:1], resume=False)
    assert asked
    assert out.read_text() == "tHE HOUSE\n"
    assert list(tmp_path.iterdir()) == [out]


def test_permissions_are_kept(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    out.write_text("old")
    out.chmod(0o640)
    link = tmp_path / "link.txt"
    link.symlink_to(out)
    with Part(link) as part:
        write(part, LINES, resume=False)
        assert out.read_text() == "old"
    assert link.is_symlink()
    assert out.stat().st_mode & 0o777 == 0o640
    assert out.read_bytes() == whole(tmp_path)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written: no such file"):
        Part(tmp_path / "no" / "out.txt").__enter__()
    (tmp_path / ".out.txt.part").mkdir()
    with pytest.raises(OutputError, match="cannot be written: is a directory"):
        Part(tmp_path / "out.txt").__enter__()
    assert [path.name for path in tmp_path.iterdir()] == [".out.txt.part"]


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], None]]:
    """Return a function that lets no file grow beyond so many bytes."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("flushed", [True, False])
def test_a_full_disk(tmp_path: Path, small_disk: Callable[[int], None], flushed: bool) -> None:
    draw = random.Random(1)
    lines = ["".join(draw.choices("abc d", k=150)) for _ in range(200)]
    out = tmp_path / "out.txt"

    def run() -> int:
        with Part(out) as part:
            left = part.begin(MADE_WITH, resume=True)
            for line in part.after(iter(lines), "in.txt"):
                part.add(line, line)
                if flushed:
                    part.flush()
        return left.lines

    small_disk(8_000)
    with pytest.raises(OutputError, match=r"cannot be written: .*; free some space") as raised:
        run()
    assert not out.exists()
    [said] = getattr(raised.value, "__notes__", ["kept: 0 lines"])
    small_disk(10**9)
    kept = run()
    assert kept >= int(said.split()[1])
    assert not flushed or kept == 8_000 // 151
    assert out.read_text() == "".join(line + "\n" for line in lines)
    assert list(tmp_path.iterdir()) == [out]
