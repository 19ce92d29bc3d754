"""Learning the vocabulary shortlist of a model from the rows of its token store.

A source piece lists the target pieces t for which p(t | s) of IBM Model 1 is `LEAST` or more: in a
sentence with s that is about how often a t is there because of s, so that for lists of one mean
length no other choice covers more. `heedful.run` calls it when a training ends, `heed shortlist`
for a model that is there.
"""

__all__ = ["MOST_ROWS", "learn", "summary", "rows_of"]

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from heedful.data import lexicon
from heedful.data.evenly import scattered
from heedful.data.lexicon import Row
from heedful.data.store import TokenStore
from heedful.decode.shortlist import Shortlist
from heedful.text.pieces import CONTROL
from heedful.text.tokenizer import Tokenizer

LEAST = 5e-4
"""Probability from which a target piece is listed."""

MOST_LISTED = 1000
"""Target pieces listed of one source piece."""

ALWAYS = 200
"""Most frequent target pieces, candidates of every sentence."""

MOST_ROWS = 1_000_000
"""Rows learnt from, scattered over the store."""


def learn(
    rows: Iterable[Row], tokenizer: Tokenizer, *, least: float = LEAST, most_frequent: int = ALWAYS
) -> Shortlist:
    """Return the shortlist of rows as `rows_of` gives them. It needs numba.

    A piece that both vocabularies have lists itself, for names and numbers are copied. Of a model
    of both directions the language tag lists what is frequent in its language, in the place of
    what is frequent in both; other control pieces have no list, and only `</s>` is ever a
    candidate.
    """
    sizes = (tokenizer.source_size, tokenizer.target_size)
    end = tokenizer.end_id
    tags = range(len(CONTROL), len(CONTROL) + len(tokenizer.languages))
    found = lexicon.learn(rows, sizes, least=least, frequent_with=(end, *tags))
    controls = np.arange(tags.stop if tokenizer.shared else len(CONTROL))
    copies = _copies(tokenizer)

    def listed(piece: int) -> NDArray[np.int32]:
        if piece in tags:
            return found.frequent[piece][:most_frequent]
        if piece < len(CONTROL):
            return np.zeros(0, np.int32)
        own = copies[piece : piece + 1]
        return np.union1d(found.of(piece)[0][:MOST_LISTED], own[own >= 0])

    lists = [np.setdiff1d(listed(piece), controls) for piece in range(sizes[0])]
    frequent = found.frequent[end][: 0 if tags else most_frequent]
    always = np.union1d(np.setdiff1d(frequent, controls), [end])
    return Shortlist.of(lists, always, sizes[1])


def _copies(tokenizer: Tokenizer) -> NDArray[np.int32]:
    """Return for each source piece the target piece of the same text, -1 where there is none."""
    source, target = tokenizer.vocabularies()
    numbers = {piece: number for number, piece in enumerate(target)}
    return np.array([numbers.get(piece, -1) for piece in source], np.int32)


def rows_of(store: TokenStore, most: int = MOST_ROWS) -> Iterator[Row]:
    """Yield at most so many rows, scattered: source ids, and target ids without `</s>`."""
    for row in scattered(len(store), most):
        yield store.source(row), store.target(row)[:-1]


def summary(shortlist: Shortlist, known: TokenStore | None, of_what: str) -> str:
    """Say how long the lists are and, if any translations are known, how much they cover."""
    each = len(shortlist.targets) / shortlist.source_size
    said = f"{each:.0f} target pieces for each source piece"
    if known is None:
        return said
    found = shortlist.coverage(rows_of(known))
    return (
        f"{said}; in the {of_what} {found.mean_length:,.0f} of {shortlist.target_size:,} pieces a "
        f"sentence, which hold {found.share:.1%} of the translations' pieces"
    )
