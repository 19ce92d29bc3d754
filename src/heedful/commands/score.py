"""`heed score`: how likely a model finds translations that are given.

Reads pairs, hands their ids to `heedful.decode.score` and writes a line for each pair.
"""

__all__ = ["EXAMPLES", "Options", "run"]

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import tyro

from heedful.errors import DataError, SettingError
from heedful.output import open_output, refuse_read

if TYPE_CHECKING:
    from heedful.data.formats import ReadCounts, Row
    from heedful.translator import Translator

EXAMPLES = """\
heed score --model runs/mine --data test.tsv
heed score --data test.en,test.de --to de -o scores.txt
heed score --data test.tsv --to de --json
"""

AT_ONCE = 4096
"""Pairs read before the first is scored: enough of like lengths, and memory stays bounded."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Say how likely a model finds given translations: which pair is odd, which model is better.

    Each pair gives a line: the natural logarithm of its probability, the same for each piece of the
    target, and the perplexity of a piece, with tabs between. The end of a target counts as a piece,
    and below, in the sums over all pairs, as a character.
    """

    data: str
    """The pairs: a.tsv, a.jsonl, a.csv, a.parquet, or a.en,a.de for two files."""
    model: str | None = None
    """A model folder, a run folder or a bundled name; the bundled model if not given."""
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """Language that is translated from, such as en."""
    to: str | None = None
    """Language that is translated to. The columns change places when it is the first one's."""
    columns: str | None = None
    """Which two columns hold the model's first and second language, such as 1,2 or en,de."""
    skip_bad: bool = False
    """Leave out pairs that cannot be read or scored, and count them, instead of stopping."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Write the lines there (.gz is packed); the file appears when it is complete."""
    batch_tokens: int | None = None
    """Pieces scored at once (default 4096): more is faster and needs memory."""
    device: str = "auto"
    """auto, cpu or cuda."""
    json: bool = False
    """Give one JSON object a line: texts, line of the file, and each piece with its part."""
    quiet: bool = False
    """Show no progress and no sums."""


class _Scored(NamedTuple):
    """One pair, the way it is translated, and what the model says."""

    row: "Row"
    target: list[int]
    log_probs: list[float]


@dataclass
class _Sums:
    """What is summed over all pairs."""

    pairs: int = 0
    pieces: int = 0
    characters: int = 0
    log_prob: float = 0.0

    def add(self, scored: _Scored) -> None:
        self.pairs += 1
        self.pieces += len(scored.log_probs)
        self.characters += len(scored.row.target) + 1
        self.log_prob += math.fsum(scored.log_probs)


def run(options: Options) -> int:
    """Score, write, sum up; raises a HeedfulError for a bad pair, model or option."""
    from heedful.data.formats import ReadCounts, corpus_paths
    from heedful.progress import Progress
    from heedful.translator import BUNDLED, Translator

    if options.batch_tokens is not None and options.batch_tokens < 1:
        raise SettingError(f"{options.batch_tokens} is less than 1", where="--batch-tokens")
    refuse_read(options.output, corpus_paths(options.data))
    with open_output(options.output) as out:
        model = BUNDLED if options.model is None else options.model
        translator = Translator.load(model, options.device, "float32")
        counts, sums = ReadCounts(), _Sums()
        progress = Progress(quiet=options.quiet)
        scored = _scored(options, translator, counts)
        for one in progress.track(scored, "scoring"):
            print(_as_json(one, translator) if options.json else _as_text(one), file=out)
            sums.add(one)
        if not sums.pairs:
            raise DataError("no pair can be scored", where=options.data, fix="give a file of pairs")
    if not options.quiet:
        _tell(sums, counts)
    return 0


def _scored(options: Options, translator: "Translator", counts: "ReadCounts") -> Iterator[_Scored]:
    """Yield the pairs with their log-probabilities, some thousand at a time."""
    from heedful.decode.engine import BATCH_TOKENS
    from heedful.decode.score import score

    rows = _rows(options, translator, counts)
    while some := list(islice(rows, AT_ONCE)):
        pairs = [(source, target) for _, source, target in some]
        batch_tokens = options.batch_tokens or BATCH_TOKENS
        found = score(translator.model, pairs, translator.device, batch_tokens)
        for (row, _, target), log_probs in zip(some, found, strict=True):
            yield _Scored(row, target, log_probs)


