"""The live page and its server: called back questions, two pages at once, a server that ends."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.playground.browsing import REFUSED, Server, Shown, press, shown

pytestmark = pytest.mark.slow
"""Servers end and begin anew, which takes longer the busier a machine is."""

LONG = f"{' '.join(['The old man saw a small dog in the garden,'] * 6)} and that was all."
OURS = {"one": "The dog sleeps.", "two": "The children are playing in the garden."}


@pytest.fixture
def mortal() -> Iterator[Server]:
    """Return a server that may be ended."""
    found = Server()
    yield found
    found.kill()


def test_what_is_not_wanted_any_more_is_called_back(play: Shown) -> None:
    """A sentence that is written over: its request ends, and its trace is never drawn."""
    play.open()
    page = play.page
    drawn: list[str] = []
    page.on("requestfailed", lambda request: drawn.append(request.url))
    before = play.seq
    with page.expect_request("**/api/trace"):
        page.locator("#sentence").fill(LONG)
    page.locator("#sentence").fill(OURS["one"])
    play.wait(before)
    assert page.locator("#output").inner_text().startswith("Der Hund")
    assert int(play.seq) == int(before) + 1
    assert [url for url in drawn if url.endswith("/api/trace")]


def test_a_page_that_leaves_takes_nothing_with_it(window: Any, server: Server) -> None:
    """Closed in the middle of a trace: others are answered as before."""
    with shown(window, server.address) as going:
        going.open()
        with going.page.expect_request("**/api/trace"):
            going.page.locator("#sentence").fill(LONG)
        going.page.close(run_before_unload=False)
    with shown(window, server.address) as play:
        play.open(text=OURS["two"])
        assert "Kinder" in play.page.locator("#output").inner_text()


def test_two_pages_at_once(window: Any, server: Server) -> None:
    """Each has its own traces, and asks about them while the other does."""
    with shown(window, server.address, pages=2) as pages:
        for one, text in zip(pages, OURS.values(), strict=True):
            one.open(text=text, drawn=False)
        for one in pages:
            one.page.locator("heed-play[data-state=done]").wait_for()
            press(one.page.locator("heed-attention button.toggle.off"))
        for one, wanted in zip(pages, ("Hund", "Kinder"), strict=True):
            one.page.locator("heed-what-if .result").wait_for()
            assert wanted in one.page.locator("heed-what-if .result .text").nth(1).inner_text()
            assert wanted in one.page.locator("#output").inner_text()


@contextmanager
def gone(play: Shown, mortal: Server) -> Iterator[None]:
    """Let the server be dead for a while; what Chromium says of it is no fault of the page."""
    play.allowed = (REFUSED,)
    mortal.kill()
    yield
    mortal.start()


def test_a_server_that_ends_and_comes_back(window: Any, mortal: Server) -> None:
    """What is shown stays; when the server answers again, so does the page."""
    with shown(window, mortal.address) as play:
        play.open()
        page, before = play.page, play.seq
        with gone(play, mortal):
            page.locator("#sentence").fill(OURS["one"])
            banner = page.locator(".banner")
            banner.wait_for()
            assert "does not answer" in banner.inner_text()
            assert page.locator("#output").inner_text().startswith("Die Katze")
            assert page.locator("heed-outputs .steps button").count() > 5
            press(page.locator("heed-heads [role=radio]").nth(3))
            said = page.locator("heed-attention .said").first.inner_text()
            assert "encoder layer 1, head 4" in said
            press(page.locator("[data-save='html.HTML']"))
            assert page.locator("#sentence").input_value() == OURS["one"]
        press(page.locator(".banner button"))  # hidden if the page has asked by itself
        play.wait(before)
        banner.wait_for(state="hidden")
        assert page.locator("#output").inner_text().startswith("Der Hund")
        play.write(OURS["two"])


def test_a_server_that_ends_in_the_middle_of_an_answer(window: Any, mortal: Server) -> None:
    """A trace that breaks off is not taken for a whole one."""
    with shown(window, mortal.address) as play:
        play.open()
        page, before = play.page, play.seq
        with page.expect_response("**/api/trace"):
            page.locator("#sentence").fill(LONG)
        with gone(play, mortal):
            page.locator(".banner").wait_for()
            assert play.seq == before
            assert page.locator("heed-play").get_attribute("data-state") == "error"
        page.locator(".banner").wait_for(state="hidden")  # the page asks by itself, too
        play.wait(before)


def test_a_trace_that_a_new_server_does_not_know(window: Any, mortal: Server) -> None:
    """The numbers that were drawn stay; what must be asked is refused with a sentence."""
    with shown(window, mortal.address) as play:
        play.open()
        with gone(play, mortal):
            pass
        press(play.page.locator("heed-attention button.toggle.off"))
        said = play.page.locator("heed-what-if .working.wrong")
        said.wait_for()
        assert re.search(r"no longer kept|does not answer", said.inner_text())
        assert play.page.locator("#output").inner_text().startswith("Die Katze")
        play.write(OURS["two"])
        play.page.locator("heed-what-if .result").wait_for()


def test_a_server_that_is_back_is_asked_for_the_trace_that_is_shown(
    window: Any, mortal: Server
) -> None:
    """It may be another, which keeps no trace of the one before."""
    with shown(window, mortal.address) as play:
        play.open()
        page, before = play.page, play.seq
        with gone(play, mortal):
            press(page.locator("[data-save='html.HTML']"))
            page.locator(".banner").wait_for()
        press(page.locator(".banner button"))
        play.wait(before)
        press(page.locator("heed-attention button.toggle.off"))
        page.locator("heed-what-if .result").wait_for()


def test_the_translator_waits_for_its_server(window: Any, mortal: Server) -> None:
    with shown(window, mortal.address) as play:
        play.open(tab="translate", text=OURS["one"], drawn=False)
        result = play.page.locator("heed-translator .result")
        result.filter(has_text="Hund").wait_for()
        with gone(play, mortal):
            play.page.locator("#text").fill(OURS["two"])
            play.page.locator(".banner").wait_for()
        press(play.page.locator(".banner button"))
        result.filter(has_text="Kinder").wait_for()
        play.page.locator(".banner").wait_for(state="hidden")


def test_the_translator_asks_a_server_again_that_is_not_ready(play: Shown) -> None:
    """As it is just after its start."""
    play.allowed = (REFUSED,)
    busy = [True, True]

    def answer(route: Any) -> None:
        if not busy:
            return route.continue_()
        busy.pop()
        sentence = '{"error": "the model everyday is not ready; try again later"}'
        return route.fulfill(status=503, content_type="application/json", body=sentence)

    play.page.route("**/v1/translate/stream", answer)
    play.open(tab="translate", text=OURS["one"], drawn=False)
    play.page.locator("heed-translator .result", has_text="not ready").wait_for()
    play.page.locator("heed-translator .result", has_text="Hund").wait_for()
    assert play.page.locator("heed-translator [role=alert]").is_hidden()
