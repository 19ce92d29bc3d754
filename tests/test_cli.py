"""How `heed` ends: which exit code, what is said, and on which stream."""

import errno
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import torch

import heedful
from heedful import cli
from heedful.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Options:
    """A command for the tests."""

    beam: int = 4
    """A number."""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a command `heed probe` whose `run` a test may replace."""
    module = ModuleType("heedful.commands.probe")
    module.Options = Options
    module.EXAMPLES = "heed probe --beam 2"
    module.run = lambda options: print(options.beam) or 0
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(cli.COMMANDS, "probe", "for the tests")
    return module


def raising(error: BaseException) -> Callable[[Options], int]:
    def run(options: Options) -> int:
        raise error

    return run


def test_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, line in cli.COMMANDS.items():
        assert f"  {name:<10}  {line}\n" in shown
    assert cli.main([]) == 0
    assert capsys.readouterr().out == shown


def test_every_command_is_a_file_and_every_file_a_command() -> None:
    folder = Path(heedful.__file__).parent / "commands"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(cli.COMMANDS)


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_help_of_every_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "--help"]) == 0
    shown, said = capsys.readouterr()
    assert shown.startswith(f"usage: heed {name}")
    assert "Examples:\n  " in shown
    assert f"heed {name}" in shown.partition("Examples:")[2]
    assert not said


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.strip().split("\n"))
    assert lines["heedful"] == heedful.__version__
    assert {"python", "torch", "tokenizers", "numpy", "platform", "cpu", "cuda"} <= set(lines)


def test_done(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["probe", "--beam", "7"]) == 0
    assert capsys.readouterr() == ("7\n", "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["trian"], 'heed: unknown command "trian"; did you mean "train"?\n'),
        (["--verison"], 'heed: unknown option "--verison"; did you mean "--version"?\n'),
        (["probe", "--beam", "x"], 'heed: --beam: "x" is not a whole number\n'),
        (
            ["probe", "--bean", "1"],
            'heed: heed probe: unknown option --bean; did you mean "--beam"?\n',
        ),
    ],
)
def test_refusals(
    words: list[str], sentence: str, command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    assert capsys.readouterr() == ("", sentence)


def test_the_users_mistake(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    command.run = raising(DataError("row has 1 field", where="a.tsv:7", fix="add a tab"))
    assert cli.main(["probe"]) == 2
    assert capsys.readouterr() == ("", "heed: a.tsv:7: row has 1 field; add a tab\n")


def test_debug_shows_the_traceback(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    command.run = raising(DataError("row has 1 field"))
    assert cli.main(["probe", "--debug"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.endswith("heed: row has 1 field\n")


def test_our_mistake(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    command.run = raising(ZeroDivisionError("division\nby zero"))
    assert cli.main(["probe"]) == 1
    shown, said = capsys.readouterr()
    assert (shown, said.count("\n")) == ("", 1)
    assert "ZeroDivisionError: division by zero" in said
    assert "report" in said
    assert "--debug" in said


def test_interrupted(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    command.run = raising(KeyboardInterrupt())
    assert cli.main(["probe"]) == 130
    assert capsys.readouterr() == ("", "heed: interrupted\n")


def test_no_space(
    command: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_silence_output", lambda: None)
    command.run = raising(OSError(errno.ENOSPC, "No space left on device", "out.txt"))
    assert cli.main(["probe"]) == 2
    said = capsys.readouterr().err
    assert "No space left on device: 'out.txt'" in said
    assert said.count("\n") == 1


def test_no_memory(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    command.run = lambda options: torch.empty(2**60).numel()
    assert cli.main(["probe"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("heed: there is not enough memory; lower --batch-tokens")
    command.run = raising(torch.OutOfMemoryError("CUDA out of memory"))
    assert cli.main(["probe"]) == 2
    assert capsys.readouterr().err == said


def test_the_reader_went_away() -> None:
    """`heed --help | true`, with more to say than a pipe holds."""
    code = (
        "import sys; from heedful import cli;"
        "cli.OVERVIEW = '{commands}' + 'x' * 10_000_000; sys.exit(cli.main(['--help']))"
    )
    heed = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert heed.stdout is not None
    heed.stdout.close()
    assert heed.stderr is not None
    assert heed.stderr.read() == b""
    heed.stderr.close()
    assert heed.wait(60) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_standard_output_is_full() -> None:
    with Path("/dev/full").open("w") as full:
        heed = subprocess.run(
            [sys.executable, "-m", "heedful", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert heed.returncode == 2
    assert heed.stderr.startswith("heed: cannot write: ")
    assert heed.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that closes streams")
@pytest.mark.parametrize(
    ("words", "closed", "code"), [("nosuch", "2>&-", 2), ("--help", ">&-", 0), ("", "<&- 2>&-", 0)]
)
def test_a_closed_stream_is_like_nothing(words: str, closed: str, code: int) -> None:
    command = f"{shlex.quote(sys.executable)} -m heedful {words} {closed}"
    heed = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert heed.returncode == code
    assert heed.stderr == ""
    assert "unknown" not in heed.stdout


def test_names_that_are_not_utf8_are_printed() -> None:
    code = "from heedful import cli; cli.OVERVIEW = 'd\\udcff.tsv{commands}'; cli.main([])"
    heed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert heed.stdout.startswith(b"d\\udcff.tsv")


def test_a_path_that_cannot_be_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor can one in a folder of somebody else, but by an administrator, who may run tests."""
    name = "x" * 300
    assert cli.main(["translate", "hi", "-o", name]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"heed: {name}: cannot be ")
    assert "file name too long" in said
    assert said.count("\n") == 1


def test_output_is_utf8_whatever_the_locale() -> None:
    code = "from heedful import cli; cli.OVERVIEW = 'ä猫{commands}'; cli.main([])"
    heed = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONIOENCODING": "latin-1", "PYTHONPATH": str(Path(heedful.__file__).parents[1])},
        capture_output=True,
        check=True,
    )
    assert heed.stdout.decode("utf-8").startswith("ä猫")


def test_a_name_that_is_not_utf8_is_printed_escaped() -> None:
    """A file had been written, and what says so ended in a fault of heedful."""
    code = "import sys; from heedful import cli; cli.OVERVIEW = sys.argv[1] + '{commands}'; "
    heed = subprocess.run(
        [sys.executable, "-c", f"{code} sys.exit(cli.main([]))", b"page-\xff.html"],
        env={"PYTHONPATH": str(Path(heedful.__file__).parents[1])},
        capture_output=True,
        check=True,
    )
    assert heed.stdout.startswith(rb"page-\udcff.html")
