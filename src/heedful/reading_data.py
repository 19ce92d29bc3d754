"""What an encoder learns from becomes rows of ids: examples with labels, or a text to be masked.

Settings, the run folder and the vocabulary come in; `heedful.run_reading` trains on what goes out.
Nothing is cut, left out or unknown without being said.
"""

__all__ = ["LabelledRows", "labelled_rows", "text_lines", "text_rows"]

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from heedful.data.examples import Example, ReadingData, label_number, read_examples
from heedful.data.formats.reading import ReadCounts, RowError, lines, text_of
from heedful.data.rows import RowStore
from heedful.errors import DataError, did_you_mean
from heedful.progress import Progress
from heedful.reader import Cut
from heedful.text.wordpiece import Framed, WordPieces, cut

_AT_ONCE = 10_000
"""Texts that are turned into pieces together."""
_IMBALANCE = 0.8
"""Share of one label from which accuracy alone says little."""
_EACH = 20
"""Held-out rows under which a measure is luck."""


@dataclass
class LabelledRows:
    """Examples as rows, and what their labels are."""

    train: RowStore
    dev: RowStore | None
    labels: tuple[str, ...]
    """In the order of their numbers; none where labels are numbers."""
    pairs: bool
    """Whether each is of two texts."""
    said: list[str] = field(default_factory=list)
    """What there is to tell of them."""


def labelled_rows(
    data: ReadingData, vocabulary: WordPieces, max_pieces: int, seed: int, folder: Path
) -> LabelledRows:
    """Return the examples of all files as rows.

    Raises DataError for a bad row, for labels that are all the same, and for a dev label that the
    rows to learn from do not have.
    """
    said: list[str] = []
    examples = _examples(data.train, data, said)
    dev = _examples(data.dev, data, said)
    pairs = {one.text_b is not None for _, one in (*examples, *dev)}
    if len(pairs) > 1:
        where = " ".join((*data.train, *data.dev))
        fix = "let all files have the same columns, or name them with --columns"
        raise DataError("some rows are one text and some are two", where=where, fix=fix)
    if not data.dev and data.held_out:
        examples, dev = _held_out(examples, data, seed)
    labels = () if data.numbers else _labels(examples, " ".join(data.train))
    if labels:
        said += _balance(examples, labels)
    numbered = {label: number for number, label in enumerate(labels)}
    stores = []
    for name, some in (("rows to learn from", examples), ("dev rows", dev)):
        cut_off = Cut(max_pieces)
        store = _stored(some, numbered, vocabulary, folder, cut_off)
        if cut_off.texts:
            share = f"{cut_off.texts:,} of {len(some):,} {name}"
            said.append(f"{share} lost their ends: --training.max-pieces is {max_pieces}")
        stores.append(store)
    if dev and len(dev) < _EACH:
        said.append(f"the dev set has {len(dev)} rows: its figures are luck under {_EACH}")
    return LabelledRows(stores[0], stores[1] if dev else None, labels, pairs.pop(), said)


Placed = tuple[str, Example]
"""An example and the file it is of."""


def _examples(paths: Sequence[str], data: ReadingData, said: list[str]) -> list[Placed]:
    found: list[Placed] = []
    for path in paths:
        counts = ReadCounts()
        rows = read_examples(Path(path), data.columns, skip_bad=data.skip_bad, counts=counts)
        some = [(path, row) for row in rows]
        if not some:
            raise DataError("there is no example in it", where=path, fix="give another file")
        found += some
        if (skipped := counts.skipped(path)) is not None:
            said.append(skipped)
    return found


def _held_out(
    examples: list[Placed], data: ReadingData, seed: int
) -> tuple[list[Placed], list[Placed]]:
    """Return what is learnt from and what is held out; the same texts are never in both.

    A label all of whose rows are drawn keeps one of them to be learnt from.
    """
    order = np.random.default_rng([seed, 0]).permutation(len(examples)).tolist()
    count = min(round(data.held_out * len(examples)), len(examples) - 1)
    apart = {examples[place][1][:2] for place in order[:count]}
    learnt = {one.label for _, one in examples if one[:2] not in apart}
    for _, one in [] if data.numbers else examples:
        if one.label not in learnt:
            apart.discard(one[:2])
            learnt.add(one.label)
    kept = [one for one in examples if one[1][:2] not in apart]
    if not kept:
        return examples, []
    return kept, [one for one in examples if one[1][:2] in apart]


def _labels(examples: list[Placed], where: str) -> tuple[str, ...]:
    """Return the labels in order, numbers by their size; raises DataError where there is one."""
    every = {one.label for _, one in examples}
    if len(every) < 2:
        problem = f'every row has the label "{min(every)}", and there is nothing to tell apart'
        raise DataError(problem, where=where, fix="give rows of two labels at least")
    if len(every) > 1000 and len(every) * 2 > len(examples):
        problem = f"{len(every):,} different labels in {len(examples):,} rows are no labels"
        fix = "name the right columns with --columns, or give --data.numbers true"
        raise DataError(problem, where=where, fix=fix)
    return tuple(sorted(every, key=_in_order))


def _in_order(label: str) -> tuple[bool, int, str]:
    """Return what labels are sorted by: numbers come first, by their size.

    >>> sorted(["neutral", "10", "good", "9"], key=_in_order)
    ['9', '10', 'good', 'neutral']
    """
    number = label.isdecimal()
    return not number, len(label) * number, label


