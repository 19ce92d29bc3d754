"""Turns of a user and a model: each is answered with the whole conversation before it.

A `Writer` with a chat template comes in; what the user says comes in turn by turn, answers go out.
What the model has read is kept, so that a turn costs its own pieces. `heed chat` uses it;
the server writes conversations down by it.
"""

__all__ = ["Answer", "Conversation", "Script", "Taught", "taught", "written_down"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from heedful.decode.alone import Past
from heedful.errors import DataError, ModelError
from heedful.search import Greedy, Sample
from heedful.text.chat import ChatTemplate, Message
from heedful.text.vocabulary import Vocabulary
from heedful.writer import Continuation, Writer

_QUOTING = range(0xFDD0, 0xFDF0)
"""Noncharacters of Unicode, which no text should have: one that none has marks what is quoted."""


@dataclass(frozen=True)
class Answer:
    """What a model answered."""

    said: Continuation
    read: int
    """Pieces of the conversation before the answer."""
    computed: int
    """Positions that were computed for it: of the conversation, only what was new."""


class Conversation:
    """A conversation with a model; `system` is what it is told before the first turn.

    A writer that is `given_up` is of no other use: memory of its model is freed.

    Raises ModelError for a model without a chat template, or with one that is none.
    """

    def __init__(
        self,
        writer: Writer,
        system: str | None = None,
        *,
        int8: bool = False,
        given_up: bool = False,
    ) -> None:
        if writer.template is None:
            raise ModelError(
                "this model has no chat template: it has not learnt to answer",
                where="--model",
                fix="take one that is an -Instruct or -Chat, or use heed generate",
            )
        self.writer = writer
        writer.template.prepare()
        self.past = Past(writer.model, int8=int8, given_up=given_up)
        self.messages: list[Message] = []
        self._known: tuple[str, list[int]] = "", []
        self.begin_anew(system)

    def begin_anew(self, system: str | None = None, where: str = "--system") -> None:
        """Forget what was said.

        Raises DataError for a text that the model has no pieces for, and forgets nothing then.
        """
        self.writer.vocabulary.encode(system or "", where)
        self.messages = [Message("system", system)] if system else []

    def say(
        self,
        text: str,
        search: Greedy | Sample,
        most: int,
        *,
        stop: Sequence[str] = (),
        shown: Callable[[str], None] | None = None,
        where: str = "your turn",
    ) -> Answer:
        """Return the answer to what the user says; both become part of the conversation.

        `shown` is given the answer part by part, as it grows. If it is broken off, by
        KeyboardInterrupt, what was shown is the answer; where nothing was, the turn is forgotten.
        Raises DataError, and leaves the conversation as it was, when it is longer than the model
        can read, or the turn has what the model has no pieces for.
        """
        messages = [*self.messages, Message("user", text)]
        written, quoting = written_down(self.writer, messages)
        prompt = self._pieces(written, quoting, where)
        if len(prompt) > self.writer.context:
            raise DataError(
                f"the conversation has {len(prompt):,} pieces with this turn, and the model reads "
                f"{self.writer.context:,}",
                where=where,
                fix="shorten the turn, or forget what was said with /new",
            )
        before, parts = self.past.computed, list[str]()

        def show(part: str) -> None:
            parts.append(part)
            if shown is not None:
                shown(part)

        try:
            said = self.writer.answer(self.past, prompt, search, most, stop=stop, shown=show)
        except KeyboardInterrupt:
            if any(parts):
                self.messages = [*messages, Message("assistant", "".join(parts))]
            raise
        self.messages = [*messages, Message("assistant", said.text)]
        self._remember(written, prompt, said.pieces, quoting)
        return Answer(said, len(prompt), self.past.computed - before)

    def _pieces(self, written: str, quoting: str, where: str) -> list[int]:
        """Return the pieces of the conversation, answers in the pieces they were written in."""
        begun, ids = self._known
        if not written.startswith(begun):
            begun, ids = "", []
        rest = self.writer.vocabulary.conversation(written[len(begun) :], quoting, where)
        return [*ids, *rest]

    def _remember(self, written: str, prompt: list[int], pieces: int, quoting: str) -> None:
        """Keep in what pieces the conversation was read; text cut into others would be new."""
        answer = self.past.ids[len(prompt) :][:pieces]
        vocabulary = self.writer.vocabulary
        text = vocabulary.quoted(vocabulary.continuation(prompt, answer), quoting)
        self._known = written + text, [*prompt, *answer]


def written_down(writer: Writer, messages: Sequence[Message]) -> tuple[str, str]:
    """Return a conversation as the template writes it, and the character that quotes in it.

    That stands within every name of a control piece that somebody has typed.
    """
    assert writer.template is not None
    its, quoting = _quoted(writer.vocabulary, messages)
    return writer.template.render(its), quoting


def _quoted(vocabulary: Vocabulary, messages: Sequence[Message]) -> tuple[list[Message], str]:
    """Return the messages with all that they type quoted, and the character that quotes."""
    every = "".join(message.content for message in messages)
    quoting = next((chr(mark) for mark in _QUOTING if chr(mark) not in every), None)
    if quoting is None:
        raise DataError("the turn has every noncharacter of Unicode", where="your turn")
    return [Message(one.role, vocabulary.quoted(one.content, quoting)) for one in messages], quoting


class Script(NamedTuple):
    """How conversations are written down for a model; a `Writer` without the model."""

    vocabulary: Vocabulary
    template: ChatTemplate
    end_ids: tuple[int, ...]


class Taught(NamedTuple):
    """A conversation as a model learns it."""

    ids: list[int]
    asked: list[bool]
    """Whether a piece is one of an answer, or the end of one."""


def taught(script: Script, messages: Sequence[Message], *, last: bool = False) -> Taught:
    """Return the pieces of a conversation up to its last answer's end, and which are of answers.

    They are cut where the model will begin and end an answer, as in `Conversation`. With `last`
    only the last answer is asked for. Raises ModelError for a template that changes earlier
    turns, or that puts no end behind an answer.
    """
    vocabulary, template, _ = script
    its, quoting = _quoted(vocabulary, messages)
    answers = [place for place, one in enumerate(its) if one.role == "assistant"]
    found, written = Taught([], []), ""
    for place in answers:
        prompt = template.render(its[:place])
        whole = template.render(its[: place + 1], answer=False)
        if not prompt.startswith(written) or not whole.startswith(prompt):
            problem = "the chat template writes earlier turns in another way when others follow"
            raise ModelError(problem, fix="give conversations of one answer each")
        answer, end = _ended(script, whole[len(prompt) :])
        before = vocabulary.conversation(prompt[len(written) :], quoting)
        pieces = [*vocabulary.conversation(answer, quoting), end]
        wanted = not last or place == answers[-1]
        found.ids.extend([*before, *pieces])
        found.asked.extend([False] * len(before) + [wanted] * len(pieces))
        written = prompt + answer + vocabulary.name_of(end)
    if found.asked[0]:
        raise ModelError("the chat template writes nothing before an answer")
    return found


def _ended(script: Script, text: str) -> tuple[str, int]:
    """Return an answer and the piece that ends it; what it types itself is quoted."""
    names = {script.vocabulary.name_of(end): end for end in script.end_ids}
    places = {text.find(name): end for name, end in names.items() if name and name in text}
    if not places:
        ends = ", ".join(name for name in names if name) or "none"
        problem = f"the chat template puts no end behind an answer (the model's: {ends})"
        raise ModelError(problem, fix="take a model whose template does")
    return text[: min(places)], places[min(places)]
