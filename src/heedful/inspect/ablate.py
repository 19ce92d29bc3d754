"""What happens without a head: heads switched off, made blind, or kept from looking somewhere.

A model and edits come in; while the block runs the model computes with them, on whatever way it is
called. The attentions that an edit touches show their weights, all others stay on the fast path.
"""

__all__ = [
    "HOW",
    "Edit",
    "Edits",
    "How",
    "ablate",
    "ablations",
    "edited",
    "looking",
    "means",
    "merged",
    "placed",
]

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import torch

from heedful.errors import SettingError, did_you_mean
from heedful.inspect.capture import Looking, Looks, in_the_open, replaced
from heedful.inspect.names import Head, Inspected, Kind, modules, opened, parse
from heedful.nn.attention import KeyValue
from heedful.shapes import Float, Tensor

How = Literal["zero", "mean", "uniform"]
"""A head hands on nothing; always its mean; the mean of all that it may look at."""

HOW: tuple[How, ...] = get_args(How)

Means = Mapping[Head, Float[Tensor, " K"]]
"""What a head hands on in the mean."""


@dataclass(frozen=True)
class Edit:
    """What is changed in one layer of attention; queries and keys are places of a trace."""

    zero: tuple[int, ...] = ()
    """Heads that hand on nothing."""
    mean: Mapping[int, Float[Tensor, " K"]] = field(default_factory=dict)
    """What heads hand on in place of what they mix."""
    uniform: tuple[int, ...] = ()
    """Heads that look at everything alike that they may look at."""
    cut: tuple[tuple[int | None, int, int], ...] = ()
    """Edges (head, query, key) that are taken away, what is left weighs 1 again; head None: all."""
    silent: tuple[int, ...] = ()
    """Keys whose values are 0: they may be looked at, and say nothing."""


Edits = Mapping[tuple[Kind, int], Edit]
"""Edits by kind and layer."""


@contextmanager
def ablate(
    model: Inspected,
    heads: Iterable[str | Head],
    how: How | str = "zero",
    reference: Looks | None = None,
) -> Iterator[None]:
    """Compute without these heads while the block runs.

    A head may `zero` what it hands on, always hand on its `mean` over the positions of the
    `reference` pass, or look `uniform`ly at all that it may look at: if nothing changes then, what
    its picture shows explains nothing (Wiegreffe and Pinter 2019). None of them is always the best
    (arXiv 2408.17322). Raises SettingError for a head that there is not.

    >>> with ablate(translator.model, ["encoder.5.6"]):  # doctest: +SKIP
    ...     print(translator.model.encode(source, mask).states)
    """
    with edited(model, ablations(model, heads, how, reference)):
        yield


def ablations(
    model: Inspected,
    heads: Iterable[str | Head],
    how: How | str = "zero",
    reference: Looks | None = None,
) -> Edits:
    """Return the edits that `ablate` makes; raises what it raises."""
    if how not in HOW:
        raise SettingError(f'there is no ablation "{how}"', where="how", fix=did_you_mean(how, HOW))
    found = [head for name in heads for head in parse(model, name)]
    given: Means = {}
    if how == "mean":
        if reference is None:
            raise SettingError(
                "a mean needs a pass to be taken over", where="reference", fix="record one"
            )
        given = means(reference, found)
    return _edits(found, how, given)


def means(reference: Looks, heads: Iterable[Head]) -> Means:
    """Return what each head hands on in the mean over the positions of a pass."""
    return {
        head: reference[head.kind, head.layer].context()[:, head.head].mean((0, 1))
        for head in heads
    }


def _edits(heads: Sequence[Head], how: str, given: Means) -> Edits:
    edits = {}
    for place in {head[:2] for head in heads}:
        numbers = tuple(sorted({head.head for head in heads if head[:2] == place}))
        if how == "zero":
            edits[place] = Edit(zero=numbers)
        elif how == "uniform":
            edits[place] = Edit(uniform=numbers)
        else:
            edits[place] = Edit(mean={number: given[Head(*place, number)] for number in numbers})
    return edits


@contextmanager
def edited(model: Inspected, edits: Edits) -> Iterator[None]:
    """Compute with edits while the block runs."""
    there = {(kind, layer): module for kind, layer, module in modules(model)}
    places = [
        (there[place], looking(placed(model, place[0], edit))) for place, edit in edits.items()
    ]
    with replaced(places):
        yield


def placed(model: Inspected, kind: Kind, edit: Edit) -> Edit:
    """Return an edit with the queries and keys that the model has where a trace has its places.

    What a decoder is opened with stands before them, and belongs to the first piece as a key.
    """
    before = opened(model)
    if not before or kind == "encoder":
        return edit

    def keys(place: int) -> range:
        if kind == "cross":
            return range(place, place + 1)
        return range(place + before if place else 0, place + before + 1)

    return replace(
        edit,
        cut=tuple(
            (head, query + before, key) for head, query, place in edit.cut for key in keys(place)
        ),
        silent=tuple(key for place in edit.silent for key in keys(place)),
    )


def merged(first: Edits, then: Edits) -> Edits:
    """Return the edits of both; where both give one head a mean, it is the second's.

    >>> merged({("cross", 0): Edit(zero=(1,))}, {("cross", 0): Edit(zero=(2,))})["cross", 0].zero
    (1, 2)
    """
    return {**first, **then} | {
        place: Edit(
            (*one.zero, *then[place].zero),
            {**one.mean, **then[place].mean},
            (*one.uniform, *then[place].uniform),
            (*one.cut, *then[place].cut),
            (*one.silent, *then[place].silent),
        )
        for place, one in first.items()
        if place in then
    }


def looking(edit: Edit, shown: Callable[[Tensor], None] = lambda _: None) -> Looking:
    """Return the explicit way to look, with the edit made; `shown` is given the weights."""

    def look(
        query: Tensor, memory: KeyValue, mask: Tensor | None, bias: Tensor | None, causal: bool
    ) -> Tensor:
        weights, value, mask = in_the_open(query, memory, mask, bias, causal)
        if edit.uniform:
            weights = _uniform(weights, mask, edit.uniform)
        if edit.cut:
            weights = _cut(weights, edit.cut)
        shown(weights)
        if edit.silent:
            value = value.index_fill(2, torch.tensor(edit.silent, device=value.device), 0)
        context = weights @ value
        for head in edit.zero:
            context[:, head] = 0
        for head, mean in edit.mean.items():
            context[:, head] = mean.to(context.dtype)
        return context

    return look


def _uniform(
    weights: Float[Tensor, "B H Q M"], mask: Tensor | None, heads: Sequence[int]
) -> Float[Tensor, "B H Q M"]:
    """Let these heads look at everything alike that they may look at."""
    alike = torch.ones_like(weights[:, 0]) if mask is None else mask[:, 0].expand_as(weights[:, 0])
    alike = alike / alike.sum(-1, keepdim=True)
    weights = weights.clone()
    weights[:, list(heads)] = alike[:, None].to(weights.dtype)
    return weights


def _cut(
    weights: Float[Tensor, "B H Q M"], edges: Sequence[tuple[int | None, int, int]]
) -> Float[Tensor, "B H Q M"]:
    """Take edges away; what a query has left weighs 1 again, if anything is left."""
    kept = torch.ones_like(weights)
    for head, query, key in edges:
        kept[:, slice(None) if head is None else head, query, key] = 0
    weights = weights * kept
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-30)
