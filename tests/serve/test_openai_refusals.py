"""What is not done for OpenAI's clients: a refusal names what is wrong, in the shape they know."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.serve.limits import ServerLimits
from heedful.serve.openai.parameters import HARMLESS, REFUSED
from heedful.serve.security import Access, _digest
from tests.serve.serving import JSON, Live, asking, listening, run
from tests.serve.writers import KEY, conversing, scribe_of, writer_of

HELLO: Any = [{"role": "user", "content": "hi"}]
CHAT: dict[str, Any] = {"model": "gpt2", "messages": HELLO, "max_tokens": 1}
COMPLETION: dict[str, Any] = {"model": "gpt2", "prompt": "hi", "max_tokens": 1}
EMBEDDING: dict[str, Any] = {"model": "gpt2", "input": "hi"}
PATHS = {"/chat/completions": CHAT, "/completions": COMPLETION, "/embeddings": EMBEDDING}


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    limits = ServerLimits(new_tokens=40, texts=6)
    with listening(
        limits=limits, writers={kind: writer_of(kind) for kind in ("gpt2", "untaught")}
    ) as one:
        yield one


def asker(live: Live) -> openai.OpenAI:
    url = f"http://127.0.0.1:{live.port}/v1"
    return openai.OpenAI(api_key=KEY, base_url=url, max_retries=0)


def refusal(live: Live, path: str, what: Any) -> openai.APIStatusError:
    with asker(live) as client, pytest.raises(openai.APIStatusError) as caught:
        client.post(path, body=what, cast_to=object)
    error = caught.value
    assert isinstance(error.body, dict)
    assert set(error.body) == {"message", "type", "param", "code"}
    assert error.body["message"][:1].islower()
    return error


WRONG = [
    ("/completions", {"prompt": "a" * 60}, "prompt", "context_length_exceeded"),
    ("/chat/completions", {"messages": [{"role": "user", "content": "猫" * 60}]}, "messages",
     "context_length_exceeded"),
    ("/embeddings", {"input": ["hi", "a" * 60]}, "input", "context_length_exceeded"),
    ("/completions", {"model": "fake"}, "model", "model_not_supported"),
    ("/chat/completions", {"model": "untaught"}, "model", "model_not_supported"),
    ("/completions", {"prompt": [5, 999]}, "prompt", None),
    ("/completions", {"prompt": []}, "prompt", "invalid_value"),
    ("/completions", {"prompt": [[]]}, "prompt", "invalid_value"),
    ("/completions", {"prompt": ["a"] * 7}, "prompt", None),
    ("/completions", {"max_tokens": 41}, "max_tokens", None),
    ("/completions", {"max_tokens": 0}, "max_tokens", "invalid_value"),
    ("/chat/completions", {"max_tokens": None, "max_completion_tokens": 41},
     "max_completion_tokens", None),
    ("/chat/completions", {"max_completion_tokens": 2}, None, "invalid_value"),
    ("/chat/completions", {"top_logprobs": 2}, None, "invalid_value"),
    ("/completions", {"n": 9}, "n", None),
    ("/completions", {"n": 4, "prompt": ["a", "b"]}, "n", None),
    ("/completions", {"temperature": 2.5}, "temperature", "invalid_value"),
    ("/completions", {"temperature": "1"}, "temperature", "invalid_value"),
    ("/completions", {"stop": ["a"] * 5}, "stop", "invalid_value"),
    ("/completions", {"stop": ""}, "stop", "invalid_value"),
    ("/completions", {"logit_bias": {"999": 1}}, "logit_bias", None),
    ("/completions", {"logit_bias": {"a": 1}}, "logit_bias", "invalid_value"),
    ("/completions", {"echo": True, "logprobs": 1}, "echo", "unsupported_parameter"),
    ("/completions", {"temprature": 1}, "temprature", "unknown_parameter"),
    ("/chat/completions", {"messages": [{"role": "tool", "content": "hi"}]}, "messages",
     "invalid_value"),
    ("/chat/completions", {"messages": [{"role": "user", "content": "hi", "name": "Al"}]}, "name",
     "unknown_parameter"),
    ("/chat/completions", {"response_format": {"type": "json_object"}}, "response_format",
     "invalid_value"),
    ("/embeddings", {"dimensions": 15}, "dimensions", None),
    ("/embeddings", {"input": ["hi", ""]}, "input", None),
    ("/embeddings", {"model": "fake"}, "model", "model_not_found"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "changed", "param", "code"), WRONG)
def test_what_is_wrong_is_named(
    live: Live, path: str, changed: dict[str, Any], param: str | None, code: str | None
) -> None:
    error = refusal(live, path, PATHS[path] | changed)
    assert isinstance(error, openai.BadRequestError | openai.NotFoundError) or (
        error.status_code == 413
    )
    assert (error.code, error.type) == (code, "invalid_request_error")
    if param is not None:
        assert error.param == param


def test_figures_and_ways_out_are_said(live: Live) -> None:
    long = refusal(live, "/completions", COMPLETION | {"prompt": "a" * 60})
    assert "there are 60 pieces and the model reads 48" in long.message
    assert (
        "ask /v1/translate" in refusal(live, "/completions", COMPLETION | {"model": "fake"}).message
    )
    assert (
        "chat template" in refusal(live, "/chat/completions", CHAT | {"model": "untaught"}).message
    )
    unknown = refusal(live, "/chat/completions", CHAT | {"model": "gpt5"})
    assert isinstance(unknown, openai.NotFoundError)
    assert "known: gpt2, untaught" in unknown.message


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_not_followed_is_refused_and_what_asks_for_nothing_is_not(
    live: Live, name: str
) -> None:
    error = refusal(live, "/chat/completions", CHAT | {name: {"some": "thing"}})
    assert (error.code, error.param) == ("unsupported_parameter", name)
    with asker(live) as client:
        for nothing in (*REFUSED[name].nothing, None):
            client.chat.completions.create(**CHAT, extra_body={name: nothing})


def test_what_changes_no_answer_is_taken(live: Live) -> None:
    with asker(live) as client:
        given = {name: "x" for name in HARMLESS}
        assert client.chat.completions.create(**CHAT, extra_body=given).choices


def test_a_key_is_asked_for_as_the_client_shows_it() -> None:
    async def scenario() -> None:
        async with conversing(access=Access(keys=(_digest(KEY),))) as (client, _):
            assert (await client.completions.create(**COMPLETION)).choices
            for wrong in ("sk-wrong", ""):
                other = client.with_options(api_key=wrong or "-")
                with pytest.raises(openai.AuthenticationError) as caught:
                    await other.chat.completions.create(**CHAT)
                assert caught.value.code == "invalid_api_key"

    run(scenario)


def test_who_comes_when_all_places_are_taken_is_told_when_to_come_again() -> None:
    async def scenario() -> None:
        async with conversing(ServerLimits(queue=1, retry_seconds=7)) as (client, models):
            scribe_of(models)._asides = 1
            for create, asked in (
                (client.completions.create, COMPLETION),
                (client.embeddings.create, EMBEDDING),
            ):
                with pytest.raises(openai.RateLimitError) as caught:
                    await create(**asked)
                assert caught.value.response.headers["retry-after"] == "7"
                assert caught.value.code == "rate_limit_exceeded"
            scribe_of(models)._asides = 0
            scribe_of(models).drain()
            with pytest.raises(openai.InternalServerError, match="is stopping"):
                await client.completions.create(**COMPLETION)

    run(scenario)


def test_what_goes_wrong_in_a_stream_is_raised_by_the_client() -> None:
    async def scenario() -> None:
        async with conversing(ServerLimits(writing_seconds=0.001)) as (client, _):
            stream = await client.completions.create(
                model="gpt2", prompt="the cat", max_tokens=40, stream=True
            )
            with pytest.raises(openai.APIError, match="too busy to answer in time") as caught:
                async for _ in stream:
                    pass
            assert caught.value.type == "server_error"

    run(scenario)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
JSONS = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = """model prompt messages input n stop seed logit_bias stream temperature top_p logprobs
max_tokens echo tools user role"""


@settings(max_examples=100)
@given(
    path=st.sampled_from(sorted(PATHS)),
    changed=st.dictionaries(st.sampled_from(FIELDS.split()), JSONS, max_size=3),
    whole=st.none() | JSONS,
)
def _any_json(client: Any, loop: Any, path: str, changed: Any, whole: Any) -> None:
    body = PATHS[path] | {"max_tokens": 2} | changed if whole is None else whole
    if path == "/embeddings" and isinstance(body, dict):
        body.pop("max_tokens", None)
    raw = json.dumps(body).encode()
    answer = loop.run_until_complete(client.ask("POST", f"/v1{path}", raw, JSON))
    assert answer.status in (200, 400, 404, 413), answer.body
    if answer.status != 200:
        assert set(answer.json["error"]) == {"message", "type", "param", "code"}


def test_whatever_json_comes_is_answered_or_refused() -> None:
    loop = asyncio.new_event_loop()
    writers = {kind: writer_of(kind) for kind in ("gpt2", "untaught")}
    context = asking(limits=ServerLimits(new_tokens=3, alternatives=3), writers=writers)
    try:
        client = loop.run_until_complete(context.__aenter__())
        _any_json(client, loop)
        loop.run_until_complete(context.__aexit__(None, None, None))
    finally:
        loop.close()
