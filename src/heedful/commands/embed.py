"""`heed embed`: texts in, a vector of each out, by an encoder.

Reads the texts of the command line, or one a line, hands them to `heedful.reader.Reader` and writes
JSON lines, or one array.
"""

__all__ = ["EXAMPLES", "Options", "run"]

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from heedful.output import open_output, refuse_read

if TYPE_CHECKING:
    from heedful.reader import Cut, Reader
    from heedful.shapes import Array, Float

EXAMPLES = """\
heed embed --model minilm "The cat sat on the mat." "A dog barks."
heed embed --model minilm -i texts.txt -o vectors.npy
heed embed --model minilm -i texts.txt -o vectors.jsonl --pooling first --raw
"""

AT_ONCE = 4096
"""Texts that are read together, sorted by length."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Make a vector of each text, by an encoder such as BERT or MiniLM.

    Texts that are alike have vectors with a large product. Each text is one JSON object a line,
    `text` and `vector`; into a file of the name FILE.npy goes one array with a row a text.
    """

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """The texts; without any, --input or standard input is read, a text a line."""
    model: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
    """The folder: one of Hugging Face, or of a training here."""
    input: Annotated[Path | None, tyro.conf.arg(aliases=["-i"], metavar="FILE")] = None
    """Read from there (.gz is unpacked); - is standard input."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Write there (.gz is packed); the file appears when it is complete."""
    pooling: Literal["auto", "mean", "first", "max"] = "auto"
    """How the pieces' states become one: as the folder says (mean if it says nothing), their mean,
    the first one, or the largest of each number."""
    raw: bool = False
    """Leave vectors as long as they are, in place of the length 1."""
    device: str = "auto"
    """auto, cpu or cuda."""
    quiet: bool = False
    """Show no summary; texts that lost their ends are told all the same."""


def run(options: Options) -> int:
    """Embed; raises a HeedfulError for a bad model, option, text or output."""
    from heedful.line_input import check_one

    check_one({"texts": bool(options.texts), "--input": options.input is not None})
    refuse_read(options.output, [options.input])
    from heedful.device import pick_device
    from heedful.interop.encoders import open_reader
    from heedful.reader import Cut

    reader = open_reader(options.model, pick_device(options.device))
    how = reader.sentences
    if options.pooling != "auto":
        how = replace(how, pooling=options.pooling)
    reader.sentences = replace(how, normalised=False) if options.raw else how
    cut_off = Cut(how.max_length)
    if options.output is not None and options.output.suffix == ".npy":
        _array(options, reader, cut_off)
    else:
        with open_output(options.output) as out:
            for text, vector in _vectors(options, reader, cut_off):
                numbers = [float(f"{number:.6g}") for number in vector]
                print(json.dumps({"text": text, "vector": numbers}, ensure_ascii=False), file=out)
    if said := cut_off.said():
        print(f"heed: {said}", file=sys.stderr)
    if not options.quiet:
        count = f"{cut_off.seen:,} text{'s' * (cut_off.seen != 1)}"
        print(f"{count}, {reader.model.config.d_model} numbers each", file=sys.stderr)
    return 0


def _vectors(
    options: Options, reader: "Reader", cut_off: "Cut"
) -> "Iterator[tuple[str, Float[Array, ' D']]]":
    """Yield each text with its vector, in their order."""
    texts = _texts(options)
    while some := list(islice(texts, AT_ONCE)):
        yield from zip(some, reader.embed(some, cut_off), strict=True)


def _texts(options: Options) -> Iterator[str]:
    from heedful.line_input import lines_of, name_of, open_input, words_given

    if options.texts:
        yield from words_given(options.texts)
        return
    with open_input(options.input) as file:
        yield from lines_of(file, name_of(options.input), Counter())


def _array(options: Options, reader: "Reader", cut_off: "Cut") -> None:
    """Write one array of float32, a row a text, as numpy keeps it."""
    import numpy as np

    from heedful.output import open_whole

    assert options.output is not None
    with open_whole(options.output) as out:
        rows = [vector for _, vector in _vectors(options, reader, cut_off)]
        width = reader.model.config.d_model
        every = np.array(rows, np.float32).reshape(len(rows), width)
        np.save(out, every, allow_pickle=False)
