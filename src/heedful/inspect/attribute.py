"""Which pieces a prediction rests on, by six methods that need not agree.

A trace and a step come in, a score for each piece of the source and of the translation so far goes
out. Gradients and zeroed vectors ask the model; rollout only multiplies what it looked at.
"""

__all__ = ["METHODS", "Attribution", "Method", "attribute", "check_step"]

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch

from heedful.errors import SettingError, did_you_mean
from heedful.inspect import relevance
from heedful.inspect.ablate import Edit, edited, merged
from heedful.inspect.embedded import Vectors, averages, of_step, vectors
from heedful.inspect.names import modules, self_attentive
from heedful.inspect.stages import logits_of
from heedful.inspect.trace import Trace
from heedful.shapes import Array, Float, Tensor

Method = Literal[
    "grad_x_input", "integrated_gradients", "value_zeroing", "occlusion", "rollout", "chefer"
]
METHODS: tuple[Method, ...] = get_args(Method)

POINTS = (64, 128, 256, 512)
"""At how many places between the average piece and the real ones integrated gradients take the
gradient: more until they are near."""
NEAR = 0.02
"""What they may lack, of the whole change."""

PIECES = 16_384
"""Pieces, of all variants of a pair together, that are computed at once."""

Scores = tuple[Float[Array, " S"], Float[Array, " T"]]


@dataclass(frozen=True)
class Attribution:
    """What a prediction rests on, by one method."""

    method: Method
    step: int
    piece: str
    against: str | None
    """The piece that it is told apart from; None: all others."""
    source: Float[Array, " S"]
    """Of every piece that the encoder reads; what is above 0 speaks for the prediction."""
    target: Float[Array, " T"]
    """Of every piece that the decoder has read by the step."""
    path: Literal["fused", "explicit"]
    """Whether the model ran as it translates, or in the way that shows its weights."""
    missing: float | None
    """Of integrated gradients: what the scores lack of the whole change, in nats."""


def attribute(
    seen: Trace, step: int, method: Method | str = "grad_x_input", against: str | None = None
) -> Attribution:
    """Return what the prediction of a step rests on: of its log-probability in nats.

    `against` is a piece: then it is the difference to that one's log-probability which is shared
    out. Gradient times input (Shrikumar et al. 2016), integrated gradients from the average piece
    (Sundararajan et al. 2017), the loss by an embedding of zeros (occlusion) or by values of zeros
    in every layer (after Mohebbi et al. 2023, who compare states, not predictions); rollout (Abnar
    and Zuidema 2020, with cross-attention as in Ferrando et al. 2022) and Chefer et al. 2021 give
    shares, which are never negative. Raises SettingError for what there is not.
    """
    if method not in METHODS:
        raise SettingError(
            f'there is no method "{method}"', where="method", fix=did_you_mean(method, METHODS)
        )
    check_step(seen, step)
    wanted = _wanted(seen, step, against)
    with edited(seen.model, seen.edits):
        found, missing = _METHODS[method](seen, step, wanted)
    return Attribution(
        *(method, step, seen.target.tokens[step], against, *found),
        "fused" if method == "rollout" else "explicit",
        missing,
    )


def check_step(seen: Trace, step: int) -> None:
    """Raise SettingError, with what there is, unless the translation has this step."""
    if not 0 <= step < len(seen.target.ids):
        raise SettingError(
            f"there is no step {step}",
            where="step",
            fix=f"the {seen.what} has steps 0 to {len(seen.target.ids) - 1}",
        )


Wanted = Callable[[Float[Tensor, "B N"]], Float[Tensor, " B"]]
"""Makes of the log-probabilities of a step what is shared out."""


def _wanted(seen: Trace, step: int, against: str | None) -> Wanted:
    piece = seen.target.ids[step]
    if against is None:
        return lambda log_probs: log_probs[:, piece]
    names = seen.pieces(range(seen.log_probs.shape[1]))
    if against not in names:
        raise SettingError(
            f'there is no piece "{against}"', where="against", fix=did_you_mean(against, names)
        )
    other = names.index(against)
    return lambda log_probs: log_probs[:, piece] - log_probs[:, other]


def _gradients(seen: Trace, step: int, wanted: Wanted, given: Vectors) -> Vectors:
    """Return the gradients of what is wanted by the vectors of each variant."""
    with torch.enable_grad():
        own = Vectors(*(side.detach().requires_grad_() for side in given))
        said = wanted(of_step(seen.model, own, step)).sum()
        found = torch.autograd.grad(said, own, materialize_grads=True)
    return Vectors(*found)


