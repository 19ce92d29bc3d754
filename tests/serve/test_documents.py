"""Documents over HTTP come back as `heed translate` writes them; nothing of them is kept."""

import asyncio
import gc
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heedful.document_job import Job
from heedful.documents import ENDINGS, TYPES, Kind
from heedful.request import Request
from heedful.search import Beam
from heedful.serve.documents import KINDS
from heedful.serve.files import File, WaitingFiles
from heedful.serve.limits import ServerLimits
from heedful.serve.refusal import RefusalError
from heedful.serve.security import Access
from heedful.serve.translating import TranslatorEngine
from heedful.translator import Care, Translator, load
from tests.documents.test_identity import BROKEN, HTML, MARKDOWN, PLAIN, SAID, built
from tests.serve.serving import (
    Answer,
    Client,
    FakeEngine,
    asking,
    listening,
    open_engine,
    run,
    until,
)
from tests.serve.test_guard import KEY, load_keys_of
from tests.system.test_translate_documents import PAGE, README, SUBTITLES

LETTER = "\ufeffThe house is old.\r\n\r\n  The dog sleeps, and the cat drinks 3 cups of milk.\r\n"
FILES: dict[Kind, str] = {"markdown": README, "html": PAGE, "srt": SUBTITLES, "plain": LETTER}
NAMES: dict[Kind, str] = {"markdown": "a.md", "html": "a.html", "srt": "a.srt", "plain": "a.txt"}
PATH = "/v1/documents"
TYPE = {"content-type": "multipart/form-data; boundary=x"}


def form(file: bytes | None, name: str = "a.md", /, **fields: str) -> bytes:
    """Return a form as LibreTranslate's clients send it."""
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    if file is not None:
        head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        parts.append(head.encode() + file + b"\r\n")
    return b"".join(parts) + b"--x--\r\n"


def asks(client: Client, text: str | bytes, kind: str, query: str = "to=de", **headers: str):  # type: ignore[no-untyped-def]
    body = text.encode() if isinstance(text, str) else text
    return client.ask("POST", f"{PATH}?{query}", body, {"content-type": kind} | headers)


async def fetched(client: Client, answer: Answer) -> Answer:
    """Fetch the file whose address was told."""
    assert answer.status == 200, answer.body
    url = answer.json["translatedFileUrl"]
    assert url.startswith(f"http://{client.host}/download_file/")
    return await client.ask("GET", url.removeprefix(f"http://{client.host}"))


# As `heed translate` does


@pytest.fixture(scope="module")
def translator() -> Translator:
    """Return the bundled model, with its kernels."""
    found = load("everyday", "cpu")
    found.settle()
    return found


@pytest.fixture(scope="module")
def job(translator: Translator, tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, str]:
    """Return what `heed translate --to de a.md -o b.md` writes, for every kind."""
    folder = tmp_path_factory.mktemp("documents")
    found: dict[Kind, str] = {}
    for kind, text in FILES.items():
        source, target = folder / NAMES[kind], folder / f"b{NAMES[kind]}"
        source.write_bytes(text.encode())
        Job(source, target, kind).run(
            translator, "de", None, Request, {"search": Beam(), "care": Care()}, quiet=True
        )
        found[kind] = target.read_bytes().decode()
    return found


@asynccontextmanager
async def really(translator: Translator) -> AsyncIterator[Client]:
    """Run an application with a model."""

    class Open(TranslatorEngine):
        open = threading.Event()

    engine = Open(translator)
    async with asking(engine, ways=tuple(translator.ways())) as client:  # type: ignore[arg-type]
        yield client


@pytest.mark.parametrize("kind", FILES)
def test_as_heed_translate(kind: Kind, translator: Translator, job: dict[Kind, str]) -> None:
    async def scenario() -> None:
        async with really(translator) as client:
            answer = await asks(client, FILES[kind], TYPES[kind])
            assert answer.status == 200
            assert answer.headers["content-type"] == f"{TYPES[kind]}; charset=utf-8"
            assert answer.body.decode() == job[kind]
            assert job[kind] != FILES[kind]
            answer = await asks(client, FILES[kind], TYPES[kind], accept="application/json")
            assert answer.json["text"] == job[kind]
            body = form(FILES[kind].encode(), NAMES[kind], source="en", target="de")
            answer = await fetched(client, await client.ask("POST", "/translate_file", body, TYPE))
            assert answer.body.decode() == job[kind]

    run(scenario)


