"""`heed play` as a person starts it: a page at an address, and an end."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from heedful.cli import main
from heedful.commands import play as command
from heedful.model_folder import Languages, save_model
from heedful.serve import server
from heedful.serve.app import Service
from heedful.serve.limits import ServerLimits
from tests.inspect.planted import tiny, tokenizer
from tests.playground.playing import save_lstm
from tests.serve.serving import Client
from tests.system.test_serve_command import asked

Scenario = Callable[[Client], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model."""
    folder = tmp_path_factory.mktemp("play")
    loaded = tiny(tokenizer())
    known = Languages(source="en", target="de", both_directions=True)
    save_model(folder / "mine", loaded.model, loaded.tokenizer, known)
    return folder


def played(monkeypatch: pytest.MonkeyPatch, scenario: Scenario, *words: str) -> int:
    """Run `heed play` with a scenario in place of a server that listens."""

    def run(
        service: Service, _: socket.socket, limits: ServerLimits, *, started: Callable[[], None]
    ) -> int:
        started()
        asyncio.run(asked(service, scenario))
        return 0

    monkeypatch.setattr(server, "run", run)
    return main(["play", "--port", "0", "--device", "cpu", *words])


def test_a_model_of_one_s_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    monkeypatch.chdir(folder)

    async def scenario(client: Client) -> None:
        assert (await client.ask("GET", "/")).status == 200
        [mine, bundled] = (await client.ask("GET", "/api/models")).json["models"]
        assert (mine["name"], mine["atlas"], mine["card"]["trained"]) == ("mine", False, False)
        assert (bundled["name"], bundled["atlas"]) == ("everyday", True)
        missing = await client.ask("GET", "/api/atlas?model=mine")
        assert missing.status == 404
        assert "heed heads FOLDER -o FOLDER/heads.json" in missing.json["error"]
        given = {"text": "The cat ate.", "to": "de", "model": "mine", "target": "Die Katze."}
        answer = await client.post("/api/trace", given)
        assert json.loads(answer.body.splitlines()[-1])["event"] == "done"
        answer = await client.post("/v1/translate", {"texts": ["The cat."], "to": "de"})
        assert answer.status == 200

    assert played(monkeypatch, scenario, "mine", "everyday") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("http://127.0.0.1:")
    assert err.endswith(" is the playground; Ctrl-C ends it\n")


