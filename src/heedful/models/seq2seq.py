"""The seam: what search, objectives, serving and benchmarks know of a model.

Token ids and masks come in, logits go out. Transformer, recurrent and convolutional models all
satisfy `Seq2Seq`; `decode` and `forward` are compositions of its three parts. `DecoderOnly` is the
same without `encode`, `EncoderOnly` has nothing else.
"""

__all__ = [
    "Cache",
    "DecoderOnly",
    "EncoderOnly",
    "Memory",
    "Seq2Seq",
    "check_alignment",
    "decode",
    "forward",
]

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import nn

from heedful.nn.position import Place
from heedful.shapes import Bool, Float, Int, Shaped, Tensor


@dataclass(frozen=True)
class Memory:
    """What the encoder made of the source: a state for every piece, and which pieces are real."""

    states: Float[Tensor, "B S D"]
    mask: Bool[Tensor, "B S"]
    handed: tuple[Shaped[Tensor, "B *more"], ...] = ()
    """What else the decoder is given: of a recurrent encoder what its layers remember, of a
    convolutional one the values that belong to the states; the first piece of the source, where a
    decoder is opened with it."""

    def select(self, sentences: Int[Tensor, " C"]) -> "Memory":
        """Keep these sentences, in this order."""
        handed = tuple(part[sentences] for part in self.handed)
        return Memory(self.states[sentences], self.mask[sentences], handed)


@runtime_checkable
class Cache(Protocol):
    """What a decoder keeps between steps, so that a step costs one position and not all.

    It is made by `Seq2Seq.new_cache` for B sentences with W rows each (sentence b owns rows
    b*W to b*W+W-1) and changed in place by `Seq2Seq.hidden`.
    """

    @property
    def length(self) -> Place:
        """Positions decoded so far."""
        ...

    def select(self, rows: Int[Tensor, " R"], sentences: Int[Tensor, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; keep only `sentences`, if given."""
        ...


@runtime_checkable
class Seq2Seq(Protocol):
    """A model that reads a source and predicts a target, piece by piece."""

    training: bool
    """Whether dropout is on."""

    def encode(self, source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"]) -> Memory:
        """Read the source; the mask is True at real pieces, False at padding."""
        ...

    def new_cache(self, memory: Memory, rows_per_sentence: int, max_length: int) -> Cache:
        """Return an empty cache for decoding at most `max_length` positions."""
        ...

    def hidden(
        self,
        target_in: Int[Tensor, "R T"],
        memory: Memory,
        cache: Cache | None = None,
    ) -> Float[Tensor, "R T D"]:
        """Return the decoder's states for `target_in`, each seeing only what stands before it.

        With a cache, `target_in` continues what the cache holds; R is then a multiple of the
        sentences in `memory`.
        """
        ...

    def project(
        self, hidden: Float[Tensor, "*rows D"], entries: Int[Tensor, " N"] | None = None
    ) -> Float[Tensor, "*rows N"]:
        """Return logits over the whole target vocabulary, or over the `entries` of it."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return the weights."""
        ...

    def eval(self) -> object:
        """Switch dropout off."""
        ...


@runtime_checkable
class DecoderOnly(Protocol):
    """A model that goes on with a text, piece by piece; it has no source and no encoder."""

    training: bool
    """Whether dropout is on."""

    def new_cache(self, rows: int, max_length: int) -> Cache:
        """Return an empty cache for at most `max_length` positions of so many texts."""
        ...

    def hidden(
        self,
        target_in: Int[Tensor, "R T"],
        cache: Cache | None = None,
        counts: Int[Tensor, " R"] | None = None,
    ) -> Float[Tensor, "R T D"]:
        """Return the states of `target_in`, each seeing only what stands before it.

        With a cache, `target_in` continues what it holds of each row, and `counts` are how many
        pieces of the row are real: the others, at its end, are padding and forgotten.
        """
        ...

    def project(
        self, hidden: Float[Tensor, "*rows D"], entries: Int[Tensor, " N"] | None = None
    ) -> Float[Tensor, "*rows N"]:
        """Return logits over the whole vocabulary, or over the `entries` of it."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return the weights."""
        ...

    def eval(self) -> object:
        """Switch dropout off."""
        ...


@runtime_checkable
class EncoderOnly(Protocol):
    """A model that reads a text, in both directions at once; it writes nothing."""

    training: bool
    """Whether dropout is on."""

    def encode(
        self,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        segments: Int[Tensor, "B S"] | None = None,
    ) -> Memory:
        """Read the texts; the mask is True at real pieces, False at padding.

        `segments` tell the first text of a pair (0) from the second (1); None: all are the first.
        """
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return the weights."""
        ...

    def eval(self) -> object:
        """Switch dropout off."""
        ...


def decode(model: Seq2Seq, target_in: Int[Tensor, "B T"], memory: Memory) -> Float[Tensor, "B T N"]:
    """Return the logits of every target position, given all that stands before it."""
    return model.project(model.hidden(target_in, memory))


def forward(
    model: Seq2Seq,
    source: Int[Tensor, "B S"],
    source_mask: Bool[Tensor, "B S"],
    target_in: Int[Tensor, "B T"],
) -> Float[Tensor, "B T N"]:
    """Return `decode(encode(source))`: the whole model, as it is trained."""
    return decode(model, target_in, model.encode(source, source_mask))


def check_alignment(layer: int | None, decoder_layers: int) -> None:
    """Raise ValueError unless the layer that aligns, from 0, is one of the decoder's, or None."""
    if layer is not None and layer >= decoder_layers:
        raise ValueError(
            f"alignment_layer {layer} is beyond the last decoder layer, {decoder_layers - 1}"
        )