def test_several_at_once(translator: Translator, job: dict[Kind, str]) -> None:
    async def scenario() -> None:
        async with really(translator) as client:
            answers = await asyncio.gather(
                *(asks(client, FILES[kind], TYPES[kind]) for kind in (*FILES, *FILES))
            )
            assert [one.body.decode() for one in answers] == [*job.values(), *job.values()]

    run(scenario)


def test_options_apply(translator: Translator) -> None:
    async def scenario() -> None:
        async with really(translator) as client:
            query = "to=de&from=en&model=fake&beam=1&length_penalty=1&glossary=house=Bude%7CBuden"
            answer = await asks(client, "# The **house** is old.\n", "text/markdown", query)
            assert answer.status == 200
            assert "Bude" in answer.body.decode()
            assert answer.headers["heed-notes"] == "1 with terms of the glossary"
            html = '<html lang="en"><p>The house is old.'
            answer = await asks(client, html, "text/html")
            assert answer.body.startswith(b'<html lang="de">')

    run(scenario)


def test_what_could_not_be_kept_is_told() -> None:
    class Forgetful(FakeEngine):
        """Loses every sign of what is kept."""

        def translate(self, requests, how):  # type: ignore[no-untyped-def]
            some = [Request(one.text.replace("<x1/>", "")) for one in requests]
            return super().translate(some, how)

    async def scenario() -> None:
        engine = Forgetful()
        engine.open.set()
        text = "# Hi\n\nRun `x` now.\n\nAnd\n`y` again.\n"
        told = (
            "2 kept as they are, since their markup could not be put into the translation: "
            "lines 3, 5"
        )
        async with asking(engine) as client:
            answer = await asks(client, text, "text/markdown")
            assert answer.body.decode() == text.replace("Hi", "de:Hi")
            assert answer.headers["heed-notes"] == told
            answer = await asks(client, text, "text/markdown", accept="application/json")
            assert answer.json == {
                "model": "fake",
                "to": "de",
                "text": text.replace("Hi", "de:Hi"),
                "notes": [told],
                "kept": [3, 5],
            }
            body = form(text.encode(), source="en", target="de")
            answer = await client.ask("POST", "/translate_file", body, TYPE)
            assert answer.headers["heed-notes"] == told

    run(scenario)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("Application/JSON;q=0.9, x/y", "application/json"),
        ("*/*", "text/markdown; charset=utf-8"),
        ("text/markdown, application/json", "text/markdown; charset=utf-8"),
        ("", "text/markdown; charset=utf-8"),
    ],
)
def test_what_is_accepted(accept: str, kind: str) -> None:
    async def scenario() -> None:
        async with asking() as client:
            answer = await asks(client, "a", "Text/Markdown; charset=UTF-8", accept=accept)
            assert (answer.status, answer.headers["content-type"]) == (200, kind)

    run(scenario)


NOTHING = [(text, kind) for text in ("", "\n", " \r\n\t", "\ufeff") for kind in KINDS]
NOTHING += [("<!-- a -->", "text/html"), ("<!-- a -->", "text/markdown"), ("`a`", "text/markdown")]


@pytest.mark.parametrize(("text", "kind"), NOTHING)
def test_nothing_to_translate(text: str, kind: str) -> None:
    async def scenario() -> None:
        engine = open_engine()
        async with asking(engine) as client:
            answer = await asks(client, text, kind)
            assert (answer.status, answer.body.decode()) == (200, text)
        assert engine.batches == []

    run(scenario)


# Sharing


def test_a_long_document_lets_others_in() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        limits = ServerLimits(batch_tokens=40)
        async with asking(engine, limits) as client:
            text = "".join(f"word{number}\n\n" for number in range(200))
            long = asyncio.ensure_future(asks(client, text, "text/plain"))
            await until(engine.begun.is_set)
            short = asyncio.ensure_future(
                client.post("/v1/translate", {"texts": ["a"], "to": "de"})
            )
            await until(lambda: client_pending(client) == 2)
            engine.open.set()
            assert (await short).status == 200
            assert not long.done()
            answer = await long
            assert answer.body.decode() == text.replace("word", "de:word")
        assert max(map(len, engine.batches)) <= 10, "a batch has the room that it has for all"

    def client_pending(client: Client) -> int:
        return client._service._models.loaded[0].batcher.pending

    run(scenario)


