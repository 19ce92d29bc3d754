"""torch's masks, checked and turned into ours: True = blocked comes in, True = may attend goes out.

`torch.nn` takes a mask for all sentences or one a sentence and head (`attn_mask`) and one of the
padding (`key_padding_mask`), each boolean or added to the scores. `mask_of` makes one `Mask` of
them, which a stack of layers computes once.
"""

__all__ = ["Mask", "Sizes", "mask_of", "padding_of"]

from typing import NamedTuple

import torch

from heedful.errors import DataError
from heedful.nn.mask import causal_mask
from heedful.nn.tracing import plain
from heedful.shapes import Bool, Float, Tensor

Names = tuple[str, str]
"""What the caller calls the two masks."""

_SENSE = "True means blocked, as everywhere in torch.nn: pass ~mask where it means may attend"
_FLOAT_SENSE = "a float mask is added to the scores: 0 where a position may attend, -inf elsewhere"


class Sizes(NamedTuple):
    """What the masks must fit."""

    batch: int
    heads: int
    queries: int
    keys: int


class Mask(NamedTuple):
    """Where a query may look, and what is added to its scores."""

    allowed: Bool[Tensor, "#B #H #Q M"] | None = None
    bias: Float[Tensor, "#B #H #Q M"] | None = None
    causal: bool = False
    """Stands for the causal mask, in place of `allowed`."""

    def opened(self, queries: int, keys: int, device: torch.device) -> "Mask":
        """Return the same with the causal mask written out."""
        if not self.causal:
            return self
        return Mask(causal_mask(queries, keys, device)[None, None], self.bias)

    def widened(self, keys: int) -> "Mask":
        """Return the same with further keys at the end, which every query may see."""
        allowed, bias = self.allowed, self.bias
        if allowed is not None:
            allowed = torch.nn.functional.pad(allowed, (0, keys), value=True)
        if bias is not None:
            bias = torch.nn.functional.pad(bias, (0, keys))
        return Mask(allowed, bias)


def mask_of(
    attn_mask: Tensor | None,
    key_padding_mask: Tensor | None,
    sizes: Sizes,
    states: Tensor,
    *,
    is_causal: bool | None = None,
    names: Names = ("attn_mask", "key_padding_mask"),
    always_seen: bool = False,
) -> Mask:
    """Return the two masks as one for states of this kind.

    `is_causal` is torch's hint: it needs a mask, which decides (a compiled model, which cannot
    look at one, believes the hint). `always_seen` says that further keys are to come which every
    query may see. Raises DataError for a mask of the wrong shape or type, and, unless
    `always_seen`, for one that leaves a query nothing to look at in every sentence. A query whose
    two masks together leave it nothing is legal, and gets zeros.
    """
    legible = plain(states)
    mask = Mask()
    if attn_mask is not None:
        mask = _of_attention(attn_mask, sizes, states, names[0], legible)
        if legible and not always_seen and attn_mask.numel():
            _refuse_blocked(mask, attn_mask, names[0])
        mask = _as_causal(mask, attn_mask, sizes, bool(is_causal), legible)
    elif is_causal:
        raise DataError(
            f"is_causal=True says that {names[0]} is the causal mask, but there is no {names[0]}",
            fix="pass Transformer.generate_square_subsequent_mask(length) as well",
        )
    if key_padding_mask is None:
        return mask
    padding = _of_padding(key_padding_mask, sizes, states, names[1], legible)
    if legible and not always_seen and key_padding_mask.numel():
        _refuse_all_padding(padding, key_padding_mask, names[1])
    return _both(mask.opened(sizes.queries, sizes.keys, states.device), padding)


def padding_of(key_padding_mask: Tensor | None, states: Tensor) -> Tensor | None:
    """Return a boolean padding mask that blocks anything and can be looked at, else None."""
    if key_padding_mask is None or key_padding_mask.dtype != torch.bool or not plain(states):
        return None
    return key_padding_mask if bool(key_padding_mask.any()) else None


