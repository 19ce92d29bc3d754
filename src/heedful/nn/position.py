"""Position schemes: how a model that sees a set of pieces learns their order.

A scheme acts in one of two places: on the embeddings (`on_input`: sinusoidal, learned) or inside
self-attention (`on_attention`: rotary turns queries and keys, the others add to the scores).
"""

__all__ = [
    "ALiBi",
    "AttentionPosition",
    "Bucketed",
    "InputPosition",
    "Learned",
    "Llama3Scaling",
    "NoPosition",
    "Place",
    "Position",
    "Relative",
    "Rotary",
    "RotaryScaling",
    "Sinusoidal",
    "Unscaled",
    "sinusoids",
]

import math
from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import nn

from heedful.errors import ModelError
from heedful.nn.buckets import buckets
from heedful.settings import Settings
from heedful.shapes import Float, Int, Tensor

Place = int | Int[Tensor, " B"]
"""Where the first of the given pieces stands, from 0: in all rows, or in each its own."""


def _fixed(shape: tuple[int, ...], make: Callable[[], Tensor]) -> Float[Tensor, "*shape"]:
    """Return `make()`; on the meta device an empty tensor of that shape.

    Arithmetic there imports sympy and torch's compiler, seconds at every start of `heed translate`
    (`heedful.model_folder` builds the outline of a model on it).
    """
    return torch.empty(shape) if torch.get_default_device().type == "meta" else make()


