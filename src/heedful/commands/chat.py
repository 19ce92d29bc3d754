"""`heed chat`: turns of a user in, answers of a model out.

Reads a turn a line, hands it to `heedful.conversation.Conversation` and prints the answer while it
is written.
"""

__all__ = ["EXAMPLES", "Options", "run"]

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from heedful.errors import DataError, ModelError, SettingError, did_you_mean
from heedful.text.terminal import visible
from heedful.writing_options import WritingOptions, check_writing, drawing_of, stops_of

if TYPE_CHECKING:
    from heedful.conversation import Answer, Conversation
    from heedful.search import Greedy, Sample

EXAMPLES = """\
heed chat --model SmolLM2-135M-Instruct.Q4_1.gguf
heed chat --model smollm2 --system "Answer in one sentence." --temperature 0.7 --seed 3
heed chat --model smollm2 -i questions.txt --json
"""

_COMMANDS = {
    "/new": "forget what was said, and begin anew",
    "/system": "/system TEXT: begin anew, and tell the model TEXT first",
    "/help": "show this",
}
_PRECISIONS = ("auto", "float32", "int8")


@dataclass(frozen=True, kw_only=True)
class Options(WritingOptions):
    """Talk with a model that has learnt to answer: a GGUF file, or a folder of Hugging Face.

    A line is a turn. Ctrl-C ends an answer, Ctrl-D the conversation; /new begins another, /system
    TEXT too, with other instructions; a turn that begins with / is written with two.
    """

    model: Annotated[Path, tyro.conf.arg(metavar="MODEL")]
    """A GGUF file, or a folder: config.json, model.safetensors, tokenizer.json, chat template."""
    system: str | None = None
    """What the model is told before the conversation."""
    input: Annotated[Path | None, tyro.conf.arg(aliases=["-i"], metavar="FILE")] = None
    """Read the turns from there, one a line; - is standard input."""
    precision: str = "auto"
    """auto, float32 or int8; auto is int8 on CPU."""
    device: str = "auto"
    """auto, cpu or cuda."""
    json: bool = False
    """Give one JSON object an answer: turn, text, pieces, read, computed, and why it ended."""
    quiet: bool = False
    """Show nothing but answers."""


def run(options: Options) -> int:
    """Talk; raises a HeedfulError for a bad model, option or turn."""
    check_writing(options)
    search = drawing_of(options)
    if options.precision not in _PRECISIONS:
        problem = f'there is no precision "{options.precision}"'
        fix = did_you_mean(options.precision, _PRECISIONS)
        raise SettingError(problem, where="--precision", fix=fix)
    from heedful.device import pick_device
    from heedful.line_input import open_input

    device = pick_device(options.device)
    if options.precision == "int8" and device.type != "cpu":
        raise SettingError("int8 is for the CPU", where="--precision", fix="take float32")
    from heedful.conversation import Conversation
    from heedful.interop.writers import load_writer

    int8 = device.type == "cpu" and _in_int8(options.precision)
    writer = load_writer(options.model, device)
    talk = Conversation(writer, options.system, int8=int8, given_up=True)
    with open_input(options.input) as file:
        typing = file.isatty() and not options.quiet
        if typing:
            print("Ctrl-C ends an answer, Ctrl-D the conversation; /help.", file=sys.stderr)
        for where, line in _turns(file, options.input, typing):
            _take(options, talk, search, line, where, typing=file.isatty())
    return 0


def _in_int8(precision: str) -> bool:
    """Return whether to compute in int8; raises SettingError where it is asked for and wrong."""
    from heedful.decode.two_terms import whole_products_are_exact

    exact = whole_products_are_exact()
    if precision == "int8" and not exact:
        problem = "PyTorch's products of whole numbers are not exact on this processor"
        raise SettingError(problem, where="--precision", fix="take float32")
    return precision != "float32" and exact


def _turns(file: Any, path: Path | None, typing: bool) -> Iterator[tuple[str, str]]:
    """Yield each line that says something, with its place."""
    from heedful.line_input import lines_of, name_of

    name = name_of(path)
    lines = enumerate(lines_of(file, name, Counter()), start=1)
    while True:
        if typing:
            print("> ", end="", file=sys.stderr, flush=True)
        number, line = next(lines, (0, ""))
        if not number:
            break
        if line.strip():
            yield f"{name}:{number}", line
    if typing:
        print(file=sys.stderr)


def _take(
    options: Options,
    talk: "Conversation",
    search: "Greedy | Sample",
    line: str,
    where: str,
    *,
    typing: bool,
) -> None:
    """Answer a line, or do what it commands; where it is typed, mistakes are told and forgiven."""
    try:
        if line.startswith("/") and not line.startswith("//"):
            _command(talk, line, where)
        else:
            _answer(options, talk, search, line[line.startswith("//") :], where, typing=typing)
    except (DataError, ModelError) as error:
        if not typing:
            raise
        print(f"heed: {error.said_of(None)}", file=sys.stderr)


def _command(talk: "Conversation", line: str, where: str) -> None:
    """Do what a line that begins with / says."""
    name, _, rest = line.strip().partition(" ")
    if name not in _COMMANDS:
        fix = f"{did_you_mean(name, _COMMANDS)}; a turn that begins with / is written with two"
        raise DataError(f'there is no command "{visible(name[:40])}"', where=where, fix=fix)
    if name == "/help":
        for command, said in _COMMANDS.items():
            print(f"{command:8} {said}", file=sys.stderr)
        return
    if name == "/system" and not rest.strip():
        raise DataError("/system is without a text", where=where, fix="write /system TEXT, or /new")
    talk.begin_anew(rest.strip() if name == "/system" else None, where)


def _answer(
    options: Options,
    talk: "Conversation",
    search: "Greedy | Sample",
    turn: str,
    where: str,
    *,
    typing: bool,
) -> None:
    """Print the answer to a turn; where turns are typed, an interruption ends it alone."""
    screen = sys.stdout.isatty()

    def show(part: str) -> None:
        print(visible(part) if screen else part, end="", flush=True)

    started = time.perf_counter()
    try:
        answer = talk.say(
            turn,
            search,
            options.max_new,
            stop=stops_of(options),
            shown=None if options.json else show,
            where=where,
        )
    except KeyboardInterrupt:
        if not typing:
            raise
        print(flush=True)
        print("(broken off)", file=sys.stderr)
        return
    print(_record(turn, answer) if options.json else "", flush=True)
    if not options.quiet:
        print(_summary(answer, time.perf_counter() - started), file=sys.stderr)


def _record(turn: str, answer: "Answer") -> str:
    said = answer.said
    record = {"turn": turn, "text": said.text, "pieces": said.pieces, "ended": said.ended}
    return json.dumps(record | {"read": answer.read, "computed": answer.computed})


def _summary(answer: "Answer", seconds: float) -> str:
    """Say what an answer took, and whether it was cut short."""
    said = answer.said
    told = f"({said.pieces:,} pieces in {seconds:.1f} s, {answer.computed:,} positions computed"
    cut = {
        "length": "; ended at --max-new",
        "context": "; the model's context is full: /new begins another conversation",
    }
    return told + cut.get(said.ended, "") + ")"
