"""`heed translate`: lines of text in, as many lines of translation out.

Reads words from the command line, a file or standard input, hands them to
`heedful.translator.Translator` and writes what comes back, line by line.
"""

__all__ = ["ACCEPTS_SETTINGS", "EXAMPLES", "Options", "run"]

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TextIO

import tyro

from heedful.data.windows import FIRST
from heedful.errors import SettingError
from heedful.output import STANDARD, is_plain, open_output, refuse_read
from heedful.resuming import Part

if TYPE_CHECKING:
    from heedful.search import SearchConfig
    from heedful.translator import Options as Asked
    from heedful.translator import Request, Translation, Translator

EXAMPLES = """\
heed translate --to de "Where is the station?"
heed translate --to en -i letter.txt -o brief.txt
cat letter.txt | heed translate --from de > brief.txt
heed translate --to de notes.md -o notes.de.md
heed translate --model runs/mine -i test.en -o test.out --beam 1
heed translate --to de -i book.txt -o buch.txt --resume
heed translate --to de --beam 8 --nbest 3 --json -i test.en
heed translate --to de --glossary terms.tsv --protect -i strings.txt
heed translate --to de --prefix "Ein Hund" --never Hündin "A dog barks."
heed translate --to de --must "Katze|Kater" "The cat sleeps."
heed translate --to de --search.kind mbr --search.count 64 "Where is the station?"
heed translate --to de --search.kind sample --search.top-k 10 --search.seed 7 "Good morning!"
"""

ACCEPTS_SETTINGS = True

_SAME_RESULTS = (
    *("texts", "input", "output", "resume", "quiet", "live", "workers", "batch_tokens"),
    *("model", "ensemble", "from_", "to", "split_above", "device", "precision", "glossary"),
    *("beam", "nbest", "length_penalty"),
)
"""Options that do not decide what comes out, and those that `_made_with` knows better."""

_SHORT = {"beam_size": "beam", "n_best": "nbest", "length_penalty": "length-penalty"}
"""Settings of a search that have options of their own."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Translate lines of text: a file, standard input, or the words given."""

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """What to translate: texts, or with -o one document (.md, .html, .srt, .txt); without it
    --input or standard input is read, line by line."""
    model: str | None = None
    """A model folder, a run folder or a bundled name; the bundled model if not given."""
    ensemble: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="MODEL"), tyro.conf.UseAppendAction
    ] = ()
    """Further models of the same vocabulary, whose probabilities are averaged with the first's."""
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """Language to translate from, such as en."""
    to: str | None = None
    """Language to translate to; not needed by a model of one direction."""
    input: Annotated[Path | None, tyro.conf.arg(aliases=["-i"], metavar="FILE")] = None
    """Read from there (.gz is unpacked); - is standard input."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Write there (.gz is packed); the file appears when it is complete."""
    resume: bool = False
    """Go on where the same command, with the same -i FILE and -o FILE, was cut off."""
    beam: int | None = None
    """Beam size (default 4); 1 is greedy search: faster, a little worse."""
    nbest: int | None = None
    """Give so many translations a line, each as NUMBER<tab>SCORE<tab>TEXT; lines count from 0."""
    length_penalty: float | None = None
    """How much long translations are favoured, from 0 (default 0.6)."""
    prefix: str = ""
    """How every translation begins; its last word may go on, unless a space follows it."""
    must: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Words that must appear in every translation; of forms like "Katze|Kater" any will do."""
    never: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Words that must not appear."""
    glossary: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Terms and their translations, SOURCE<tab>TARGET a line; TARGET may be FORM|FORM."""
    protect: bool = False
    """Keep placeholders, tags, addresses, numbers and marks of shortcuts as they are."""
    raw: bool = False
    """Leave the output as the search finds it: no care for capitals and endless repetition."""
    alignments: bool = False
    """Add which word is which word's translation, as 0-0 1-2, counted from 0."""
    confidence: bool = False
    """Add how good the translation can be expected to be: chrF, from 0 to 100."""
    live: bool = False
    """Show each translation while it grows, in a terminal; with --json also elsewhere."""
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
    """float32, on CPU int8, on a GPU bf16; auto is int8 or bf16 where there is one."""
    quiet: bool = False
    """Show no progress and no summary."""


