"""`heed classify`: texts or pairs of texts in, labels with probabilities out, by an encoder."""

__all__ = ["EXAMPLES", "Options", "run"]

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from heedful.errors import DataError, SettingError
from heedful.output import open_output, refuse_read

if TYPE_CHECKING:
    from heedful.reader import Cut, Reader

EXAMPLES = """\
heed classify --model runs/mood "A stirring, funny film."
heed classify --model runs/mood -i texts.txt -o labels.tsv
heed classify --model runs/follows -i pairs.tsv --pairs --json
heed classify --model runs/mood --data test.tsv --columns sentence,label
"""

AT_ONCE = 4096
"""Texts that are read together, sorted by length."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Give each text, or pair of texts, the label that an encoder with such a head finds likeliest.

    Each is a line, LABEL<tab>PROBABILITY; of a model that gives a number, the number.
    """

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """The texts; without any, --input or standard input is read, a text a line."""
    model: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
    """The folder: of a training here, or a BertForSequenceClassification of Hugging Face."""
    input: Annotated[Path | None, tyro.conf.arg(aliases=["-i"], metavar="FILE")] = None
    """Read from there (.gz is unpacked); - is standard input."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Write there (.gz is packed); the file appears when it is complete."""
    data: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """A table with the right labels, as heed train takes it: say how right the model is, a measure
    a line, NAME<tab>FIGURE."""
    columns: str | None = None
    """With --data: the columns of text and label, or of text, second text and label."""
    skip_bad: bool = False
    """With --data: drop rows that cannot be read, and count them, instead of stopping."""
    pairs: bool = False
    """Each text is two, with a tab between them."""
    json: bool = False
    """Give one JSON object a text: text, label, and the probability of each label."""
    device: str = "auto"
    """auto, cpu or cuda."""
    quiet: bool = False
    """Show no summary; texts that lost their ends are told all the same."""


def run(options: Options) -> int:
    """Classify; raises a HeedfulError for a bad model, option, text or output."""
    from heedful.line_input import check_one

    inputs = {"--input": options.input is not None, "--data": options.data is not None}
    check_one({"texts": bool(options.texts), **inputs})
    if options.columns is not None and options.data is None:
        raise SettingError("it is for --data", where="--columns", fix="leave it out")
    if options.skip_bad and options.data is None:
        raise SettingError("it is for --data", where="--skip-bad", fix="leave it out")
    for name in ("pairs", "json"):
        if options.data is not None and getattr(options, name):
            problem = "it is about labels, and figures come out of --data"
            raise SettingError(problem, where=f"--{name}", fix="leave it out")
    refuse_read(options.output, [options.input, options.data])
    from heedful.device import pick_device
    from heedful.interop.encoders import open_reader
    from heedful.reader import Cut

    reader = open_reader(options.model, pick_device(options.device))
    labels = reader.labels
    if options.data is not None:
        return _measured(options, reader)
    cut_off, counts = Cut(reader.model.config.max_length), Counter[str]()
    with open_output(options.output) as out:
        texts = _texts(options)
        while some := list(islice(texts, AT_ONCE)):
            for text, answer in zip(some, _answers(reader, some, cut_off), strict=True):
                line, label = _line(options, labels, text, answer)
                counts[label] += bool(labels)
                print(line, file=out)
    if said := cut_off.said():
        print(f"heed: {said}", file=sys.stderr)
    if not options.quiet:
        found = ", ".join(f"{label}: {counts[label]:,}" for label in labels)
        count = f"{cut_off.seen:,} text{'s' * (cut_off.seen != 1)}"
        print(f"{count}; {found}" if found else count, file=sys.stderr)
    return 0


def _measured(options: Options, reader: "Reader") -> int:
    """Print how right the model is about a table."""
    from heedful.data.formats.reading import ReadCounts
    from heedful.labelled_table import measure

    assert options.data is not None
    columns, counts = options.columns.split(",") if options.columns else None, ReadCounts()
    skip = options.skip_bad
    figures, cut_off = measure(reader, options.data, columns, skip_bad=skip, counts=counts)
    if (skipped := counts.skipped(options.data)) is not None:
        print(f"heed: {skipped}", file=sys.stderr)
    with open_output(options.output) as out:
        for name, figure in figures:
            print(f"{name}\t{figure:.6f}", file=out)
    if said := cut_off.said():
        print(f"heed: {said}", file=sys.stderr)
    if not options.quiet:
        print(f"{cut_off.seen:,} rows", file=sys.stderr)
    return 0


def _answers(
    reader: "Reader", rows: Sequence[tuple[str, ...]], cut_off: "Cut"
) -> list[list[float]]:
    seconds = [row[1] for row in rows] if len(rows[0]) > 1 else None
    found: list[list[float]] = reader.classify([row[0] for row in rows], seconds, cut_off).tolist()
    return found


def _texts(options: Options) -> Iterator[tuple[str, ...]]:
    """Yield each text, or each pair."""
    from heedful.line_input import lines_of, name_of, open_input, words_given

    if options.texts:
        for number, text in enumerate(words_given(options.texts), start=1):
            yield _parted(text, f"text {number}", options.pairs)
        return
    with open_input(options.input) as file:
        name = name_of(options.input)
        for number, text in enumerate(lines_of(file, name, Counter()), start=1):
            yield _parted(text, f"{name}:{number}", options.pairs)


def _parted(text: str, where: str, pairs: bool) -> tuple[str, ...]:
    parts = tuple(text.split("\t")) if pairs else (text,)
    if pairs and len(parts) != 2:
        problem = f"the line has {len(parts)} field{'s' * (len(parts) != 1)}, 2 are needed"
        raise DataError(problem, where=where, fix="put a tab between the two texts")
    return parts


def _line(
    options: Options, labels: Sequence[str], text: tuple[str, ...], answer: Sequence[float]
) -> tuple[str, str]:
    """Return what is written of a text, and its label."""
    record: dict[str, object] = {"text": text[0]}
    if len(text) > 1:
        record["text_b"] = text[1]
    if not labels:
        record["value"] = round(answer[0], 6)
        return json.dumps(record, ensure_ascii=False) if options.json else f"{answer[0]:.4f}", ""
    best = max(range(len(labels)), key=answer.__getitem__)
    if not options.json:
        return f"{labels[best]}\t{answer[best]:.4f}", labels[best]
    record["label"] = labels[best]
    record["probabilities"] = {label: round(p, 6) for label, p in zip(labels, answer, strict=True)}
    return json.dumps(record, ensure_ascii=False), labels[best]
