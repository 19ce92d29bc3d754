"""Fills the report: what a survey kept and a judgement decided becomes counts, examples, sentences.

Called by `heedful.data.corpus` once every row is decided about.
"""

__all__ = ["TITLES", "held_report", "leak_between", "notes", "split_report"]

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heedful.data.characters import describe_odd, scripts
from heedful.data.clean import RULES
from heedful.data.columns import blocks, first_marked
from heedful.data.formats.reading import ReadCounts
from heedful.data.judge import DEV, FEWEST, KEPT, TEST, Judgement
from heedful.data.report import FileReport, Finding, Leak, SideReport, SplitReport
from heedful.data.survey import Example, Survey

TITLES = {rule.name: rule.title for rule in RULES}
TITLES |= {
    "leak": "the source is in dev or test",
    "leak_target": "the target is in dev or test (matters as both directions are learnt)",
}
_EXAMPLES = 3
_LONGEST = 500
_MANY = 0.2


def split_report(name: str, survey: Survey, judgement: Judgement, *, trimmed: bool) -> SplitReport:
    """Describe a split that was read from files."""
    first = {rule: first_marked(found, _EXAMPLES) for rule, found in judgement.found.items()}
    examples = survey.examples([row for rows in first.values() for row in rows])
    findings = tuple(
        Finding(
            name=rule,
            title=TITLES[rule],
            rows=int(np.count_nonzero(found)),
            dropped=judgement.dropped(rule),
            mended=trimmed and rule == "padded",
            examples=tuple(_shown(examples[row]) for row in first[rule]),
        )
        for rule, found in judgement.found.items()
    )
    rows, fates = survey.rows, judgement.fates
    return SplitReport(
        name=name,
        files=tuple(map(_file_report, survey.source.specs, survey.counts)),
        rows=len(rows),
        kept=int(np.count_nonzero(fates == KEPT)),
        held_out=sum(int(np.count_nonzero(fates == fate)) for fate in (DEV, TEST)),
        findings=findings,
        sides=(
            _side("source", survey.source_characters, rows.source_length, rows.source_words),
            _side("target", survey.target_characters, rows.target_length, rows.target_words),
        ),
    )


def held_report(name: str, rows: int) -> SplitReport:
    """Describe a split whose rows were held out of train."""
    return SplitReport(name, (), rows=rows, kept=rows, held_out=0, findings=(), sides=())


def _file_report(spec: str, counts: ReadCounts) -> FileReport:
    return FileReport(
        spec=_readable(spec),
        lines=counts.lines,
        rows=counts.rows,
        bom=counts.bom,
        crlf=counts.crlf,
        bad_rows=counts.skipped_bad,
        bad_examples=tuple(replace(bad, where=_readable(bad.where)) for bad in counts.examples),
    )


def _shown(example: Example) -> Example:
    source, target = (
        text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
        for text in (example.source, example.target)
    )
    return Example(_readable(example.where), source, target)


def _readable(path: str) -> str:
    """Spell the bytes of a file name that are not UTF-8, so that it can be printed."""
    return path.encode("utf-8", "backslashreplace").decode()


def _side(
    name: str, counts: Counter[str], lengths: NDArray[np.uint32], words: NDArray[np.uint32]
) -> SideReport:
    values, rows = _counted(lengths)
    return SideReport(
        name=name,
        characters=counts.total(),
        distinct_characters=len(counts),
        median_length=_median(values, rows),
        longest=int(values.max(initial=0)),
        lengths=_by_length(values, rows),
        words=int(words.sum(dtype=np.int64)),
        scripts=scripts(counts),
        odd_characters=describe_odd(counts),
    )


def _counted(lengths: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the lengths there are, rising, and how many rows have each."""
    found: Counter[int] = Counter()
    for block in blocks(len(lengths)):
        values, counts = np.unique(lengths[block], return_counts=True)
        found.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    rising = sorted(found)
    return np.array(rising, np.uint32), np.array([found[value] for value in rising], np.int64)


def _median(values: NDArray[np.uint32], rows: NDArray[np.int64]) -> float:
    """Return the median of lengths of which there are `rows` each; 0 without any."""
    if not len(values):
        return 0.0
    below = np.cumsum(rows)
    middle = [(below[-1] - 1) // 2, below[-1] // 2]
    return float(values[np.searchsorted(below, middle, side="right")].mean())


def _by_length(values: NDArray[np.uint32], rows: NDArray[np.int64]) -> dict[str, int]:
    """Count the rows of each length, in classes that double."""
    edges = [0, 1, 11, 21, 41, 81, 161, 321, 641]
    counts, _ = np.histogram(values, bins=[*edges, np.inf], weights=rows)
    names = ["0", *(f"{low}-{high - 1}" for low, high in pairwise(edges[1:])), f"{edges[-1]}+"]
    return {name: int(count) for name, count in zip(names, counts, strict=True)}


def leak_between(split: str, survey: Survey, seen_in: str, other: Survey) -> Leak:
    """Count the rows of a split whose source also stands in another, with examples."""
    ours = survey.rows
    rows, same = np.zeros((2, len(ours)), np.bool_)
    for block in blocks(len(other.rows)):
        theirs = other.rows.block(block)
        rows |= np.isin(ours.source_key, theirs.source_key)
        same |= np.isin(ours.pair_key, theirs.pair_key)
    rows &= ours.source_length > 0
    same &= rows
    first = first_marked(rows, _EXAMPLES)
    examples = survey.examples(first)
    return Leak(
        split=split,
        seen_in=seen_in,
        rows=int(np.count_nonzero(rows)),
        same_pair=int(np.count_nonzero(same)),
        examples=tuple(_shown(examples[row]) for row in first),
    )


def notes(
    splits: Sequence[SplitReport], *, size: int, missing: tuple[str, ...], each: int
) -> Iterator[str]:
    """Yield the sentences a person should read first.

    `size` rows were to be held out for each of the `missing` splits, `each` were.
    """
    names = " and ".join(missing)
    if each:
        yield (
            f"{names}: {each:,} rows{' each' if len(missing) > 1 else ''} held out of train, chosen"
            " by a hash of source and seed; train keeps no row with the same source"
        )
    elif missing and size == 0:
        yield f"nothing is held out, as asked: there is no {names.replace('and', 'and no')}"
    elif missing:
        yield (
            f"nothing is held out, since train has fewer than {FEWEST} different usable sources:"
            f" there is no {names.replace('and', 'and no')}"
        )
    for split in splits:
        bad = sum(file.bad_rows for file in split.files)
        if bad:
            yield (
                f"{bad:,} rows of {split.name} cannot be read: a training stops at the first unless"
                " it is started with --skip-bad"
            )
        dropped = split.rows - split.kept - split.held_out
        if dropped > _MANY * split.rows:
            share = 100 * dropped / split.rows
            yield f"{share:.0f} % of the rows of {split.name} are dropped: look at the examples"
        broken = sum(o.count for s in split.sides for o in s.odd_characters if o.code == "U+FFFD")
        if broken:
            yield (
                f"U+FFFD stands {broken:,} times in {split.name}: some text was decoded wrongly"
                " before it came here"
            )
