"""Texts become vectors, by whatever model is asked: the seam between routes and models.

An `Embedder` cuts texts into pieces, in any thread, and makes vectors of them, in its model's
thread; each kind of model has one here. `openai` asks.
"""

__all__ = ["Embedder", "TranslatorEmbedder", "WriterEmbedder"]

from collections.abc import Sequence
from typing import Protocol

from heedful.decode.embedding import mean_of_decoder, mean_of_encoder
from heedful.shapes import Array, Float
from heedful.translator import Translator
from heedful.writer import Writer

_BETWEEN_STEPS = 1_024
_WHOLE = 2**31


class Embedder(Protocol):
    """What makes vectors of texts."""

    context: int
    """Pieces of a text, at most."""
    pieces: int
    """The ids are 0 to this minus 1."""
    width: int
    """D: how long a vector is."""
    at_once: int
    """Pieces that are read before what others ask may come in between."""

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the pieces of every text."""
        ...

    def embed(self, texts: Sequence[Sequence[int]]) -> Float[Array, "B D"]:
        """Return a vector of length 1 for each, whatever is embedded with it."""
        ...


class WriterEmbedder:
    """The mean of the decoder's last states: each has seen what stands before it."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.context, self.pieces = writer.context, writer.model.vocabulary_size
        self.width, self.at_once = writer.model.config.d_model, _BETWEEN_STEPS

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the pieces of every text."""
        return [self._writer.vocabulary.encode(text) for text in texts]

    def embed(self, texts: Sequence[Sequence[int]]) -> Float[Array, "B D"]:
        """Return a vector for each."""
        return mean_of_decoder(self._writer.model, texts)


class TranslatorEmbedder:
    """The mean of the encoder's last states, of text that is read for the first target language.

    It computes in float32, whatever translations are computed in.
    """

    def __init__(self, translator: Translator) -> None:
        self._translator = translator
        source, target = translator.ways()[0]
        self._tag = translator.target(target or None, source or None)
        self.context = translator.model.config.max_length
        self.pieces = translator.tokenizer.source_size
        self.width, self.at_once = translator.model.config.d_model, _WHOLE

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the pieces of every text, a language's tag and the end among them."""
        return self._translator.tokenizer.encode_source(texts, self._tag)

    def embed(self, texts: Sequence[Sequence[int]]) -> Float[Array, "B D"]:
        """Return a vector for each."""
        translator = self._translator
        return mean_of_encoder(translator.model, texts, translator.tokenizer.pad_id)