def run(options: Options, settings: dict[str, Any]) -> int:
    """Translate; raises a HeedfulError for a bad model, option, input or output."""
    from heedful.line_input import check_one, check_utf8, open_input
    from heedful.search_options import search_of

    check_one({"texts": bool(options.texts), "--input": options.input is not None})
    if options.live and options.output not in (None, STANDARD):
        problem = "translations grow before your eyes, not in a file"
        raise SettingError(problem, where="--live", fix="leave -o out")
    for name in ("split_above", "batch_tokens", "workers"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise SettingError(f"{value} is less than 1", where=f"--{name.replace('_', '-')}")
    check_utf8(options.prefix, "--prefix")
    forms = [form for words in options.must for form in words.split("|")]
    for option, given in (("--must", forms), ("--never", options.never)):
        check_utf8("|".join(given), option)
        if not all(word.strip() for word in given):
            raise SettingError("a word is empty", where=option, fix="write it, or leave it out")
    search = search_of(
        settings, beam=options.beam, nbest=options.nbest, length_penalty=options.length_penalty
    )
    for name in ("alignments", "confidence"):
        if getattr(options, name) and search.returned > 1 and not options.json:
            problem = "they are of the best translation alone, and several are printed"
            raise SettingError(problem, where=f"--{name}", fix="give --json, or leave it out")
    if options.texts and _is_document(options, search):
        return 0
    refuse_read(options.output, [options.input, options.glossary])
    source = nullcontext(None) if options.texts else open_input(options.input)
    with source as lines, _open_output(options) as out:
        _translate(options, search, lines, out)
    return 0


def _translate(
    options: Options, search: "SearchConfig", lines: BinaryIO | None, out: TextIO | Part
) -> None:
    from heedful.data.arriving import Arriving
    from heedful.line_input import counted, lines_of, name_of, words_given
    from heedful.progress import Progress
    from heedful.translated_line import summary, written

    translator = _translator(options)
    given = _asked_for(options, search, translator)
    typing = lines is not None and lines.isatty()
    if typing and not options.quiet:
        print("Type a line and press Enter; Ctrl-D ends.", file=sys.stderr)
    counts: Counter[str] = Counter()
    arriving = None if lines is None else Arriving(lines)
    name = name_of(options.input)
    progress = Progress(quiet=options.quiet or typing or lines is None or out.isatty())
    needed = progress.live or isinstance(out, Part)
    total = counted(options.input) if needed else None
    texts = words_given(options.texts) if arriving is None else lines_of(arriving, name, counts)
    done = 0
    if isinstance(out, Part):
        if total is None or total > FIRST:  # else it is one call of the engine anyhow
            translator.settle()
        done = _begin(out, _made_with(options, search, translator), counts, options)
        texts = out.after(texts, name)
    added = {name: getattr(options, name) for name in ("json", "alignments", "confidence")}
    started = time.perf_counter()
    requests = (_request(text, options) for text in _flushing(texts, counts, out))
    if options.live:
        found = _living(translator, requests, options, given, out)
    else:
        found = translator.stream(
            requests,
            options.to,
            from_=options.from_,
            window=1 if typing else None,
            ready=None if arriving is None or typing else arriving.ready,
            **given,
        )
    expected = max((total or 0) - done, 0) or None if progress.live else None
    for index, translation in enumerate(progress.track(found, "translating", expected), done):
        counts["lines"] += 1
        notes = (*translation.flags, *["blank"] * (not translation.source.strip()))
        counts.update(notes)
        result = written(index, translation, several=search.returned > 1, **added)
        if isinstance(out, Part):
            out.add(translation.source, result, notes)
        else:
            print(result, file=out)
    if not options.quiet:
        told = summary(counts, time.perf_counter() - started, short=lines is None, done=done)
        if told:
            print(told, file=sys.stderr)


def _translator(options: Options) -> "Translator":
    """Load the translator; raises SettingError for languages that it does not translate."""
    from heedful.translator import BUNDLED, load

    if options.workers is not None:
        _employ(options.workers, quiet=options.quiet)
    model = BUNDLED if options.model is None else options.model
    translator = load(model, options.device, options.precision, options.fast, options.ensemble)
    translator.target(options.to, options.from_)
    return translator


def _is_document(options: Options, search: "SearchConfig") -> bool:
    """Translate a document, if that is what is given."""
    from heedful.document_job import job_of

    job = job_of(options.texts, options.output, quiet=options.quiet)
    if job is None:
        return False
    given = {f"--{name}": getattr(options, name) for name in _OF_LINES}
    job.refuse({**given, "--nbest": search.returned > 1})
    translator = _translator(options)
    job.run(
        translator,
        options.to,
        options.from_,
        lambda text: _request(text, options),
        _asked_for(options, search, translator),
        quiet=options.quiet,
    )
    return True


_OF_LINES = ("resume", "json", "alignments", "confidence", "live")
"""Options that no document has."""


def _asked_for(options: Options, search: "SearchConfig", translator: "Translator") -> "Asked":
    """Return how to translate."""
    from heedful.translator import Care

    care = Care(options.protect, capitals=not options.raw, loops=not options.raw)
    given: Asked = {"search": search, "care": care, "align": options.alignments}
    given["confidence"] = options.confidence
    if options.glossary is not None:
        from heedful.data.glossary import Glossary

        glossary = Glossary.load(options.glossary)
        translator.check_glossary(glossary)
        given["glossary"] = glossary
    if options.split_above is not None:
        given["split_above"] = options.split_above
    if options.batch_tokens is not None:
        given["batch_tokens"] = options.batch_tokens
    return given


def _request(text: str, options: Options) -> "Request":
    from heedful.translator import Request

    must = tuple(tuple(words.split("|")) for words in options.must)
    return Request(text, options.prefix, must, options.never)


def _living(
    translator: "Translator",
    requests: "Iterable[Request]",
    options: Options,
    given: "Asked",
    out: TextIO | Part,
) -> "Iterator[Translation]":
    """Yield translations one by one, each shown while it grows."""
    from heedful.progress import line_end

    if isinstance(out, Part) or not (out.isatty() or options.json):
        problem = "translations can be shown growing in a terminal alone"
        raise SettingError(problem, where="--live", fix="give --json, or leave it out")
    for request in requests:
        for beginning in translator.partial(request, options.to, from_=options.from_, **given):
            if not isinstance(beginning, str):
                print("" if options.json else _CLEARED, end="", file=out)
                yield beginning
            elif options.json:
                print(json.dumps({"partial": beginning}, ensure_ascii=False), file=out, flush=True)
            else:
                print(_CLEARED + line_end(beginning), end="", file=out, flush=True)


_CLEARED = "\r\x1b[K"
"""Empties the line of a terminal."""


def _made_with(
    options: Options, search: "SearchConfig", translator: "Translator"
) -> dict[str, object]:
    """Return what decides the results, by names that a person knows."""
    from heedful import __version__
    from heedful.model_header import read_header
    from heedful.model_path import BUNDLED, model_path
    from heedful.pipeline import SPLIT_ABOVE

    models = [BUNDLED if options.model is None else options.model, *options.ensemble]
    headers = [read_header(model_path(model)).model_dump_json() for model in models]
    given = {name: value for name, value in asdict(options).items() if name not in _SAME_RESULTS}
    terms = b"" if options.glossary is None else options.glossary.read_bytes()
    return {
        "version of heedful": __version__,
        "model with the checksum": _checksum("".join(headers).encode()),
        "device": translator.device.type,
        "--to": translator.target(options.to, options.from_),
        "--precision": translator.precision,
        "--split-above": options.split_above or SPLIT_ABOVE,
        "glossary with the checksum": _checksum(terms),
        **{f"--{_option(name)}": value for name, value in search.model_dump().items()},
        **{f"--{name.replace('_', '-')}": value for name, value in given.items()},
    }


def _option(name: str) -> str:
    """Return how a setting of the search is written."""
    return _SHORT.get(name, f"search.{name}").replace("_", "-")


def _checksum(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]


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
    """Let translating take so many cores; no more threads than there are, or none can be made."""
    import torch

    from heedful.data.workers import usable_cores

    cores = usable_cores()
    if workers > cores and not quiet:
        print(f"--workers {workers}: more than the {cores} cores gains nothing", file=sys.stderr)
    torch.set_num_threads(min(workers, cores))


@contextmanager
def _open_output(options: Options) -> "Iterator[TextIO | Part]":
    """Open where to write: what comes from a file and goes to one can be gone on with later."""
    given, path = options.input, options.output
    into_file = path is not None and path.suffix != ".gz" and path != STANDARD and is_plain(path)
    if path is not None and into_file and given is not None and given != STANDARD:
        with Part(path) as part:
            yield part
        return
    if options.resume:
        problem = "only a file of translations of a file can be gone on with"
        raise SettingError(problem, where="--resume", fix="give -i FILE and -o FILE, not .gz")
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
