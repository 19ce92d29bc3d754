"""Attention followed through all layers: rollout, and relevance by gradients.

What a model looked at comes in, a matrix of steps by pieces of the source, and one of steps by
pieces that the decoder had read, go out. Without an encoder the first has no columns.
"""

__all__ = ["chefer", "rolled", "rollout"]

from collections.abc import Callable

import torch

from heedful.inspect.ablate import Edit, Edits, looking, placed
from heedful.inspect.capture import Looks, replaced, with_opening
from heedful.inspect.names import Inspected, Kind, modules, opened
from heedful.shapes import Array, Float, Tensor

Maps = dict[tuple[Kind, int], Float[Tensor, "Q M"]]
"""A map for each layer of each kind."""

Shares = tuple[Float[Array, "T S"], Float[Array, "T T"]]


def rolled(looks: Looks) -> Float[Tensor, "S S"]:
    """Return what each state at the encoder's end is made of, by `rollout`'s rule."""
    maps = {place: look.weights()[0].mean(0) for place, look in looks.items()}
    return _rolled(maps)


def _rolled(maps: Maps) -> Float[Tensor, "S S"]:
    source = _identity(maps["encoder", 0])
    for layer in range(_layers(maps, "encoder")):
        source = (source + maps["encoder", layer] @ source) / 2
    return source


def rollout(looks: Looks) -> Shares:
    """Return A-hat_L ... A-hat_1, with A-hat = (mean over heads of A + I) / 2 for the residual.

    Abnar and Zuidema 2020 (arXiv 2005.00928). At an attention to the source half comes from there
    and half from the decoder's own state, so that the two rows of a step sum to 1. Feed-forward
    networks, values and the output projection are left out: it is an approximation.
    """
    maps = {place: look.weights()[0].mean(0) for place, look in looks.items()}
    alone = ("cross", 0) not in maps
    source = None if alone else _rolled(maps)
    own = _identity(maps["decoder", 0])
    across = torch.zeros_like(own[:, :0] if alone else maps["cross", 0])
    for layer in range(_layers(maps, "decoder")):
        mixed = maps["decoder", layer]
        own, across = (own + mixed @ own) / 2, (across + mixed @ across) / 2
        if source is None:
            continue
        own, across = own / 2, (across + maps["cross", layer] @ source) / 2
    return across.cpu().numpy(), own.cpu().numpy()


def chefer(
    model: Inspected, predicted: Callable[[], Float[Tensor, ""]], edits: Edits | None = None
) -> Shares:
    """Return the relevance of Chefer et al. 2021 (arXiv 2103.15679), rules 5 to 10.

    A-bar is the mean over heads of what is positive in A times its gradient. Self-attention adds
    A-bar R to each relevance; attention to the source adds N(R_tt)^T A-bar N(R_ss), where N makes
    what was added to the identity sum to 1 in each row. What a decoder is opened with takes part,
    and is added to the first piece in the end.
    """
    maps = _weighted(model, predicted, edits or {})
    alone = ("cross", 0) not in maps
    own = _identity(maps["decoder", 0])
    source = own[:0, :0] if alone else _identity(maps["encoder", 0])
    for layer in range(_layers(maps, "encoder")):
        source = source + maps["encoder", layer] @ source
    across = torch.zeros_like(own[:, :0] if alone else maps["cross", 0])
    for layer in range(_layers(maps, "decoder")):
        mixed = maps["decoder", layer]
        across = across + mixed @ across
        own = own + mixed @ own
        if alone:
            continue
        across = across + _normalised(own).T @ maps["cross", layer] @ _normalised(source)
    first = opened(model)
    return across[first:].cpu().numpy(), with_opening(own[first:], first).cpu().numpy()


def _identity(like: Float[Tensor, "Q Q"]) -> Float[Tensor, "Q Q"]:
    return torch.eye(len(like), device=like.device)


def _layers(maps: Maps, kind: Kind) -> int:
    return sum(found == kind for found, _ in maps)


def _normalised(own: Float[Tensor, "Q Q"]) -> Float[Tensor, "Q Q"]:
    """Return the identity, and what was added to it as shares of 1."""
    identity = _identity(own)
    added = own - identity
    return identity + added / added.sum(-1, keepdim=True).clamp(min=1e-30)


def _weighted(model: Inspected, predicted: Callable[[], Float[Tensor, ""]], edits: Edits) -> Maps:
    """Return A-bar of every layer: the model is run in the way that shows its weights."""
    shown: dict[tuple[Kind, int], Tensor] = {}

    def keeping(place: tuple[Kind, int]) -> Callable[[Tensor], None]:
        def keep(weights: Tensor) -> None:
            if not weights.requires_grad:  # weights that are not learnt
                weights.requires_grad_()
            shown[place] = weights

        return keep

    places = [
        (
            module,
            looking(placed(model, kind, edits.get((kind, layer), Edit())), keeping((kind, layer))),
        )
        for kind, layer, module in modules(model)
    ]
    with torch.enable_grad(), replaced(places):
        slopes = torch.autograd.grad(predicted(), list(shown.values()))
    return {
        place: (weights.detach() * slope).clamp(min=0)[0].mean(0)
        for (place, weights), slope in zip(shown.items(), slopes, strict=True)
    }