def _rows(
    options: Options, translator: "Translator", counts: "ReadCounts"
) -> Iterator[tuple["Row", list[int], list[int]]]:
    """Yield the pairs in the direction asked for, with the ids of both sides.

    Raises DataError for a pair that cannot be scored, unless it may be left out and counted.
    """
    from heedful.data.formats import open_corpus
    from heedful.data.formats.reading import RowError, refuse

    tag = translator.target(options.to, options.from_)
    tokenizer, swapped = translator.tokenizer, translator.languages.swapped(tag)
    columns = options.columns.split(",") if options.columns else None
    for row in open_corpus(options.data, columns=columns, skip_bad=options.skip_bad, counts=counts):
        turned = row._replace(source=row.target, target=row.source) if swapped else row
        [source] = tokenizer.encode_source([turned.source], tag)
        [target] = tokenizer.encode_target([turned.target])
        try:
            _check(turned, (source, target), translator.model.config.max_length)
        except RowError as problem:
            where = f"{options.data}:{row.line}"
            refuse(problem, where, skip_bad=options.skip_bad, counts=counts)
            continue
        yield turned, source, target


def _check(row: "Row", ids: tuple[list[int], list[int]], longest: int) -> None:
    """Raise RowError for an empty side, and for one longer than the model knows."""
    from heedful.data.formats.reading import RowError

    for name, text, pieces in zip(("source", "target"), (row.source, row.target), ids, strict=True):
        if not text.strip():
            raise RowError(f"the {name} is empty")
        if len(pieces) > longest:
            known = f"the model knows {longest:,}"
            raise RowError(f"the {name} has {len(pieces):,} pieces and {known}", "split it")


def _as_text(scored: _Scored) -> str:
    log_prob = math.fsum(scored.log_probs)
    mean = log_prob / len(scored.log_probs)
    return f"{log_prob:.4f}\t{mean:.4f}\t{_perplexity(mean):.4f}"


def _as_json(scored: _Scored, translator: "Translator") -> str:
    log_prob = math.fsum(scored.log_probs)
    mean = log_prob / len(scored.log_probs)
    pieces = translator.tokenizer.target_pieces(scored.target)
    record = {
        "line": scored.row.line,
        "source": scored.row.source,
        "target": scored.row.target,
        "log_prob": log_prob,
        "mean": mean,
        "perplexity": _perplexity(mean),
        "pieces": list(zip(pieces, scored.log_probs, strict=True)),
    }
    return json.dumps(record, ensure_ascii=False)


def _perplexity(mean: float) -> float:
    """Return exp(-mean), at most the largest number there is.

    >>> _perplexity(-math.log(8)), _perplexity(-1e9)
    (7.999999999999998, 1.7976931348623157e+308)
    """
    try:
        return math.exp(-mean)
    except OverflowError:
        return sys.float_info.max


def _tell(sums: _Sums, counts: "ReadCounts") -> None:
    """Print on standard error what all pairs give together, and which were left out."""
    by_piece, by_character = sums.log_prob / sums.pieces, sums.log_prob / sums.characters
    said = [
        f"{sums.pairs:,} pairs: log-probability {sums.log_prob:,.2f}",
        f"perplexity {_perplexity(by_piece):.4f} of {sums.pieces:,} pieces",
        f"{_perplexity(by_character):.4f} of {sums.characters:,} characters "
        f"({-by_character / math.log(2):.4f} bits a character)",
    ]
    print("; ".join(said), file=sys.stderr)
    if counts.skipped_bad:
        print(f"left out: {counts.skipped_bad:,} pairs", file=sys.stderr)
        for bad in counts.examples:
            print(f"  {bad.where}: {bad.reason}", file=sys.stderr)
