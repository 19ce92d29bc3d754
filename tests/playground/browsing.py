"""A server of `heed play`, and a page that keeps what goes wrong on it."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

CAT = "The cat ate the fish because it was hungry."
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 360, "height": 740}
NO_OTHER = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""For Chromium no other machine has a name."""
STEPS = 12
"""Of the tour where a recurrent model stands beside the others; one less without it."""
REFUSED = "Failed to load resource"
"""What Chromium says of every answer that is a refusal, whatever the page makes of it."""


class Server:
    """A server of `heed play` with the bundled model, or with others."""

    def __init__(self, port: int = 0, models: Sequence[str] = ()) -> None:
        self.models = models
        self.process: subprocess.Popen[str] | None = None
        self.address = ""
        self.start(port)

    def start(self, port: int | None = None) -> None:
        """Start it; without a port on the one that it had before."""
        given = str(self.address.rsplit(":", 1)[1] if port is None else port)
        command = [sys.executable, "-m", "heedful", "play", *self.models]
        command += ["--device", "cpu", "--port", given]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://[\d.]+:\d+", line)
        assert found, line + self.process.stdout.read()
        self.address = found[0]
        self._wait()

    def _wait(self) -> None:
        """Wait until its model is loaded."""
        for _ in range(3000):  # in a fresh checkout the kernels are compiled first
            try:
                urlopen(f"{self.address}/ready").close()
            except HTTPError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the server does not get ready")

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Shown:
    """A page of a server, and what went wrong on it: nothing may."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.allowed: tuple[str, ...] = ()
        page.on("console", lambda message: self.wrong.append(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", lambda dialog: self.wrong.append(dialog.message))
        page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        own = url.startswith(f"{self.address}/")
        if own:
            self.asked.append(url.removeprefix(self.address))
        elif not url.startswith(("data:", "blob:")):
            self.wrong.append(f"asked elsewhere: {url}")

    def open(self, *, drawn: bool = True, **state: Any) -> "Shown":
        """Open the page in a state; wait until its trace is drawn."""
        asked = {"tab": "inside", "text": CAT, "to": "de", "lang": "en"} | state
        self.page.goto("about:blank")
        self.page.goto(f"{self.address}/#{urlencode(asked)}")
        if drawn:
            self.page.locator("heed-play[data-state=done]").wait_for()
        return self

    @property
    def seq(self) -> str:
        """How many traces were drawn to their end."""
        found: str = self.page.locator("heed-play").get_attribute("data-seq")
        return found

    def wait(self, seq: str) -> None:
        """Wait until another trace is drawn than the one of a number."""
        self.page.locator(f'heed-play[data-state=done]:not([data-seq="{seq}"])').wait_for()

    def write(self, text: str) -> None:
        """Write another sentence; wait until it is drawn."""
        before = self.seq
        self.page.locator("#sentence").fill(text)
        self.wait(before)

    @property
    def focused(self) -> str:
        """What has the focus: its key, its id, or its kind."""
        found: str = self.page.evaluate(
            "(one => one.dataset.key || one.id || one.localName)(document.activeElement)"
        )
        return found

    def idle(self) -> None:
        """Wait until no panel waits for an answer."""
        self.page.locator(".working:visible").first.wait_for(state="detached")

    def check(self) -> None:
        """Fail if something went wrong that is not allowed."""
        assert [one for one in self.wrong if not one.startswith(self.allowed or "\0")] == []


@contextmanager
def shown(browser: Any, address: str, *, pages: int = 1, **options: Any) -> Iterator[Any]:
    """Yield a page, or some, of a context of their own; nothing may go wrong on them."""
    usual = {"reduced_motion": "reduce", "viewport": DESKTOP, "locale": "en-GB"}
    context = browser.new_context(**usual | options)
    context.set_default_timeout(60_000)  # the machine may be busy
    opened = [Shown(context.new_page(), address) for _ in range(pages)]
    yield opened[0] if pages == 1 else opened
    context.close()
    for one in opened:
        one.check()


def press(button: Any) -> None:
    """Click without waiting for a frame to be drawn, as a person's click does."""
    button.dispatch_event("click")


def eventually(check: Callable[[], None], page: Any, seconds: float = 60) -> None:
    """Check until it holds: for what the page draws without telling."""
    for _ in range(int(seconds / 0.05)):
        try:
            return check()
        except AssertionError:
            page.wait_for_timeout(50)
    return check()


def share(text: str) -> float:
    """Read a share that is written as per cent."""
    plain = text.replace("\u00a0", "").removesuffix("%")
    return 0.0 if plain == "<0.1" else float(plain) / 100


def number(text: str) -> float:
    """Read a number, with whatever stands before it or its unit behind it."""
    found = re.search(r"[−+-]?\d+(?:\.\d+)?", text)
    assert found, text
    return float(found[0].replace("−", "-"))


def table(page: Any, element: str) -> tuple[list[str], list[str], list[list[str]]]:
    """Return the columns, the rows and the cells of the table of an element."""
    lines = page.evaluate(
        "one => [...document.querySelector(`${one} table`).rows]"
        ".map(row => [...row.cells].map(cell => cell.textContent))",
        element,
    )
    return lines[0][1:], [line[0] for line in lines[1:]], [line[1:] for line in lines[1:]]


def head_name(name: str) -> str:
    """Name a head as the page does: it counts from 1."""
    kind, layer, head = name.split(".")
    where = "Encoder" if kind == "encoder" else "Decoder"
    to = {"encoder": "", "decoder": ", to itself", "cross": ", to the source"}[kind]
    return f"{where} layer {int(layer) + 1}, head {int(head) + 1}{to}"
