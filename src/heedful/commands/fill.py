"""`heed fill`: a text with `[MASK]` in, what may stand there out, by an encoder."""

__all__ = ["EXAMPLES", "Options", "run"]

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from heedful.errors import SettingError
from heedful.output import open_output, refuse_read

EXAMPLES = """\
heed fill --model bert "The cat [MASK] on the mat."
heed fill --model bert "The [MASK] sat on the [MASK]." --top 3
heed fill --model bert -i texts.txt --json -o words.jsonl
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Say which pieces may stand where a text has [MASK], by a BERT with a head for it.

    Each is a line, PROBABILITY<tab>PIECE, the likeliest first; an empty line stands between two
    masks. `##ing` goes on with the word before it. Several masks are asked of independently.
    """

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """The texts; without any, --input or standard input is read, a text a line."""
    model: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
    """The folder: a BertForMaskedLM of Hugging Face, or of a training here."""
    input: Annotated[Path | None, tyro.conf.arg(aliases=["-i"], metavar="FILE")] = None
    """Read from there (.gz is unpacked); - is standard input."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Write there (.gz is packed); the file appears when it is complete."""
    top: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 5
    """Pieces for each mask."""
    json: bool = False
    """Give one JSON object a text: text, and for each mask its pieces with probabilities."""
    device: str = "auto"
    """auto, cpu or cuda."""


def run(options: Options) -> int:
    """Fill; raises a HeedfulError for a bad model, option, text or output."""
    from heedful.line_input import check_one

    check_one({"texts": bool(options.texts), "--input": options.input is not None})
    if not 1 <= options.top <= 10_000:
        raise SettingError(f"{options.top} is not from 1 to 10,000", where="--top")
    refuse_read(options.output, [options.input])
    from heedful.device import pick_device
    from heedful.interop.encoders import open_reader

    reader = open_reader(options.model, pick_device(options.device))
    with open_output(options.output) as out:
        first = True
        for where, text in _texts(options):
            masks = reader.fill(text, options.top, where)
            if options.json:
                named = [
                    [{"piece": piece, "probability": round(p, 6)} for piece, p in mask]
                    for mask in masks
                ]
                print(json.dumps({"text": text, "masks": named}, ensure_ascii=False), file=out)
                continue
            for mask in masks:
                print("" if first else "\n", end="", file=out)
                first = False
                for piece, probability in mask:
                    print(f"{probability:.4f}\t{piece}", file=out)
    return 0


def _texts(options: Options) -> Iterator[tuple[str, str]]:
    """Yield where each text stands, and the text."""
    from heedful.line_input import lines_of, name_of, open_input, words_given

    if options.texts:
        for number, text in enumerate(words_given(options.texts), start=1):
            yield f"text {number}", text
        return
    with open_input(options.input) as file:
        name = name_of(options.input)
        for number, text in enumerate(lines_of(file, name, Counter()), start=1):
            yield f"{name}:{number}", text
