"""What the tests in a real browser share: one server for all, a browser for each module."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.browser import chromium
from tests.playground.answering import OtherPython
from tests.playground.browsing import NO_OTHER, Server, Shown, shown
from tests.playground.playing import save_lstm


@pytest.fixture(scope="session")
def lstm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an LSTM that has learnt nothing."""
    return save_lstm(tmp_path_factory.mktemp("beside") / "small")


@pytest.fixture(scope="session")
def server(lstm: Path) -> Iterator[Server]:
    """Return a server that nobody ends: the bundled model, and the LSTM beside it."""
    found = Server(models=("everyday", "--beside", str(lstm)))
    yield found
    found.kill()


@pytest.fixture(scope="session")
def other() -> Iterator[OtherPython]:
    """Return a second Python, which knows the bundled model and nothing of the server."""
    found = OtherPython()
    yield found
    found.end()


@pytest.fixture(scope="module")
def window() -> Iterator[Any]:
    """Return a browser. While it is open its thread has an event loop: no longer than a module."""
    with chromium(NO_OTHER) as found:
        yield found


@pytest.fixture
def opened(window: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Return what makes a page, or some; nothing may go wrong on them."""
    with ExitStack() as stack:

        def one(**options: Any) -> Any:
            return stack.enter_context(shown(window, server.address, **options))

        yield one


@pytest.fixture
def play(opened: Callable[..., Shown]) -> Shown:
    """Return a page on a desktop."""
    return opened()
