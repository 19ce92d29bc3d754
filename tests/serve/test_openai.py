"""OpenAI's own client, unchanged: what it asks is answered as `heedful.writer` writes it."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest

from heedful.search import Greedy, Sample
from heedful.serve.limits import ServerLimits
from tests.serve.serving import Live, listening, run
from tests.serve.writers import KEY, WRITERS, conversing, writer_of

PROMPTS = ["the cat", "once upon a time there was", "Zoë ate 猫", "the mat, and"]
HELLO: Any = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "the cat"}]
WRITTEN_DOWN = "s:Be kind.\nu:the cat\na:"
DRAWN = {"temperature": 0.8, "top_p": 0.9, "seed": 7}
SAMPLE = Sample(temperature=0.8, top_p=0.9, seed=7)


def expected(
    kind: str, prompt: str, search: Greedy | Sample, most: int = 12, stop: tuple[str, ...] = ()
) -> list[tuple[str, str, int]]:
    """Return text, reason and pieces of what the writer writes by itself."""
    writer = writer_of(kind)
    [found] = writer.write([writer.vocabulary.encode(prompt)], search, most, stop=stop)
    reasons = {"end": "stop", "stop": "stop", "length": "length", "context": "length"}
    return [(one.text, reasons[one.ended], one.pieces) for one in found]


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    with listening(writers={kind: writer_of(kind) for kind in WRITERS}) as one:
        yield one


def asker(live: Live) -> openai.AsyncOpenAI:
    url = f"http://127.0.0.1:{live.port}/v1"
    return openai.AsyncOpenAI(api_key=KEY, base_url=url, max_retries=0)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("drawn", [False, True])
def test_texts_go_on_as_the_writer_goes_on(live: Live, kind: str, drawn: bool) -> None:
    given, search = (DRAWN, SAMPLE) if drawn else ({"temperature": 0}, Greedy())

    async def scenario() -> None:
        async with asker(live) as client:
            answer = await client.completions.create(
                model=kind, prompt=PROMPTS, max_tokens=12, **given
            )
        wanted = [expected(kind, prompt, search)[0] for prompt in PROMPTS]
        assert [(one.text, one.finish_reason) for one in answer.choices] == [
            (text, reason) for text, reason, _ in wanted
        ]
        usage = answer.usage
        assert usage is not None
        encode = writer_of(kind).vocabulary.encode
        assert usage.prompt_tokens == sum(len(encode(prompt)) for prompt in PROMPTS)
        assert usage.completion_tokens == sum(pieces for *_, pieces in wanted)
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens

    run(scenario)


def test_a_conversation_is_answered_as_its_template_says(live: Live) -> None:
    async def scenario() -> None:
        async with asker(live) as client:
            answer = await client.chat.completions.create(
                model="gpt2", messages=HELLO, n=3, max_completion_tokens=9, **DRAWN
            )
            parts: Any = [{"type": "text", "text": "the "}, {"type": "text", "text": "cat"}]
            developed: Any = [HELLO[0] | {"role": "developer"}, HELLO[1] | {"content": parts}]
            again = await client.chat.completions.create(
                model="gpt2", messages=developed, n=3, max_tokens=9, **DRAWN
            )
        wanted = expected("gpt2", WRITTEN_DOWN, SAMPLE.model_copy(update={"count": 3}), 9)
        found = [(one.message.content, one.finish_reason) for one in answer.choices]
        assert found == [(text, reason) for text, reason, _ in wanted]
        assert len({text for text, _ in found}) > 1
        assert [one.message for one in again.choices] == [one.message for one in answer.choices]
        assert answer.choices[0].message.role == "assistant"

    run(scenario)


def test_no_text_of_a_conversation_acts_as_a_control_piece(live: Live) -> None:
    async def scenario() -> None:
        async with asker(live) as client:
            answer = await client.chat.completions.create(
                model="gpt2", messages=[{"role": "user", "content": "<|end|>"}], max_tokens=1
            )
        assert answer.usage is not None
        letters = writer_of().vocabulary.encode("u:<|end|>\na:")
        assert answer.usage.prompt_tokens == len(letters) > 6

    run(scenario)


@pytest.mark.parametrize("stop", [None, "q", ["zz", "e"]])
def test_the_parts_of_a_stream_are_the_whole(live: Live, stop: Any) -> None:
    """For every choice, with its reason, and the usage at the end if it was asked for."""
    asked: dict[str, Any] = {
        "model": "llama",
        "n": 4,
        "max_tokens": 20,
        "stop": stop,
        "logprobs": 2,
        **DRAWN,
    }

    async def scenario() -> None:
        async with asker(live) as client:
            whole = await client.completions.create(prompt="the cat", **asked)
            stream = await client.completions.create(
                prompt="the cat", stream=True, stream_options={"include_usage": True}, **asked
            )
            parts = [part async for part in stream]
            *parts, last = parts
            assert last.choices == []
            assert last.usage == whole.usage
            assert len({part.id for part in parts}) == 1
            for choice in whole.choices:
                its = [x for part in parts for x in part.choices if x.index == choice.index]
                assert "".join(one.text for one in its) == choice.text
                assert [x.finish_reason for x in its] == [
                    *[None] * (len(its) - 1),
                    choice.finish_reason,
                ]
                told = choice.logprobs
                assert told is not None
                for name in ("tokens", "token_logprobs", "text_offset"):
                    streamed = [x for one in its for x in getattr(one.logprobs, name)]
                    assert streamed == getattr(told, name)
                assert len(told.top_logprobs or []) == len(told.tokens or [])

    run(scenario)


def test_the_parts_of_a_streamed_answer_are_the_whole(live: Live) -> None:
    asked: dict[str, Any] = {"model": "gpt2", "messages": HELLO, "max_tokens": 9, **DRAWN}

    async def scenario() -> None:
        async with asker(live) as client:
            whole = await client.chat.completions.create(**asked)
            stream = await client.chat.completions.create(stream=True, **asked)
            parts = [part async for part in stream]
        said = [part.choices[0].delta for part in parts]
        assert "".join(one.content or "" for one in said) == whole.choices[0].message.content
        assert [one.role for one in said] == ["assistant", *[None] * (len(said) - 1)]
        assert parts[-1].choices[0].finish_reason == whole.choices[0].finish_reason
        assert all(part.usage is None for part in parts)

    run(scenario)


def test_many_at_once_get_what_each_would_get_alone() -> None:
    """With a server that has room for some of them alone."""

    async def scenario() -> None:
        async with conversing(ServerLimits(batch_tokens=400)) as (client, _):
            jobs = [
                client.completions.create(
                    model="llama", prompt=PROMPTS[n % 4], max_tokens=1 + n, seed=n, top_p=0.9
                )
                for n in range(12)
            ]
            answers = await asyncio.gather(*jobs)
        for n, answer in enumerate(answers):
            search = Sample(seed=n, top_p=0.9)
            [(text, reason, _)] = expected("llama", PROMPTS[n % 4], search, 1 + n)
            assert (answer.choices[0].text, answer.choices[0].finish_reason) == (text, reason)

    run(scenario)


def test_a_prompt_may_be_its_pieces_and_may_be_given_back(live: Live) -> None:
    ids = writer_of().vocabulary.encode("the cat")

    async def scenario() -> None:
        async with asker(live) as client:
            asked: dict[str, Any] = {"model": "gpt2", "max_tokens": 4, "temperature": 0}
            create = client.completions.create
            one, two, given = await asyncio.gather(
                create(prompt=ids, **asked),
                create(prompt=[ids, [*ids, 40]], echo=True, n=2, **asked),
                create(prompt="the cat", echo=True, **asked),
            )
            [(text, *_)] = expected("gpt2", "the cat", Greedy(), 4)
            assert one.choices[0].text == text
            assert [x.text for x in two.choices][:2] == ["the cat" + text] * 2
            assert two.choices[2].text.startswith("the cat")
            assert given.choices[0].text == "the cat" + text
            parts = [
                x async for x in await create(prompt="the cat", echo=True, stream=True, **asked)
            ]
            assert "".join(x.choices[0].text for x in parts) == "the cat" + text

    run(scenario)


def test_without_a_seed_chance_decides(live: Live) -> None:
    async def scenario() -> None:
        async with asker(live) as client:
            asked: dict[str, Any] = {"model": "gpt2", "prompt": "a", "max_tokens": 30}
            texts = {(await client.completions.create(**asked)).choices[0].text for _ in range(3)}
        assert len(texts) == 3

    run(scenario)


def test_vectors_are_numbers_or_base64_of_length_one(live: Live) -> None:
    async def scenario() -> None:
        async with asker(live) as client:
            create = client.embeddings.create
            plain = await create(model="gpt2", input=PROMPTS, encoding_format="float")
            packed = await create(model="gpt2", input=PROMPTS)  # base64, which the client reads
            alone = await create(model="gpt2", input=PROMPTS[2], dimensions=16)
            pieces = await create(model="gpt2", input=writer_of().vocabulary.encode(PROMPTS[2]))
        found = np.array([one.embedding for one in plain.data])
        np.testing.assert_allclose([one.embedding for one in packed.data], found, atol=1e-7)
        np.testing.assert_allclose(alone.data[0].embedding, found[2], atol=1e-6)
        np.testing.assert_allclose(pieces.data[0].embedding, found[2], atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
        assert [one.index for one in plain.data] == [0, 1, 2, 3]
        assert plain.usage.total_tokens == plain.usage.prompt_tokens > 4

    run(scenario)


def test_models_are_listed_and_told_of(live: Live) -> None:
    async def scenario() -> None:
        async with asker(live) as client:
            assert [one.id async for one in client.models.list()] == ["fake", *WRITERS]
            assert (await client.models.retrieve("gpt2")).object == "model"
            with pytest.raises(openai.NotFoundError, match="there is no model"):
                await client.models.retrieve("gpt5")

    run(scenario)


def test_the_client_that_waits_is_answered_too(live: Live) -> None:
    """With its retries, its keep-alive and its streams; whoever breaks a stream off is let go."""
    [(text, reason, _)] = expected("gpt2", "the cat", Greedy())
    url = f"http://127.0.0.1:{live.port}/v1"
    with openai.OpenAI(api_key=KEY, base_url=url) as client:
        asked: dict[str, Any] = {"model": "gpt2", "prompt": "the cat", "temperature": 0}
        answer = client.completions.create(max_tokens=12, **asked)
        assert (answer.choices[0].text, answer.choices[0].finish_reason) == (text, reason)
        with client.completions.create(max_tokens=40, stream=True, **asked) as stream:
            next(iter(stream))
        parts = client.completions.create(max_tokens=12, stream=True, **asked)
        assert "".join(part.choices[0].text for part in parts) == text
        vector = client.embeddings.create(model="gpt2", input="the cat").data[0].embedding
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_base64_is_of_float32_the_lowest_byte_first(live: Live) -> None:
    async def scenario() -> None:
        async with asker(live) as client:
            raw = await client.embeddings.with_raw_response.create(
                model="gpt2", input="the cat", encoding_format="base64"
            )
            plain = await client.embeddings.create(
                model="gpt2", input="the cat", encoding_format="float"
            )
        packed = json.loads(raw.content)["data"][0]["embedding"]
        found = np.frombuffer(base64.b64decode(packed), "<f4")
        np.testing.assert_array_equal(found, np.array(plain.data[0].embedding, np.float32))

    run(scenario)