def _of_attention(mask: Tensor, sizes: Sizes, states: Tensor, name: str, legible: bool) -> Mask:
    batch, heads, *square = sizes
    _refuse_type(mask, name)
    if mask.dim() == 2 and list(mask.shape) == square:
        placed = mask[None, None]
    elif list(mask.shape) == [batch * heads, *square]:
        placed = mask.view(batch, heads, *square)
    else:
        expected = f"{tuple(square)} or {(batch * heads, *square)}"
        raise DataError(
            f"{name} has the shape {tuple(mask.shape)}, but {batch} sentences, {heads} heads, "
            f"{square[0]} queries and {square[1]} keys need {expected}",
            fix=_turned(tuple(mask.shape[-2:]) == tuple(square[::-1])),
        )
    return _parts(placed, states, legible)


def _of_padding(mask: Tensor, sizes: Sizes, states: Tensor, name: str, legible: bool) -> Mask:
    expected = (sizes.batch, sizes.keys)
    _refuse_type(mask, name)
    if tuple(mask.shape) != expected:
        raise DataError(
            f"{name} has the shape {tuple(mask.shape)}, but {sizes.batch} sentences of "
            f"{sizes.keys} keys need {expected}, whatever batch_first says",
            fix=_turned(tuple(mask.shape) == expected[::-1]),
        )
    if legible and mask.dtype == torch.bool and not bool(mask.any()):
        return Mask()
    return _parts(mask[:, None, None, :], states, legible)


def _parts(mask: Tensor, states: Tensor, legible: bool) -> Mask:
    """Return a placed mask as what it blocks and what it adds."""
    if mask.dtype == torch.bool:
        return Mask(~mask)
    allowed = mask != float("-inf")
    if legible and not mask.requires_grad and bool((allowed.logical_not() | (mask == 0)).all()):
        return Mask(allowed)
    return Mask(allowed, mask.to(states.dtype))


def _both(one: Mask, other: Mask) -> Mask:
    """Return what both allow, and the sum of what they add."""
    allowed = one.allowed if other.allowed is None else other.allowed
    if one.allowed is not None and other.allowed is not None:
        allowed = one.allowed & other.allowed
    bias = one.bias if other.bias is None else other.bias
    if one.bias is not None and other.bias is not None:
        bias = one.bias + other.bias
    return Mask(allowed, bias, one.causal)


def _as_causal(mask: Mask, given: Tensor, sizes: Sizes, hint: bool, legible: bool) -> Mask:
    """Return `causal` in place of a mask that is the causal one."""
    if given.dim() != 2 or sizes.queries != sizes.keys:
        return mask
    if not legible:
        return Mask(causal=True) if hint else mask
    if mask.bias is not None or mask.allowed is None or sizes.keys < 2:
        return mask
    same = torch.equal(mask.allowed[0, 0], causal_mask(sizes.keys, sizes.keys, given.device))
    return Mask(causal=True) if same else mask


def _refuse_type(mask: Tensor, name: str) -> None:
    if mask.dtype != torch.bool and not mask.is_floating_point():
        raise DataError(
            f"{name} is {str(mask.dtype).removeprefix('torch.')}, but a mask is bool or float",
            fix=f"pass {name}.bool() if it is 1 where positions are blocked, {name} == 0 if where "
            "they may be attended to",
        )


def _turned(transposed: bool) -> str:
    return "it lies across: pass its transpose" if transposed else "give the mask that shape"


def _refuse_blocked(mask: Mask, given: Tensor, name: str) -> None:
    """Refuse a mask that leaves a query nothing in any sentence."""
    assert mask.allowed is not None
    blind = ~mask.allowed.any(-1).flatten(0, 1).any(0)
    if not bool(blind.any()):
        return
    row = int(blind.nonzero()[0, 0])
    queries, keys = given.shape[-2:]
    upside_down = queries == keys and torch.equal(
        mask.allowed[0, 0], ~causal_mask(keys, keys, given.device)
    )
    if upside_down and keys > 1:
        problem = f"{name} is the causal mask inverted: it blocks the past and shows the future"
    else:
        problem = f"{name} blocks every position of row {row}, which then has nothing to attend to"
    raise DataError(problem, fix=_SENSE if given.dtype == torch.bool else _FLOAT_SENSE)


def _refuse_all_padding(mask: Mask, given: Tensor, name: str) -> None:
    """Refuse a padding mask that leaves no position of any sentence."""
    if mask.allowed is None or bool(mask.allowed.any()):
        return
    raise DataError(
        f"{name} blocks every position of every sentence",
        fix=_SENSE.replace("blocked", "padding") if given.dtype == torch.bool else _FLOAT_SENSE,
    )
