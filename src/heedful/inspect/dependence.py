"""What a whole translation hangs on: how much less likely it is when a word of the source is blank.

A translator and a text come in; the translation that greedy search finds goes out, and of every
word of the source what it is worth to that. It asks any architecture the same, so that two can be
put side by side, as the tour of the playground does.
"""

__all__ = ["MOST", "Dependence", "dependence"]

from dataclasses import dataclass

import numpy as np
import torch

from heedful.inspect.embedded import Vectors, of_target, vectors
from heedful.inspect.leaving import still_wanted, waiting
from heedful.inspect.sides import Side
from heedful.inspect.stages import Begun, begin, check_length, encode
from heedful.models.recurrent import Recurrent
from heedful.search import Greedy
from heedful.shapes import Array, Float, Tensor
from heedful.translator import Translator

MOST = 128
"""Pieces of a source, at most: a variant of it is computed for every word."""

AT_ONCE = 2048
"""Pieces, of all variants of a pair together, that are computed at once."""


@dataclass(frozen=True)
class Dependence:
    """What a translation hangs on."""

    source: Side
    translation: str
    ended: bool
    """Whether the model ended it by itself."""
    log_prob: float
    """Of the translation, in nats."""
    lost: Float[Array, " words"]
    """What that loses, in nats, when the embeddings of a word's pieces are zeros."""
    handed: int
    """Numbers that the decoder is given of the source."""
    reading: int
    """Steps that must follow each other until the source is read, each through all layers."""
    writing: int
    """The same of writing: a piece a step, of which `</s>` is one."""

    @property
    def shares(self) -> Float[Array, " words"]:
        """Return the losses as shares of their sum; a gain is no loss."""
        losses = self.lost.clip(min=0)
        total = losses.sum()
        return losses / total if total > 0 else losses


def dependence(
    translator: Translator, text: str, *, to: str | None = None, from_: str | None = None
) -> Dependence:
    """Translate by greedy search, and tell what each word of the text is worth to all of it.

    That is occlusion (Zeiler and Fergus 2014) with words in place of pieces, of the translation's
    log-probability: the sum over its steps of what `Trace.attribute` tells of each. Raises as
    `heedful.inspect.trace` does, and TooLongError for more than `MOST` pieces; a translation
    without an end is told as far as the search went.
    """
    begun = begin(translator, text, to=to, from_=from_, beam=1)
    check_length(begun.source, MOST, "text")
    found = translator.search([begun.source.ids], Greedy(), [waiting()])
    still_wanted()
    [[best, *_]] = found
    written = (*best.tokens, translator.tokenizer.end_id) if best.finished else best.tokens
    [translation] = translator.tokenizer.decode_target([written])
    whole, *lacking = _log_probs(translator, begun.source, tuple(written))
    return Dependence(
        begun.source,
        translation,
        best.finished,
        whole,
        whole - np.array(lacking, np.float32),
        _handed(begun),
        len(begun.source.ids) if isinstance(translator.model, Recurrent) else 1,
        len(written),
    )


@torch.inference_mode()
def _log_probs(translator: Translator, source: Side, written: tuple[int, ...]) -> list[float]:
    """Return the log-probability of a translation: of the whole source, then without each word."""
    given = vectors(translator.model, source.ids, written)
    kept = np.concatenate([np.ones((1, len(source.ids)), bool), source.shares.T == 0])
    told = torch.from_numpy(kept).to(given.source)
    target = torch.tensor(written, device=given.source.device)
    found: list[Tensor] = []
    rows = max(1, AT_ONCE // (len(source.ids) + len(written)))
    for some in torch.split(told, rows):
        variants = Vectors(given.source * some[..., None], given.target.expand(len(some), -1, -1))
        log_probs = of_target(translator.model, variants)
        found.append(log_probs.gather(-1, target.expand(len(some), -1)[..., None]).sum((1, 2)))
    log_prob: list[float] = torch.cat(found).tolist()
    return log_prob


def _handed(begun: Begun) -> int:
    """Return how many numbers the decoder is given: all states, or what the layers remember."""
    memory = encode(begun).memory
    if begun.translator.model.config.source_looks:
        return memory.states.numel()
    return sum(part.numel() for part in memory.handed)
