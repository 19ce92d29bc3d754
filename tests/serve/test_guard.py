"""What is refused before the application sees it, and what no answer ever tells."""

import asyncio
import json
import logging
import random
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from heedful.errors import SettingError
from heedful.serve.limits import ServerLimits
from heedful.serve.security import HEADERS, Access, checked_hosts, checked_origins, load_keys
from tests.serve.serving import JSON, Answer, Client, FakeEngine, asking, open_engine, run

TRANSLATE = json.dumps({"texts": ["a"], "to": "de"}).encode()
KEY = "abcdefghijklmnop"


def test_bodies_that_are_too_long() -> None:
    async def scenario() -> None:
        async with asking(limits=ServerLimits(body_bytes=100)) as client:
            for body, more in (
                (b"x" * 101, {}),
                ([b"x" * 60, b"x" * 60], {}),
                (b"", {"content-length": "101"}),
                (b"", {"content-length": "9" * 5000}),
            ):
                answer = await client.ask("POST", "/v1/translate", body, JSON | more)
                assert (answer.status, answer.json) == (
                    413,
                    {"error": "the body is longer than 100 bytes"},
                )
            fits = await client.ask("POST", "/v1/translate", TRANSLATE, JSON)
            assert fits.status == 200

    run(scenario)


@pytest.mark.parametrize("length", ["-1", "x", "+5", "1,2"])
def test_lengths_that_are_none(length: str) -> None:
    async def scenario() -> None:
        async with asking() as client:
            headers = JSON | {"content-length": length}
            assert (await client.ask("POST", "/v1/translate", b"", headers)).status == 400

    run(scenario)


def test_addresses_headers_and_encodings() -> None:
    async def scenario() -> None:
        async with asking() as client:
            assert (await client.ask("GET", "/" + "a" * 5000)).status == 414
            assert (await client.ask("GET", "/health?" + "a" * 5000)).status == 414
            many = {f"x-{number}": "1" for number in range(1000)}
            assert (await client.ask("GET", "/health", headers=many)).status == 431
            for encoding in ("gzip", "deflate, gzip"):
                headers = JSON | {"content-encoding": encoding}
                assert (await client.ask("POST", "/v1/translate", b"\x1f", headers)).status == 415

    run(scenario)


def test_only_json_changes_anything() -> None:
    async def scenario() -> None:
        async with asking() as client:
            for kind in ("text/plain", "", "application/jsonx", "multipart/form-data"):
                headers = {"content-type": kind} if kind else {}
                answer = await client.ask("POST", "/v1/translate", TRANSLATE, headers)
                assert answer.status == 415, kind
            headers = {"content-type": "Application/JSON; charset=utf-8"}
            assert (await client.ask("POST", "/v1/translate", TRANSLATE, headers)).status == 200
            for method in ("DELETE", "PUT", "PATCH"):
                assert (await client.ask(method, "/v1/translate", b"")).status == 415
                assert (await client.ask(method, "/v1/translate", b"{}", JSON)).status == 405
            assert (await client.ask("GET", "/../../etc/passwd")).status == 404

    run(scenario)


def test_names_that_are_not_this_server_s() -> None:
    async def scenario() -> None:
        async with asking(access=Access(hosts=("translate.example.org",))) as client:
            for host, status in (
                ("localhost:5000", 200),
                ("127.0.0.1", 200),
                ("[::1]:5000", 200),
                ("192.168.1.7:80", 200),
                ("Translate.Example.org:443", 200),
                ("evil.example", 421),
                ("localhost.evil.example", 421),
                ("127.0.0.1.nip.io", 421),
                ("user@localhost", 400),
                ("", 400),
            ):
                client.host = host
                assert (await client.ask("GET", "/health")).status == status, host

    run(scenario)


