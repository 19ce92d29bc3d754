"""What the attentions of a model look at, while it runs as it always does.

    with watch(model) as seen:
        model(x)
    seen["layers.3.self_attn"].weights   # batch, heads, queries, keys

What comes into each attention is kept, and weights are computed from it when they are asked for.
"""

__all__ = ["Look", "Seen", "watch"]

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import nn

from heedful.errors import DataError, SettingError, did_you_mean
from heedful.nn.attention import attention_weights
from heedful.shapes import Bool, Float, Tensor
from heedful.torch_nn.attention import MultiheadAttention
from heedful.torch_nn.masks import Mask
from heedful.torch_nn.packing import Packing


class Look(NamedTuple):
    """What came into one attention, after the projections."""

    query: Float[Tensor, "B H Q K"]
    key: Float[Tensor, "B H M K"]
    value: Float[Tensor, "B H M K"]
    mask: Mask
    real: Bool[Tensor, "B Q"] | None
    """False where padding was, which was not computed; None: no query was left out."""

    @property
    def weights(self) -> Float[Tensor, "B H Q M"]:
        """The softmax of every head, before dropout, in the format of the model.

        Zeros for a query that had nothing to attend to or was not computed.
        """
        return self._weights(slice(None))

    def head(self, number: int) -> Float[Tensor, "B Q M"]:
        """Return the weights of one head, counted from 0; computes no other.

        Raises DataError where there is no such head.
        """
        heads = self.query.shape[1]
        if not 0 <= number < heads:
            raise DataError(f"there is no head {number}", fix=f"heads are 0 to {heads - 1}")
        return self._weights(slice(number, number + 1))[:, 0]

    def table(
        self,
        head: int,
        sentence: int = 0,
        queries: Sequence[str] | None = None,
        keys: Sequence[str] | None = None,
    ) -> str:
        """Return the weights of a head as text: a line a query, per cent, keys above.

        `queries` and `keys` name positions, which are numbered otherwise. Names may be fewer:
        what follows them is left out. Raises DataError for a head or sentence that is none.
        """
        weights = self.head(head)
        if not 0 <= sentence < len(weights):
            fix = f"sentences are 0 to {len(weights) - 1}"
            raise DataError(f"there is no sentence {sentence}", fix=fix)
        rows = (weights[sentence].float() * 100).round().int().tolist()
        down = list(map(str, range(len(rows)))) if queries is None else list(queries)
        above = list(map(str, range(weights.shape[-1]))) if keys is None else list(keys)
        side = max(map(len, down), default=0)
        width = [max(3, len(name)) for name in above]
        lines = [" " * side + "".join(f"  {n:>{w}}" for n, w in zip(above, width, strict=True))]
        for name, row in zip(down, rows, strict=False):
            cells = (f"  {cell or '.':>{w}}" for cell, w in zip(row, width, strict=False))
            lines.append(f"{name:>{side}}" + "".join(cells))
        return "\n".join(lines)

    def _weights(self, heads: slice) -> Tensor:
        mask = self.mask.opened(self.query.shape[2], self.key.shape[2], self.query.device)
        allowed, bias = (
            part[:, heads] if part is not None and part.shape[1] > 1 else part
            for part in (mask.allowed, mask.bias)
        )
        weights = attention_weights(self.query[:, heads], self.key[:, heads], allowed, bias)
        return weights if self.real is None else weights * self.real[:, None, :, None]


class Seen(Mapping[str, Look]):
    """Looks by the names that `model.named_modules()` gives; of several passes the last."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._looks: dict[str, Look] = {}

    def __getitem__(self, name: str) -> Look:
        if name in self._looks:
            return self._looks[name]
        if name in self.names:
            raise DataError(f"{name} has not run", fix="call the model inside the watch block")
        raise DataError(f'no attention is called "{name}"', fix=did_you_mean(name, self.names))

    def get(self, name: str, default: Any = None) -> Any:
        """Return the look, or the default where an attention has not run or there is none."""
        return self._looks.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._looks

    def __iter__(self) -> Iterator[str]:
        return iter(self._looks)

    def __len__(self) -> int:
        return len(self._looks)

    def keep(self, name: str, look: Look) -> None:
        """Keep what came into an attention."""
        self._looks[name] = look


@contextmanager
def watch(model: nn.Module) -> Iterator[Seen]:
    """Keep what comes into every attention of a model while the block runs.

    Results stay as they are; whatever was compiled runs as it was written, and not faster, while
    the block does. A layer's queries and keys are kept until its next pass, so that weights, which
    are much more, are made only of the layers and heads that are asked for. Raises SettingError
    for a model without a `heedful.torch_nn.MultiheadAttention`.
    """
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, MultiheadAttention)
    }
    if not found:
        raise SettingError(
            "the model has no attention of heedful.torch_nn to watch",
            fix="build it from heedful.torch_nn; state dicts of torch.nn fit",
        )
    seen = Seen(list(found))
    before = {name: vars(module).get("look") for name, module in found.items()}
    try:
        for name, module in found.items():
            vars(module)["look"] = _listening(name, module.look, seen)
        with _as_written():
            yield seen
    finally:
        for name, module in found.items():
            if before[name] is None:
                del vars(module)["look"]
            else:
                vars(module)["look"] = before[name]


def _as_written() -> AbstractContextManager[Any]:
    """Return a block in which what was compiled is not used; compiling it anew takes seconds."""
    if "torch._dynamo" not in sys.modules:  # nothing was compiled, and it takes seconds to load
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


def _listening(name: str, inner: Any, seen: Seen) -> Any:
    def look(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        need_weights: bool,
        packed: Packing | None,
    ) -> Any:
        real = None
        if packed is not None:
            real = query.new_zeros(packed.batch * packed.length, dtype=torch.bool)
            real[packed.placed] = True
            real = real.view(packed.batch, packed.length)
        kept = Mask(mask.allowed, None if mask.bias is None else mask.bias.detach(), mask.causal)
        seen.keep(name, Look(query.detach(), key.detach(), value.detach(), kept, real))
        return inner(query, key, value, mask, need_weights, packed)

    return look
