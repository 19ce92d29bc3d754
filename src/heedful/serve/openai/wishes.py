"""From what a client of OpenAI's API asks to what a model is asked: names, pieces, amounts.

Requests as `asked` has them come in, a model with an `Ask` goes out; whatever does not fit is
refused here.
"""

__all__ = ["Wish", "answering", "check_ids", "continuing", "ids_of"]

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from heedful.conversation import written_down
from heedful.decode.company import Manner
from heedful.errors import HeedfulError
from heedful.search import Greedy, Sample
from heedful.serve.batcher import AT_ONCE
from heedful.serve.limits import ServerLimits
from heedful.serve.model_thread import CrashError
from heedful.serve.models import Models, WritingModel
from heedful.serve.openai.asked import ChatAsked, CompletionAsked, Said, WritingAsked
from heedful.serve.refusal import RefusalError, refusal_of, shown
from heedful.serve.texts import Ask
from heedful.text.chat import Message
from heedful.writer import Writer

Given = TypeVar("Given")

COOLEST, LEAST = 0.01, 1e-6
"""The lowest temperature and the lowest top-p above 0 at which is drawn."""


class Wish(NamedTuple):
    """What is asked, and of whom."""

    model: WritingModel
    ask: Ask


def writer_named(models: Models, name: str) -> WritingModel:
    """Return the model of that name; raises RefusalError if there is none, or it translates."""
    for model in models.writers:
        if model.name == name:
            return model
    if any(model.name == name for model in models.loaded):
        sentence = f"the model {name} translates and does not write; ask /v1/translate"
        raise RefusalError(400, sentence, param="model", code="model_not_supported")
    raise models.unknown(name, [model.name for model in models.writers], "writes")


async def continuing(models: Models, asked: CompletionAsked, limits: ServerLimits) -> Wish:
    """Return what is to be written behind prompts."""
    model = writer_named(models, asked.model)
    if asked.echo and asked.logprobs is not None:
        sentence = "log-probabilities of a prompt are not told: leave out echo or logprobs"
        raise RefusalError(400, sentence, param="echo", code="unsupported_parameter")
    prompts = await ids_of(asked.prompt, model.scribe.writer.vocabulary.encode, "prompt", limits)
    prompts = [ids or _beginning(model) for ids in prompts]
    return _wish(model, prompts, asked, limits, "prompt")


async def answering(models: Models, asked: ChatAsked, limits: ServerLimits) -> Wish:
    """Return what is to be written as an answer."""
    model = writer_named(models, asked.model)
    if model.scribe.writer.template is None:
        sentence = (
            f"the model {model.name} has no chat template, which tells how a conversation is"
            " written down; ask /v1/completions"
        )
        raise RefusalError(400, sentence, param="model", code="model_not_supported")
    ids = await asyncio.to_thread(_refusing, _conversation, (model.scribe.writer, asked.messages))
    return _wish(model, [ids], asked, limits, "messages")


async def ids_of(
    given: str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]],
    encode: Callable[[str], list[int]],
    param: str,
    limits: ServerLimits,
) -> list[list[int]]:
    """Return the pieces of what may be a text, several, the pieces of one, or of several."""
    several = [given] if isinstance(given, str) or isinstance(given[0], int) else given
    if len(several) > limits.texts:
        sentence = f"{len(several):,} texts were given and {limits.texts:,} are allowed"
        raise RefusalError(413, f"{param}: {sentence}", param=param)
    found: list[list[int]] = []
    for one in several:
        if not isinstance(one, str):
            found.append(list(one))  # type: ignore[arg-type]  # the shape says that these are ids
        elif len(one) <= AT_ONCE:
            found.append(_refusing(encode, one))
        else:
            found.append(await asyncio.to_thread(_refusing, encode, one))
    return found


def check_ids(ids: Sequence[Sequence[int]], size: int, context: int, param: str) -> None:
    """Raise RefusalError for pieces that a model does not know, and for too many of them."""
    for one in ids:
        if max(one) >= size:
            sentence = f"{param}: there is no piece {max(one):,}, the model knows {size:,}"
            raise RefusalError(400, sentence, param=param)
        if len(one) > context:
            sentence = f"{param}: there are {len(one):,} pieces and the model reads {context:,}"
            raise RefusalError(400, sentence, param=param, code="context_length_exceeded")


def _refusing(encode: Callable[[Given], list[int]], given: Given) -> list[int]:
    """Return the pieces of what is given; raises RefusalError for a client's mistake."""
    try:
        return encode(given)
    except HeedfulError as error:
        raise refusal_of(error) from error
    except BaseException as error:  # tokenizers panic with one that is no Exception
        raise CrashError(type(error).__name__) from error


def _conversation(given: tuple[Writer, Sequence[Said]]) -> list[int]:
    """Return the pieces of a conversation."""
    writer, messages = given
    roles = {"developer": "system"}
    said = [Message(roles.get(one.role, one.role), one.text) for one in messages]
    return writer.vocabulary.conversation(*written_down(writer, said))


def _beginning(model: WritingModel) -> list[int]:
    """Return what stands for a prompt without pieces."""
    begin = model.scribe.writer.begin_id
    if begin is None:
        raise RefusalError(400, "the prompt is empty; give the model a beginning", param="prompt")
    return [begin]


def _wish(
    model: WritingModel,
    prompts: Sequence[Sequence[int]],
    asked: WritingAsked,
    limits: ServerLimits,
    param: str,
) -> Wish:
    writer = model.scribe.writer
    size = writer.model.vocabulary_size
    check_ids(prompts, size, writer.context, param)
    _within("n", asked.n, limits.alternatives)
    _within("n", asked.n * len(prompts), limits.texts)
    most = limits.new_tokens if asked.most is None else asked.most
    _within(asked.most_named, most, limits.new_tokens)
    bias = {int(piece): amount for piece, amount in asked.logit_bias.items()}
    for piece in bias:
        if piece >= size:
            sentence = f"logit_bias: there is no piece {shown(str(piece))}"
            raise RefusalError(400, sentence, param="logit_bias")
    manner = Manner(
        search=_search(asked),
        frequency=asked.frequency_penalty,
        presence=asked.presence_penalty,
        bias=tuple(bias.items()),
        likeliest=asked.likeliest,
    )
    return Wish(model, Ask(prompts, manner, most, asked.n, asked.stops))


def _within(param: str, given: int, most: int) -> None:
    if given > most:
        sentence = f"{param}: {given:,} were asked for and {most:,} are allowed"
        raise RefusalError(400, sentence, param=param)


def _search(asked: WritingAsked) -> Greedy | Sample:
    if not asked.temperature:
        return Greedy()
    seed = secrets.randbits(63) if asked.seed is None else asked.seed % 2**63
    return Sample(
        count=asked.n,
        temperature=max(asked.temperature, COOLEST),
        top_p=max(asked.top_p, LEAST),
        seed=seed,
    )
