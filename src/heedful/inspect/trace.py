"""One sentence and its translation, and what the model did to get from one to the other.

A translator and a text come in, a `Trace` goes out. The translation is the one that the translator
gives; then the model reads it once more, all of it at once, and what it looks at is kept. Layers
and heads are counted from 0. Row i of the decoder's maps is where it reads piece i - 1 of the
translation (`<s>` before the first) and predicts piece i.

A trace of a model without an encoder (`heedful.inspect.prompted` makes it) has the decoder's side
alone: its source is the prompt, its target the whole text from the second piece on, since the first
is read and never predicted.
"""

__all__ = ["LONGEST", "Look", "Step", "Trace", "logits_of", "read", "trace", "traced"]

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from heedful.errors import SettingError
from heedful.inspect.ablate import Edits, edited
from heedful.inspect.capture import Looks
from heedful.inspect.leaving import still_wanted, waiting
from heedful.inspect.names import Head, Inspected, Kind, check, n_layers
from heedful.inspect.sides import Side, text_side
from heedful.inspect.stages import (
    LONGEST,
    Begun,
    Encoded,
    Written,
    begin,
    encode,
    given,
    logits_of,
    read,
    searched,
    write,
)
from heedful.inspect.tree import Beam as Tree
from heedful.inspect.tree import grown
from heedful.search import Asked, Beam, Greedy, Sample, Wish
from heedful.search.wish import NOTHING
from heedful.shapes import Array, Float, Tensor
from heedful.text.pieces import START
from heedful.text.tokenizer import Tokenizer
from heedful.translator import Translator
from heedful.writer import Ended, Writer

if TYPE_CHECKING:
    from heedful.inspect.ablate import How
    from heedful.inspect.attribute import Attribution, Method
    from heedful.inspect.evidence import Evidence
    from heedful.inspect.importance import Gradients
    from heedful.inspect.lens import Said
    from heedful.inspect.what_if import Difference

TOP = 10
"""Pieces whose probabilities are kept of each step."""


class Look(NamedTuple):
    """What one head looks at from one word."""

    layer: int
    head: int
    words: tuple[tuple[str, float], ...]
    """The words that got most, with their shares."""
    elsewhere: float
    """What went to `</s>`, `<s>` and the language tag."""


class Step(NamedTuple):
    """One piece of the translation."""

    reads: str
    """The piece before it."""
    predicts: str
    log_prob: float
    rank: int
    """0: no piece was likelier."""
    top: tuple[tuple[str, float], ...]
    """The likeliest pieces with the logarithms of their probabilities."""


