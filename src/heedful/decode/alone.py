"""A decoder reads one text, and keeps what it has read for the next text that begins alike.

Ids come in, the logits behind the last of them go out: without padding, masks of rows or a search's
books, and with the products that have the same rows in one. In int8 rows and weights are whole
numbers with a scale each, whose products are exact, as in `heedful.decode.quantize`. Its slow twin
is the model itself. `heedful.writer` answers with it in conversations.
"""

__all__ = ["Past", "PastStepper", "go_on_alone", "whole_products_are_exact"]

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from heedful.decode.prompted import room_for
from heedful.models.gpt import GPT, GPTLayer
from heedful.models.int8 import to_int8
from heedful.nn.attention import KeyValue, fused_attend
from heedful.search import Asked, Client, Greedy, Hypothesis, Limits, Sample, Watch
from heedful.shapes import Array, Bool, Float, Int, Tensor

_FINER = 254
"""What is left of a row is rounded to 127 steps of a half: outliers in rows of Llamas would cost
everything else its precision (Dettmers et al. 2022, section 3), and a second row costs nothing
where the time is that of reading the weights."""

_FIRST = 256
"""Positions that there is room for at first; it is doubled when they are full."""


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


class _WholeProduct(nn.Module):
    """The same of whole numbers, whose sums are exact up to 2^24, then scaled."""

    def __init__(self, *layers: nn.Linear | nn.Embedding) -> None:
        super().__init__()
        parts = [to_int8(layer.weight.detach().float()) for layer in layers]
        self.whole = torch.cat([whole for whole, _ in parts]).t()
        self.scales = torch.cat([scales for _, scales in parts]) / 127
        biases = [bias for layer in layers if (bias := getattr(layer, "bias", None)) is not None]
        self.bias = torch.cat([bias.detach() for bias in biases]) if biases else None

    def forward(self, states: Float[Tensor, "T D"]) -> Float[Tensor, "T N"]:
        """Return the product."""
        largest = states.abs().amax(dim=-1, keepdim=True).clamp_min_(1e-30)
        scaled = states * (127 / largest)
        coarse = scaled.round()
        fine = scaled.sub_(coarse).mul_(_FINER).round_()
        if len(states) == 1:  # twice one row: PyTorch's product of two takes three times that
            sums = torch._int_mm(coarse.to(torch.int8), self.whole).float()
            rest = torch._int_mm(fine.to(torch.int8), self.whole)
        else:
            both = torch.cat([coarse.to(torch.int8), fine.to(torch.int8)])
            whole = torch._int_mm(both, self.whole)
            sums, rest = whole[: len(states)].float(), whole[len(states) :]
        result = sums.add_(rest, alpha=1 / _FINER).mul_(largest).mul_(self.scales)
        return result if self.bias is None else result.add_(self.bias)


def _whole_if_wide(*layers: nn.Linear) -> _Product | _WholeProduct:
    """Return a product of whole numbers; PyTorch's is wrong where there is one column."""
    return _WholeProduct(*layers) if layers[0].in_features > 1 else _Product(*layers)


@cache
def whole_products_are_exact() -> bool:
    """Tell whether PyTorch multiplies whole numbers rightly on this processor.

    Some that are older than VNNI add products in 16 bits, which the largest do not fit into.
    """
    largest = torch.full((2, 64), 127, dtype=torch.int8)
    weight = torch.cat([largest, -largest]).t()
    expected = (127 * 127 * 64 * torch.tensor([1, 1, -1, -1])).expand(2, 4)
    exact = [torch._int_mm(largest[:rows], weight) for rows in (1, 2)]
    return all(bool((found == expected[: len(found)]).all()) for found in exact)


class _Layer:
    """A layer's products, joined, beside the parts of the model that stay as they are."""

    def __init__(self, layer: GPTLayer, product: Callable[..., "_Product | _WholeProduct"]) -> None:
        attention: Any = layer.attention
        network: Any = layer.feed_forward
        its = (attention.query_proj, attention.key_proj, attention.value_proj)
        self.blocks = layer.attention_block, layer.feed_forward_block
        self.position, self.d_k = attention.position, attention.d_k
        self.heads = attention.n_heads
        self.groups = attention.key_proj.out_features // attention.d_k
        self.joint, self.output = product(*its), product(attention.output_proj)
        self.gated = hasattr(network, "gate")
        first: Any = (network.gate, network.inner) if self.gated else (network.inner,)
        self.inner, self.outer = product(*first), product(network.outer)
        self.activation: Any = None if self.gated else network.activation or F.relu

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
        bias = self.position.bias(query, start + length, start)
        if length == 1 and bias is None:  # heads that share keys, as queries of one head
            together = query.view(1, self.groups, -1, self.d_k)
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
            hidden = F.silu(gate) * inner
        else:
            hidden = self.activation(hidden)
        result: Tensor = self.outer(hidden)
        return result


class Past:
    """What a model has read of a text, and the model, made ready for one text at a time."""

    def __init__(self, model: GPT, *, int8: bool = False) -> None:
        product = _whole_if_wide if int8 else _Product
        self.model = model.eval()
        layers = cast(Iterable[GPTLayer], model.layers)
        self.layers = [_Layer(layer, product) for layer in layers]
        self._project = _WholeProduct(model.tables.output) if int8 else model.project
        self.ids: list[int] = []
        """The pieces that are kept."""
        self.computed = 0
        """Positions that have been computed so far."""
        self._rate = getattr(self.layers[0].position, "rate", None)
        self._kept: list[KeyValue] = []

    @torch.inference_mode()
    def read(self, ids: Sequence[int]) -> Float[Tensor, " N"]:
        """Return the logits behind a text; only what follows the kept beginning is computed."""
        start = _alike(self.ids, ids[:-1])
        new = torch.tensor([ids[start:]], device=self.model.tables.target.weight.device)
        self.ids = [*ids[:start]]  # if this is broken off, no more than that is certain
        self._make_room(len(ids))
        length, turning = new.shape[1], self._turning(start, new.shape[1])
        mask = None if not start or length == 1 else _mask(start, length, new.device)
        model = self.model
        states = model.position(model.tables.embed_target(new), start)
        for layer, kept in zip(self.layers, self._kept, strict=True):
            states = layer.read(states, kept, start, turning, mask)
        self.ids, self.computed = [*ids], self.computed + length
        logits: Tensor = self._project(model.norm(states[0, -1:]))
        return logits[0]

    def _make_room(self, positions: int) -> None:
        """Have buffers for so many positions."""
        had = self._kept[0].key.shape[2] if self._kept else 0
        if positions <= had:
            return
        size = min(max(positions, 2 * had, _FIRST), max(self.model.config.max_length, positions))
        like = self.model.tables.target.weight
        fresh = []
        for number, layer in enumerate(self.layers):
            shape = (1, layer.groups, size, layer.d_k)
            pair = KeyValue(like.new_empty(shape), like.new_empty(shape))
            if had:
                for old, new in zip(self._kept[number], pair, strict=True):
                    new[:, :, :had] = old
            fresh.append(pair)
        self._kept = fresh

    def _turning(self, start: int, length: int) -> tuple[Tensor, Tensor] | None:
        """Return cosines and signed sines for all layers, where positions turn pairs."""
        if self._rate is None:
            return None
        place = torch.arange(start, start + length, device=self._rate.device)
        angle = place[:, None] * self._rate
        cosine, sine = angle.cos(), angle.sin()
        return torch.cat([cosine, cosine], dim=-1), torch.cat([-sine, sine], dim=-1)


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
