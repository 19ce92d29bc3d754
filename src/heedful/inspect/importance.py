"""How much each head matters: all at once by their gates, in one backward pass, or one by one.

A trace comes in, a number for each head goes out. A gate is 1 and multiplies what a head hands on
(Michel et al. 2019, arXiv 1905.10650); the derivative of a log-probability by it says to first
order what closing it would cost. `exactly` switches the heads off one by one.
"""

__all__ = ["Change", "Gradients", "exactly", "importance", "log_prob_of"]

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from heedful.errors import SettingError
from heedful.inspect.ablate import Edits, How, ablations, edited, merged
from heedful.inspect.attribute import check_step
from heedful.inspect.capture import Looking, replaced
from heedful.inspect.names import Head, Kind, every_head, kinds_of, modules
from heedful.inspect.stages import logits_of
from heedful.inspect.trace import Trace
from heedful.nn.attention import KeyValue
from heedful.shapes import Array, Float, Tensor

Gradients = dict[Kind, Float[Array, "layers heads"]]
"""A number for each head of each kind of attention."""


class Change(NamedTuple):
    """What happens without a head."""

    head: Head
    change: float
    """Of the log-probability, in nats: below 0, it falls."""


def importance(seen: Trace, step: int | None = None) -> Gradients:
    """Return d log p / d gate of every head: of a step's piece, or of all that was written.

    Above 0 the head speaks for it. Raises SettingError for a step that there is not, or a model
    without attention.
    """
    gates = {
        (kind, layer): torch.ones(module.n_heads, device=seen.log_probs.device, requires_grad=True)
        for kind, layer, module in modules(seen.model)
    }
    if not gates:
        raise SettingError("this model has no attention, and so no heads that could matter")
    with torch.enable_grad(), edited(seen.model, seen.edits):
        places = [
            (module, _gated(module.look, gates[kind, layer]))
            for kind, layer, module in modules(seen.model)
        ]
        with replaced(places):
            slopes = torch.autograd.grad(_log_prob(seen, step), list(gates.values()))
    found = dict(zip(gates, slopes, strict=True))
    return {
        kind: np.stack([found[place].cpu().numpy() for place in found if place[0] == kind])
        for kind in kinds_of(seen.model)
    }


def _gated(inner: Looking, gate: Float[Tensor, " H"]) -> Looking:
    def look(
        query: Tensor, memory: KeyValue, mask: Tensor | None, bias: Tensor | None, causal: bool
    ) -> Tensor:
        return inner(query, memory, mask, bias, causal) * gate[:, None, None].to(query.dtype)

    return look


def exactly(seen: Trace, step: int | None = None, how: How | str = "mean") -> Iterator[Change]:
    """Yield what happens without each head, those with the largest gate gradients first.

    Raises SettingError for a step that there is not, or another `how` than `ablate` knows.
    """
    slopes = importance(seen, step)
    ablations(seen.model, (), how, seen.looks)
    before = log_prob_of(seen, step)
    order = sorted(
        every_head(seen.model), key=lambda head: -abs(slopes[head.kind][head.layer, head.head])
    )
    for head in order:
        edits = ablations(seen.model, [head], how, seen.looks)
        yield Change(head, log_prob_of(seen, step, edits) - before)


def log_prob_of(seen: Trace, step: int | None = None, edits: Edits | None = None) -> float:
    """Return the log-probability of a step's piece, or of all that was written, with edits made.

    The edits come on top of the trace's own. Raises SettingError for a step that there is not.
    """
    with torch.inference_mode(), edited(seen.model, merged(seen.edits, edits or {})):
        return float(_log_prob(seen, step))


def _log_prob(seen: Trace, step: int | None) -> Float[Tensor, ""]:
    if step is not None:
        check_step(seen, step)
    last = len(seen.target.ids) if step is None else step + 1
    target = seen.target.ids[:last]
    log_probs = logits_of(seen.model, seen.source.ids, target).float().log_softmax(-1)
    chosen = torch.tensor(target, device=log_probs.device)[:, None]
    found = log_probs.gather(1, chosen)[:, 0]
    return found[seen.begins :].sum() if step is None else found[step]
