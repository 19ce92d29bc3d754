"""A decoder reads one text, and keeps what it has read for the next text that begins alike.

Ids come in, the logits behind the last of them go out: without padding, masks of rows or a search's
books, and with the products that have the same rows in one. In int8 they are those of
`heedful.decode.two_terms`, and a single piece passes all layers in one call of a kernel where there
is one (`heedful.decode.alone_step`). Its slow twin is the model itself. `heedful.writer` answers
with it in conversations.
"""

__all__ = ["Past", "PastStepper", "go_on_alone"]

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from heedful.decode.alone_step import TextStep
from heedful.decode.prompted import room_for
from heedful.decode.two_terms import TwoTermProduct
from heedful.kernels.warm import are_ready, ready
from heedful.models.gpt import GPT, GPTLayer
from heedful.nn.attention import KeyValue, fused_attend
from heedful.search import Asked, Client, Greedy, Hypothesis, Limits, Sample, Watch
from heedful.shapes import Array, Bool, Float, Int, Tensor

_FIRST = 256
"""Positions that there is room for at first; it is doubled when they are full."""

_LONG = 256
"""Positions after which kernels are compiled, for the rest and for the next time."""


class _Product(nn.Module):
    """`x W^T + b` in float32, of several layers' weights one below the other."""

    def __init__(self, *layers: nn.Linear) -> None:
        super().__init__()
        self.weight = torch.cat([layer.weight.detach() for layer in layers])
        biases = [layer.bias for layer in layers if layer.bias is not None]
        self.bias = torch.cat([bias.detach() for bias in biases]) if biases else None

    def forward(self, states: Float[Tensor, "T D"]) -> Float[Tensor, "T N"]:
        """Return the product."""
        return F.linear(states, self.weight, self.bias)


def _whole_if_wide(*layers: nn.Linear) -> _Product | TwoTermProduct:
    """Return a product of whole numbers; PyTorch's is wrong where there is one column."""
    return TwoTermProduct(*layers) if layers[0].in_features > 1 else _Product(*layers)


