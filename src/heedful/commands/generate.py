"""`heed generate`: prompts in, what a model writes behind them out.

Reads the prompt of the command line, or a prompt a line, hands them to `heedful.writer.Writer` and
prints what comes back, a single text while it is written.
"""

__all__ = ["EXAMPLES", "Options", "run"]

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TextIO

import tyro

from heedful.output import open_output, refuse_read
from heedful.text.terminal import visible
from heedful.writing_options import WritingOptions, check_writing, drawing_of, stops_of

if TYPE_CHECKING:
    from heedful.search import Greedy, Sample
    from heedful.writer import Continuation, Writer

EXAMPLES = """\
heed generate --model gpt2 -p "Once upon a time"
heed generate --model gpt2 -p "Once upon a time" --temperature 0.8 --top-p 0.95 --seed 7
heed generate --model gpt2 -p "Q: Where is Paris? A:" --max-new 40 --stop "\\n" --stop "Q:"
heed generate --model gpt2 -i prompts.txt -o texts.txt
heed generate --model gpt2 -p "The cat" -n 5 --json
"""

AT_ONCE = 64
"""Prompts that are read before the first is gone on with."""


@dataclass(frozen=True, kw_only=True)
class Options(WritingOptions):
    """Go on with a text, by a decoder that heed train made, or one such as GPT-2 or Llama.

    The likeliest piece comes next, unless an option of drawing is given: then pieces are drawn.
    A single text is printed as it is, while it is written. Of several each is one line, in the
    order of the prompts, with \\n for a line break in it and \\\\ for a backslash.
    """

    model: Annotated[Path, tyro.conf.arg(metavar="MODEL")]
    """A run folder, one with config.json, model.safetensors, tokenizer.json, or a GGUF file."""
    prompt: Annotated[str | None, tyro.conf.arg(aliases=["-p"])] = None
    """What to go on with; without it --input or standard input is read, a prompt a line."""
    input: Annotated[Path | None, tyro.conf.arg(aliases=["-i"], metavar="FILE")] = None
    """Read from there (.gz is unpacked); - is standard input."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Write there (.gz is packed); the file appears when it is complete."""
    samples: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 1
    """Draw so many texts for each prompt."""
    device: str = "auto"
    """auto, cpu or cuda."""
    json: bool = False
    """Give one JSON object a text: prompt, text, pieces, and why it ended."""
    quiet: bool = False
    """Show no summary."""


class _Prompt(NamedTuple):
    """A prompt, and its pieces."""

    text: str
    ids: list[int]


def run(options: Options) -> int:
    """Generate; raises a HeedfulError for a bad model, option, prompt or output."""
    from heedful.line_input import check_one

    check_one({"--prompt": options.prompt is not None, "--input": options.input is not None})
    check_writing(options)
    search = drawing_of(options, options.samples)
    refuse_read(options.output, [options.input])
    with open_output(options.output) as out:
        from heedful.device import pick_device
        from heedful.interop.writers import load_writer

        writer = load_writer(options.model, pick_device(options.device))
        counts: Counter[str] = Counter()
        started = time.perf_counter()
        for prompts in _prompts(options, writer):
            _generate(options, writer, search, prompts, out, counts)
        if not options.quiet:
            print(_summary(counts, time.perf_counter() - started), file=sys.stderr)
    return 0


def _prompts(options: Options, writer: "Writer") -> Iterator[list[_Prompt]]:
    """Yield prompts that are gone on with together; those that are typed come one by one."""
    from heedful.line_input import lines_of, name_of, open_input

    if options.prompt is not None:
        yield [_Prompt(options.prompt, writer.prompt(options.prompt, "--prompt"))]
        return
    with open_input(options.input) as file:
        typing = file.isatty()
        if typing and not options.quiet:
            print("Type a prompt and press Enter; Ctrl-D ends.", file=sys.stderr)
        name, counts = name_of(options.input), Counter[str]()
        numbered = enumerate(lines_of(file, name, counts), start=1)
        every = (
            _Prompt(text, writer.prompt(text, f"{name}:{number}")) for number, text in numbered
        )
        while some := list(islice(every, 1 if typing else AT_ONCE)):
            yield some


def _generate(
    options: Options,
    writer: "Writer",
    search: "Greedy | Sample",
    prompts: list[_Prompt],
    out: TextIO,
    counts: Counter[str],
) -> None:
    """Write behind some prompts, and count what was written."""
    alone = options.prompt is not None and search.returned == 1 and not options.json
    screen = out.isatty()
    with _broken_off(out if alone else None):
        found = writer.write(
            [prompt.ids for prompt in prompts],
            search,
            options.max_new,
            stop=stops_of(options),
            shown=(lambda text: _show(text, out)) if alone else None,
        )
    for prompt, continuations in zip(prompts, found, strict=True):
        for one in continuations:
            counts.update(["texts", one.ended])
            counts["pieces"] += one.pieces
            line = "" if alone else _line(options, prompt, one)
            print(visible(line) if screen else line, file=out)
    out.flush()


def _show(text: str, out: TextIO) -> None:
    """Print a part of a text that grows."""
    print(visible(text) if out.isatty() else text, end="", file=out, flush=True)


@contextmanager
def _broken_off(out: TextIO | None) -> Iterator[None]:
    """End the line that is being shown, if this is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        if out is not None:
            print(file=out, flush=True)
        raise


def _line(options: Options, prompt: _Prompt, one: "Continuation") -> str:
    """Return a text as one line."""
    if not options.json:
        return one.text.replace("\\", "\\\\").replace("\n", "\\n")
    record = {"prompt": prompt.text, "text": one.text, "pieces": one.pieces, "ended": one.ended}
    return json.dumps(record, ensure_ascii=False)


def _summary(counts: Counter[str], seconds: float) -> str:
    """Say how much was written, and what was cut short.

    >>> _summary(Counter(texts=2, pieces=90, length=1, end=1), 1.5)
    '2 texts, 90 pieces in 1.5 s (60 a second); ended at --max-new: 1'
    """
    said = f"{counts['texts']:,} text{'s' * (counts['texts'] != 1)}, {counts['pieces']:,} pieces"
    said += f" in {seconds:.1f} s ({counts['pieces'] / max(seconds, 1e-9):,.0f} a second)"
    if counts["length"]:
        said += f"; ended at --max-new: {counts['length']:,}"
    if counts["context"]:
        said += f"; ended where the model's context is full: {counts['context']:,}"
    return said
