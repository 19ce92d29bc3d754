"""A model that is given vectors in place of pieces, so that they can be changed and derived by.

Embeddings come in, log-probabilities of one step or of all go out; the methods of
`heedful.inspect.attribute` and `heedful.inspect.dependence` are made of it.
"""

__all__ = ["Vectors", "averages", "of_step", "of_target", "vectors"]

from typing import NamedTuple

import torch

from heedful.inspect.leaving import still_wanted
from heedful.inspect.names import Inspected
from heedful.models.gpt import GPT
from heedful.models.transformer import Transformer
from heedful.shapes import Float, Tensor
from heedful.text.pieces import START


class Vectors(NamedTuple):
    """What stands for the pieces of some variants of a pair, before positions are added.

    Of a model without an encoder the source has none.
    """

    source: Float[Tensor, "B S D"]
    target: Float[Tensor, "B T D"]


@torch.no_grad()
def vectors(model: Inspected, source: tuple[int, ...], target: tuple[int, ...]) -> Vectors:
    """Return the embeddings of a source and of what the decoder reads to write a target."""
    device = next(model.parameters()).device
    if isinstance(model, GPT):
        alone = torch.tensor([[source[0], *target[:-1]]], device=device)
        given: Tensor = model.tables.embed_target(alone)
        return Vectors(given[:, :0], given)
    read = torch.tensor([source], device=device)
    tagged = isinstance(model, Transformer) and model.config.opening.tag
    first = source[0] if tagged else START
    written = torch.tensor([[first, *target[:-1]]], device=device)
    return Vectors(model.tables.embed_source(read), model.tables.embed_target(written))


@torch.no_grad()
def averages(model: Inspected) -> Vectors:
    """Return the mean of all pieces, of either side: a place from which to look at one of them.

    Zeros would not do: before a norm the shortest vector is worth as much as the whole.
    """
    source, target = (
        model.tables.scale * side.weight.mean(0)[None, None]
        for side in (model.tables.source, model.tables.target)
    )
    return Vectors(source, target)


def of_step(model: Inspected, given: Vectors, step: int) -> Float[Tensor, "B N"]:
    """Return the log-probabilities of all pieces at a step, of every variant."""
    hidden = _hidden(model, Vectors(given.source, given.target[:, : step + 1]))
    return model.project(hidden[:, step]).float().log_softmax(-1)


def of_target(model: Inspected, given: Vectors) -> Float[Tensor, "B T N"]:
    """Return the log-probabilities of all pieces at every step, of every variant."""
    return model.project(_hidden(model, given)).float().log_softmax(-1)


def _hidden(model: Inspected, given: Vectors) -> Float[Tensor, "B T D"]:
    """Return the states of the decoder, of every variant."""
    still_wanted()
    tables = vars(model.tables)
    rows, n_source, _ = given.source.shape
    blank = torch.zeros(rows, n_source, dtype=torch.int64, device=given.source.device)
    tables["embed_source"] = lambda _: given.source
    embed = model.tables.embed_target
    # What a decoder is opened with comes before.
    tables["embed_target"] = lambda ids: torch.cat(
        [embed(ids[:, : ids.shape[1] - given.target.shape[1]]), given.target], 1
    )
    target_in = blank.new_zeros(rows, given.target.shape[1])
    try:
        if isinstance(model, GPT):
            return model.hidden(target_in)
        memory = model.encode(blank, torch.ones_like(blank, dtype=torch.bool))
        return model.hidden(target_in, memory)
    finally:
        del tables["embed_source"], tables["embed_target"]