def test_pages_of_other_origins() -> None:
    async def scenario() -> None:
        async with asking(access=Access(origins=("https://good.example",))) as client:
            for origin, status in (
                ("http://localhost", 200),
                ("https://good.example", 200),
                ("https://localhost", 403),
                ("http://localhost:8080", 403),
                ("https://good.example.evil.example", 403),
                ("null", 403),
                ("", 403),
            ):
                for method, path in (("POST", "/v1/translate"), ("GET", "/v1/models")):
                    body = TRANSLATE if method == "POST" else b""
                    answer = await client.ask(method, path, body, JSON | {"origin": origin})
                    assert answer.status == status, (origin, method)
                asks = {"origin": origin, "access-control-request-method": "POST"}
                answer = await client.ask("OPTIONS", "/v1/translate", headers=asks)
                assert answer.status == (204 if status == 200 else 403)
                assert ("access-control-allow-methods" in answer.headers) == (status == 200)

    run(scenario)


def test_pages_that_come_through_a_proxy_with_tls() -> None:
    async def scenario() -> None:
        async with asking(access=Access(hosts=("play.example.org",))) as client:
            for host, origin, status in (
                ("play.example.org", "https://play.example.org", 200),
                ("127.0.0.1:5001", "https://play.example.org", 200),
                ("play.example.org:8443", "https://play.example.org:8443", 200),
                ("play.example.org", "https://play.example.org:8443", 403),
                ("play.example.org", "https://evil.example", 403),
                ("127.0.0.1:5001", "https://127.0.0.1:5001", 403),
                ("play.example.org", "http://play.example.org:8443", 403),
            ):
                client.host = host
                answer = await client.ask("GET", "/v1/models", headers={"origin": origin})
                assert answer.status == status, (host, origin)

    run(scenario)


def test_keys() -> None:
    async def scenario() -> None:
        keys = load_keys_of(KEY, "ponmlkjihgfedcba")
        async with asking(access=Access(keys=keys)) as client:
            for headers, status in (
                ({"authorization": f"Bearer {KEY}"}, 200),
                ({"authorization": "bearer ponmlkjihgfedcba"}, 200),
                ({"x-api-key": KEY}, 200),
                ({"x-api-key": KEY + "x"}, 401),
                ({"x-api-key": "\u00e9"}, 401),
                ({"authorization": f"Basic {KEY}"}, 401),
                ({}, 401),
            ):
                answer = await client.ask("POST", "/v1/translate", TRANSLATE, JSON | headers)
                assert answer.status == status, headers
                assert (await client.ask("GET", "/metrics", headers=headers)).status == status
                assert (await client.ask("GET", "/v1/models", headers=headers)).status == status
                assert ("www-authenticate" in answer.headers) == (status == 401)
            assert (await client.ask("GET", "/health")).status == 200
            assert (await client.ask("GET", "/ready")).status == 200

    run(scenario)


def load_keys_of(*keys: str) -> tuple[bytes, ...]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keys"
        path.write_text("\n".join(keys), "utf-8")
        return load_keys(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "the file holds no key; write one a line"),
        (b"# nothing\n\n", "the file holds no key"),
        (b"# one\nshort\n", ":2: the key has 5 characters and needs 16 at least; make one"),
        (
            f"{KEY}\n{KEY}\u00e9\n".encode(),
            ":2: the key has letters beyond ASCII, which headers do not carry; make one: python3",
        ),
        (b"\xff\xfe", "the file cannot be read (it is not UTF-8)"),
        (None, "the file cannot be read (No such file or directory)"),
    ],
)
def test_files_of_keys_that_are_none(tmp_path: Path, text: bytes | None, sentence: str) -> None:
    path = tmp_path / "keys"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(SettingError) as caught:
        load_keys(path)
    assert sentence in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_a_key(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"\xef\xbb\xbf" + f"{KEY}\r\n".encode())
    assert load_keys(path) == load_keys_of(KEY)
    path.write_bytes(b"\xef\xbb\xbf# the key of our proxy\r\n" + f"{KEY}\r\n".encode())
    assert load_keys(path) == load_keys_of(KEY)


