"""The tour in a real browser: by keyboard alone, in both languages, with Python's numbers."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

from heedful.inspect import Trace, trace
from heedful.translator import load
from tests.playground.browsing import CAT, STEPS, Server

DIGIT = 0.0005 + 1e-6
"""A share that is written as per cent with one digit after the point is off by no more."""


@pytest.fixture(scope="module")
def seen() -> Trace:
    return trace(load("everyday"), CAT, to="de")


class Touring:
    """A page with the tour, and what went wrong on it."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.wrong: list[str] = []
        page.on("console", lambda message: self.wrong.append(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        if not url.startswith((f"{self.address}/", "data:")):
            self.wrong.append(url)

    def open(self, step: int = 0, tab: str = "tour", **state: Any) -> None:
        asked = {"tab": tab, "text": CAT, "to": "de", "lang": "en", "tour": step} | state
        self.page.goto("about:blank")
        self.page.goto(f"{self.address}/#{urlencode(asked)}")
        self.page.locator("heed-play[data-state=done]").wait_for()
        if tab == "tour":
            self.arrive()
        self.settle()

    def arrive(self) -> None:
        """Wait until the tour is open: it is loaded when it is called for."""
        self.page.locator("heed-tour .frame:visible").wait_for()

    def settle(self) -> None:
        """Wait until no figure waits for an answer."""
        self.page.locator("heed-tour .waiting").first.wait_for(state="detached")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def heading(self) -> str:
        text: str = self.page.locator("heed-tour h2").inner_text()
        return text

    @property
    def focused(self) -> str:
        found: str = self.page.evaluate(
            "(one => one.id || one.dataset.key || one.localName)(document.activeElement)"
        )
        return found

    def choose(self, key: str, place: int) -> None:
        self.page.locator(f"heed-tour [data-key={key}]").select_option(index=place)
        self.settle()


@pytest.fixture
def tour(window: Any, server: Server) -> Iterator[Touring]:
    context = window.new_context(reduced_motion="reduce", viewport={"width": 1280, "height": 900})
    touring = Touring(context.new_page(), server.address)
    yield touring
    context.close()
    assert touring.wrong == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_whole_tour_by_keyboard_alone(tour: Touring, lang: str) -> None:
    tour.open(tab="inside", lang=lang)
    tour.page.locator("#tab-tour").focus()
    tour.press("Enter")
    tour.arrive()
    tour.settle()
    headings = []
    for step in range(STEPS):
        assert tour.focused == "tour-heading"
        assert str(step + 1) in tour.page.locator("heed-tour .progress").inner_text()
        assert tour.page.locator("heed-tour .figure").inner_text().strip()
        headings.append(tour.heading)
        tour.press("ArrowRight")
        tour.settle()
    assert len(set(headings)) == STEPS
    assert tour.heading == headings[-1]
    tour.press("ArrowLeft")
    assert tour.heading == headings[-2]
    tour.press("Home")
    assert tour.heading == headings[0]
    tour.press("End")
    tour.press("Escape")
    assert not tour.page.locator("heed-tour .frame").is_visible()
    assert tour.focused == "tab-tour"


def test_keys_of_a_figure_are_its_own(tour: Touring) -> None:
    """Arrow keys choose among pieces, and then the focus is still there."""
    tour.open(step=4)
    heading = tour.heading
    tour.press("Tab", "ArrowRight", "ArrowRight")
    assert (tour.focused, tour.heading) == ("piece:9", heading)
    tour.press("Tab", "ArrowDown")
    assert (tour.focused, tour.heading) == ("encoder-layer", heading)
    tour.settle()
    assert "“hungry”" in tour.page.locator("heed-tour [aria-live]").inner_text()


def test_the_step_stands_in_the_address(tour: Touring) -> None:
    tour.open(step=99)
    assert tour.page.locator("heed-tour .progress").inner_text() == f"Step {STEPS} of {STEPS}"
    tour.press("ArrowLeft")
    tour.page.wait_for_url(re.compile(rf"[#&]tour={STEPS - 2}(&|$)"))


@pytest.mark.parametrize(("layer", "head"), [(0, 0), (4, 3), (5, 1)])
def test_the_softmax_is_pythons(tour: Touring, seen: Trace, layer: int, head: int) -> None:
    tour.open(step=4)
    tour.choose("encoder-layer", layer)
    tour.choose("encoder-head", head)
    row = seen.source.tokens.index("▁it")
    lines = tour.page.evaluate(
        "[...document.querySelector('heed-tour .sums').tBodies[0].rows]"
        ".map(row => [...row.cells].map(cell => cell.textContent))"
    )
    *lines, total = lines
    scores = seen.looks["encoder", layer].scores(head)[0, 0, row].numpy()
    weights = seen.attention("encoder", layer, head)[row]
    assert [line[0] for line in lines] == list(seen.source.tokens)
    assert [number(line[1]) for line in lines] == pytest.approx(scores.tolist(), abs=0.00501)
    powers = np.exp(scores - scores.max())
    assert [number(line[2]) for line in lines] == pytest.approx(powers.tolist(), abs=0.000501)
    assert [share(line[3]) for line in lines] == pytest.approx(weights.tolist(), abs=DIGIT)
    assert number(total[2]) == pytest.approx(powers.sum(), abs=0.000501)
    assert share(total[3]) == 1


def test_probabilities_are_pythons(tour: Touring, seen: Trace) -> None:
    tour.open(step=9)
    for place, step in enumerate(seen.steps()):
        tour.page.locator(f"heed-tour [data-key='step:{place}']").click()
        lines = tour.page.locator("heed-tour .weights.top li")
        pieces = lines.locator(".piece").all_text_contents()[:-1]
        shares = [share(text) for text in lines.locator(".n").all_text_contents()]
        assert pieces == [text for text, _ in step.top]
        wanted = np.exp([value for _, value in step.top])
        assert shares[:-1] == pytest.approx(wanted.tolist(), abs=DIGIT)
        assert shares[-1] == pytest.approx(1 - wanted.sum(), abs=DIGIT)


def test_it_is_not_said_to_be_resolved(tour: Touring) -> None:
    """The bundled model writes "es" both times, and the tour says so."""
    tour.open(step=10)
    assert tour.page.locator("heed-tour .pair strong").all_inner_texts() == ["es", "es"]
    said = tour.page.locator("heed-tour .said").all_inner_texts()
    assert said[0].startswith("“es” both times")
    assert tour.page.locator("heed-tour .evidence-said").is_visible()


def test_the_panel_shows_the_same(tour: Touring) -> None:
    tour.open(step=4)
    tour.choose("encoder-layer", 4)
    tour.choose("encoder-head", 3)
    tour.page.locator("heed-tour .look").click()
    assert tour.page.locator("#panel-attention[data-toured]").is_visible()
    said = tour.page.locator("heed-attention .said").first
    assert said.inner_text().startswith("it looks at because, 99.6")


def test_another_sentence_in_the_middle(tour: Touring) -> None:
    tour.open(step=4)
    tour.page.evaluate(
        "document.querySelector('heed-tour').dispatchEvent("
        "new CustomEvent('ask', {detail: {text: 'A dog runs.'}, bubbles: true}))"
    )
    tour.page.locator("heed-tour .chip", has_text="dog").wait_for()
    assert tour.page.locator("heed-tour .progress").inner_text() == f"Step 5 of {STEPS}"


def test_every_link_leads_to_code(tour: Touring) -> None:
    for step in range(STEPS):
        tour.open(step=step)
        links = tour.page.locator("heed-tour .code a")
        assert links.count() >= 1
        for link in links.all():
            path = link.get_attribute("href")
            answer = tour.page.request.get(tour.address + path)
            assert answer.ok
            name = path.split("symbol=")[1].split(".")[-1]
            assert re.search(rf"(?:def|class) {name}\b", answer.text())


def test_a_phone(window: Any, server: Server) -> None:
    """Nothing scrolls sideways, and what is touched is large enough."""
    context = window.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    tour = Touring(context.new_page(), server.address)
    small = (
        "[...document.querySelectorAll('heed-tour button, heed-tour select')]"
        ".map(one => one.getBoundingClientRect())"
        ".filter(({width, height}) => width > 0 && (width < 24 || height < 24)).length"
    )
    for step in range(STEPS):
        tour.open(step=step)
        body = tour.page.locator("heed-tour .tour-body")
        assert body.evaluate("one => one.scrollWidth - one.clientWidth") == 0
        assert tour.page.evaluate("document.documentElement.scrollWidth") == 360
        assert tour.page.evaluate(small) == 0
    context.close()
    assert tour.wrong == []


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def share(text: str) -> float:
    """Read a share that is written as per cent."""
    plain = text.replace("\u00a0", "").removesuffix("%")
    return 0.0 if plain == "<0.1" else float(plain) / 100