@dataclass(frozen=True)
class Trace:
    """What happened to one sentence; made by `trace`."""

    by: Translator | Writer = field(repr=False)
    """Who translated, or wrote."""
    to: str | None
    """The language tag that was asked for."""
    source: Side
    """What was given: what the encoder reads, or the prompt."""
    target: Side
    search: Beam | Greedy | Sample
    forced: bool
    """Whether the target was given, and not found by the search."""
    looks: Looks = field(repr=False)
    log_probs: Float[Tensor, "T N"] = field(repr=False)
    """Of every piece of the vocabulary at every step."""
    edits: Edits = field(default_factory=dict, repr=False)
    """What was changed in the model; it is again in whatever the trace is asked."""
    wish: Wish = field(default=NOTHING, repr=False)
    """How the translation had to begin."""
    most: int = 0
    """Pieces that a model without an encoder was to write at most."""
    ended: Ended = "end"
    """Why the target is no longer."""

    @property
    def model(self) -> Inspected:
        """Return the model that was looked into."""
        return self.by.model

    @property
    def translator(self) -> Translator:
        """Return who translated; raises SettingError where nobody did."""
        if isinstance(self.by, Writer):
            raise SettingError("this model does not translate", fix="ask it to go on with a text")
        return self.by

    @property
    def tokenizer(self) -> Tokenizer:
        """Return the translator's tokenizer."""
        return self.translator.tokenizer

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Return pieces of the target for the eye."""
        if isinstance(self.by, Writer):
            return self.by.vocabulary.pieces(ids)
        return self.by.tokenizer.target_pieces(ids)

    @property
    def encoded(self) -> tuple[int, ...]:
        """Return what the encoder reads; nothing where there is none."""
        return () if isinstance(self.by, Writer) else self.source.ids

    @property
    def begins(self) -> int:
        """Return the first step that the model wrote by itself: those before are the prompt's."""
        return len(self.source.ids) - 1 if isinstance(self.by, Writer) else 0

    @property
    def what(self) -> str:
        """Return what the target is called."""
        return "text" if isinstance(self.by, Writer) else "translation"

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the pieces as the decoder reads them: what it begins with, all but the last."""
        [start] = self.pieces([self._start])
        return (start, *self.target.tokens[:-1])

    @property
    def _start(self) -> int:
        """Return the piece that the decoder begins with."""
        return self.source.ids[0] if isinstance(self.by, Writer) else START

    def axes(self, kind: Kind) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what the queries and the keys of a kind of attention stand for."""
        if kind == "encoder":
            return self.source.tokens, self.source.tokens
        return self.reads, self.reads if kind == "decoder" else self.source.tokens

    def attention(
        self, kind: Kind, layer: int, head: int | None = None
    ) -> Float[Array, "*head query key"]:
        """Return the weights in float32, of all heads or one: softmax(Q K^T / sqrt(d_k)).

        Where a head read from; not proof of why the model answered as it did. Raises SettingError
        for a kind, layer or head that there is not.
        """
        check(self.model, kind, layer, head)
        weights = self.looks[kind, layer].weights(head)[0].cpu().numpy()
        return weights if head is None else weights[0]

    def maps(self, kind: Kind) -> Float[Array, "layer head query key"]:
        """Return the weights of every layer and head of a kind."""
        return np.stack([self.attention(kind, layer) for layer in range(self.n_layers(kind))])

    def by_words(self, kind: Kind, layer: int, head: int) -> Float[Array, "words looked_at"]:
        """Return the weights of a head by words: the mean over a word's pieces, the sum to them.

        A word of the translation looks from where its pieces are predicted, and is looked at where
        they are read; without an encoder it looks from where they are read, too. A row lacks of 1
        what went to no word.
        """
        weights = self.attention(kind, layer, head)
        queries, keys = self.sides(kind)
        return keys.to_words(queries.of_words(weights))

    def looks_at(self, word: str | int, kind: Kind = "encoder", top: int = 5) -> list[Look]:
        """Return what every head looks at from a word, the head that is surest of itself first.

        Raises SettingError for a word that is not there or not the only one of its kind.
        """
        check(self.model, kind, None)
        queries, keys = self.sides(kind)
        place = queries.find(word)
        found = []
        for layer in range(self.n_layers(kind)):
            rows = np.stack(
                [queries.of_words(weights)[place] for weights in self.attention(kind, layer)]
            )
            for head, row in enumerate(keys.to_words(rows)):
                best = np.argsort(-row, kind="stable")[:top]
                words = tuple((keys.words[one], float(row[one])) for one in best)
                found.append(Look(layer, head, words, 1 - float(row.sum())))
        return sorted(found, key=lambda look: -look.words[0][1] if look.words else 0.0)

    def n_layers(self, kind: Kind) -> int:
        """Return how many layers have a kind of attention."""
        return n_layers(self.model, kind)

    def sides(self, kind: Kind) -> tuple[Side, Side]:
        """Return the sides that queries and keys are words of."""
        if kind == "encoder":
            return self.source, self.source
        if isinstance(self.by, Writer):
            return self._as_read, self._as_read
        return self.target, self._as_read if kind == "decoder" else self.source

    @cached_property
    def _as_read(self) -> Side:
        """Return the target where its pieces are read: one row later than they are predicted."""
        if isinstance(self.by, Writer):
            whole = text_side(self.by.vocabulary, (self._start, *self.target.ids))
            return whole.part(slice(None, -1), spelled=True)
        shares = np.roll(self.target.shares, 1, axis=0)
        shares[0] = 0
        return Side(
            self.target.text,
            (START, *self.target.ids[:-1]),
            self.reads,
            self.target.spans,
            shares,
        )

    def steps(self, top: int = TOP) -> list[Step]:
        """Return what was predicted at each step, and what else could have been."""
        chosen = torch.tensor(self.target.ids, device=self.log_probs.device)
        own = self.log_probs.gather(1, chosen[:, None])
        ranks = (self.log_probs > own).sum(1).tolist()
        best = self.log_probs.topk(min(top, self.log_probs.shape[1]))
        return [
            Step(
                reads,
                predicts,
                float(log_prob),
                rank,
                tuple(zip(self.pieces(pieces), values, strict=True)),
            )
            for reads, predicts, log_prob, rank, pieces, values in zip(
                self.reads,
                self.target.tokens,
                own[:, 0].tolist(),
                ranks,
                best.indices.tolist(),
                best.values.tolist(),
                strict=True,
            )
        ]

    @property
    def log_prob(self) -> float:
        """Return the logarithm of the probability of what the model wrote."""
        return sum(step.log_prob for step in self.steps(1)[self.begins :])

    @cached_property
    def beam(self) -> Tree:
        """Return the tree of the search, as the model's float32 weights grow it.

        Raises SettingError for a model that does not translate: it has none.
        """
        translator = self.translator
        assert isinstance(self.search, Beam)
        with edited(self.model, self.edits):
            found = grown(
                translator.model,
                Asked(self.source.ids, self.wish, waiting()),
                self.search,
                translator.limits,
                self.pieces,
                shown=self.search.beam_size + 3,
            )
        still_wanted()
        return found

    def attribute(
        self, step: int, method: "Method | str" = "grad_x_input", against: str | None = None
    ) -> "Attribution":
        """Return what the prediction of a step rests on; see `heedful.inspect.attribute`."""
        from heedful.inspect.attribute import attribute

        return attribute(self, step, method, against)

    def what_if(
        self,
        *,
        ablate: Iterable[str | Head] = (),
        how: "How | str" = "mean",
        replace: Mapping[str, str] | None = None,
        prefix: str | None = None,
    ) -> "Difference":
        """Return what would be otherwise; see `heedful.inspect.what_if`."""
        from heedful.inspect.what_if import what_if

        return what_if(self, ablate=ablate, how=how, replace=replace, prefix=prefix)

    def importance(self, step: int | None = None) -> "Gradients":
        """Return how much each head matters; see `heedful.inspect.importance`."""
        from heedful.inspect.importance import importance

        return importance(self, step)

    def evidence(
        self, kind: Kind, row: int, column: int, *, words: bool = False, step: int | None = None
    ) -> "Evidence":
        """Return what bears on a pair; see `heedful.inspect.evidence`."""
        from heedful.inspect.evidence import evidence

        return evidence(self, kind, row, column, words=words, step=step)

    def lens(self, top: int = 5) -> "list[list[Said]]":
        """Return what each decoder layer would say at each step; see `heedful.inspect.lens`."""
        from heedful.inspect.lens import logit_lens

        return logit_lens(self, top)

    def save(self, path: str | Path, name: str = "") -> None:
        """Write a file as its ending says; see `heedful.inspect.saving`."""
        from heedful.inspect.saving import save

        save(self, path, name)

    def show(self, name: str = "") -> None:
        """Show the page: in a notebook below its cell, elsewhere in the browser."""
        from heedful.inspect.showing import show

        show(self, name)

    def _repr_html_(self) -> str:
        """Return the page in a frame, which notebooks show."""
        from heedful.inspect.showing import framed

        return framed(self)