@pytest.mark.parametrize("host", ["https://a.b", "a.b:8080", "a.b/", "", "a b"])
def test_hosts_that_are_none(host: str) -> None:
    with pytest.raises(SettingError, match="it is no name of a machine; leave out what is before"):
        checked_hosts([host])
    assert checked_hosts(["A.b", "box", "::1"]) == ("a.b", "box", "::1")


def test_hosts_are_written_as_browsers_send_them() -> None:
    with pytest.raises(SettingError, match=r"--allow-host büro\.example: it has letters beyond"):
        checked_hosts(["büro.example"])


@pytest.mark.parametrize(
    "origin",
    [
        *("example.org", "https://a.b/", "null", "*", "ftp://a", "https://[::1", "https://"),
        *("https://a@b", "https://büro.example", "https://a.b:", "https://a.b:x", "https://a b"),
    ],
)
def test_origins_that_are_none(origin: str) -> None:
    with pytest.raises(SettingError, match="it is no origin; write it as browsers do"):
        checked_origins([origin])
    given = ["https://a.b:8080", "HTTPS://A.b:443", "http://a.b:80", "https://[::1]"]
    assert checked_origins(given) == (
        "https://a.b:8080",
        "https://a.b",
        "http://a.b",
        "https://[::1]",
    )


def test_every_answer_has_the_headers() -> None:
    async def scenario() -> None:
        async with asking() as client:
            for method, path in (("GET", "/health"), ("GET", "/x"), ("POST", "/v1/translate")):
                answer = await client.ask(method, path)
                assert answer.headers.items() >= HEADERS.items()
                assert "server" not in answer.headers

    run(scenario)


def test_a_fault_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeEngine):
        def sizes(self, texts, how):  # type: ignore[no-untyped-def]
            raise ValueError(f"secret {texts}")

    async def scenario() -> None:
        engine = Broken()
        engine.open.set()
        async with asking(engine) as client:
            answer = await client.post("/v1/translate", {"texts": ["my text"], "to": "de"})
            assert (answer.status, answer.json) == (
                500,
                {"error": "this is a fault of the server, not of the request"},
            )

    with caplog.at_level(logging.DEBUG):
        run(scenario)
    assert "ValueError at " in caplog.text
    assert "secret" not in caplog.text
    assert "my text" not in caplog.text


NAMES = ["texts", "text", "to", "from", "q", "source", "target", "beam", "must", "glossary"]
NAMES += ["alternatives", "never", "prefix", "format", "api_key", "model", "length_penalty", "é"]
SCALARS = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**63,
    1e308,
    0.5,
    "",
    "de",
    "en",
    "auto",
    "a b",
    "\0",
    "x" * 300,
]
SCALARS += ["\ud800", "猫", "\u202e", "1", "html", float("nan"), float("inf")]


def made_up(drawn: random.Random, depth: int = 0) -> object:
    """Return what JSON can hold."""
    kind = drawn.random()
    if depth > 3 or kind < 0.6:
        return drawn.choice(SCALARS)
    if kind < 0.8:
        return [made_up(drawn, depth + 1) for _ in range(drawn.randrange(4))]
    return {drawn.choice(NAMES): made_up(drawn, depth + 1) for _ in range(drawn.randrange(4))}


def body_of(drawn: random.Random) -> bytes:
    """Return a body: often nearly right, sometimes noise."""
    if drawn.random() < 0.1:
        return drawn.randbytes(drawn.randrange(200))
    asked: dict[str, object] = {}
    if drawn.random() < 0.5:
        asked |= {"texts": ["a"], "to": "de"}
    if drawn.random() < 0.5:
        asked |= {"q": "a", "source": "en", "target": "de"}
    for _ in range(drawn.randrange(5)):
        asked[drawn.choice(NAMES)] = made_up(drawn)
    body = bytearray(
        json.dumps(asked, ensure_ascii=drawn.random() < 0.9).encode("utf-8", "replace")
    )
    for _ in range(drawn.choice([0, 0, 0, 1, 3])):
        body[drawn.randrange(len(body))] = drawn.randrange(256)
    return bytes(body[: drawn.choice([None, None, None, drawn.randrange(len(body))])])