def test_equal_texts_are_asked_for_once() -> None:
    async def scenario() -> None:
        engine = open_engine()
        async with asking(engine) as client:
            answer = await asks(client, "- a\n- b\n- a\n", "text/markdown")
            assert answer.body == b"- de:a\n- de:b\n- de:a\n"
        assert sorted(text for batch in engine.batches for text in batch) == ["a", "b"]

    run(scenario)


def test_a_document_has_a_deadline() -> None:
    async def scenario() -> None:
        async with asking(FakeEngine(), ServerLimits(request_seconds=0.05)) as client:
            answer = await asks(client, "a", "text/plain")
            assert answer.status == 503
            assert answer.json["error"].startswith("the server was too busy to answer in time")
            assert answer.headers["retry-after"] == "1"

    run(scenario)


def test_a_client_that_leaves_takes_its_document_along() -> None:
    async def scenario() -> None:
        engine, gone = FakeEngine(), asyncio.Event()
        async with asking(engine, ServerLimits(batch_tokens=1)) as client:
            body, kind = b"a\n\nb\n\nc\n", {"content-type": "text/plain"}
            asked = client.ask("POST", f"{PATH}?to=de", body, kind, gone)
            leaving = asyncio.ensure_future(asked)
            await until(engine.begun.is_set)
            gone.set()
            assert (await leaving).status == 0
            engine.open.set()
            await until(lambda: client._service.idle)
        assert engine.batches == [["a"]]

    run(scenario)


# Refusals


@pytest.mark.parametrize(
    ("text", "kind", "query", "status", "sentence"),
    [
        (
            "a",
            "application/pdf",
            "to=de",
            415,
            "the content type must be text/markdown or text/html or application/x-subrip or "
            "text/plain",
        ),
        ("{}", "application/json", "to=de", 415, "the content type must be text/markdown or "),
        ("a", "", "to=de", 415, "the content type must be text/markdown or "),
        ("a", "multipart/form-data", "to=de", 415, "the content type must be text/markdown or "),
        ("a", "text/plain; charset=latin-1", "to=de", 415, "the body must be in UTF-8"),
        (
            b"one\ntwo \xff\n",
            "text/markdown",
            "to=de",
            400,
            "the document:2: invalid UTF-8: byte 0xFF; save it as UTF-8",
        ),
        (
            "a" * 101,
            "text/plain",
            "to=de",
            413,
            "characters of the document: 101 were given and 100 are allowed",
        ),
        ("a" * 1001, "text/plain", "to=de", 413, "the body is longer than 1,000 bytes"),
        ("a " * 9, "text/plain", "to=de", 413, "text 1 has 9 pieces and 8 are allowed"),
        ("a", "text/plain", "to=fr", 400, 'no model here translates to "fr"; loaded are: en to '),
        ("a", "text/plain", "", 400, "the target language is missing; give one of de, en, zh"),
        ("a", "text/plain", "to=de&model=x", 404, 'there is no model "x" here; known: fake'),
        ("a", "text/plain", "to=de&beam=17", 422, "beam: 17 were given and 16 are allowed"),
        ("a", "text/plain", "to=de&beam=x", 422, "beam: input should be a valid integer"),
        ("a", "text/plain", "to=de&length_penalty=nan", 422, "length_penalty: input should be a "),
        ("a", "text/plain", "to=de&my=text", 422, "the address: extra inputs are not permitted"),
        ("a", "text/plain", "to=de&glossary=a", 422, "glossary.0: it is not SOURCE=TARGET, or"),
        ("a", "text/plain", "to=de&glossary=a%3D|", 422, "glossary.0: it is not SOURCE=TARGET, "),
        ("a", "text/plain", "to=de&glossary=%3Da", 422, "glossary.0: it is not SOURCE=TARGET, or"),
        (
            "a",
            "text/plain",
            "to=de&glossary=a%3Db|c&glossary=d%3De",
            422,
            "terms of the glossary: 3 were given and 2 are allowed",
        ),
        (
            "1\n00:00:01 --> 00:00:02\nHello\n",
            "application/x-subrip",
            "to=de",
            400,
            'the document:2: "00:00:01 --> 00:00:02" are not the times of a cue; write them as ',
        ),
    ],
    ids=str,
)
def test_refused(text: str | bytes, kind: str, query: str, status: int, sentence: str) -> None:
    async def scenario() -> None:
        limits = ServerLimits(document_characters=100, body_bytes=1_000, tokens=8, terms=2)
        async with asking(limits=limits) as client:
            answer = await asks(client, text, kind, query)
            assert answer.status == status, answer.body
            assert list(answer.json) == ["error"]
            assert answer.json["error"].startswith(sentence)

    run(scenario)


