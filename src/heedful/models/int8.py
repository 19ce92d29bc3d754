"""A model's matrices as whole numbers from -127 to 127, with one float32 scale a row.

A row is what one output, or one piece of a vocabulary, is made with. A float32 matrix comes in,
whole numbers and scales go out, and back. `heedful.model_folder` stores models so.
"""

__all__ = ["AT_ONCE", "SMALLEST", "is_matrix", "multiplied_out", "to_int8"]

import torch

from heedful.shapes import Float, Int, Tensor

SMALLEST = 1e-30
"""Scales below this are 0 and so are their rows: quotients of such numbers mean nothing."""

AT_ONCE = 4096
"""Rows that are read together: of a large vocabulary, a part of the memory that it is itself."""


def is_matrix(name: str, n_dims: int) -> bool:
    """Tell whether a parameter is one: of a projection, a layer or an embedding.

    Norms, biases and tables of positions are not: they are small, and added rather than multiplied.
    """
    return n_dims == 2 and name.rpartition(".")[2].startswith("weight")


def to_int8(
    weight: Float[Tensor, "rows columns"],
) -> tuple[Int[Tensor, "rows columns"], Float[Tensor, " rows"]]:
    """Return `round(weight / scale)` and the scales, `max |row| / 127`.

    What `multiplied_out` makes of them gives the same whole numbers again.

    >>> to_int8(torch.tensor([[1.27, -0.5], [0.0, 0.0]]))[0].tolist()
    [[127, -50], [0, 0]]
    """
    whole, scales = torch.empty(weight.shape, dtype=torch.int8), torch.empty(len(weight))
    for first in range(0, len(weight), AT_ONCE):
        some = weight[first : first + AT_ONCE]
        largest = some.abs().amax(dim=1) / 127
        largest = torch.where(largest < SMALLEST, 0.0, largest)
        scales[first : first + AT_ONCE] = largest
        divided = some / torch.where(largest == 0, torch.inf, largest)[:, None]
        whole[first : first + AT_ONCE] = divided.round_()
    return whole, scales


def multiplied_out(
    whole: Int[Tensor, "rows columns"], scales: Float[Tensor, " rows"]
) -> Float[Tensor, "rows columns"]:
    """Return `scale * whole` of every row, in float32."""
    return whole * scales[:, None]
