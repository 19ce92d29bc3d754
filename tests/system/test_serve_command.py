"""`heed serve` as a person starts it: with their own model, and what is wrong said plainly."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from heedful.cli import main
from heedful.model_folder import Languages, save_model
from heedful.search import Beam
from heedful.serve import server
from heedful.serve.app import Service
from heedful.serve.limits import ServerLimits
from heedful.serve.starting import named
from heedful.translator import load
from tests.inspect.planted import tiny, tokenizer
from tests.interop.folders import make_folder
from tests.serve.serving import Client, until

Scenario = Callable[[Client], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two models, and one that is damaged."""
    folder = tmp_path_factory.mktemp("models")
    loaded = tiny(tokenizer())
    for name, known in (
        ("mine", Languages(source="en", target="de", both_directions=True)),
        ("other", Languages(source="en", target="de", both_directions=True)),
        ("torn", Languages(source="en", target="de")),
    ):
        save_model(folder / name, loaded.model, loaded.tokenizer, known)
    weights = folder / "torn" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    return folder


@pytest.fixture(autouse=True)
def in_folder(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(models)


def served(monkeypatch: pytest.MonkeyPatch, scenario: Scenario, *words: str) -> int:
    """Run `heed serve` with an application that is asked, in place of a server that listens."""

    def run(
        service: Service,
        listener: socket.socket,
        limits: ServerLimits,
        *,
        started: Callable[[], None],
    ) -> int:
        started()
        asyncio.run(asked(service, scenario))
        return 0

    monkeypatch.setattr(server, "run", run)
    return main(["serve", "--port", "0", "--device", "cpu", *words])


async def asked(service: Service, scenario: Scenario) -> None:
    """Start the application as a server does, ask it, and stop it."""
    begin: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()
    running = asyncio.create_task(service({"type": "lifespan", "state": {}}, begin.get, said.put))
    await begin.put({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    async with asyncio.timeout(120):
        await until(lambda: service.idle)
        client = Client(service)
        while (await client.ask("GET", "/ready")).status != 200:
            await asyncio.sleep(0.01)
        await scenario(client)
    await begin.put({"type": "lifespan.shutdown"})
    await running


def test_a_model_of_one_s_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["The cat ate the fish.", "The dog ate.", " ", "the " * 60, "A\nB"]
    mine = load("mine", "cpu")
    expected = mine.translate_detailed(texts, "de", search=Beam(n_best=2))

    async def scenario(client: Client) -> None:
        answer = await client.post("/v1/translate", {"texts": texts, "to": "de", "alternatives": 2})
        assert answer.status == 200
        told = answer.json["translations"]
        assert [one["text"] for one in told] == [one.text for one in expected]
        assert [[x["text"] for x in one["alternatives"]] for one in told] == [
            [x.text for x in one.hypotheses] for one in expected
        ]
        assert [one["flags"] for one in told] == [list(one.flags) for one in expected]
        for many in (
            {"texts": ["cat"], "to": "de", "must": [["Katze"]], "never": ["Hund"], "prefix": "Die"},
            {"texts": ["cat"], "to": "de", "glossary": {"cat": ["Katze", "Kater"]}},
            {"texts": ["1 <b>x</b>"], "to": "de", "protect": True, "beam": 1},
        ):
            assert (await client.post("/v1/translate", many)).status == 200
        wrong = {"texts": ["cat"], "to": "de", "must": [["Hund"]], "never": ["Hund"]}
        answer = await client.post("/v1/translate", wrong)
        assert answer.status == 400
        assert '"Hund" is asked for and holds "Hund"' in answer.json["error"]
        answer = await client.post(
            "/v1/translate", {"texts": ["a"], "to": "de", "confidence": True}
        )
        assert (answer.status, answer.json["error"]) == (
            400,
            "the model does not know how good its translations are",
        )
        html = {"q": "<p>The <b>cat</b></p>", "source": "en", "target": "de", "format": "html"}
        told = (await client.post("/translate", html)).json["translatedText"]
        assert told.startswith("<p>")
        assert told.endswith("</p>")
        answer = await client.post("/v1/translate", {"texts": ["x " * 2_000], "to": "de"})
        assert answer.status == 413
        assert "pieces and 1,024 are allowed" in answer.json["error"]
        assert (await client.ask("GET", "/ready")).status == 200

    assert served(monkeypatch, scenario, "--model", "mine") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("http://127.0.0.1:")
    assert err.endswith(" translates en to de, de to en; Ctrl-C ends it\n")


def test_a_model_that_writes_beside_one_that_translates(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folder(Path("hf/tiny"))

    async def scenario(client: Client) -> None:
        asked = {"model": "tiny", "prompt": "the cat", "max_tokens": 3}
        answer = await client.post("/v1/completions", asked)
        assert answer.json["usage"]["completion_tokens"] <= 3
        vectors = await client.post("/v1/embeddings", {"model": "mine", "input": ["a cat", "dog"]})
        both = [one["embedding"] for one in vectors.json["data"]]
        alone = await client.post("/v1/embeddings", {"model": "mine", "input": "dog"})
        assert alone.json["data"][0]["embedding"] == pytest.approx(both[1], abs=1e-6)
        ready = (await client.ask("GET", "/ready")).json
        assert ready["models"] == {"mine": "ready", "tiny": "ready"}
        told = (await client.ask("GET", "/metrics")).body.decode()
        assert 'heed_ready{model="tiny"} 1.0' in told

    words = ["--model", "mine", "--model", "hf/tiny"]
    assert served(monkeypatch, scenario, *words) == 0
    err = capsys.readouterr().err
    assert err.endswith(" translates en to de, de to en and writes with tiny; Ctrl-C ends it\n")
    assert main(["serve", "--port", "0", "--model", "hf/tiny", "--precision", "int8"]) == 2
    assert "a model that writes computes in float32" in capsys.readouterr().err


def test_several_models_of_which_one_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario(client: Client) -> None:
        told = (await client.ask("GET", "/ready")).json
        assert told["models"] == {"mine": "ready", "other": "ready"}
        assert told["missing"] == ["torn"]
        asks = {"texts": ["a"], "to": "de"}
        assert (await client.post("/v1/translate", asks)).json["model"] == "mine"
        asks["model"] = "other"
        assert (await client.post("/v1/translate", asks)).json["model"] == "other"
        answer = await client.post("/v1/translate", {"texts": ["a"], "to": "zh", "from": "fr"})
        assert answer.json["error"] == (
            'no model here translates from "fr" to "zh"; loaded are: en to de, de to en'
        )
        assert (await client.ask("GET", "/health")).status == 200

    words = ["--model", "mine", "--model", "torn", "--model", "./other", "--quiet"]
    assert served(monkeypatch, scenario, *words) == 0
    _, err = capsys.readouterr()
    assert err.startswith("the model torn is not served: torn")
    assert err.count("\n") == 1


def test_limits_keys_and_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("abcdefghijklmnop\n", "utf-8")

    async def scenario(client: Client) -> None:
        client.host = "translate.example.org"
        asks = {"texts": ["a", "b"], "to": "de"}
        assert (await client.post("/v1/translate", asks)).status == 401
        answer = await client.post("/v1/translate", asks, x_api_key="abcdefghijklmnop")
        assert answer.json["error"] == "texts: 2 were given and 1 are allowed"
        answer = await client.ask("GET", "/health", headers={"origin": "https://a.example"})
        assert answer.headers["access-control-allow-origin"] == "https://a.example"

    words = ["--api-keys", str(keys), "--allow-host", "translate.example.org", "--host", "0.0.0.0"]
    words += ["--allow-origin", "https://a.example", "--limits.texts", "1", "--quiet"]
    assert served(monkeypatch, scenario, "--model", "mine", *words) == 0
    assert capsys.readouterr().err == ""


def test_a_warning_where_anybody_may_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scenario(_: Client) -> None:
        pass

    words = ["--model", "mine", "--host", "0.0.0.0", "--quiet"]
    assert served(monkeypatch, scenario, *words) == 0
    assert capsys.readouterr().err == (
        "--host 0.0.0.0: anybody who reaches this machine can use it; "
        "--api-keys FILE asks for a key\n"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "nothing"], "nothing: there is no such folder, and no bundled model"),
        (["--model", "torn"], "torn"),
        (["--model", "mine", "--model", "./mine"], "--model ./mine: two models are called mine;"),
        (["--port", "70000"], "--port 70000: a port is from 0 to 65535"),
        (["--port", "x"], '--port: "x" is not a whole number'),
        (["--host", "no.such.name.invalid"], "--host no.such.name.invalid: no address"),
        (["--host", "127..0.1"], "--host 127..0.1: no address of this machine has this name; try"),
        (["--api-keys", "none"], "--api-keys none: the file cannot be read (No such file"),
        (["--allow-origin", "a.example"], "--allow-origin a.example: it is no origin; write it"),
        (["--limits.qeue", "3"], '--limits.qeue: there is no such setting; did you mean "queue"?'),
        (["--limits.beam", "0"], "--limits.beam: input should be greater than or equal to 1"),
        (["--device", "gpu", "--model", "mine"], 'device: there is no device "gpu"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refused(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    port = [] if "--port" in words else ["--port", "0"]
    assert main(["serve", *port, *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"heed: {sentence}")
    assert err.count("\n") == 1


def test_a_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with server.bound("127.0.0.1", 0) as other:
        port = other.getsockname()[1]
        assert main(["serve", "--model", "mine", "--port", str(port)]) == 2
        assert capsys.readouterr().err == (
            f"heed: --port {port}: port {port} is in use by another program; "
            f"give --port {port + 1}\n"
        )


def test_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("heedful.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert main(["serve"]) == 2
    assert capsys.readouterr().err == (
        'heed: fastapi is needed to serve, and is not installed; pip install "heedful[serve]"\n'
    )


def test_names_of_models() -> None:
    assert [*named(["runs/a/model", "runs/b/", "everyday"])] == ["a", "b", "everyday"]
    assert [*named(["models/small.gguf"])] == ["small"]