def trace(
    translator: Translator,
    text: str,
    target: str | None = None,
    *,
    to: str | None = None,
    from_: str | None = None,
    beam: int = 4,
    length_penalty: float = 0.6,
) -> Trace:
    """Translate a text and keep what the model looked at; or, with a `target`, what it would.

    The text is one sentence, which is not cut. Raises DataError for a text that is empty, longer
    than 512 pieces or than the model can read, or a target that the tokenizer cannot spell;
    SettingError for a language the model has not or a model in training mode.

    >>> seen = trace(load(), "The cat ate the fish because it was hungry.", to="de")
    ... # doctest: +SKIP
    >>> seen.looks_at("it")[0]  # doctest: +SKIP
    """
    begun = begin(translator, text, to=to, from_=from_, beam=beam, length_penalty=length_penalty)
    side = searched(begun) if target is None else given(begun, target)
    encoded = encode(begun)
    return traced(begun, encoded, side, target is not None, write(begun, encoded, side))


def traced(begun: Begun, encoded: Encoded, target: Side, forced: bool, written: Written) -> Trace:
    """Return the trace that all steps together make."""
    looks = encoded.looks | written.looks
    return Trace(
        *(begun.translator, begun.to, begun.source, target, begun.search, forced),
        *(looks, written.log_probs),
    )