def sinusoids(
    n_positions: int,
    d_model: int,
    layout: Literal["interleaved", "halves"],
    rates: Literal["paper", "closed"] = "paper",
    first: int = 0,
) -> Float[Tensor, "T D"]:
    """Return `PE(pos, 2i) = sin(pos / 10000^(2i/d_model))` and its cosine (section 3.5).

    `interleaved` alternates sine and cosine as the paper writes it; `halves` puts all sines
    before all cosines, as tensor2tensor and Marian do: the same numbers in another order. With
    `closed` rates the exponent is `i / (d_model/2 - 1)`, so that the last wave is 10000 times as
    long as the first, as in tensor2tensor and fairseq. The first row is that of position `first`.
    """
    position = torch.arange(first, first + n_positions, dtype=torch.float64).unsqueeze(1)
    last = d_model if rates == "paper" else max(d_model - 2, 1)
    rate = torch.exp(
        torch.arange(0, d_model, 2, dtype=torch.float64) * (-math.log(10_000.0) / last)
    )
    sine, cosine = torch.sin(position * rate), torch.cos(position * rate)
    cosine = cosine[:, : d_model // 2]
    if layout == "halves":
        return torch.cat([sine, cosine], dim=1).float()
    table = torch.empty(n_positions, d_model, dtype=torch.float64)
    table[:, 0::2] = sine
    table[:, 1::2] = cosine
    return table.float()


class InputPosition(nn.Module):
    """Adds nothing to the embeddings: the scheme acts elsewhere, or there is none."""

    def forward(self, states: Float[Tensor, "B T D"], start: Place) -> Float[Tensor, "B T D"]:
        """Return the states with positions `start`, `start`+1, ... added."""
        return states


class AttentionPosition(nn.Module):
    """Leaves queries, keys and scores as they are: the scheme acts elsewhere, or there is none."""

    def turn(self, heads: Float[Tensor, "B H T K"], start: Place) -> Float[Tensor, "B H T K"]:
        """Return queries or keys standing at positions `start`, `start`+1, ..."""
        return heads

    def bias(
        self, query: Float[Tensor, "B H Q K"], n_keys: int, start: Place | None = None
    ) -> Float[Tensor, "#B H Q M"] | None:
        """Return what is added to the scaled scores.

        The queries are the last of the keys, unless `start` says where the first of them stands.
        """
        return None


class _Table(InputPosition):
    """A table of position vectors, computed (`fixed`) or learned."""

    def __init__(self, table: Float[Tensor, "T D"], *, fixed: bool) -> None:
        super().__init__()
        if fixed:
            self.register_buffer("table", table, persistent=False)
        else:
            self.table = nn.Parameter(table)

    def forward(self, states: Float[Tensor, "B T D"], start: Place) -> Float[Tensor, "B T D"]:
        """Return `states + table[start:]`; raises ModelError for a position beyond the table.

        Rows with places of their own are not looked at for that.
        """
        if isinstance(start, Tensor):
            return states + self.table[_places(start, states.shape[1])].to(states.dtype)
        end = start + states.shape[1]
        if end > self.table.shape[0]:
            raise ModelError(
                f"position {end:,} is asked for and the model knows {len(self.table):,}"
            )
        return states + self.table[start:end].to(states.dtype)


class _RotaryPosition(AttentionPosition):
    rate: Tensor

    def __init__(self, d_k: int, theta: float, scaling: "Unscaled | Llama3Scaling") -> None:
        super().__init__()
        rate = _fixed(
            (d_k // 2,), lambda: scaling.scaled(theta ** (-torch.arange(0, d_k, 2) / d_k))
        )
        self.register_buffer("rate", rate, persistent=False)

    def turn(self, heads: Float[Tensor, "B H T K"], start: Place) -> Float[Tensor, "B H T K"]:
        """Rotate each pair (i, i + d_k/2) by position times its rate."""
        if isinstance(start, Tensor):
            place = _places(start, heads.shape[2])[:, None]
        else:
            place = torch.arange(start, start + heads.shape[2], device=heads.device)
        angle = place.float()[..., None] * self.rate.float()
        cosine, sine = angle.cos().to(heads.dtype), angle.sin().to(heads.dtype)
        first, second = heads.chunk(2, dim=-1)
        return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


def _places(start: Int[Tensor, " B"], length: int) -> Int[Tensor, "B T"]:
    """Return where the pieces of each row stand."""
    return start[:, None] + torch.arange(length, device=start.device)


def _distance(
    n_queries: int, n_keys: int, start: Place | None, device: torch.device
) -> Int[Tensor, "#B 1 Q M"]:
    """Return key position minus query position."""
    key = torch.arange(n_keys, device=device)
    if isinstance(start, Tensor):
        return key - _places(start, n_queries)[:, None, :, None]
    first = n_keys - n_queries if start is None else start
    return (key[None, :] - key[first : first + n_queries, None])[None, None]


class _LinearBias(AttentionPosition):
    slope: Tensor

    def __init__(self, n_heads: int) -> None:
        super().__init__()
        slope = _fixed((n_heads,), lambda: 2.0 ** (-8.0 * torch.arange(1, n_heads + 1) / n_heads))
        self.register_buffer("slope", slope, persistent=False)

    def bias(
        self, query: Float[Tensor, "B H Q K"], n_keys: int, start: Place | None = None
    ) -> Float[Tensor, "#B H Q M"] | None:
        """Return `-slope * |distance|` for each head."""
        distance = _distance(query.shape[2], n_keys, start, query.device)
        return (-self.slope.view(1, -1, 1, 1) * distance.abs()).to(query.dtype)


class _ShawBias(AttentionPosition):
    def __init__(self, d_k: int, max_distance: int) -> None:
        super().__init__()
        self.max_distance = max_distance
        self.key_table = nn.Parameter(torch.empty(2 * max_distance + 1, d_k))
        nn.init.xavier_uniform_(self.key_table)

    def bias(
        self, query: Float[Tensor, "B H Q K"], n_keys: int, start: Place | None = None
    ) -> Float[Tensor, "#B H Q M"] | None:
        """Return `q . a_distance / sqrt(d_k)`, the second term of Shaw's equation 4."""
        distance = _distance(query.shape[2], n_keys, start, query.device)
        index = distance.clamp(-self.max_distance, self.max_distance) + self.max_distance
        every = query @ self.key_table.to(query.dtype).T / math.sqrt(query.shape[-1])
        return every.gather(-1, index.expand(*every.shape[:2], *index.shape[2:]))


class _BucketBias(AttentionPosition):
    def __init__(self, n_heads: int, n_buckets: int, max_distance: int, *, causal: bool) -> None:
        super().__init__()
        self.max_distance, self.causal = max_distance, causal
        self.table = nn.Parameter(torch.empty(n_buckets, n_heads))
        nn.init.xavier_uniform_(self.table)

    def bias(
        self, query: Float[Tensor, "B H Q K"], n_keys: int, start: Place | None = None
    ) -> Float[Tensor, "#B H Q M"] | None:
        """Return the learned number of each distance's bucket, for each head."""
        distance = _distance(query.shape[2], n_keys, start, query.device)[:, 0]
        bucket = buckets(distance, len(self.table), self.max_distance, causal=self.causal)
        return self.table[bucket].permute(0, 3, 1, 2).to(query.dtype)


class _Scheme(Settings):
    """A position scheme that acts nowhere; each kind below overrides one of the two places."""

    def on_input(self, d_model: int, max_length: int) -> InputPosition:
        """Return what is added to the embeddings."""
        return InputPosition()

    def on_attention(self, n_heads: int, d_k: int) -> AttentionPosition:
        """Return what acts inside one self-attention layer."""
        return AttentionPosition()

    def on_stack(
        self, n_layers: int, n_heads: int, d_k: int, *, causal: bool
    ) -> list[AttentionPosition]:
        """Return what acts inside each self-attention of a stack of layers."""
        return [self.on_attention(n_heads, d_k) for _ in range(n_layers)]


class NoPosition(_Scheme):
    """No position at all: the model sees a bag of words (an experiment, not a recipe)."""

    kind: Literal["none"] = "none"


class Sinusoidal(_Scheme):
    """The paper's sinusoids, added to the embeddings (section 3.5)."""

    kind: Literal["sinusoidal"] = "sinusoidal"
    layout: Literal["interleaved", "halves"] = "interleaved"
    """The paper's order, or all sines first as in Marian."""
    rates: Literal["paper", "closed"] = "paper"
    """The paper's wavelengths, up to just below 10000 * 2 pi; or to that itself, as fairseq's."""
    first: int = Field(0, ge=0, le=65_536)
    """The position of the first piece; 2 in models of fairseq, such as M2M100."""

    def on_input(self, d_model: int, max_length: int) -> InputPosition:
        """Return the table of sinusoids."""
        shape = (max_length, d_model)
        table = _fixed(shape, lambda: sinusoids(*shape, self.layout, self.rates, self.first))
        return _Table(table, fixed=True)


class Learned(_Scheme):
    """A learned vector for each position (Table 3, row E; Gehring et al. 2017)."""

    kind: Literal["learned"] = "learned"

    def on_input(self, d_model: int, max_length: int) -> InputPosition:
        """Return the table, drawn like the embeddings."""
        table = nn.init.normal_(torch.empty(max_length, d_model), std=d_model**-0.5)
        return _Table(table, fixed=False)


class Unscaled(Settings):
    """Rotary positions as they were published."""

    kind: Literal["none"] = "none"

    def scaled(self, rate: Float[Tensor, " K"]) -> Float[Tensor, " K"]:
        """Return the rates."""
        return rate


class Llama3Scaling(Settings):
    """Rotary positions for texts longer than a model first learnt, as Llama 3.1 stretches them.

    The paper (arXiv 2407.21783) names the longer theta alone; this is Meta's published code.
    """

    kind: Literal["llama3"] = "llama3"
    factor: float = Field(8.0, ge=1)
    """Slow rates are divided by it."""
    low_freq_factor: float = Field(1.0, gt=0)
    """Rates that turn fewer times within `original_length` are slow."""
    high_freq_factor: float = Field(4.0, gt=0)
    """Rates that turn more times stay as they are."""
    original_length: int = Field(8192, ge=1)
    """Positions that the model first learnt."""

    @model_validator(mode="after")
    def _in_order(self) -> "Llama3Scaling":
        if self.low_freq_factor >= self.high_freq_factor:
            raise ValueError("low_freq_factor is not below high_freq_factor")
        return self

    def scaled(self, rate: Float[Tensor, " K"]) -> Float[Tensor, " K"]:
        """Return the rates: slow ones divided, those between by something between."""
        turns = self.original_length * rate / (2 * math.pi)
        width = self.high_freq_factor - self.low_freq_factor
        kept = ((turns - self.low_freq_factor) / width).clamp(0, 1)
        return rate * (kept + (1 - kept) / self.factor)


RotaryScaling = Annotated[Unscaled | Llama3Scaling, Field(discriminator="kind")]


class Rotary(_Scheme):
    """Rotary positions (Su et al. 2021, arXiv 2104.09864)."""

    kind: Literal["rotary"] = "rotary"
    theta: float = Field(10_000.0, gt=1)
    """The longest wavelength is 2 pi theta."""
    scaling: RotaryScaling = Unscaled()
    """How they are stretched for longer texts, if they are."""

    def on_attention(self, n_heads: int, d_k: int) -> AttentionPosition:
        """Return the rotation of queries and keys."""
        return _RotaryPosition(d_k, self.theta, self.scaling)


class ALiBi(_Scheme):
    """A penalty linear in distance (Press et al. 2021, arXiv 2108.12409), symmetric in encoders."""

    kind: Literal["alibi"] = "alibi"

    def on_attention(self, n_heads: int, d_k: int) -> AttentionPosition:
        """Return the penalty on the scores."""
        return _LinearBias(n_heads)


class Relative(_Scheme):
    """Relative positions (Shaw et al. 2018, arXiv 1803.02155), on the keys.

    Shaw's term on the values is left out: their Table 3 measures no gain from it.
    """

    kind: Literal["relative"] = "relative"
    max_distance: int = Field(16, ge=1, le=65_536)
    """Farther pieces count as this far."""

    def on_attention(self, n_heads: int, d_k: int) -> AttentionPosition:
        """Return the learned term on the scores."""
        return _ShawBias(d_k, self.max_distance)


class Bucketed(_Scheme):
    """A learned number for each bucket of distances and each head, for all layers of a stack.

    Raffel et al. 2020 (T5, arXiv 1910.10683), section 2.1; those of a decoder look back alone.
    """

    kind: Literal["bucketed"] = "bucketed"
    n_buckets: int = Field(32, ge=4, le=65_536, multiple_of=2)
    """How many buckets there are."""
    max_distance: int = Field(128, ge=2, le=1_048_576)
    """Farther pieces share the last bucket; must be above n_buckets / 2."""

    @model_validator(mode="after")
    def _in_order(self) -> "Bucketed":
        if self.max_distance <= self.n_buckets // 2:
            raise ValueError(
                f"max_distance {self.max_distance} is not above half of n_buckets {self.n_buckets}"
            )
        return self

    def on_attention(self, n_heads: int, d_k: int, *, causal: bool = False) -> AttentionPosition:
        """Return the learned term on the scores."""
        return _BucketBias(n_heads, self.n_buckets, self.max_distance, causal=causal)

    def on_stack(
        self, n_layers: int, n_heads: int, d_k: int, *, causal: bool
    ) -> list[AttentionPosition]:
        """Return one for all layers."""
        return [self.on_attention(n_heads, d_k, causal=causal)] * n_layers


Position = Annotated[
    Sinusoidal | Learned | Rotary | ALiBi | Relative | Bucketed | NoPosition,
    Field(discriminator="kind"),
]
