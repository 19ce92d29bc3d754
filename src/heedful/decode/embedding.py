"""Texts become vectors: the mean of the last states that a model has of their pieces.

Lists of ids come in, a vector of length 1 for each goes out; `heedful.serve.embedding` calls it.
"""

__all__ = ["mean_of_decoder", "mean_of_encoder"]

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from heedful.decode.sources import padded
from heedful.errors import DataError
from heedful.models.seq2seq import DecoderOnly, Seq2Seq
from heedful.shapes import Array, Bool, Float, Int, Tensor

AT_A_TIME = 4_096
"""Pieces that are read at once, padding too, unless one text has more."""

States = Callable[
    [Int[Tensor, "B S"], Bool[Tensor, "B S"]], tuple[Float[Tensor, "B S D"], Bool[Tensor, "B S"]]
]
"""Gives the last states of ids, whose mask is True at real pieces, and which of them were read."""


def mean_of_encoder(
    model: Seq2Seq, texts: Sequence[Sequence[int]], pad_id: int
) -> Float[Array, "B D"]:
    """Return the normalised mean of the encoder's last states of every text.

    A tag that only the decoder reads (`heedful.models.opening`) is not counted; raises DataError
    for a text that has nothing else.
    """

    def states_of(
        ids: Int[Tensor, "B S"], mask: Bool[Tensor, "B S"]
    ) -> tuple[Float[Tensor, "B S D"], Bool[Tensor, "B S"]]:
        memory = model.encode(ids, mask)
        return memory.states, memory.mask

    return _means(model, states_of, texts, pad_id)


def mean_of_decoder(model: DecoderOnly, texts: Sequence[Sequence[int]]) -> Float[Array, "B D"]:
    """Return the normalised mean of the decoder's last states, after the final norm, of every text.

    Each of them has seen only what stands before it, so that padding behind a text changes nothing.
    """
    return _means(model, lambda ids, mask: (model.hidden(ids), mask), texts, 0)


@torch.inference_mode()
def _means(
    model: Seq2Seq | DecoderOnly, states_of: States, texts: Sequence[Sequence[int]], pad_id: int
) -> Float[Array, "B D"]:
    model.eval()
    device = next(iter(model.parameters())).device
    found: dict[int, Float[Array, " D"]] = {}
    for rows in _portions(texts):
        ids, mask = padded([texts[row] for row in rows], pad_id, device)
        states, read = states_of(ids, mask)
        if not read.any(dim=1).all():
            problem = "a text has a language's tag alone, which the encoder does not read"
            raise DataError(problem, where="input", fix="give the text's pieces behind it")
        states = states.double().masked_fill(~read[..., None], 0)
        means = states.sum(dim=1) / read.sum(dim=1, keepdim=True)
        unit = torch.nn.functional.normalize(means, dim=1).float().cpu().numpy()
        found |= dict(zip(rows, unit, strict=True))
    return np.stack([found[row] for row in range(len(texts))])


def _portions(texts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield which texts are read at once: such as are of like lengths."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    some: list[int] = []
    for row in order:
        if some and (len(some) + 1) * len(texts[row]) > AT_A_TIME:
            yield some
            some = []
        some.append(row)
    if some:
        yield some