def test_only_documents_there_and_only_from_here() -> None:
    async def scenario() -> None:
        async with asking(access=Access(origins=("https://good.example",))) as client:
            for kind in KINDS:
                for origin, status in (
                    ("https://good.example", 200),
                    ("http://localhost", 200),
                    ("https://evil.example", 403),
                    ("null", 403),
                ):
                    answer = await asks(client, "", kind, origin=origin)
                    assert answer.status == status, (origin, kind)
                    shown = answer.headers.get("access-control-expose-headers")
                    assert shown == ("heed-notes, retry-after" if status == 200 else None)
                for path in ("/v1/translate", "/v1/detect", "/translate", "/translate_file"):
                    answer = await client.ask("POST", path, b"a", {"content-type": kind})
                    assert answer.status == 415, path
                for method in ("PUT", "DELETE", "PATCH", "GET"):
                    answer = await client.ask(method, PATH, b"", {"content-type": kind})
                    assert answer.status == 405, method

    run(scenario)


def test_a_key_is_asked_for() -> None:
    async def scenario() -> None:
        async with asking(access=Access(keys=load_keys_of(KEY))) as client:
            assert (await asks(client, "a", "text/plain")).status == 401
            known = {"x-api-key": KEY}
            assert (await asks(client, "a", "text/plain", **known)).status == 200
            body = form(b"a", source="en", target="de")
            assert (await client.ask("POST", "/translate_file", body, TYPE)).status == 403
            body = form(b"a", source="en", target="de", api_key=KEY)
            answer = await client.ask("POST", "/translate_file", body, TYPE)
            assert (await fetched(client, answer)).body == b"de:a", "its name is a key"

    run(scenario)


# LibreTranslate's files


def test_a_file_is_handed_out_once() -> None:
    async def scenario() -> None:
        async with asking() as client:
            body = form(b"# Good morning", "my file.MD", source="en", target="de")
            answer = await client.ask("POST", "/translate_file", body, TYPE)
            path = answer.json["translatedFileUrl"].partition("localhost")[2]
            assert path.startswith("/download_file/")
            assert path.endswith(".md")
            assert len(path) > 40
            file = await client.ask("GET", path)
            assert file.body == b"# de:Good morning"
            assert file.headers["content-type"] == "text/markdown; charset=utf-8"
            assert file.headers["content-disposition"] == (
                "attachment; filename*=utf-8''my%20file.de.md"
            )
            secure = TYPE | {"x-forwarded-proto": "https"}
            answer = await client.ask("POST", "/translate_file", body, secure)
            assert answer.json["translatedFileUrl"].startswith("https://localhost/download_file/")
            again = await client.ask("GET", path)
            assert (again.status, list(again.json)) == (404, ["error"])

    run(scenario)


def test_a_file_over_a_socket() -> None:
    from urllib.request import Request as Asked
    from urllib.request import urlopen

    with listening() as live:
        url = f"http://127.0.0.1:{live.port}/translate_file"
        body = form(b"Hello", "a.txt", source="en", target="de")
        with urlopen(Asked(url, body, TYPE), timeout=10) as answer:
            address = json.load(answer)["translatedFileUrl"]
        with urlopen(address, timeout=10) as file:
            assert file.read() == b"de:Hello"


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("../../etc/passwd.txt", "passwd.de.txt"),
        ("C:\\\\Windows\\\\a.txt", "a.de.txt"),
        ("a\x0bb.txt", "a%0Bb.de.txt"),
        ("猫.txt", "%E7%8C%AB.de.txt"),
        ('a;b\\"c.txt', "a%3Bb%22c.de.txt"),
        ("x" * 300 + ".txt", "x" * 100 + ".de.txt"),
    ],
)
def test_names_of_files(name: str, saved: str) -> None:
    async def scenario() -> None:
        async with asking() as client:
            body = form(b"a", name, source="en", target="de")
            answer = await fetched(client, await client.ask("POST", "/translate_file", body, TYPE))
            assert answer.headers["content-disposition"] == f"attachment; filename*=utf-8''{saved}"

    run(scenario)


