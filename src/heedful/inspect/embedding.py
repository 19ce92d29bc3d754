"""What a piece is to the model before anything is looked at: its vector, and which lie near it.

A translator or writer and a piece's number come in; its embedding as the first layer gets it, the
nearest others and the vector of its position go out.
"""

__all__ = ["Embedded", "Near", "embedding"]

from typing import Literal, NamedTuple

import torch

from heedful.errors import SettingError
from heedful.models.convolutional import Convolutional
from heedful.models.transformer import Transformer
from heedful.nn.position import InputPosition
from heedful.shapes import Array, Float, Tensor
from heedful.translator import Translator
from heedful.writer import Writer

NO_POSITION = InputPosition()


class Near(NamedTuple):
    """A piece that lies near."""

    piece: str
    cosine: float


class Embedded(NamedTuple):
    """What a piece is before the first layer."""

    piece: str
    vector: Float[Array, " D"]
    """Its row of the table, times sqrt(d_model) where there is an encoder."""
    near: tuple[Near, ...]
    """The pieces with the largest cosines, itself left out."""
    position: Float[Array, " D"] | None
    """What is added at its place; None where positions act inside attention, or not at all."""


@torch.inference_mode()
def embedding(
    by: Translator | Writer,
    side: Literal["source", "target"],
    piece: int,
    place: int = 0,
    nearest: int = 8,
) -> Embedded:
    """Return what a piece is at a place; raises SettingError for a piece or place there is not.

    Both sides of a writer are the same.
    """
    if isinstance(by, Writer):
        table, positions, name = by.model.tables.target, by.model.position, by.vocabulary.pieces
    else:
        tables = by.model.tables
        positions = NO_POSITION  # a recurrent model has none
        if side == "source":
            table, name = tables.source, by.tokenizer.source_pieces
        else:
            table, name = tables.target, by.tokenizer.target_pieces
        if isinstance(by.model, Transformer | Convolutional):
            source = side == "source"
            positions = by.model.source_position if source else by.model.target_position
    for what, asked, there in (
        ("piece", piece, table.num_embeddings),
        ("place", place, by.model.config.max_length),
    ):
        if not 0 <= asked < there:
            raise SettingError(f"there is no {what} {asked}", where=what, fix=f"0 to {there - 1}")
    weight: Tensor = table.weight
    own = weight[piece]
    cosines = weight @ own / (weight.norm(dim=1) * own.norm()).clamp(min=1e-30)
    cosines[piece] = -torch.inf
    best = cosines.topk(min(nearest, len(cosines) - 1))
    added = None
    if type(positions) is not InputPosition:
        added = positions(torch.zeros_like(own)[None, None], place)[0, 0].cpu().numpy()
    near = map(Near, name(best.indices.tolist()), best.values.tolist())
    return Embedded(
        name([piece])[0], (own * by.model.tables.scale).cpu().numpy(), tuple(near), added
    )
