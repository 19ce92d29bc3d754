"""The command `heed`: finds the command asked for, runs it, and turns its end into an exit code.

Each command is a module of `heedful.commands` (`Options`, `EXAMPLES`, `run`), imported only when
it runs, so that `heed --help` loads neither torch nor the settings. Results go to standard output,
everything else to standard error. Exit codes: 0 done, 2 the user's mistake, 1 ours, 130
interrupted, 141 the reader of our output went away.
"""

__all__ = ["COMMANDS", "main"]

import contextlib
import errno
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from heedful.errors import HeedfulError, SettingError, did_you_mean, lacks_memory

COMMANDS = {
    "demo": "translate a few sentences, then watch a tiny model learn (90 seconds)",
    "report": "look a corpus over before training: what is in it, what is wrong with it",
    "train": "train a translator on your own sentences",
    "translate": "translate lines of text with the bundled model or your own",
    "generate": "go on with a text, by GPT-2 or a Llama, of Hugging Face or as GGUF",
    "chat": "talk with a model that has learnt to answer, such as SmolLM2 as GGUF",
    "embed": "make a vector of each text, by BERT or MiniLM",
    "fill": "say which words may stand where a text has [MASK]",
    "classify": "give each text, or pair of texts, a label that an encoder has learnt",
    "parse": "draw the tree of each sentence, by a parser that heed train has made",
    "plan": "say what a training will need: operations, memory, days",
    "evaluate": "score a model on a test set, or compare two models",
    "score": "say how likely a model finds given translations",
    "inspect": "show what a model looks at while it translates a sentence, and why it matters",
    "heads": 'measure what each attention head is for, and whether any follows "it"',
    "claims": "measure what is said of Transformers and of what they replaced",
    "sweep": "train the rows of the paper's Table 3, in small or whole",
    "play": "show on a web page, live, what a model does with a sentence",
    "serve": "answer translation requests over HTTP, as LibreTranslate does",
    "import": "make a model folder of a translator from elsewhere, such as OPUS-MT",
    "export": "write a model for CTranslate2, ONNX or transformers, or smaller, checked",
    "shortlist": "learn which pieces a model may translate with, for faster translation",
    "recipes": "list the named experiments that `heed train --recipe` knows",
}
"""Names and one line each; `heed NAME` runs `heedful/commands/NAME.py`."""

OVERVIEW = """\
usage: heed COMMAND [OPTIONS]

Train, run and look inside your own Transformer translator.

Commands:
{commands}

  heed COMMAND --help   its options, with examples
  heed --version        versions and machine: what a bug report needs

Examples:
  heed demo "The house is small."
  heed translate --to de "Where is the station?"
  heed report my.tsv
  heed train --data my.tsv --out runs/mine
  heed evaluate --model runs/mine --data test.tsv
"""

CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
CANNOT_REACH = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP)
"""Said of a path that cannot even be looked at, as by `Path.is_file` of Python before 3.14."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    _open_what_is_closed()
    _speak_utf8()
    words = list(sys.argv[1:] if argv is None else argv)
    debug = _take_debug(words)
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except HeedfulError as error:
        return _fail(str(error), 2, debug)
    except KeyboardInterrupt:
        return _fail("interrupted", 130, debug)
    except BrokenPipeError:
        _silence_output()
        return 141
    except Exception as error:
        if isinstance(error, OSError) and error.errno in CANNOT_WRITE:
            _silence_output()
            return _fail(f"cannot write: {error}; free some space or write elsewhere", 2, debug)
        if isinstance(error, OSError) and error.errno in CANNOT_REACH and error.filename:
            reason = (error.strerror or str(error)).lower()
            path = os.fsdecode(error.filename)
            return _fail(f"{path}: cannot be reached: {reason}; give another path", 2, debug)
        if lacks_memory(error):
            fix = "lower --batch-tokens (heed train: --training.batch-tokens) or the model's size"
            return _fail(f"there is not enough memory; {fix}", 2, debug)
        what = " ".join(f"{type(error).__name__}: {error}".split())
        hint = "" if debug else " and what --debug shows"
        ask = f'please report it with the output of "heed --version"{hint}'
        return _fail(f"this is a fault of heedful, not yours ({what}); {ask}", 1, debug)


def _dispatch(words: list[str]) -> int:
    match words:
        case [] | ["-h" | "--help", *_]:
            lines = [f"  {name:<10}  {line}" for name, line in COMMANDS.items()]
            print(OVERVIEW.format(commands="\n".join(lines)), end="")
            return 0
        case ["--version", *_]:
            from heedful.version import version_report

            print(version_report())
            return 0
    name, *rest = words
    if name not in COMMANDS:
        what = "option" if name.startswith("-") else "command"
        known = ["--help", "--version"] if what == "option" else [*COMMANDS]
        raise SettingError(f'unknown {what} "{name}"', fix=did_you_mean(name, known))
    command = import_module(f"heedful.commands.{name}")
    if {"-h", "--help"} & {*_options_of(rest)}:
        from heedful.options import show_help

        show_help(name, command.Options, command.EXAMPLES)
        return 0
    return int(command.run(*arguments(name, command, rest)))


def arguments(name: str, command: ModuleType, words: Sequence[str]) -> tuple[Any, ...]:
    """Return what a command's `run` takes: its options and, where it accepts them, settings."""
    from heedful.options import read_options

    accepts = getattr(command, "ACCEPTS_SETTINGS", False)
    options, settings = read_options(name, command.Options, words, accepts_settings=accepts)
    return (options, settings) if accepts else (options,)


def _options_of(words: Sequence[str]) -> Sequence[str]:
    """Return the words before a `--`: what stands behind it are texts."""
    return words[: words.index("--")] if "--" in words else words


def _take_debug(words: list[str]) -> bool:
    """Remove every `--debug` and tell whether there was one."""
    before = [*_options_of(words)]
    words[: len(before)] = [word for word in before if word != "--debug"]
    return "--debug" in before


def _fail(sentence: str, code: int, debug: bool) -> int:
    """Say what ended the command, with the notes that were added to the exception on its way."""
    if debug:
        import traceback

        traceback.print_exc()
    notes = getattr(sys.exception(), "__notes__", [])
    print("; ".join([f"heed: {sentence}", *notes]), file=sys.stderr)
    return code


def _open_what_is_closed() -> None:
    """Let a stream that was closed, as by `2>&-`, be empty or swallow what is written.

    Python has None there, and `print` takes None for standard output: notes among results.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _speak_utf8() -> None:
    """Read and write UTF-8 with LF line ends whatever the machine's locale says.

    A name of a file may be of other bytes: they are written as Python and JSON escape them.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", newline="\n")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n", errors="backslashreplace")
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")


def _silence_output() -> None:
    """Send what is still buffered nowhere, so that Python's own exit does not complain."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