@pytest.mark.parametrize(
    "name",
    [
        *("..", ".", "", "%2e%2e", "..%2f..%2fetc%2fpasswd", "../../etc/passwd", "..\\..\\a.txt"),
        *("/etc/passwd", "C:\\a.txt", "a.txt\0", "a" * 2_000, "\u202e.txt", "{name}"),
    ],
)
def test_names_with_tricks(name: str) -> None:
    async def scenario() -> None:
        async with asking() as client:
            answer = await client.ask("GET", f"/download_file/{name}")
            assert (answer.status, list(answer.json)) == (404, ["error"])

    run(scenario)


def test_the_language_of_a_file_is_detected() -> None:
    async def scenario() -> None:
        async with asking() as client:
            page = b"<div class='a'><span><p>Guten Morgen, mein Freund, wie geht es dir?</p>"
            body = form(page, "a.html", source="auto", target="en")
            answer = await fetched(client, await client.ask("POST", "/translate_file", body, TYPE))
            assert b"<p>en:Guten Morgen" in answer.body
            body = form(page, "a.html", source="auto", target="de")
            answer = await fetched(client, await client.ask("POST", "/translate_file", body, TYPE))
            assert answer.body == page, "it is in German already"

    run(scenario)


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (form(None, source="en", target="de"), 400, "Invalid request: missing file parameter"),
        (form(b"a", target="de"), 400, "Invalid request: missing source parameter"),
        (form(b"a", source="en"), 400, "Invalid request: missing target parameter"),
        (form(b"a", source="en", target="fr"), 400, "fr is not supported"),
        (form(b"a", source="xx", target="de"), 400, "xx is not supported"),
        (
            form(b"a", "a.pdf", source="en", target="de"),
            400,
            f"Invalid request: file format not supported; known: {', '.join(ENDINGS)}",
        ),
        (form(b"a", "", source="en", target="de"), 400, "Invalid request: file format not"),
        (form(b"a", ".md", source="en", target="de"), 400, "Invalid request: file format not"),
        (form(None, file="a", source="en", target="de"), 400, "Invalid request: file is not a "),
        (form(b"\xff", source="en", target="de"), 400, "the document:1: invalid UTF-8: byte 0xFF"),
        (form(b"a" * 101, source="en", target="de"), 413, "characters of the document: 101 were "),
        (form(b"a" * 5000, source="en", target="de"), 413, "the body is longer than 5,000 bytes"),
        (form(b"a", "a.srt", source="en", target="de"), 400, 'the document:1: "a" is not the '),
        (form(b"a", source="en", target="de")[:-20], 400, ""),
        (form(b"a") + form(b"b"), 400, ""),
        (form(None, **{f"a{number}": "" for number in range(30)}), 400, "Invalid request: the "),
    ],
    ids=lambda value: value[-40:] if isinstance(value, bytes) else str(value)[:40],
)
def test_files_that_are_refused(body: bytes, status: int, sentence: str) -> None:
    async def scenario() -> None:
        limits = ServerLimits(document_characters=100, body_bytes=5_000)
        async with asking(limits=limits) as client:
            answer = await client.ask("POST", "/translate_file", body, TYPE)
            assert answer.status == status, answer.body
            assert list(answer.json) == ["error"]
            assert answer.json["error"].startswith(sentence)

    run(scenario)


def test_a_file_that_breaks_off_is_closed() -> None:
    async def scenario() -> None:
        async with asking() as client:
            body = form(b"a" * 99)[:-50]
            answer = await client.ask("POST", "/translate_file", body, TYPE)
            assert answer.json == {"error": "Invalid request: missing file parameter"}
            gc.collect()  # it warns of files that are open, and a warning is an error

    run(scenario)


def test_a_file_is_asked_for_by_a_form_alone() -> None:
    async def scenario() -> None:
        async with asking(access=Access(origins=("https://good.example",))) as client:
            answer = await client.post("/translate_file", {"file": "a", "source": "en"})
            assert answer.status == 400
            body = form(b"a", source="en", target="de")
            for origin, status in (("https://good.example", 200), ("null", 403)):
                headers = TYPE | {"origin": origin}
                answer = await client.ask("POST", "/translate_file", body, headers)
                assert answer.status == status

    run(scenario)


@pytest.mark.parametrize("charset", ["undefined", "punycode", "utf-16", "latin-1", '"idna"'])
def test_forms_in_strange_encodings(charset: str) -> None:
    async def scenario() -> None:
        async with asking() as client:
            kind = {"content-type": f"{TYPE['content-type']}; charset={charset}"}
            for path in ("/translate", "/detect", "/translate_file"):
                answer = await client.ask("POST", path, form(b"a" * 99, q="a" * 99), kind)
                assert (answer.status, answer.json["error"]) == (415, "the body must be in UTF-8")

    run(scenario)


