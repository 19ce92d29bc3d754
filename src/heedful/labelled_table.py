"""How right an encoder is about a table of texts with their labels; `heed classify --data` asks."""

__all__ = ["measure"]

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from heedful.data.examples import Example, label_number, read_examples
from heedful.data.formats.reading import ReadCounts
from heedful.errors import DataError, did_you_mean
from heedful.label_scores import label_scores, number_scores
from heedful.reader import Cut, Reader


def measure(
    reader: Reader,
    path: Path,
    columns: Sequence[str] | None,
    *,
    skip_bad: bool,
    counts: ReadCounts,
) -> tuple[tuple[tuple[str, float], ...], Cut]:
    """Return the measures by their names, and which texts lost their ends.

    Raises DataError for a bad row, unless `skip_bad` (`counts` counts it then), and for a label
    that the model does not know.
    """
    rows = list(read_examples(path, columns, skip_bad=skip_bad, counts=counts))
    if not rows:
        raise DataError("there is no example in it", where=str(path), fix="give another file")
    right = np.array([_right(reader, path, row) for row in rows])
    cut_off = Cut(reader.model.config.max_length)
    pairs = rows[0].text_b is not None
    seconds = [row.text_b or "" for row in rows] if pairs else None
    said = reader.classify([row.text for row in rows], seconds, cut_off)
    if reader.labels:
        return label_scores(said.argmax(1), right, len(reader.labels)), cut_off
    return number_scores(said[:, 0], right), cut_off


def _right(reader: Reader, path: Path, row: Example) -> float:
    """Return the number of the right label, or the number that it is."""
    where = f"{path}:{row.line}"
    if not reader.labels:
        return label_number(row.label, where)
    if row.label not in reader.labels:
        fix = did_you_mean(row.label, reader.labels[:20])
        raise DataError(f'the model has no label "{row.label}"', where=where, fix=fix)
    return reader.labels.index(row.label)
