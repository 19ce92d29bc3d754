"""`heed translate`: lines of text in, as many lines of translation out.

Reads words from the command line, a file or standard input, hands them to
`heedful.translator.Translator` and writes what comes back, line by line.
"""

__all__ = ["EXAMPLES", "Options", "run"]

import gzip
import json
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TextIO

import tyro

from heedful.errors import DataError, SettingError
from heedful.output import STANDARD, is_plain, open_output
from heedful.resuming import Part

if TYPE_CHECKING:
    from heedful.search import Beam, Greedy
    from heedful.translator import Translation, Translator

EXAMPLES = """\
heed translate --to de "Where is the station?"
heed translate --to en -i letter.txt -o brief.txt
cat letter.txt | heed translate --from de > brief.txt
heed translate --model runs/mine -i test.en -o test.out --beam 1
heed translate --to de -i book.txt -o buch.txt --resume
heed translate --to de --beam 8 --nbest 3 --json -i test.en
"""

_BOM = b"\xef\xbb\xbf"
_SAME_RESULTS = (
    *("texts", "input", "output", "resume", "quiet", "workers", "batch_tokens"),
    *("model", "from_", "to", "split_above", "device", "precision"),
)
"""Options that do not decide what comes out, and those that `_made_with` knows better."""

_TOLD = {
    "blank": "blank, kept as they are",
    "split": "split at sentence ends",
    "split-inside": "split inside a sentence that was too long",
    "unfinished": "unfinished: the maximum length came before the end",
    "bom": "byte-order mark dropped",
    "crlf": "carriage returns at line ends dropped",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Translate lines of text: a file, standard input, or the words given."""

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """What to translate; without it --input or standard input is read, line by line."""
    model: str | None = None
    """A model folder, a run folder or a bundled name; the bundled model if not given."""
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """Language to translate from, such as en."""
    to: str | None = None
    """Language to translate to; not needed by a model of one direction."""
    input: Annotated[Path | None, tyro.conf.arg(aliases=["-i"], metavar="FILE")] = None
    """Read from there (.gz is unpacked); - is standard input."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Write there; the file appears when it is complete."""
    resume: bool = False
    """Go on where the same command, with the same -i FILE and -o FILE, was cut off."""
    beam: int = 4
    """Beam size; 1 is greedy search: faster, a little worse."""
    nbest: int = 1
    """Give so many translations a line, each as NUMBER<tab>SCORE<tab>TEXT; lines count from 0."""
    length_penalty: float = 0.6
    """How much long translations are favoured, from 0."""
    json: bool = False
    """Give one JSON object a line: source, translation, hypotheses with scores, flags."""
    split_above: int | None = None
    """Pieces (default 40) from which a line of several sentences is translated one by one."""
    fast: bool = False
    """Choose among the likely pieces of each sentence alone, which the model's shortlist knows."""
    workers: int | None = None
    """Cores to translate with; all of them if not given."""
    batch_tokens: int | None = None
    """Source pieces times beam decoded at once (default 4096): more is faster and needs memory."""
    device: str = "auto"
    """auto, cpu or cuda."""
    precision: str = "auto"
    """float32, on CPU int8, on a GPU bf16; auto is int8 on CPU (fastest) and float32 on a GPU."""
    quiet: bool = False
    """Show no progress and no summary."""


def run(options: Options) -> int:
    """Translate; raises a HeedfulError for a bad model, option, input or output."""
    if options.texts and options.input is not None:
        raise SettingError("texts and --input are both given", fix="leave one of them out")
    for name in ("split_above", "batch_tokens", "workers"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise SettingError(f"{value} is less than 1", where=f"--{name.replace('_', '-')}")
    with _open_input(options) as lines, _open_output(options) as out:
        _translate(options, lines, out)
    return 0


def _translate(options: Options, lines: BinaryIO | None, out: TextIO | Part) -> None:
    from heedful.data.arriving import Arriving
    from heedful.decode.engine import BATCH_TOKENS
    from heedful.progress import Progress
    from heedful.translator import BUNDLED, SPLIT_ABOVE, load

    search = _search(options)
    if options.workers is not None:
        _employ(options.workers, quiet=options.quiet)
    model = BUNDLED if options.model is None else options.model
    translator = load(model, options.device, options.precision, options.fast)
    translator.target(options.to, options.from_)
    typing = lines is not None and lines.isatty()
    if typing and not options.quiet:
        print("Type a line and press Enter; Ctrl-D ends.", file=sys.stderr)
    counts: Counter[str] = Counter()
    arriving = None if lines is None else Arriving(lines)
    given = _given(options) if arriving is None else _lines(arriving, _name(options), counts)
    done = 0
    if isinstance(out, Part):
        _settle(translator, options)
        done = _begin(out, _made_with(options, translator), counts, options)
        given = out.after(given, _name(options))
    started = time.perf_counter()
    found = translator.stream(
        _flushing(given, counts, out),
        options.to,
        from_=options.from_,
        search=search,
        split_above=options.split_above or SPLIT_ABOVE,
        batch_tokens=options.batch_tokens or BATCH_TOKENS,
        window=1 if typing else None,
        ready=None if arriving is None or typing else arriving.ready,
    )
    shown_already = typing or lines is None or out.isatty()
    progress = Progress(quiet=options.quiet or shown_already)
    total = max((_total(options) or 0) - done, 0) or None if progress.live else None
    for index, translation in enumerate(progress.track(found, "translating", total), start=done):
        counts["lines"] += 1
        notes = (*translation.flags, *["blank"] * (not translation.source.strip()))
        counts.update(notes)
        result = _written(options, index, translation)
        if isinstance(out, Part):
            out.add(translation.source, result, notes)
        else:
            print(result, file=out)
    if not options.quiet:
        _tell(counts, time.perf_counter() - started, short=lines is None, done=done)


def _settle(translator: "Translator", options: Options) -> None:
    """Let all lines be translated the fused way, where there is one, so that a resumed run's are.

    An engine goes the eager way at its first call and until the kernels are there, and in int8 the
    two differ where sums are close: the same command twice gave other texts for 88 of 1,100 lines
    of Europarl (bundled model, beam 4). The fused way alone gave every bit again, in int8 and in
    float32, from whatever line on. What fits into the first portion is one call anyhow.
    """
    from heedful.data.windows import FIRST
    from heedful.kernels.warm import ready

    total = _total(options)
    if (total is None or total > FIRST) and translator.device.type == "cpu" and ready(wait=True):
        translator.translate(["a"], options.to, from_=options.from_)


def _made_with(options: Options, translator: "Translator") -> dict[str, object]:
    """Return what decides the results, by names that a person knows."""
    from heedful import __version__
    from heedful.model_header import read_header
    from heedful.model_path import BUNDLED, model_path
    from heedful.translator import SPLIT_ABOVE

    header = read_header(model_path(BUNDLED if options.model is None else options.model))
    given = {name: value for name, value in asdict(options).items() if name not in _SAME_RESULTS}
    return {
        "version of heedful": __version__,
        "model with the checksum": sha256(header.model_dump_json().encode()).hexdigest()[:16],
        "device": translator.device.type,
        "--to": translator.target(options.to, options.from_),
        "--precision": translator.precision,
        "--split-above": options.split_above or SPLIT_ABOVE,
        **{f"--{name.replace('_', '-')}": value for name, value in given.items()},
    }


def _begin(part: Part, made_with: dict[str, object], counts: Counter[str], options: Options) -> int:
    """Begin the file, anew or where an earlier run was cut off; return the lines that are done."""
    left = part.begin(made_with, resume=options.resume)
    if options.resume:
        counts.update(left.notes)
        return left.lines
    if left.lines and not options.quiet:
        said = f"{left.lines:,} line{'s' * (left.lines != 1)} translated"
        print(
            f"an earlier run left {said}: they go as soon as the first new ones are there; "
            "stop now and give --resume to go on with them",
            file=sys.stderr,
        )
    return 0


def _employ(workers: int, *, quiet: bool) -> None:
    """Let translating take so many cores."""
    import torch

    from heedful.data.workers import usable_cores

    cores = usable_cores()
    if workers > cores and not quiet:
        print(f"--workers {workers}: more than the {cores} cores gains nothing", file=sys.stderr)
    torch.set_num_threads(workers)


def _search(options: Options) -> "Greedy | Beam":
    """Return the search that the options ask for; raises SettingError for an impossible one."""
    from pydantic import ValidationError

    from heedful.search import Beam, Greedy

    names = {"beam_size": "--beam", "n_best": "--nbest", "length_penalty": "--length-penalty"}
    try:
        beam = Beam(
            beam_size=options.beam, n_best=options.nbest, length_penalty=options.length_penalty
        )
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:
            raise SettingError(
                f"{options.nbest} are more than the beam holds",
                where="--nbest",
                fix=f"give --beam {options.nbest}",
            ) from error
        name = names[str(first["loc"][0])]
        message = first["msg"][:1].lower() + first["msg"][1:]
        raise SettingError(f"{message}, but was given {first['input']}", where=name) from error
    return Greedy() if options.beam == 1 else beam


def _given(options: Options) -> Iterator[str]:
    """Yield the lines of the words on the command line."""
    for number, text in enumerate(options.texts, start=1):
        try:
            text.encode()
        except UnicodeEncodeError as error:  # bytes that are not UTF-8 come as surrogates
            byte = f"byte 0x{ord(text[error.start]) & 0xFF:02X}"
            where = f"text {number}"
            raise DataError(f"invalid UTF-8: {byte}", where=where, fix="type it in UTF-8") from None
        yield from text.split("\n")


def _name(options: Options) -> str:
    return "standard input" if options.input in (None, STANDARD) else str(options.input)


@contextmanager
def _open_input(options: Options) -> Iterator[BinaryIO | None]:
    """Open what is to be read as bytes; None if the texts are on the command line."""
    if options.texts:
        yield None
        return
    path = options.input
    if path is None or path == STANDARD:
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"cannot be read: {reason}", where=str(path)) from None
    with file, gzip.open(file) if path.suffix == ".gz" else file as unpacked:
        yield unpacked  # type: ignore[misc]


@contextmanager
def _open_output(options: Options) -> "Iterator[TextIO | Part]":
    """Open where to write: what comes from a file and goes to one can be gone on with later."""
    given, path = options.input, options.output
    into_file = path is not None and path != STANDARD and is_plain(path)
    if path is not None and into_file and given is not None and given != STANDARD:
        with Part(path) as part:
            yield part
        return
    if options.resume:
        problem = "only a file of translations of a file can be gone on with"
        raise SettingError(problem, where="--resume", fix="give -i FILE and -o FILE")
    with open_output(path) as out:
        yield out


def _flushing(texts: Iterator[str], counts: Counter[str], out: TextIO | Part) -> Iterator[str]:
    """Yield the texts; when one is asked for, all that was written before is sent off first."""
    sent = 0
    for text in texts:
        yield text
        if counts["lines"] > sent:
            sent = counts["lines"]
            out.flush()


def _lines(file: Iterable[bytes], name: str, counts: Counter[str]) -> Iterator[str]:
    """Yield the text of each line; only LF, or CR and LF, ends one."""
    from heedful.data.formats.reading import MAX_LINE

    number = 0
    try:
        for number, raw in enumerate(file, start=1):
            line = raw.removesuffix(b"\n")
            if len(line) > MAX_LINE:
                problem = f"the line is longer than {MAX_LINE // 2**20} MiB"
                raise DataError(problem, where=f"{name}:{number}", fix="one sentence a line")
            if number == 1 and line.startswith(_BOM):
                counts["bom"] += 1
                line = line.removeprefix(_BOM)
            if raw.endswith(b"\r\n"):
                counts["crlf"] += 1
                line = line.removesuffix(b"\r")
            yield line.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02X} at byte {error.start + 1}"
        where = f"{name}:{number}"
        raise DataError(f"invalid UTF-8: {byte}", where=where, fix="save it as UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        problem = f"cannot be read after line {number}: {error}"
        raise DataError(problem, where=name) from None


def _total(options: Options) -> int | None:
    """Return how many lines a file has, None where it cannot be read twice."""
    if options.input is None or not options.input.is_file():
        return None
    from heedful.data.formats.reading import count_lines

    return count_lines(options.input)


def _written(options: Options, index: int, translation: "Translation") -> str:
    """Return what is printed for one line of the input."""
    if options.json:
        hypotheses: list[dict[str, Any]] = [x._asdict() for x in translation.hypotheses]
        record = {
            "source": translation.source,
            "translation": translation.text,
            "hypotheses": hypotheses,
            "flags": list(translation.flags),
        }
        return json.dumps(record, ensure_ascii=False)
    if options.nbest > 1:
        return "\n".join(f"{index}\t{x.score:.4f}\t{x.text}" for x in translation.hypotheses)
    return translation.text


def _tell(counts: Counter[str], seconds: float, *, short: bool, done: int) -> None:
    """Print the summary on standard error; `short`: only what needs to be known.

    `done` lines were there before, and are in the notes as well.
    """
    notes = [f"{counts[name]:,} {what}" for name, what in _TOLD.items() if counts[name]]
    if short:
        notes = [note for note in notes if "blank" not in note]
    lines = counts["lines"]
    head = f"{done:,} line{'s' * (done != 1)} were there already, " if done else ""
    head += f"{lines:,} line{'s' * (lines != 1)} in {seconds:.1f} s"
    speed = f" ({lines / seconds:,.1f} a second)" if seconds else ""
    if not short:
        print("; ".join([head + speed, *notes]), file=sys.stderr)
    elif notes:
        print("; ".join(notes), file=sys.stderr)
