"""What is answered without FastAPI is what FastAPI would have answered, byte for byte."""

import json
from itertools import product
from typing import Any

import pytest

from heedful.serve.direct import Direct
from heedful.serve.limits import ServerLimits
from heedful.serve.security import Access, _digest
from tests.serve.serving import JSON, asking, run

KEY = "0123456789abcdef"
KEYS: list[dict[str, str]] = [{}, {"x-api-key": KEY}, {"authorization": "Bearer wrong"}]
GOOD = {"texts": ["a", "猫 \u2028", ""], "from": "en", "to": "de"}
NATIVE: list[Any] = [
    GOOD,
    GOOD | {"beam": 1},
    GOOD | {"alternatives": 3, "length_penalty": 1, "never": ["x"], "protect": True},
    GOOD | {"to": "fr"},
    GOOD | {"beam": 17},
    GOOD | {"beam": 0},
    GOOD | {"beam": "4"},
    GOOD | {"length_penalty": float("nan")},
    GOOD | {"secret": 1},
    GOOD | {"texts": ["\ud800"]},
    GOOD | {"texts": []},
    GOOD | {"texts": ["a"] * 200},
    [],
    None,
    b"",
    b"{",
    b'{"texts": ["a"], "to": "de", "to": "zh"}',
    b'{"texts": ["\xff"], "to": "de"}',
    json.dumps(GOOD).encode("utf-16"),
    b"[" * 5000,
]
DIALECT: list[Any] = [
    {"q": "a\nb", "source": "en", "target": "de"},
    {"q": ["a", "b"], "source": "en", "target": "de", "alternatives": 2},
    {"q": "<b>a</b>", "source": "en", "target": "de", "format": "html"},
    {"q": "a", "source": "en", "target": "fr"},
    {"q": "a"},
    {"q": 1, "source": "en", "target": "de"},
    b"{",
    b"[" * 200_000,
]


@pytest.mark.parametrize(("path", "bodies"), [("/v1/translate", NATIVE), ("/translate", DIALECT)])
@pytest.mark.parametrize("keys", [(), (_digest(KEY),)], ids=["open", "keys"])
def test_the_same_answer(path: str, bodies: list[Any], keys: tuple[bytes, ...]) -> None:
    async def scenario() -> None:
        async with asking(access=Access(keys=keys)) as client:
            guard = client._service._guard
            quick, slow = guard.app, guard.app.app  # type: ignore[attr-defined]
            assert isinstance(quick, Direct)
            for body, key in product(bodies, KEYS):
                sent = body if isinstance(body, bytes) else json.dumps(body).encode()
                found = []
                for guard.app in (quick, slow):
                    answer = await client.ask("POST", path, sent, JSON | key)
                    found.append((answer.status, answer.headers, answer.body))
                assert found[0] == found[1]

    run(scenario)


def test_what_is_not_asked_for_by_json_is_left_to_fastapi() -> None:
    async def scenario() -> None:
        async with asking(limits=ServerLimits()) as client:
            form = {"content-type": "application/x-www-form-urlencoded"}
            answer = await client.ask("POST", "/translate", b"q=a&source=en&target=de", form)
            assert answer.json == {"translatedText": "de:a"}
            for path in ("/v1/translate", "/translate"):
                assert (await client.ask("GET", path)).status == 405
            assert (await client.ask("POST", "/v1/translate/", b"{}", JSON)).status in (307, 404)

    run(scenario)


def test_a_good_request_needs_no_fastapi() -> None:
    async def never(*_: object) -> None:
        raise AssertionError

    async def scenario() -> None:
        async with asking() as client:
            direct = client._service._guard.app
            assert isinstance(direct, Direct)
            direct.app = never
            assert (await client.post("/v1/translate", GOOD)).status == 200
            asked = {"q": "a", "source": "en", "target": "de"}
            assert (await client.post("/translate", asked)).status == 200

    run(scenario)
