"""Which source word did each output word look at? Read off the decoder's attention to the source.

A model, its tokenizer, a source text and its translation come in, a row for each output word goes
out (`align`), or every weight of every layer (`cross_attention`): hooks recompute those that the
fused kernel does not tell; nothing is kept on the model. `heedful.demo` shows the rows.
"""

__all__ = ["AlignmentRow", "align", "cross_attention"]

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn

from heedful.decode.alignment import word_attention
from heedful.errors import DataError
from heedful.models.transformer import DecoderLayer, Transformer
from heedful.nn.attention import KeyValue, attention_weights
from heedful.shapes import Float, Int, Tensor
from heedful.text.tokenizer import Tokenizer


class AlignmentRow(NamedTuple):
    """One output word and the source word it looked at most."""

    word: str
    source_word: str
    weight: float
    """Share of all its attention, from 0 to 1; the rest went to other words, to the end of the
    sentence and to the language tag."""


def align(
    model: Transformer,
    tokenizer: Tokenizer,
    source: str,
    target: str,
    *,
    to: str | None = None,
    layer: int | None = None,
) -> list[AlignmentRow]:
    """Return, for each word of `target`, the word of `source` it looked at most.

    The layer and how pieces become words: see `heedful.decode.alignment.word_attention`. Raises
    DataError when the source has no word, SettingError when the model has no such layer.
    """
    (found,) = word_attention(model, tokenizer, [(source, target)], to=to, layer=layer)
    if not found.source:
        raise DataError("there is no source word to look at", fix="give a text that is not empty")
    return [
        AlignmentRow(span.word, found.source[int(row.argmax())].word, float(row.max()))
        for span, row in zip(found.target, found.weights, strict=True)
    ]


def cross_attention(
    model: Transformer, source: Int[Tensor, "B S"], target_in: Int[Tensor, "B T"]
) -> list[Float[Tensor, "B H T S"]]:
    """Return every decoder layer's attention weights to the source, first layer first.

    Row t of the T is where piece t of `target_in` is read and the piece after it written. The
    sources must not be padded.
    """
    training = model.training
    model.eval()
    try:
        with torch.inference_mode(), _recorded(model) as weights:
            memory = model.encode(source, torch.ones_like(source, dtype=torch.bool))
            model.hidden(target_in, memory)
    finally:
        model.train(training)
    return weights


@contextmanager
def _recorded(model: Transformer) -> Iterator[list[Float[Tensor, "B H T S"]]]:
    """Collect the weights of each cross-attention in the order in which they are computed."""
    collected: list[Tensor] = []

    def record(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        query, memory, mask = inputs
        collected.append(_weights(query, memory, mask))

    layers = [layer for layer in model.decoder if isinstance(layer, DecoderLayer)]
    handles = [layer.cross_attention.register_forward_pre_hook(record) for layer in layers]
    try:
        yield collected
    finally:
        for handle in handles:
            handle.remove()


def _weights(
    query: Float[Tensor, "B H T K"], memory: KeyValue, mask: Tensor | None
) -> Float[Tensor, "B H T S"]:
    """Recompute what the fused kernel computes inside; key-value heads are given to each query."""
    key = memory.key.repeat_interleave(query.shape[1] // memory.key.shape[1], dim=1)
    return attention_weights(query, key, mask)
