"""The steps by which a trace is made, one by one, so that each can be shown as soon as it is there.

A text becomes a source, the source is read, a translation is searched for or given, and the pair is
read to its end. `heedful.inspect.trace` takes them all; the playground shows what comes of each.
Those of a model without an encoder are in `heedful.inspect.prompted`.
"""

__all__ = [
    "LONGEST",
    "Begun",
    "Encoded",
    "TooLongError",
    "Written",
    "begin",
    "check_length",
    "check_side",
    "encode",
    "finished",
    "given",
    "logits_of",
    "read",
    "searched",
    "write",
]

from collections.abc import Sequence
from typing import NamedTuple

import torch
from pydantic import ValidationError

from heedful.errors import DataError, ModelError
from heedful.inspect.capture import Looks, record
from heedful.inspect.leaving import still_wanted, waiting
from heedful.inspect.names import Inspected
from heedful.inspect.sides import Side, source_side, target_side
from heedful.models.architecture import Model
from heedful.models.gpt import GPT
from heedful.models.seq2seq import Memory
from heedful.search import Beam, Hypothesis
from heedful.setting_errors import plain
from heedful.shapes import Float, Int, Tensor
from heedful.text.pieces import START
from heedful.text.tokenizer import Tokenizer
from heedful.translator import Translator

LONGEST = 512
"""Pieces of a side, at most."""


class TooLongError(DataError):
    """What is to be looked at has too many pieces: `given`, and `most` are looked at."""

    def __init__(self, problem: str, *, given: int, most: int, where: str, fix: str) -> None:
        self.given, self.most = given, most
        super().__init__(problem, where=where, fix=fix)


class Begun(NamedTuple):
    """What a trace is asked for."""

    translator: Translator
    to: str | None
    """The language tag that is asked for."""
    source: Side
    search: Beam


class Encoded(NamedTuple):
    """A source that has been read."""

    memory: Memory
    looks: Looks
    """What the encoder looked at."""


class Written(NamedTuple):
    """A pair that has been read."""

    looks: Looks
    """What the decoder looked at."""
    log_probs: Float[Tensor, "T N"]
    """Of every piece of the vocabulary at every step."""


def begin(
    translator: Translator,
    text: str,
    *,
    to: str | None = None,
    from_: str | None = None,
    beam: int = 4,
    length_penalty: float = 0.6,
) -> Begun:
    """Cut a text into pieces; raises as `heedful.inspect.trace` does."""
    tag = translator.target(to, from_)
    search = _beam(beam, length_penalty)
    source = source_side(translator.tokenizer, text.strip(), tag)
    check_side(translator, source, "text")
    return Begun(translator, tag, source, search)


def encode(begun: Begun) -> Encoded:
    """Let the encoder read the source."""
    return _encoded(begun.translator.model, begun.source.ids)


def searched(begun: Begun) -> Side:
    """Return the translation that the engine finds; LeftError if nobody waits for it any more."""
    found = begun.translator.search([begun.source.ids], begun.search, [waiting()])
    still_wanted()
    [[best, *_]] = found
    return _checked(begun, finished(begun.translator.tokenizer, best))


def given(begun: Begun, target: str) -> Side:
    """Return a translation as the decoder would write it; raises DataError if it cannot."""
    return _checked(begun, target_side(begun.translator.tokenizer, target.strip()))


def write(begun: Begun, encoded: Encoded, target: Side) -> Written:
    """Let the decoder read the translation."""
    return _written(begun.translator.model, encoded, target.ids)


def read(
    model: Inspected, source: Sequence[int], target: Sequence[int]
) -> tuple[Looks, Float[Tensor, "T N"]]:
    """Let the model read a pair once; return what it looked at and what it predicted."""
    if isinstance(model, GPT):
        still_wanted()
        with torch.inference_mode(), record(model) as looks:
            return looks, logits_of(model, source, target).float().log_softmax(-1)
    encoded = _encoded(model, source)
    written = _written(model, encoded, target)
    return encoded.looks | written.looks, written.log_probs


def logits_of(
    model: Inspected, source: Sequence[int], target: Sequence[int]
) -> Float[Tensor, "T N"]:
    """Return the logits of every piece of a target, given the pieces before it.

    A model without an encoder reads the first piece of the source, its prompt, and then the target,
    which begins with what else the prompt has.
    """
    if isinstance(model, GPT):
        still_wanted()
        device = next(model.parameters()).device
        alone = torch.tensor([[source[0], *target[:-1]]], device=device)
        return model.project(model.hidden(alone))[0]
    return _decoded(model, _memory(model, source), target)


def finished(tokenizer: Tokenizer, found: Hypothesis) -> Side:
    """Return what a search found as a side; raises ModelError for what came to no end."""
    if not found.finished:
        raise ModelError("the translation came to no end", fix="give a target to look at")
    ids = (*found.tokens, tokenizer.end_id)
    [text] = tokenizer.decode_target([ids])
    return target_side(tokenizer, text, ids)


def _encoded(model: Model, source: Sequence[int]) -> Encoded:
    with torch.inference_mode(), record(model) as looks:
        return Encoded(_memory(model, source), looks)


def _written(model: Model, encoded: Encoded, target: Sequence[int]) -> Written:
    still_wanted()
    with torch.inference_mode(), record(model) as looks:
        logits = _decoded(model, encoded.memory, target)
        return Written(looks, logits.float().log_softmax(-1))


def _memory(model: Model, source: Sequence[int]) -> Memory:
    still_wanted()
    read: Int[Tensor, "1 S"] = torch.tensor([source], device=next(model.parameters()).device)
    return model.encode(read, torch.ones_like(read, dtype=torch.bool))


def _decoded(model: Model, memory: Memory, target: Sequence[int]) -> Float[Tensor, "T N"]:
    target_in = torch.tensor([[START, *target[:-1]]], device=memory.states.device)
    return model.project(model.hidden(target_in, memory))[0]


def _beam(beam: int, length_penalty: float) -> Beam:
    """Return the search; raises SettingError for what it cannot be."""
    asked = {"beam_size": beam, "length_penalty": length_penalty}
    try:
        return Beam.model_validate(asked)
    except ValidationError as error:
        found = plain(error.errors()[0], asked, Beam)
        raise found.said_of((found.where or "").replace("--beam-size", "--beam")) from None


def _checked(begun: Begun, target: Side) -> Side:
    check_side(begun.translator, target, "target")
    return target


def check_side(translator: Translator, side: Side, name: str) -> None:
    """Raise DataError for a side that is empty or too long to be looked at."""
    if not side.spans and name == "text":
        raise DataError("there is nothing to look at", where=name, fix="give a sentence")
    check_length(side, min(LONGEST, translator.model.config.max_length), name)


def check_length(
    side: Side, longest: int, name: str, fix: str = "give one sentence at a time"
) -> None:
    """Raise TooLongError for a side of more pieces."""
    if len(side.ids) > longest:
        raise TooLongError(
            f"{len(side.ids)} pieces are more than the {longest} that are looked into at once",
            given=len(side.ids),
            most=longest,
            where=name,
            fix=fix,
        )
