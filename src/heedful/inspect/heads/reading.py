"""A model reads many sentences at once, and what its heads looked at is kept, padding left out.

Ids of sources and targets come in, maps go out, batch by batch; sentences that are cut into words
become rows of words. `heedful.inspect.heads.roles` and `heedful.inspect.heads.coreference` call it.
"""

__all__ = ["Maps", "Pair", "head_means", "maps", "shares_of", "source_ids", "to_words"]

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from heedful.decode.waiting import batches
from heedful.inspect.capture import Looks, record
from heedful.inspect.heads.pronouns import Sentence
from heedful.inspect.names import KINDS, Head, Kind
from heedful.models.architecture import Model
from heedful.models.transformer import Transformer
from heedful.nn.mask import padding_mask
from heedful.shapes import Array, Float, Int, Tensor
from heedful.text.pieces import PAD, START
from heedful.text.spans import piece_shares
from heedful.text.tokenizer import Tokenizer

BATCH_TOKENS = 1024
"""Pieces of the longer side read at once: of 100 pieces and 24 heads their maps are 10 MB."""

Pair = tuple[Sequence[int], Sequence[int]]
"""Ids of a source and of its target, both with their `</s>`."""


class Maps(NamedTuple):
    """What all heads looked at in one pair."""

    number: int
    """Which of the pairs."""
    weights: dict[Kind, Float[Array, "heads Q M"]]
    """In the order of `every_head`, without padding."""


def source_ids(
    tokenizer: Tokenizer, sentences: Sequence[Sentence], to: str | None
) -> list[list[int]]:
    """Return what the encoder reads of each sentence."""
    return tokenizer.encode_source([one.text for one in sentences], to)


def maps(model: Model, pairs: Sequence[Pair]) -> Iterator[Maps]:
    """Yield what every head looks at in each pair, in any order of the pairs.

    A pair without a target has the encoder's maps alone. Raises SettingError for a model in
    training mode.
    """
    longer = [max(len(source), len(target)) for source, target in pairs]
    for rows in batches(longer, 1, BATCH_TOKENS):
        looks = _read(model, [pairs[row] for row in rows])
        stacked = {kind: _stacked(looks, kind) for kind in KINDS if (kind, 0) in looks}
        for place, row in enumerate(rows):
            source, target = map(len, pairs[row])
            sizes = {"encoder": (source,) * 2, "decoder": (target,) * 2, "cross": (target, source)}
            found: dict[Kind, Array] = {
                kind: weights[place, :, : sizes[kind][0], : sizes[kind][1]]
                for kind, weights in stacked.items()
            }
            yield Maps(row, found)


@torch.inference_mode()
def _read(model: Model, pairs: Sequence[Pair]) -> Looks:
    device = next(model.parameters()).device
    source = _padded([source for source, _ in pairs], device)
    with record(model) as looks:
        memory = model.encode(source, padding_mask(source, PAD))
        if all(target for _, target in pairs):
            model.hidden(_padded([(START, *target[:-1]) for _, target in pairs], device), memory)
    return looks


def _stacked(looks: Looks, kind: Kind) -> Float[Array, "B heads Q M"]:
    layers = sorted(layer for found, layer in looks if found == kind)
    return np.concatenate([looks[kind, layer].weights().cpu().numpy() for layer in layers], axis=1)


def _padded(rows: Sequence[Sequence[int]], device: torch.device) -> Int[Tensor, "B L"]:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows], device=device)


def shares_of(
    tokenizer: Tokenizer, sentence: Sentence, ids: Sequence[int]
) -> Float[Array, "S words"]:
    """Return which share of each piece of the source lies in each word of the sentence."""
    pieces = tokenizer.source_pieces(ids)
    return piece_shares(pieces, sentence.text, sentence.spans, *tokenizer.around)


def to_words(
    weights: Float[Array, "heads S S"], shares: Float[Array, "S words"]
) -> Float[Array, "heads words words"]:
    """Return what words look at: the mean over a word's pieces, the sum to another's.

    A row lacks of 1 what goes to `</s>` and the language tag.
    """
    mean = shares / np.maximum(shares.sum(0), 1e-9)
    found: Float[Array, "heads words words"] = mean.T @ weights @ shares
    return found


@torch.inference_mode()
def head_means(model: Transformer, sources: Sequence[Sequence[int]], head: Head) -> Tensor:
    """Return what an encoder head hands on in the mean over all pieces, padding left out."""
    total, count = torch.zeros(model.config.head_width), 0
    for rows in batches(list(map(len, sources)), 1, BATCH_TOKENS):
        looks = _read(model, [(sources[row], ()) for row in rows])
        context = looks[head.kind, head.layer].context()[:, head.head].cpu()
        for place, row in enumerate(rows):
            total += context[place, : len(sources[row])].sum(0)
            count += len(sources[row])
    return total / count