def test_a_recurrent_model_beside_it(
    monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tour asks it; whoever translates gets the other, and what is none ends with 2."""
    monkeypatch.chdir(folder)
    save_lstm(folder / "lstm")

    async def scenario(client: Client) -> None:
        listed = (await client.ask("GET", "/api/models")).json
        assert [one["name"] for one in listed["models"]] == ["mine"]
        assert listed["beside"]["name"] == "lstm"
        given = {"text": "The cat ate.", "to": "de"}
        answer = await client.post("/api/dependence", given | {"model": "lstm"})
        assert answer.json["steps"]["reading"] > 3
        answer = await client.post("/v1/translate", {"texts": ["The cat."], "to": "de"})
        assert answer.json["model"] == "mine"

    assert played(monkeypatch, scenario, "mine", "--beside", "lstm") == 0
    capsys.readouterr()
    for wrong, said in (
        ("none", "heed: none: there is no such folder"),
        (".", "heed: .: no model is in this folder"),
        ("mine", "heed: --beside mine: the tour shows a recurrent model without attention"),
    ):
        assert main(["play", "mine", "--port", "0", "--beside", wrong]) == 2
        err = capsys.readouterr().err
        assert err.startswith(said)
        assert err.count("\n") == 1


def test_heads_that_were_measured_are_shown(
    monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    heads = folder / "mine" / "heads.json"
    assert main(["heads", "mine", "--to", "de", "-o", str(heads), "--quiet"]) == 0

    async def scenario(client: Client) -> None:
        [mine] = (await client.ask("GET", "/api/models")).json["models"]
        assert mine["atlas"] is True
        found = (await client.ask("GET", "/api/atlas?model=mine")).json
        assert {f"{one['kind']}.{one['layer']}.{one['head']}" for one in found["heads"]} == {
            *(f"encoder.{layer}.{head}" for layer in range(2) for head in range(4)),
            *(f"{kind}.0.{head}" for kind in ("decoder", "cross") for head in range(4)),
        }
        assert set(found["heads"][0]["scores"]) == {
            *("offset", "at_offset", "rare", "specials", "confidence", "at_it"),
        }
        for damaged in ("{", "[]", '{"roles": []}', '{"roles": [{"habit": 3}]}', "[" * 100_000):
            heads.write_text(damaged)
            answer = await client.ask("GET", "/api/atlas")
            assert answer.status == 404
            assert "is not what heed heads wrote of this model" in answer.json["error"]

    assert played(monkeypatch, scenario, "mine", "--quiet") == 0
    heads.unlink()


def test_the_bundled_atlas_is_what_was_measured() -> None:
    """`benchmarks/heads.py` measures it; what is shipped beside the model is that."""
    from heedful.model_path import model_path

    results = Path(__file__).parents[2] / "benchmarks" / "results" / "heads.json"
    measured = json.loads(results.read_text("utf-8"))["models"]["everyday"]
    assert json.loads((model_path("everyday") / "heads.json").read_text("utf-8")) == measured


def test_the_browser_is_opened_once_it_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    ready = iter((False, False, True))

    class Models:
        ready = property(lambda _: next(ready))

    monkeypatch.setattr(command.webbrowser, "open", opened.append)
    command._open("http://127.0.0.1:5001", Models())  # type: ignore[arg-type]
    assert opened == ["http://127.0.0.1:5001"]


def test_what_cannot_be_played(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    monkeypatch.chdir(folder)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["play", "mine", "--port", str(port)]) == 2
        assert capsys.readouterr().err == (
            f"heed: --port {port}: port {port} is in use by another program; give --port {port + 1}"
            "\n"
        )
    assert main(["play", "none", "--port", "0"]) == 2
    assert "there is no such folder" in capsys.readouterr().err
    assert main(["play", "--limits.charcters", "3"]) == 2
    assert "--limits.charcters" in capsys.readouterr().err


def test_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [
        *(name for name in sys.modules if name.startswith("heedful.serve")),
        *(name for name in sys.modules if name.startswith("heedful.playground.")),
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert main(["play"]) == 2
    assert capsys.readouterr().err == (
        'heed: fastapi is needed to serve, and is not installed; pip install "heedful[serve]"\n'
    )


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_it_ends_while_the_model_shows_that_it_works(folder: Path) -> None:
    """Its thread computes then, though nobody waits for it."""
    words = [sys.executable, "-m", "heedful", "play", str(folder / "mine"), "--port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, encoding="utf-8") as running:
        assert running.stderr is not None
        running.stderr.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
        assert running.stderr.read() == ""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("busy", [False, True])
def test_it_listens_and_ends(folder: Path, busy: bool) -> None:
    """Ctrl-C ends it with 0, also while something is computed: that is computed to its end."""
    words = [sys.executable, "-m", "heedful", "play", str(folder / "mine"), "--port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, encoding="utf-8") as running:
        assert running.stderr is not None
        address = running.stderr.readline().split()[0]
        with urllib.request.urlopen(f"{address}/", timeout=30) as answer:
            assert b"<heed-play>" in answer.read()
        given = {"text": "The cat ate.", "to": "de", "target": "Die Katze."}
        request = urllib.request.Request(
            f"{address}/api/trace", json.dumps(given).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            if busy:
                running.send_signal(signal.SIGINT)
            last = json.loads(answer.read().splitlines()[-1])
        assert last["event"] == "done" or last["error"].startswith("the server is stopping")
        running.send_signal(signal.SIGINT) if not busy else None
        assert running.wait(60) == 0
        assert running.stderr.read() == ""
