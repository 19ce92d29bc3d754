"""What a checkpoint of another toolkit is, in our words; each toolkit's file makes one."""

__all__ = ["Foreign", "Vocabulary", "rows_of"]

from collections.abc import Sequence
from typing import NamedTuple

from heedful.errors import ModelError
from heedful.interop.huggingface.layouts import Place
from heedful.models.transformer import TransformerConfig


class Vocabulary(NamedTuple):
    """The pieces of one side, in the order of their rows, and what four of them are called."""

    pieces: list[str]
    pad: str
    start: str
    """What a target begins with; where it is `end`, one row stands for both."""
    end: str
    unknown: str
    where: str
    """The file, or the key of the checkpoint."""


class Foreign(NamedTuple):
    """A model that is to be read."""

    toolkit: str
    model: TransformerConfig
    places: dict[str, Place]
    """Where each weight of ours but the tables is."""
    source_table: str
    target_table: str
    output_table: str
    """The matrix before the softmax; the target's where it is that one."""
    output_bias: str | None
    copies: dict[str, str]
    """Tensors that a file may hold besides, and those that they must equal."""
    ignored: str
    """Regular expression of tensors that are computed, or not used."""
    source: Vocabulary
    target: Vocabulary
    ended: bool
    """Whether a source ends in `</s>`."""
    languages: tuple[str, str]


def rows_of(side: Vocabulary) -> list[int | None]:
    """Return the row of each piece in our order: four control pieces, then the others.

    None: there is no such row. Raises ModelError for a list that cannot be a vocabulary.
    """
    known = {piece: at for at, piece in enumerate(side.pieces)}
    if len(known) != len(side.pieces):
        twice = next(piece for at, piece in enumerate(side.pieces) if known[piece] != at)
        raise ModelError(f"the piece {twice[:60]!r} occurs twice", where=side.where)
    if side.unknown not in known:
        raise ModelError(f'it has no piece "{side.unknown}"', where=side.where)
    controls: Sequence[str] = (side.pad, side.start, side.end, side.unknown)
    first = [known.get(name) for name in controls]
    return [*first, *(at for at in range(len(side.pieces)) if at not in first)]
