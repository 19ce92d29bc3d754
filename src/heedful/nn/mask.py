"""Every mask of the package is made here: boolean, True = may attend.

The same sense as `F.scaled_dot_product_attention`, the opposite of `nn.MultiheadAttention` and
`nn.Transformer`.
"""

__all__ = ["causal_mask", "padding_mask", "past_mask", "unless_full"]

import torch

from heedful.shapes import Bool, Int, Tensor


def padding_mask(tokens: Int[Tensor, "B S"], pad_id: int) -> Bool[Tensor, "B S"]:
    """Return True at real pieces.

    >>> padding_mask(torch.tensor([[5, 2, 0]]), pad_id=0)
    tensor([[ True,  True, False]])
    """
    return tokens != pad_id


def causal_mask(n_queries: int, n_keys: int, device: torch.device) -> Bool[Tensor, "Q M"]:
    """Return which keys each query may see: all up to its own place (section 3.2.3).

    The queries are the last `n_queries` of the `n_keys` positions.

    >>> causal_mask(2, 3, torch.device("cpu"))
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """
    offset = n_keys - n_queries
    return torch.ones(n_queries, n_keys, dtype=torch.bool, device=device).tril(offset)


def past_mask(places: Int[Tensor, "R Q"], n_keys: int) -> Bool[Tensor, "R 1 Q M"]:
    """Return which keys each query may see: all up to its own place, which is told of each.

    >>> past_mask(torch.tensor([[0], [1]]), 3)[:, 0, 0]
    tensor([[ True, False, False],
            [ True,  True, False]])
    """
    return torch.arange(n_keys, device=places.device) <= places[:, None, :, None]


def unless_full(mask: Bool[Tensor, "B S"]) -> Bool[Tensor, "B 1 1 S"] | None:
    """Return the mask for attention; None where nothing is masked, if looking is free."""
    if mask.device.type == "cpu" and not torch.compiler.is_compiling() and bool(mask.all()):
        return None
    return mask[:, None, None, :]
