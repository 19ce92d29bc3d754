"""What OpenAI's clients read: whole answers and the parts of streams, as JSON.

What a `Scribe` tells comes in, objects in OpenAI's shapes go out; the classes describe them in the
OpenAPI document.
"""

__all__ = ["ChatWriter", "ChatWritten", "CompletionWriter", "Embedded", "Refusal", "Written"]

import secrets
import time
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

from heedful.serve.texts import Grown, Told

Finish = Literal["stop", "length"]


class Problem(BaseModel):
    """Why something was not done."""

    message: str
    """A plain sentence."""
    type: str
    param: str | None
    """The parameter that is refused, if it is one."""
    code: str | None


class Refusal(BaseModel):
    """A refusal in OpenAI's shape."""

    error: Problem


class Usage(BaseModel):
    """How many pieces were read and written; an end of a text is not counted."""

    prompt_tokens: int
    completion_tokens: int | None = None
    total_tokens: int


class TextChoice(BaseModel):
    """A text."""

    index: int
    text: str
    logprobs: dict[str, Any] | None
    finish_reason: Finish
    """`stop`: the model, or a stop string, has ended it."""


class Written(BaseModel):
    """Texts that go on behind prompts."""

    id: str
    object: Literal["text_completion"]
    created: int
    """Seconds since 1970."""
    model: str
    choices: list[TextChoice]
    """Those of the first prompt come first."""
    usage: Usage


class Answer(BaseModel):
    """What the model says."""

    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(BaseModel):
    """An answer."""

    index: int
    message: Answer
    logprobs: dict[str, Any] | None
    finish_reason: Finish


class ChatWritten(BaseModel):
    """Answers to a conversation."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage


class Vector(BaseModel):
    """What a text has become."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str
    """Of length 1; in base64 if that was asked for."""


class Embedded(BaseModel):
    """Vectors of texts, in their order."""

    object: Literal["list"]
    model: str
    data: list[Vector]
    usage: Usage


class CompletionWriter:
    """Writes the answer to one request for completions."""

    kind, part_kind, prefix = "text_completion", "text_completion", "cmpl"

    def __init__(self, model: str, read: int, usage_told: bool, before: Sequence[str] = ()) -> None:
        self._head = {"id": f"{self.prefix}-{secrets.token_hex(12)}", "created": int(time.time())}
        self._model, self._read, self._usage_told = model, read, usage_told
        self._before = before  # what every choice begins with
        self._begun: set[int] = set()
        self._written: dict[int, int] = {}

    def whole(self, grown: Sequence[Grown], telling: bool) -> dict[str, Any]:
        """Return the whole answer, of all that was told."""
        choices: dict[int, list[Grown]] = {}
        for one in grown:
            choices.setdefault(one.choice, []).append(one)
            self._written[one.choice] = one.pieces
        listed = []
        for index, parts in sorted(choices.items()):
            text = self._opening(index) + "".join(one.text for one in parts)
            told = [piece for one in parts for piece in one.told]
            said = self.said(text, self.scored(told) if telling else None)
            listed.append({"index": index, **said, "finish_reason": _finish(parts[-1])})
        return self._object(self.kind, listed) | {"usage": self._usage()}

    def part(self, one: Grown, telling: bool) -> dict[str, Any]:
        """Return the next part of a stream."""
        self._written[one.choice] = one.pieces
        first = one.choice not in self._begun
        self._begun.add(one.choice)
        text = (self._opening(one.choice) if first else "") + one.text
        said = self.said_on(text, self.scored(one.told) if telling else None, first)
        return self._part([{"index": one.choice, **said, "finish_reason": _finish(one)}])

    def last(self) -> dict[str, Any] | None:
        """Return the part of a stream that tells the usage, if it was asked for."""
        return self._part([]) | {"usage": self._usage()} if self._usage_told else None

    def said(self, text: str, scored: dict[str, Any] | None) -> dict[str, Any]:
        """Return what a choice holds."""
        return {"text": text, "logprobs": scored}

    def said_on(self, text: str, scored: dict[str, Any] | None, first: bool) -> dict[str, Any]:
        """Return what a choice of a stream's part holds."""
        return self.said(text, scored)

    def scored(self, told: Sequence[Told]) -> dict[str, Any]:
        """Return log-probabilities as completions have them."""
        return {
            "tokens": [one.text for one in told],
            "token_logprobs": [one.log_prob for one in told],
            "top_logprobs": [_by_text(one.likeliest) for one in told],
            "text_offset": [one.start for one in told],
        }

    def _opening(self, choice: int) -> str:
        return self._before[choice] if self._before else ""

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return self._head | {"object": kind, "model": self._model, "choices": choices}

    def _part(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        said = self._object(self.part_kind, choices)
        return said | {"usage": None} if self._usage_told else said

    def _usage(self) -> dict[str, int]:
        written = sum(self._written.values())
        return {
            "prompt_tokens": self._read,
            "completion_tokens": written,
            "total_tokens": self._read + written,
        }


class ChatWriter(CompletionWriter):
    """Writes the answer to one request for an answer in a conversation."""

    kind, part_kind, prefix = "chat.completion", "chat.completion.chunk", "chatcmpl"

    def said(self, text: str, scored: dict[str, Any] | None) -> dict[str, Any]:
        """Return what a choice holds."""
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"message": message, "logprobs": scored}

    def said_on(self, text: str, scored: dict[str, Any] | None, first: bool) -> dict[str, Any]:
        """Return what a choice of a stream's part holds."""
        delta = {"role": "assistant", "content": text} if first else {"content": text}
        return {"delta": delta, "logprobs": scored}

    def scored(self, told: Sequence[Told]) -> dict[str, Any]:
        """Return log-probabilities as conversations have them."""
        return {
            "content": [
                _scored(one.text, one.log_prob)
                | {"top_logprobs": [_scored(*other) for other in one.likeliest]}
                for one in told
            ],
            "refusal": None,
        }


def _scored(text: str, log_prob: float) -> dict[str, Any]:
    """Return a piece; where it is no whole characters, nobody says which bytes it is."""
    known = None if "\ufffd" in text else list(text.encode())
    return {"token": text, "logprob": log_prob, "bytes": known}


def _by_text(likeliest: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Return log-probabilities by texts; of pieces with the same text, that of the likeliest."""
    found: dict[str, float] = {}
    for text, log_prob in likeliest:
        found.setdefault(text, log_prob)
    return found


def _finish(one: Grown) -> str | None:
    if one.ended is None:
        return None
    return "stop" if one.ended in ("end", "stop") else "length"