class _Layer:
    """A layer's products, joined, beside the parts of the model that stay as they are."""

    def __init__(
        self, layer: GPTLayer, product: Callable[..., "_Product | TwoTermProduct"]
    ) -> None:
        attention: Any = layer.attention
        network: Any = layer.feed_forward
        its = (attention.query_proj, attention.key_proj, attention.value_proj)
        self.blocks = layer.attention_block, layer.feed_forward_block
        self.position, self.d_k = attention.position, attention.d_k
        self.heads, self.scaled = attention.n_heads, attention.scaled
        self.groups = attention.key_proj.out_features // attention.d_k
        self.joint, self.output = product(*its), product(attention.output_proj)
        self.gated = hasattr(network, "gate")
        first: Any = (network.gate, network.inner) if self.gated else (network.inner,)
        self.inner, self.outer = product(*first), product(network.outer)
        self.activation: Any = network.activation or F.relu

    @property
    def products(self) -> list["_Product | TwoTermProduct"]:
        """Return all, in the order that they are computed in."""
        return [self.joint, self.output, self.inner, self.outer]

    def read(
        self,
        states: Float[Tensor, "1 T D"],
        kept: KeyValue,
        start: int,
        turning: tuple[Tensor, Tensor] | None,
        mask: Bool[Tensor, "1 1 T M"] | None,
    ) -> Float[Tensor, "1 T D"]:
        """Return the next layer's states of positions `start` on, which are added to the kept."""
        attended = self.blocks[0](states, lambda x: self._look(x[0], kept, start, turning, mask))
        result: Tensor = self.blocks[1](attended, lambda x: self._think(x[0])[None])
        return result

    def _look(
        self,
        states: Float[Tensor, "T D"],
        kept: KeyValue,
        start: int,
        turning: tuple[Tensor, Tensor] | None,
        mask: Bool[Tensor, "1 1 T M"] | None,
    ) -> Float[Tensor, "1 T D"]:
        length, both = len(states), self.heads + self.groups
        joint = self.joint(states).view(length, both + self.groups, self.d_k).transpose(0, 1)
        turned = self._turned(joint[:both], start, turning)
        kept.key[0, :, start : start + length] = turned[self.heads :]
        kept.value[0, :, start : start + length] = joint[both:]
        key, value = (one[:, :, : start + length] for one in kept)
        query = turned[None, : self.heads]
        if not self.scaled:  # what follows divides by sqrt(d_k)
            query = query * math.sqrt(self.d_k)
        bias = self.position.bias(query, start + length, start)
        if length == 1 and bias is None:  # heads that share keys, as queries of one head
            together = query.reshape(1, self.groups, -1, self.d_k)
            context = F.scaled_dot_product_attention(together, key, value)
            joined = context.reshape(1, -1)
        else:
            context = fused_attend(query, key, value, mask, bias, causal=mask is None)
            joined = context[0].transpose(0, 1).reshape(length, -1)
        result: Tensor = self.output(joined)
        return result[None]

    def _turned(
        self, heads: Float[Tensor, "H T K"], start: int, turning: tuple[Tensor, Tensor] | None
    ) -> Float[Tensor, "H T K"]:
        """Return queries and keys as their positions have it."""
        if turning is None:
            turned: Tensor = self.position.turn(heads[None], start)
            return turned[0]
        return torch.addcmul(heads * turning[0], heads.roll(self.d_k // 2, -1), turning[1])

    def _think(self, states: Float[Tensor, "T D"]) -> Float[Tensor, "T D"]:
        hidden: Tensor = self.inner(states)
        if self.gated:
            gate, inner = hidden.chunk(2, dim=-1)
            hidden = self.activation(gate) * inner
        else:
            hidden = self.activation(hidden)
        result: Tensor = self.outer(hidden)
        return result


class Past:
    """What a model has read of a text, and the model, made ready for one text at a time.

    In int8 kernels compute, if they are ready: those that this machine has compiled before are
    loaded, and a long text has them compiled, beside the work. A model that is `given_up` is of no
    other use afterwards: matrices that are copied for the products are freed in it.
    """

    def __init__(self, model: GPT, *, int8: bool = False, given_up: bool = False) -> None:
        product = _whole_if_wide if int8 else _Product
        self.model = model.eval()
        self.layers: list[_Layer] = []
        for layer in cast(Iterable[GPTLayer], model.layers):
            self.layers.append(_Layer(layer, product))
            if given_up:
                _free(layer)
        self._whole = TwoTermProduct(model.tables.output) if int8 else None
        self.ids: list[int] = []
        """The pieces that are kept."""
        self.computed = 0
        """Positions that have been computed so far."""
        self._rate = getattr(self.layers[0].position, "rate", None)
        self._keys, self._values = (model.tables.target.weight.new_empty(0, 1, 0, 0, 0),) * 2
        self._step: TextStep | None = None
        self._may_have_kernels = int8 and self._keys.device.type == "cpu"
        if self._may_have_kernels and ready(compiling=False, wait=True):
            self._use_kernels()

    @torch.inference_mode()
    def read(self, ids: Sequence[int]) -> Float[Tensor, " N"]:
        """Return the logits behind a text; only what follows the kept beginning is computed."""
        start = _alike(self.ids, ids[:-1])
        new = torch.tensor([ids[start:]], device=self._keys.device)
        self.ids = [*ids[:start]]  # if this is broken off, no more than that is certain
        self._make_room(len(ids))
        if self._may_have_kernels and (are_ready() or (self.computed >= _LONG and ready())):
            self._use_kernels()
        states = self.model.position(self.model.tables.embed_target(new), start)
        if len(ids) - start == 1 and self._step is not None:
            kept = self._keys[:, 0].numpy(), self._values[:, 0].numpy()
            logits = self._step.logits(states[0], start, self._rate, *kept)
        else:
            logits = self._through_layers(states, start)
        self.ids, self.computed = [*ids], self.computed + len(ids) - start
        return logits

    def _through_layers(self, states: Float[Tensor, "1 T D"], start: int) -> Float[Tensor, " N"]:
        """Return the logits behind the last of some positions, layer by layer."""
        length = states.shape[1]
        turning = self._turning(start, length)
        mask = None if not start or length == 1 else _mask(start, length, states.device)
        for layer, *kept in zip(self.layers, self._keys, self._values, strict=True):
            states = layer.read(states, KeyValue(*kept), start, turning, mask)
        project = self.model.project if self._whole is None else self._whole
        logits: Tensor = project(self.model.norm(states[0, -1:]))
        return logits[0]

    def _use_kernels(self) -> None:
        """Have kernels multiply from now on and, if they know all of the model, do all else."""
        self._may_have_kernels = False
        found = [layer.products for layer in self.layers]
        whole = [[one for one in some if isinstance(one, TwoTermProduct)] for some in found]
        assert self._whole is not None
        for product in (*chain.from_iterable(whole), self._whole):
            product.arrange()
        if TextStep.takes(self.model) and whole == found:
            self._step = TextStep(self.model, whole, self._whole)

    def _make_room(self, positions: int) -> None:
        """Have buffers for so many positions."""
        had = self._keys.shape[3]
        if positions <= had:
            return
        size = min(max(positions, 2 * had, _FIRST), max(self.model.config.max_length, positions))
        layer = self.layers[0]
        shape = (len(self.layers), 1, layer.groups, size, layer.d_k)
        fresh = self._keys.new_empty(shape), self._keys.new_empty(shape)
        if had:
            for old, new in zip((self._keys, self._values), fresh, strict=True):
                new[..., :had, :] = old
        self._keys, self._values = fresh

    def _turning(self, start: int, length: int) -> tuple[Tensor, Tensor] | None:
        """Return cosines and signed sines for all layers, where positions turn pairs."""
        if self._rate is None:
            return None
        place = torch.arange(start, start + length, device=self._rate.device)
        angle = place[:, None] * self._rate
        cosine, sine = angle.cos(), angle.sin()
        return torch.cat([cosine, cosine], dim=-1), torch.cat([-sine, sine], dim=-1)


def _free(layer: GPTLayer) -> None:
    """Free a layer's matrices."""
    for part in layer.modules():
        if isinstance(part, nn.Linear):
            part.weight.data = part.weight.new_empty(0)


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many ids two texts have in common at their beginning.

    >>> _alike([1, 2, 3], [1, 2, 4, 5])
    2
    """
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))


def _mask(start: int, length: int, device: torch.device) -> Bool[Tensor, "1 1 T M"]:
    """Return what positions `start` on may see."""
    places = torch.arange(start, start + length, device=device)
    return (torch.arange(start + length, device=device) <= places[:, None])[None, None]


class PastStepper:
    """One text in the middle of being gone on with: a `heedful.search.Stepper` of one row."""

    entries: Int[Tensor, "A N"] | None = None
    attention: Float[Array, "A S"] | None = None

    def __init__(self, past: Past, prompt: Sequence[int]) -> None:
        self.past, self._text = past, [*prompt]
        self._begun = False

    def step(
        self, tokens: Int[Array, " R"], rows: Int[Array, " A"] | None = None
    ) -> Float[Tensor, "A N"]:
        """Take the newest piece, but for the first, which stands for the prompt."""
        if self._begun:
            self._text.append(int(tokens[0]))
        self._begun = True
        logits = self.past.read(self._text)[None]
        return logits if rows is None or len(rows) else logits[:0]

    def select(self, rows: Int[Array, " Q"], sentences: Int[Array, " C"] | None = None) -> None:
        """Keep the row: there is no other."""
        assert not np.any(rows)


def go_on_alone(
    past: Past,
    prompt: Sequence[int],
    search: Greedy | Sample,
    limits: Limits,
    *,
    most: int,
    client: Client,
    watch: Watch | None = None,
) -> list[Hypothesis]:
    """Return what the search finds behind a prompt, as `heedful.decode.prompted.go_on` does."""
    room = room_for(prompt, most, limits.max_length)
    runner = search.model_copy(update={"max_extra": most, "max_length": most}).build()
    assert runner.rows_per_sentence == 1
    its = Limits(limits.start_id, limits.end_id, limits.forbidden, room, limits.vocabulary_size)
    asked = [Asked(prompt, client=client)]
    (found,) = runner.run(PastStepper(past, prompt), asked, its, watch=watch)
    return found