SPECIAL = [
    b"[" * 200_000,
    b'{"a":' * 100_000,
    b'{"texts":["a"],"beam":' + b"9" * 6000 + b"}",
    b'{"texts":["\xff"]}',
    b'{"texts":["\\ud800"],"to":"de"}',
    b'{"\\ud800":1}',
    b'{"texts":["a"],"to":"\\udfff"}',
    b'{"texts":["a"],"to":"de","glossary":{"\\ud800":["a"]}}',
    b'{"texts":["a"],"to":"de","prefix":"\\ud800"}',
    b'{"texts":["a"],"to":"de","length_penalty":NaN}',
    b'{"texts":["a"],"to":"de","length_penalty":1e999}',
    b'{"q":"a","source":"\\ud800","target":"de"}',
    b'{"q":"a","source":"en","target":"\\ud800"}',
    b'{"q":"a","source":"en","target":"de","format":"\\ud800"}',
    b'{"q":"a","source":"en","target":"de","api_key":"\\ud800"}',
    b'{"q":["\\ud800"],"source":"auto","target":"de"}',
    b'{"q":"\\ud800"}',
    "{}".encode("utf-16"),
    b"\xef\xbb\xbf{}",
    b"",
]
PATHS = ["/v1/translate", "/v1/translate/stream", "/v1/detect", "/translate", "/detect"]


def check_answer(answer: Answer) -> None:
    assert 200 <= answer.status < 500, (answer.status, answer.body)
    if answer.status >= 400:
        assert answer.headers["content-type"] == "application/json"
        assert list(answer.json) == ["error"]
        assert "Traceback" not in answer.json["error"]
        assert ".py" not in answer.json["error"]


@pytest.fixture
def asker() -> Iterator[tuple[asyncio.Runner, Client]]:
    """Return who asks an application that goes on between the examples of one test."""
    with asyncio.Runner() as runner:
        context = asking(open_engine(), ServerLimits(), access=Access(keys=load_keys_of(KEY)))
        client = runner.run(context.__aenter__())
        yield runner, client
        runner.run(context.__aexit__(None, None, None))


@pytest.mark.parametrize("path", PATHS)
def test_bodies_made_by_hand(asker: tuple[asyncio.Runner, Client], path: str) -> None:
    runner, client = asker
    for body in SPECIAL:
        headers = JSON | {"x-api-key": KEY}
        check_answer(runner.run(client.ask("POST", path, body, headers)))


def bad_bodies(asker: tuple[asyncio.Runner, Client], count: int) -> None:
    runner, client = asker
    forms = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"

    drawn = random.Random(9)
    for _ in range(count):
        kind = drawn.choice(["application/json", "application/json", *forms])
        headers = {"content-type": kind, "x-api-key": KEY}
        answer = client.ask("POST", drawn.choice(PATHS), body_of(drawn), headers)
        check_answer(runner.run(answer))


def test_bodies_that_are_made_up(asker: tuple[asyncio.Runner, Client]) -> None:
    bad_bodies(asker, 1_000)


@pytest.mark.slow
def test_ten_thousand_bodies_that_are_made_up(asker: tuple[asyncio.Runner, Client]) -> None:
    bad_bodies(asker, 10_000)


def test_headers_that_are_made_up(asker: tuple[asyncio.Runner, Client]) -> None:
    runner, client = asker
    drawn = random.Random(4)
    names = ["host", "origin", "content-type", "content-length", "content-encoding", "x-api-key"]
    signs = string.printable.replace("\n", "").replace("\r", "") + "é"
    for _ in range(300):
        headers = {
            name: "".join(drawn.choices(signs, k=drawn.randrange(20)))
            for name in drawn.sample(names, drawn.randrange(1, 5))
        }
        method, path = drawn.choice(["GET", "POST", "OPTIONS", "X"]), drawn.choice([*PATHS, "/é"])
        check_answer(runner.run(client.ask(method, path, b"{}", headers)))
