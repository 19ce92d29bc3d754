"""What the decoder would say after each of its layers: the logit lens.

A trace comes in, the likeliest pieces of every layer and step go out. Each layer's states go
through the last norm and the output matrix, which were made for the last layer's alone: what early
layers say is a reading, not a translation (nostalgebraist 2020).
"""

__all__ = ["Said", "logit_lens"]

from typing import Any, NamedTuple

import torch
from torch import nn

from heedful.inspect.ablate import edited
from heedful.inspect.names import opened, self_attentive
from heedful.inspect.stages import logits_of
from heedful.inspect.trace import Trace
from heedful.models.gpt import GPT


class Said(NamedTuple):
    """What one layer would say at one step."""

    top: tuple[tuple[str, float], ...]
    """The likeliest pieces with the logarithms of their probabilities."""
    log_prob: float
    """Of the piece that the translation has."""


@torch.inference_mode()
def logit_lens(seen: Trace, top: int = 5) -> list[list[Said]]:
    """Return, for each decoder layer and each step, what would be said; last what is."""
    states = []

    def keep(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        states.append(output if isinstance(seen.model, GPT) else output.states)

    layers, norm = _decoder(seen)
    handles = [layer.register_forward_hook(keep) for layer in layers]
    try:
        with edited(seen.model, seen.edits):
            logits_of(seen.model, seen.source.ids, seen.target.ids)
    finally:
        for handle in handles:
            handle.remove()
    first = opened(seen.model)
    return [_said(seen, norm(layer[:, first:]), top) for layer in states]


def _decoder(seen: Trace) -> tuple[nn.ModuleList, nn.Module]:
    """Return the decoder's layers, and the norm behind the last."""
    model = self_attentive(seen.model, "the logit lens")
    if isinstance(model, GPT):
        return model.layers, model.norm
    return model.decoder, model.decoder_norm


def _said(seen: Trace, states: Any, top: int) -> list[Said]:
    log_probs = seen.model.project(seen.model.tables.ready(states))[0].float().log_softmax(-1)
    best = log_probs.topk(min(top, log_probs.shape[1]))
    own = log_probs.gather(1, torch.tensor(seen.target.ids, device=log_probs.device)[:, None])
    return [
        Said(tuple(zip(seen.pieces(pieces), values, strict=True)), float(log_prob))
        for pieces, values, log_prob in zip(
            best.indices.tolist(), best.values.tolist(), own[:, 0].tolist(), strict=True
        )
    ]
