"""Text to text by a model without an encoder: prompts come in, what it writes behind them goes out.

`heedful.interop.writers` makes a `Writer` of a file or a folder, `heed generate` uses it.
"""

__all__ = ["Continuation", "Ended", "Writer"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from heedful.decode.alone import Past, go_on_alone
from heedful.decode.prompted import go_on
from heedful.errors import DataError
from heedful.models.gpt import GPT
from heedful.search import Client, Greedy, Hypothesis, Limits, Sample
from heedful.text.chat import ChatTemplate
from heedful.text.unfolding import certain
from heedful.text.vocabulary import Vocabulary

Ended = Literal["end", "stop", "length", "context"]
"""Why a continuation is no longer: the model's end of a text, a stop string, the most pieces that
were asked for, or the end of the model's context."""


@dataclass(frozen=True)
class Continuation:
    """What a model wrote behind a prompt."""

    text: str
    pieces: int
    """How many pieces it wrote for it, an end of the text not among them."""
    ended: Ended


class Writer:
    """A model and its vocabulary.

    `begin_id` stands for a prompt without pieces; `end_ids` end a text; `never` is never written;
    `template` writes down a conversation for a model that has learnt to answer.
    """

    def __init__(
        self,
        model: GPT,
        vocabulary: Vocabulary,
        begin_id: int | None = None,
        end_ids: Sequence[int] = (),
        template: ChatTemplate | None = None,
        never: Sequence[int] = (),
    ) -> None:
        self.model, self.vocabulary = model, vocabulary
        self.begin_id, self.end_ids = begin_id, tuple(end_ids)
        self.template, self.never = template, tuple(never)
        known = set(vocabulary.known(model.vocabulary_size)) - set(never)
        forbidden = (piece for piece in range(model.vocabulary_size) if piece not in known)
        self.limits = Limits(
            start_id=0,
            end_id=self.end_ids[0] if self.end_ids else -1,
            forbidden=tuple(forbidden),
            max_length=model.config.max_length,
            vocabulary_size=model.vocabulary_size,
        )

    @property
    def context(self) -> int:
        """Pieces that the model reads at most."""
        return self.model.config.max_length

    @property
    def forbidden(self) -> Sequence[int]:
        """Ids that are no pieces, and are never written."""
        return self.limits.forbidden

    def prompt(self, text: str, where: str) -> list[int]:
        """Return the pieces of a prompt.

        Raises DataError, naming where it stands, for one that is longer than the context, and as
        `Vocabulary.encode` does.
        """
        ids = self.vocabulary.encode(text, where)
        if not ids and self.begin_id is None:
            raise DataError("the prompt is empty", where=where, fix="give the model a beginning")
        if len(ids) > self.context:
            problem = f"the prompt has {len(ids):,} pieces and the model reads {self.context:,}"
            raise DataError(problem, where=where, fix="shorten it")
        return ids or [self.begin_id or 0]

    def write(
        self,
        prompts: Sequence[Sequence[int]],
        search: Greedy | Sample,
        most: int,
        *,
        stop: Sequence[str] = (),
        shown: Callable[[str], None] | None = None,
    ) -> list[list[Continuation]]:
        """Return the continuations of each prompt, one or as many as are drawn, in their order.

        They have at most `most` pieces, and end before the first of the stop strings. `shown` is
        given the text of a single prompt's single continuation part by part, as it grows.
        """
        alone = search.returned == 1
        growing = [_Growing(self, prompt, stop, shown if alone else None) for prompt in prompts]
        watched = alone and (stop or shown is not None or len(self.end_ids) > 1)
        found = go_on(
            self.model,
            prompts,
            search,
            self.limits,
            most=most,
            clients=[one.client for one in growing],
            watch=(lambda row, pieces: growing[row].grow(pieces)) if watched else None,
        )
        rooms = [min(most, self.context - len(prompt) + 1) for prompt in prompts]
        return [
            [
                one.finished(hypothesis, cut="length" if room == most else "context")
                for hypothesis in hypotheses or [one.left_at]
            ]
            for one, hypotheses, room in zip(growing, found, rooms, strict=True)
        ]

    def answer(
        self,
        past: Past,
        prompt: Sequence[int],
        search: Greedy | Sample,
        most: int,
        *,
        stop: Sequence[str] = (),
        shown: Callable[[str], None] | None = None,
    ) -> Continuation:
        """Return one continuation of one prompt, of which only what is not in `past` is computed.

        The rest is as in `write`.
        """
        growing = _Growing(self, prompt, stop, shown)
        found = go_on_alone(
            past,
            prompt,
            search,
            self.limits,
            most=most,
            client=growing.client,
            watch=lambda _, pieces: growing.grow(pieces),
        )
        cut: Ended = "length" if most <= self.context - len(prompt) + 1 else "context"
        (hypothesis,) = found or [growing.left_at]
        return growing.finished(hypothesis, cut=cut)


@dataclass
class _Growing:
    """The continuation of one prompt while it grows."""

    writer: Writer
    prompt: Sequence[int]
    stop: Sequence[str]
    shown: Callable[[str], None] | None
    client: Client = field(default_factory=Client)
    left_at: Hypothesis = field(default_factory=lambda: Hypothesis((), 0.0, 0.0, False))
    """What was there when nobody waited for more."""
    told: int = 0
    """Characters that have been shown."""

    def grow(self, pieces: Sequence[int]) -> None:
        """Show what is certain of a longer continuation; ask for no more where it has ended."""
        text, ended, _ = self._cut(pieces)
        if ended is not None:
            self.left_at = Hypothesis(tuple(pieces), 0.0, 0.0, False)
            self.client.leave()
        elif self.shown is not None:
            self._show(certain(text, self.stop))

    def finished(self, hypothesis: Hypothesis, cut: Ended) -> Continuation:
        """Return the continuation; show what had been kept back of it."""
        text, ended, count = self._cut(hypothesis.tokens)
        self._show(text)
        return Continuation(text, count, ended or ("end" if hypothesis.finished else cut))

    def _show(self, text: str) -> None:
        if self.shown is not None and len(text) > self.told:
            self.shown(text[self.told :])
            self.told = len(text)

    def _cut(self, pieces: Sequence[int]) -> tuple[str, Ended | None, int]:
        """Return the text, why it ends if it does, and how many pieces were written for it."""
        ends = [at for at, piece in enumerate(pieces) if piece in self.writer.end_ids]
        kept = pieces[: ends[0]] if ends else pieces
        text = self.writer.vocabulary.continuation(self.prompt, kept)
        places = [text.find(words) for words in self.stop]
        first = min((place for place in places if place >= 0), default=None)
        if first is not None:
            return text[:first], "stop", len(kept)
        return text, "end" if ends else None, len(kept)
