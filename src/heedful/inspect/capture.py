"""What the attention of a model looked at, without taking it off its fast path.

A model runs as it always does; what comes into each attention is kept, and the weights of a layer
or a head are computed from it when they are asked for. Of a sentence of 30 pieces and the paper's
base model that is 2 MB. `heedful.inspect.trace` and the measures of heads call it.
"""

__all__ = [
    "InTheOpen",
    "Look",
    "Looking",
    "Looks",
    "in_the_open",
    "record",
    "replaced",
    "with_opening",
]

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch

from heedful.errors import ModelError, SettingError
from heedful.inspect.names import Attention, Inspected, Kind, modules, opened, stepwise
from heedful.nn.attention import (
    KeyValue,
    attention_scores,
    attention_weights,
)
from heedful.nn.mask import causal_mask
from heedful.shapes import Bool, Float, Tensor


class Look(NamedTuple):
    """What came into one attention, after the projections and the positions."""

    query: Float[Tensor, "B H Q K"]
    key: Float[Tensor, "B G M K"]
    value: Float[Tensor, "B G M K"]
    mask: Bool[Tensor, "#B #H #Q M"] | None
    """True where a query may look; None: everywhere."""
    bias: Float[Tensor, "#B #H Q M"] | None
    before: int = 0
    """Keys of what a decoder is opened with before the first piece; their weights are added to its
    own."""

    def weights(self, head: int | None = None) -> Float[Tensor, "B H Q M"]:
        """Return the softmax in float32, of all heads or of one.

        Raises ModelError where a query may look at nothing: it has no weights.
        """
        if self.mask is not None and not self.mask.any(-1).all():
            raise ModelError("a query may look at nothing, and so has no attention weights")
        return with_opening(self._weights(head), self.before)

    def _weights(self, head: int | None = None) -> Float[Tensor, "B H Q M"]:
        """Return them with those of each key."""
        return attention_weights(*self._of(head))

    def scores(self, head: int | None = None) -> Float[Tensor, "B H Q M"]:
        """Return what the softmax is taken of, the lowest number there is where it is masked."""
        return attention_scores(*self._of(head))[..., self.before :]

    def _of(self, head: int | None) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Return queries, keys, mask and bias of all heads or of one, in float32."""
        heads = slice(None) if head is None else slice(head, head + 1)
        mask = self.mask
        if mask is not None and mask.shape[1] > 1:
            mask = mask[:, heads]
        bias = None if self.bias is None else self.bias.float()
        if bias is not None and bias.shape[1] > 1:
            bias = bias[:, heads]
        return self.query[:, heads].float(), self.keys()[:, heads].float(), mask, bias

    def context(self) -> Float[Tensor, "B H Q K"]:
        """Return the weights times the values: what each head hands on."""
        return self._weights() @ self._each(self.value).float()

    def followed(self, step: "Look") -> "Look":
        """Return this look with that of a further step behind it; both are at one source."""
        query = torch.cat([self.query, step.query], 2)
        if self.bias is None or step.bias is None:
            return self._replace(query=query)
        return self._replace(query=query, bias=torch.cat([self.bias, step.bias], 2))

    def keys(self) -> Float[Tensor, "B H M K"]:
        """Return the keys as each head sees them."""
        return self._each(self.key)

    def values(self) -> Float[Tensor, "B H M K"]:
        """Return the values as each head sees them."""
        return self._each(self.value)[:, :, self.before :]

    def _each(self, shared: Float[Tensor, "B G M K"]) -> Float[Tensor, "B H M K"]:
        """Give key-value heads to each head that they serve."""
        return shared.repeat_interleave(self.query.shape[1] // shared.shape[1], dim=1)


def with_opening(weights: Float[Tensor, "*rows M"], before: int) -> Float[Tensor, "*rows N"]:
    """Return weights of pieces, that of the first with those of what came `before` it.

    >>> with_opening(torch.tensor([1.0, 2.0, 4.0, 8.0]), before=2)
    tensor([7., 8.])
    """
    if not before:
        return weights
    first, others = weights[..., : before + 1], weights[..., before + 1 :]
    return torch.cat([first.sum(-1, keepdim=True), others], -1)


Looks = dict[tuple[Kind, int], Look]
"""The attention of one pass, by kind and layer."""


Looking = Callable[
    [Tensor, KeyValue, Tensor | None, Tensor | None, bool],
    Tensor,
]
"""`MultiHeadAttention.look`: queries, memory, mask, bias and whether the mask is the causal one."""


@contextmanager
def record(model: Inspected) -> Iterator[Looks]:
    """Keep what comes into every attention while the block runs; of several passes the last.

    A recurrent decoder that looks step by step looks many times in one pass; its looks are joined,
    so let it pass once. The pass is computed as it would be without. Raises SettingError for a
    model in training mode, whose dropout would change what is seen.
    """
    if model.training:
        raise SettingError(
            "the model is in training mode, and dropout would change what is seen",
            fix="call model.eval() first",
        )
    looks: Looks = {}
    before = opened(model)

    def listening(kind: Kind, layer: int, inner: Looking) -> Looking:
        def look(
            query: Tensor,
            memory: KeyValue,
            mask: Tensor | None,
            bias: Tensor | None,
            causal: bool,
        ) -> Tensor:
            key, value = memory.key.detach(), memory.value.detach()
            seen = _causal(query, memory.key) if causal else mask
            own = None if bias is None else bias.detach()
            found = Look(query.detach(), key, value, seen, own)
            if before and kind != "encoder":
                found = _from(found, before, own_keys=kind == "decoder")
            steps = looks.get((kind, layer)) if stepwise(model) else None
            looks[kind, layer] = found if steps is None else steps.followed(found)
            return inner(query, memory, mask, bias, causal)

        return look

    places = [
        (module, listening(kind, layer, module.look)) for kind, layer, module in modules(model)
    ]
    with replaced(places):
        yield looks


@contextmanager
def replaced(places: Sequence[tuple[Attention, Looking]]) -> Iterator[None]:
    """Let attentions look another way while the block runs; the weights and all else stay."""
    before: list[Looking | None] = [vars(module).get("look") for module, _ in places]
    try:
        for module, look in places:
            vars(module)["look"] = look
        yield
    finally:
        for (module, _), own in zip(places, before, strict=True):
            if own is None:
                vars(module).pop("look", None)
            else:
                vars(module)["look"] = own


class InTheOpen(NamedTuple):
    """One attention, computed so that its weights are there to be changed and derived by."""

    weights: Float[Tensor, "B H Q M"]
    value: Float[Tensor, "B H M K"]
    mask: Bool[Tensor, "#B #H #Q M"] | None


def in_the_open(
    query: Float[Tensor, "B H Q K"],
    memory: KeyValue,
    mask: Bool[Tensor, "#B #H #Q M"] | None,
    bias: Float[Tensor, "#B #H Q M"] | None,
    causal: bool,
) -> InTheOpen:
    """Return the weights, and the values as each head sees them; they are to be multiplied."""
    if causal:
        mask = _causal(query, memory.key)
    served = query.shape[1] // memory.key.shape[1]
    key, value = (side.repeat_interleave(served, dim=1) for side in memory)
    return InTheOpen(attention_weights(query, key, mask, bias), value, mask)


def _from(look: Look, first: int, *, own_keys: bool) -> Look:
    """Return the look of the queries from the first piece on."""
    mask, bias = (
        one if one is None or one.shape[2] == 1 else one[:, :, first:]
        for one in (look.mask, look.bias)
    )
    query = look.query[:, :, first:]
    return look._replace(query=query, mask=mask, bias=bias, before=first if own_keys else 0)


def _causal(query: Float[Tensor, "B H Q K"], key: Float[Tensor, "B G M K"]) -> Tensor:
    return causal_mask(query.shape[2], key.shape[2], query.device)[None, None]