def _grad_x_input(seen: Trace, step: int, wanted: Wanted) -> tuple[Scores, None]:
    given = vectors(seen.model, seen.source.ids, seen.target.ids)
    slopes = _gradients(seen, step, wanted, given)
    return _scores((slope * side for slope, side in zip(slopes, given, strict=True)), step), None


def _integrated(seen: Trace, step: int, wanted: Wanted) -> tuple[Scores, float]:
    given, average = vectors(seen.model, seen.source.ids, seen.target.ids), averages(seen.model)
    pairs = list(zip(given, average, strict=True))
    ends = Vectors(*(torch.cat([side, mean.expand_as(side)]) for side, mean in pairs))
    with torch.no_grad():
        whole, nothing = wanted(of_step(seen.model, ends, step)).tolist()
    for points in POINTS:
        sums = [torch.zeros_like(side) for side in given]
        places = (torch.arange(points, device=given.source.device) + 0.5) / points
        for some in torch.split(places, min(POINTS[0], _at_once(given))):
            between = (mean + some[:, None, None] * (side - mean) for side, mean in pairs)
            for total, slope in zip(
                sums, _gradients(seen, step, wanted, Vectors(*between)), strict=True
            ):
                total += slope.sum(0, keepdim=True)
        shares = (
            total / points * (side - mean) for total, (side, mean) in zip(sums, pairs, strict=True)
        )
        scores = _scores(shares, step)
        missing = float(whole - nothing - scores[0].sum() - scores[1].sum())
        if abs(missing) <= NEAR * max(1.0, abs(whole - nothing)):
            break
    return scores, missing


def _occlusion(seen: Trace, step: int, wanted: Wanted) -> tuple[Scores, None]:
    given = vectors(seen.model, seen.source.ids, seen.target.ids)
    n_source, n_target = given.source.shape[1], step + 1
    rows = 1 + n_source + n_target
    source, target = (side.repeat(rows, 1, 1) for side in given)
    for place in range(n_source):
        source[1 + place, place] = 0
    for place in range(n_target):
        target[1 + n_source + place, place] = 0
    pairs = zip(*(torch.split(side, _at_once(given)) for side in (source, target)), strict=True)
    with torch.no_grad():
        found = torch.cat([wanted(of_step(seen.model, Vectors(*some), step)) for some in pairs])
    lost = (found[0] - found[1:]).cpu().numpy()
    return (lost[:n_source], lost[n_source:]), None


def _value_zeroing(seen: Trace, step: int, wanted: Wanted) -> tuple[Scores, None]:
    target = seen.target.ids[: step + 1]

    def without(kinds: tuple[str, ...], place: int | None) -> float:
        edits = {
            (kind, layer): Edit(silent=() if place is None else (place,))
            for kind, layer, _ in modules(seen.model)
            if kind in kinds
        }
        with torch.inference_mode(), edited(seen.model, merged(seen.edits, edits)):
            logits = logits_of(seen.model, seen.source.ids, target)
        return float(wanted(logits[step:].float().log_softmax(-1)))

    whole = without((), None)
    source = [whole - without(("encoder", "cross"), place) for place in range(len(seen.encoded))]
    written = [whole - without(("decoder",), place) for place in range(step + 1)]
    return (np.array(source, np.float32), np.array(written, np.float32)), None


def _rollout(seen: Trace, step: int, wanted: Wanted) -> tuple[Scores, None]:
    self_attentive(seen.model, "rollout")
    source, target = relevance.rollout(seen.looks)
    return (source[step], target[step, : step + 1]), None


def _chefer(seen: Trace, step: int, wanted: Wanted) -> tuple[Scores, None]:
    def predicted() -> Tensor:
        logits = logits_of(seen.model, seen.source.ids, seen.target.ids[: step + 1])
        return wanted(logits[step:].float().log_softmax(-1))[0]

    source, target = relevance.chefer(self_attentive(seen.model, "chefer"), predicted, seen.edits)
    return (source[step], target[step, : step + 1]), None


def _at_once(given: Vectors) -> int:
    """Return how many variants of a pair are computed together."""
    return max(1, PIECES // (given.source.shape[1] + given.target.shape[1]))


def _scores(sides: "object", step: int) -> Scores:
    source, target = (side.sum(-1)[0].cpu().numpy() for side in sides)  # type: ignore[attr-defined]
    return source, target[: step + 1]


_METHODS: dict[str, Callable[[Trace, int, Wanted], tuple[Scores, float | None]]] = {
    "grad_x_input": _grad_x_input,
    "integrated_gradients": _integrated,
    "value_zeroing": _value_zeroing,
    "occlusion": _occlusion,
    "rollout": _rollout,
    "chefer": _chefer,
}
