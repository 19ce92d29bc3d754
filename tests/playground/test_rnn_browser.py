"""The tour's step of a recurrent network in a real browser, with Python's numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heedful.inspect.dependence import Dependence, dependence
from heedful.translator import Translator, load
from tests.playground.browsing import CAT, PHONE, STEPS, Shown, eventually, number, press, share

STEP = STEPS - 1
DIGIT = 0.0005 + 1e-6


@pytest.fixture(scope="module")
def everyday() -> Translator:
    """Return the bundled model in the precision of the server."""
    found = load("everyday", "cpu")
    found.settle()
    return found


def stand(play: Shown, **state: Any) -> None:
    """Open the last step of the tour."""
    play.open(tab="tour", tour=STEP, **state)
    arrive(play)


def arrive(play: Shown) -> None:
    play.page.locator('heed-tour .figure[data-step="rnn"]:visible').wait_for()
    play.page.locator("heed-tour .waiting").first.wait_for(state="detached")


def check(page: Any, lstm: Dependence, transformer: Dependence) -> None:
    """Compare all that the step shows with what Python says of both models."""
    figure = page.locator("heed-tour .figure")
    assert figure.locator(".rival .line").all_text_contents() == [
        lstm.translation,
        transformer.translation,
    ]
    rows = page.evaluate(
        "[...document.querySelector('heed-tour .worth').tBodies[0].rows]"
        ".map(row => [...row.cells].map(cell => cell.textContent))"
    )
    assert [row[0] for row in rows] == lstm.source.words
    for place, one in enumerate((lstm, transformer), start=1):
        found = [share(row[place]) for row in rows]
        assert found == pytest.approx(one.shares.tolist(), abs=DIGIT)
    half = len(rows) // 2
    _, read, steps = figure.locator(".said").all_text_contents()
    told = [number(part) for part in read.split(";")]
    wanted = [100 * float(one.shares[:half].sum()) for one in (lstm, transformer)]
    assert told == pytest.approx(wanted, abs=0.06)
    total = lstm.reading + lstm.writing
    assert f"LSTM: {lstm.reading} + {lstm.writing} = {total} steps" in steps
    assert steps.endswith(f"Transformer: 1 + {transformer.writing} = {1 + transformer.writing}.")
    cells = [figure.locator(f".lanes .{name}").count() for name in ("low", "high")]
    assert cells == [lstm.reading + 1, lstm.writing + transformer.writing]
    text = figure.inner_text()
    assert f"gets {lstm.handed} numbers" in text
    assert f"gets {transformer.handed:,} of this one" in text


def test_both_models_on_the_users_sentence(play: Shown, lstm: Path, everyday: Translator) -> None:
    """By keys alone: from the step before, to a longer sentence; what is said is read out."""
    stand(play)
    own, page = load(lstm, "cpu"), play.page
    assert page.locator("heed-tour .progress").inner_text() == f"Step {STEPS} of {STEPS}"
    assert page.locator("heed-tour .dots i").count() == STEPS
    for key, step in (("Home", 1), ("End", STEPS), ("ArrowLeft", STEP), ("ArrowRight", STEPS)):
        page.keyboard.press(key)
        assert page.locator("heed-tour .progress").inner_text() == f"Step {step} of {STEPS}"
    arrive(play)
    assert play.focused == "tour-heading"
    assert page.locator("heed-tour .look").is_hidden()
    check(page, dependence(own, CAT, to="de"), dependence(everyday, CAT, to="de"))
    said = page.locator("heed-tour [aria-live]")
    eventually(lambda: _equal(said.inner_text(), _first_said(page)), page)
    for _ in range(5):
        page.keyboard.press("Tab")
        if play.focused == "longer:0":
            break
    before = play.seq
    page.keyboard.press("Enter")
    play.wait(before)
    arrive(play)
    longer = page.locator("#sentence").input_value()
    assert len(longer) > len(CAT)
    check(page, dependence(own, longer, to="de"), dependence(everyday, longer, to="de"))


def _first_said(page: Any) -> str:
    text: str = page.locator("heed-tour .said").first.inner_text()
    return text


def _equal(one: str, other: str) -> None:
    assert one == other


def test_languages_that_do_not_fit_are_said(opened: Callable[..., Shown]) -> None:
    """In Chinese, dark, on a phone: then a sentence that fits is taken, and axe finds nothing."""
    from axe_playwright_python.sync_playwright import Axe

    play = opened(viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="dark")
    stand(play, text="猫吃鱼,因为它饿了。", to="en", lang="zh")
    page = play.page
    note = page.locator("heed-tour .figure .note").first.inner_text()
    assert "英语到德语、德语到英语" in note
    assert page.locator("heed-tour .worth").count() == 0
    offered = page.locator("heed-tour .try")
    assert offered.count() == 4
    before = play.seq
    press(offered.last)
    play.wait(before)
    page.locator("heed-tour .worth").wait_for()
    assert page.locator("#sentence").input_value().startswith("Als ich ein Kind war")
    body = page.locator("heed-tour .tour-body")
    assert body.evaluate("one => one.scrollWidth - one.clientWidth") == 0
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
