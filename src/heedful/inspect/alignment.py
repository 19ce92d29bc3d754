"""Which source word did each output word look at? Read off the decoder's attention to the source.

A model, its tokenizer, a source text and its translation come in, a row for each output word goes
out. `heedful.demo` shows the rows; `heedful.inspect.trace` has all heads of all layers.
"""

__all__ = ["AlignmentRow", "align"]

from typing import NamedTuple

from heedful.decode.alignment import word_attention
from heedful.errors import DataError
from heedful.models.architecture import Model
from heedful.text.tokenizer import Tokenizer


class AlignmentRow(NamedTuple):
    """One output word and the source word it looked at most."""

    word: str
    source_word: str
    weight: float
    """Share of all its attention, from 0 to 1; the rest went to other words, to the end of the
    sentence and to the language tag."""


def align(
    model: Model,
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
