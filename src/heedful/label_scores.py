"""How right labels and numbers are: accuracy, Matthews correlation, F1; correlation of numbers.

Arrays of what was said and of what is right come in, named figures go out; validation and
`heed classify --data` show them.
"""

__all__ = ["label_scores", "number_scores"]

from typing import Any

import numpy as np

from heedful.shapes import Array, Float, Int


def label_scores(
    said: Int[Array, " B"], right: Int[Array, " B"], n_labels: int
) -> tuple[tuple[str, float], ...]:
    """Return accuracy, Matthews correlation and F1.

    Matthews correlation of several labels is Gorodkin's (2004), 0 where all is one label; F1 is
    that of the second of two labels, of more the mean over all of them.

    >>> label_scores(np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0]), 2)[0]
    ('accuracy', 0.75)
    """
    table = np.zeros((n_labels, n_labels), np.int64)
    np.add.at(table, (right, said), 1)
    hits, given, there = np.diag(table), table.sum(0), table.sum(1)
    total = int(table.sum())
    f1 = 2 * hits / np.maximum(given + there, 1)
    return (
        ("accuracy", float(hits.sum()) / max(total, 1)),
        ("Matthews", _matthews(hits, given, there, total)),
        ("F1", float(f1[1] if n_labels == 2 else f1.mean())),
    )


def _matthews(hits: Any, given: Any, there: Any, total: int) -> float:
    """Return (c s - p t) / sqrt((s^2 - p p) (s^2 - t t)) with c hits of s, p given, t there."""
    between = float(hits.sum()) * total - float(given @ there)
    spread = (total**2 - float(given @ given)) * (total**2 - float(there @ there))
    return between / spread**0.5 if spread > 0 else 0.0


def number_scores(
    said: Float[Array, " B"], right: Float[Array, " B"]
) -> tuple[tuple[str, float], ...]:
    """Return Pearson's correlation, 0 where either is one number, and the mean squared error."""
    error = float(((said - right) ** 2).mean())
    apart = said - said.mean(), right - right.mean()
    spread = float(np.sqrt((apart[0] ** 2).sum() * (apart[1] ** 2).sum()))
    correlation = float((apart[0] * apart[1]).sum()) / spread if spread > 0 else 0.0
    return (("Pearson", correlation), ("squared error", error))