# Files that wait


def held(content: bytes) -> File:
    return File("a.txt", content, "text/plain")


def test_the_oldest_leaves() -> None:
    async def scenario() -> None:
        files = WaitingFiles(ServerLimits(files=3, file_bytes=10))
        names = [files.keep(held(b"x" * size), ".txt") for size in (1, 2, 3, 4)]
        assert len(set(names)) == 4
        assert len(files) == 3
        with pytest.raises(RefusalError, match="no file waits here"):
            files.fetch(names[0])
        last = files.keep(held(b"x" * 8), ".txt")
        assert len(files) == 1, "they are too large together"
        with pytest.raises(RefusalError, match="longer than 10 bytes"):
            files.keep(held(b"x" * 11), ".txt")
        assert files.fetch(last).content == b"x" * 8
        assert len(files) == 0

    run(scenario)


def test_what_nobody_fetches_is_forgotten() -> None:
    async def scenario() -> None:
        files = WaitingFiles(ServerLimits(file_seconds=0.01))
        name = files.keep(held(b"x"), ".txt")
        await until(lambda: len(files) == 0)
        with pytest.raises(RefusalError, match="no file waits here"):
            files.fetch(name)
        files = WaitingFiles(ServerLimits())
        files.keep(held(b"x"), ".txt")
        files.clear()
        assert len(files) == 0

    run(scenario)


def test_no_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file is written")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)

    async def scenario() -> None:
        limits = ServerLimits(body_bytes=1 << 22, document_characters=1 << 22)
        async with asking(limits=limits) as client:
            text = b"<!-- " + b"x" * (1 << 21) + b" -->a"
            body = form(text, "a.html", source="en", target="de")
            answer = await fetched(client, await client.ask("POST", "/translate_file", body, TYPE))
            assert answer.body == text[:-1] + b"de:a"

    run(scenario)


# Whatever comes


@pytest.fixture(scope="module")
def asker() -> Iterator[tuple[asyncio.Runner, Client]]:
    """Return who asks an application that goes on between the examples of one test."""
    with asyncio.Runner() as runner:
        context = asking(open_engine(), ServerLimits())
        client = runner.run(context.__aenter__())
        yield runner, client
        runner.run(context.__aexit__(None, None, None))


def check(answer: Answer) -> None:
    assert 200 <= answer.status < 500, (answer.status, answer.body)
    if answer.status >= 400:
        assert list(answer.json) == ["error"]
        assert "Traceback" not in answer.json["error"]
        assert ".py" not in answer.json["error"]


CONTENTS = st.one_of(
    st.binary(max_size=200),
    st.text().map(str.encode),
    *(built(some, 30).map(str.encode) for some in (MARKDOWN, (*HTML, *BROKEN), PLAIN, SAID)),
)
ANYTHING = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ANYTHING
@given(CONTENTS, st.sampled_from(sorted(KINDS)), st.sampled_from(["", "application/json"]))
def test_any_document(
    asker: tuple[asyncio.Runner, Client], content: bytes, kind: str, accept: str
) -> None:
    runner, client = asker
    check(runner.run(asks(client, content, kind, accept=accept)))


@ANYTHING
@given(CONTENTS, st.sampled_from(["a.md", "a.html", "a.srt", "a.txt", "a", "\\"]), st.data())
def test_any_file(
    asker: tuple[asyncio.Runner, Client], content: bytes, name: str, data: st.DataObject
) -> None:
    runner, client = asker
    source = data.draw(st.sampled_from(["en", "auto", "", "zh-Hans", "\x00"]))
    body = bytearray(form(content, name, source=source, target="de"))
    for _ in range(data.draw(st.sampled_from([0, 0, 1, 5]))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    answer = runner.run(client.ask("POST", "/translate_file", bytes(body), TYPE))
    check(answer)
    if answer.status == 200:
        check(runner.run(fetched(client, answer)))


@ANYTHING
@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_any_query(asker: tuple[asyncio.Runner, Client], query: str) -> None:
    runner, client = asker
    for names in ("", "to=de&glossary=", "beam=", "to="):
        check(runner.run(asks(client, "a", "text/plain", names + query.replace("?", ""))))