def _balance(examples: list[Placed], labels: tuple[str, ...]) -> list[str]:
    """Return how many rows each label has, and a warning where one has most."""
    counts = Counter(one.label for _, one in examples)
    shares = [f"{label}: {counts[label]:,}" for label in labels[:10]]
    more = f" and {len(labels) - 10} more" if len(labels) > 10 else ""
    said = [f"{len(labels)} labels: {', '.join(shares)}{more}"]
    label, most = counts.most_common(1)[0]
    if most > _IMBALANCE * len(examples):
        share = 100 * most / len(examples)
        said.append(
            f'{share:.0f} % of the rows have the label "{label}": who always says it is right as '
            "often, so look at Matthews correlation and F1 rather than at accuracy"
        )
    return said


def _stored(
    examples: list[Placed],
    labels: dict[str, int],
    vocabulary: WordPieces,
    folder: Path,
    cut_off: Cut,
) -> RowStore:
    store = RowStore(np.int64 if labels else np.float32, folder)
    rows = iter(examples)
    while some := list(islice(rows, _AT_ONCE)):
        firsts = vocabulary.encode([one.text for _, one in some])
        pairs = some[0][1].text_b is not None
        others = vocabulary.encode([one.text_b or "" for _, one in some]) if pairs else None
        for number, placed in enumerate(some):
            second = None if others is None else others[number]
            row = _fitting(firsts[number], second, vocabulary, cut_off)
            store.append(row, _target(placed, labels))
    return store.finish()


def _fitting(
    first: list[int], second: list[int] | None, vocabulary: WordPieces, cut_off: Cut
) -> Framed:
    """Return the row, which has lost its end if it is too long."""
    controls = 2 if second is None else 3
    cut_off.note(len(first) + len(second or ()) + controls)
    return vocabulary.framed(*cut(first, second, cut_off.most - controls))


def _target(placed: Placed, labels: dict[str, int]) -> float:
    """Return the number of a label, or the number that it is."""
    path, one = placed
    if labels:
        if one.label not in labels:
            known = did_you_mean(one.label, list(labels)[:20])
            problem = f'the label "{one.label}" is none of those in the rows to learn from'
            raise DataError(problem, where=f"{path}:{one.line}", fix=known)
        return labels[one.label]
    return label_number(one.label, f"{path}:{one.line}")


def text_rows(
    data: ReadingData,
    vocabulary: WordPieces,
    max_pieces: int,
    seed: int,
    folder: Path,
    progress: Progress,
) -> tuple[RowStore, RowStore | None]:
    """Return what is learnt of texts, and what is held out, as rows.

    Without dev files a share of the rows is drawn. Raises DataError for a text without a line.
    """
    rows = _text_rows(data.train, vocabulary, max_pieces, folder, progress)
    if data.dev:
        return rows, _text_rows(data.dev, vocabulary, max_pieces, folder, progress)
    if not data.held_out or len(rows) < 2:
        return rows, None
    chosen = np.random.default_rng([seed, 0]).random(len(rows)) < data.held_out
    chosen[0] = False
    chosen[1] |= not chosen.any()
    stores = [RowStore(np.int64, folder) for _ in range(2)]
    for number, (start, length) in enumerate(zip(rows.starts, rows.lengths, strict=True)):
        ids = rows.ids[start : start + length].tolist()
        stores[int(chosen[number])].append(Framed(ids, [0] * len(ids)))
    return stores[0].finish(), stores[1].finish()


def _text_rows(
    paths: Sequence[str], vocabulary: WordPieces, max_pieces: int, folder: Path, progress: Progress
) -> RowStore:
    """Return the lines of texts as rows: as many lines of a text together as fit into one.

    An empty line ends a text; a line that is longer than a row goes on in the next, so that nothing
    is left out (Liu et al. 2019, arXiv 1907.11692, section 4.2, full sentences).
    """
    store = RowStore(np.int64, folder)
    row: list[int] = []
    most = max_pieces - 2
    for pieces in _pieces(paths, vocabulary, progress):
        if row and (not pieces or len(row) + len(pieces) > most):
            store.append(vocabulary.framed(row))
            row = []
        while len(pieces) > most:
            store.append(vocabulary.framed(pieces[:most]))
            pieces = pieces[most:]
        row += pieces
    if row:
        store.append(vocabulary.framed(row))
    found = store.finish()
    if not len(found):
        raise DataError("there is no text in it", where=" ".join(paths), fix="give another file")
    return found


def _pieces(
    paths: Sequence[str], vocabulary: WordPieces, progress: Progress
) -> Iterator[list[int]]:
    """Yield the pieces of each line, none for an empty one and behind each file."""
    for path in paths:
        every = progress.track(text_lines([path]), f"{path}: lines turned into pieces")
        rest = iter(every)
        while some := list(islice(rest, _AT_ONCE)):
            yield from vocabulary.encode(some)
        yield []


def text_lines(paths: Iterable[str]) -> Iterator[str]:
    """Yield the lines of all files; raises DataError for one that is no UTF-8 text."""
    for path in paths:
        for number, raw in lines(Path(path), ReadCounts()):
            try:
                yield text_of(raw)
            except RowError as wrong:
                where = f"{path}:{number}"
                raise DataError(wrong.problem, where=where, fix=wrong.fix) from None
