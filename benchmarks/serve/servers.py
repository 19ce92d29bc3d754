"""Servers in processes of their own: started on a free port, waited for, looked at, ended."""

__all__ = ["Server", "Texts", "serving"]

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from serve.spec import System

BENCHMARKS = Path(__file__).resolve().parent.parent
START_SECONDS = 180.0
"""The first start on a machine compiles kernels."""
END_SECONDS = 15.0

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


class Texts(NamedTuple):
    """What a server has counted since it began."""

    texts: float
    batches: float


@dataclass
class Server:
    """A server that answers."""

    system: System
    port: int
    process: "subprocess.Popen[bytes]"
    ready_seconds: float
    """From its start until it took requests."""

    def counted(self) -> Texts | None:
        """Return how many texts have gone together, and how often; None if it cannot tell."""
        if not self.system.counted:
            return None
        text = _get(self.port, "/metrics")
        sums = re.findall(r"^heed_batch_texts_(sum|count)\{[^}]*\} (\S+)$", text, re.MULTILINE)
        found = {name: float(value) for name, value in sums}
        return Texts(found.get("sum", 0.0), found.get("count", 0.0))

    def peak_mb(self) -> float:
        """Return the most memory that it has held; 0 where that cannot be read."""
        status = Path(f"/proc/{self.process.pid}/status")
        found = re.search(r"VmHWM:\s*(\d+)", status.read_text("utf-8") if status.exists() else "")
        return int(found[1]) / 1024 if found else 0.0


@contextmanager
def serving(system: System, model: str, about: Path, folder: Path) -> Iterator[Server]:
    """Yield the server when it takes requests, and end it whatever happens.

    `model` is what `heed serve` is given, `about` the file for the others, `folder` takes what the
    server says. Raises SystemExit, with the last thing said, if it does not begin.
    """
    if system.module:
        command = ["-m", f"serve.{system.module}", str(about)]
    else:
        command = ["-m", "heedful", "serve", "--model", model, "--port", "0"]
    path = [str(BENCHMARKS), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "HF_HUB_OFFLINE": "1",
    }
    said = folder / (re.sub(r"\W+", "-", system.name) + ".log")
    began = time.perf_counter()
    with said.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command, *system.words], env=environment, stdout=log, stderr=log
        )
    try:
        port = _wait(process, said, began)
        yield Server(system, port, process, time.perf_counter() - began)
    finally:
        _end(process)


def _wait(process: "subprocess.Popen[bytes]", said: Path, began: float) -> int:
    """Return the port once the server takes requests."""
    while time.perf_counter() - began < START_SECONDS and process.poll() is None:
        found = _ADDRESS.search(said.read_text("utf-8", "replace"))
        if found and _ready(int(found[1])):
            return int(found[1])
        time.sleep(0.05)
    last = (said.read_text("utf-8", "replace").strip().split("\n") or [""])[-1]
    raise SystemExit(f"serve_load: the server {said.stem} did not begin: {last}")


def _ready(port: int) -> bool:
    try:
        _get(port, "/ready")
    except (urllib.error.URLError, OSError):
        return False
    return True


def _get(port: int, path: str) -> str:
    """Return what the server answers; raises URLError if it refuses, or is not there."""
    no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with no_proxy.open(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
