"""The live page for eyes, hands and devices of all kinds: keys alone, axe, a phone, contrast."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.playground.browsing import CAT, PHONE, STEPS, Shown, press

TABS = ("translate", "inside", "tour")
PANELS = 8
LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "zh": {"color_scheme": "light"},
}
RINGED = """one => {
  const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(one);
  return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
}"""
UNSEEN = """() => {
  const number = text => text.match(/[\\d.]+/g).map(Number);
  const behind = one => {
    for (let at = one; at; at = at.parentElement) {
      const colour = number(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.5) return colour.slice(0, 3);
    }
    return number(getComputedStyle(document.documentElement).backgroundColor).slice(0, 3);
  };
  const texts = [...document.querySelectorAll('h1, h2, h3, p, button, label, td, th, dd, dt')];
  return texts.filter(one => one.checkVisibility() && one.innerText.trim()).filter(one => {
    const ink = number(getComputedStyle(one).color).slice(0, 3);
    const gap = ink.map((value, place) => Math.abs(value - behind(one)[place]));
    return Math.max(...gap) < 60;
  }).map(one => `${one.localName}: ${one.innerText.slice(0, 40)}`);
}"""
"""Texts that have nearly the colour of what is behind them."""


def focus(play: Shown) -> str:
    """Return what has the focus; fail if nothing has, or if it cannot be seen."""
    assert not play.page.evaluate("document.activeElement === document.body"), "focus is lost"
    found = play.focused
    assert play.page.evaluate(f"({RINGED})(document.activeElement)"), f"no ring: {found}"
    return found


def go_to(play: Shown, wanted: str, key: str = "Tab", most: int = 40) -> None:
    """Press a key until something has the focus."""
    for _ in range(most):
        play.page.keyboard.press(key)
        if focus(play) == wanted:
            return
    pytest.fail(f"{key} does not lead to {wanted}")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_tour_by_keys_from_an_empty_page(opened: Callable[..., Shown], lang: str) -> None:
    """No pointer, no script: from the first Tab to the last step, with a figure's own controls."""
    play = opened(locale="zh-CN" if lang == "zh" else "en-GB")
    page = play.page
    page.goto(play.address)
    page.locator("#to option").first.wait_for(state="attached")
    go_to(play, "tab-translate")
    for tab in ("inside", "tour"):
        page.keyboard.press("ArrowRight")
        page.locator(f"#tab-{tab}[aria-selected=true]").wait_for()
    page.locator("heed-play[data-state=done]").wait_for()
    page.locator("heed-tour .frame:visible").wait_for()
    page.locator("heed-tour .waiting").first.wait_for(state="detached")
    headings = set()
    for step in range(STEPS):
        assert play.focused == "tour-heading"
        headings.add(page.locator("heed-tour h2").inner_text())
        for _ in range(3):
            page.keyboard.press("Tab")
            focus(play)
        assert page.evaluate("document.querySelector('heed-tour').contains(document.activeElement)")
        if step == STEPS - 1:
            break
        go_to(play, "next")
        page.keyboard.press("Enter")
        page.locator("heed-tour .waiting").first.wait_for(state="detached")
    assert len(headings) == STEPS
    assert (max("".join(headings)) >= "\u4e00") == (lang == "zh")
    page.keyboard.press("Escape")
    assert page.locator("heed-tour").is_hidden()
    assert focus(play) == "tab-tour" or play.focused == "tab-inside"


def test_every_panel_by_keys(play: Shown) -> None:
    """Tab goes through all that can be used, and the focus is always somewhere to be seen."""
    play.open()
    page = play.page
    page.locator("heed-evidence .measures").wait_for()
    page.locator("#sentence").focus()
    seen = set()
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        focus(play)
        panel = page.evaluate("document.activeElement.closest('.panel')?.id")
        seen.add(panel)
    assert len(seen - {None}) == PANELS


def test_what_is_drawn_anew_keeps_the_focus(play: Shown) -> None:
    """Keys that change what is shown: heads of the machine, of the maps, edits, steps."""
    play.open()
    page = play.page
    page.locator("heed-machine [role=radio][aria-checked=true]").focus()
    for key in ("ArrowRight", "ArrowUp", "x", "x", "ArrowLeft"):
        page.keyboard.press(key)
        focus(play)
    page.locator("heed-heads [role=radio][aria-checked=true]").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "x"):
        page.keyboard.press(key)
        focus(play)
    page.locator("heed-what-if .result").wait_for()
    page.locator("heed-what-if .take-back").focus()
    page.keyboard.press("Enter")
    page.locator("heed-what-if .result").wait_for(state="hidden")
    focus(play)
    page.locator("heed-outputs .steps [aria-checked=true]").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
        focus(play)
    for key in ("/", "Escape"):
        page.keyboard.press(key)
    assert play.focused in {"sentence", "body"}


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing(opened: Callable[..., Shown], look: str, tab: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    play = opened(**LOOKS[look])
    play.open(tab=tab, lang="zh" if look == "zh" else "en", drawn=tab != "translate", off="cross.1")
    page = play.page
    if tab == "translate":
        page.locator("#copy-text").wait_for()
    else:
        page.locator("heed-what-if .result").wait_for()
        play.idle()
    if tab == "tour":
        page.locator("heed-tour .frame").wait_for()
    if tab == "inside":
        press(page.locator("heed-beam .compare").first)
        page.locator("heed-compared canvas").first.wait_for()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize(
    "options",
    [
        {"forced_colors": "active", "color_scheme": "dark"},
        {"forced_colors": "active", "color_scheme": "light"},
        {"color_scheme": "dark"},
        {"reduced_motion": "no-preference", "color_scheme": "light"},
    ],
    ids=lambda options: " ".join(options.values()),
)
def test_texts_are_seen(opened: Callable[..., Shown], options: dict[str, str]) -> None:
    """With colours that the system forces, in the dark, with and without motion."""
    play = opened(**options)
    play.open(off="cross.1.2")
    play.page.locator("heed-what-if .result").wait_for()
    play.idle()
    assert play.page.evaluate(UNSEEN) == []
    for tab in ("tour", "translate"):
        press(play.page.locator(f"#tab-{tab}"))
        assert play.page.evaluate(UNSEEN) == []


def test_the_look_changes_while_it_is_open(play: Shown) -> None:
    """The system turns dark, then the page's own choice is the light one."""
    play.open()
    page = play.page
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert page.evaluate(UNSEEN) == []
    page.locator("#theme").select_option("light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    assert page.evaluate(UNSEEN) == []


def test_another_language_while_it_is_open(play: Shown) -> None:
    """All that is shown is Chinese at once, and what was chosen is still chosen."""
    play.open()
    page = play.page
    press(page.locator("heed-attention [data-kind=cross]"))
    press(page.locator("heed-heads [role=radio]").nth(6))
    page.locator("#language").select_option("zh")
    page.locator("html[lang|=zh]").wait_for()
    titles = page.locator("h2:visible").all_inner_texts()
    assert len(titles) == PANELS
    assert all(max(title) >= "\u4e00" for title in titles)
    assert page.locator("heed-heads [role=radio]").nth(6).get_attribute("aria-checked") == "true"
    assert page.locator("#output").inner_text().startswith("Die Katze")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_phone(opened: Callable[..., Shown], lang: str) -> None:
    """Nothing scrolls sideways, what is touched is 24 pixels large, and a tap is a pointer."""
    play = opened(viewport=PHONE, has_touch=True, is_mobile=True)
    play.open(tab="translate", lang=lang, drawn=False)
    page = play.page
    page.locator("#copy-text").wait_for()
    narrow(page, "translate")
    page.locator("#tab-inside").tap()
    page.locator("heed-play[data-state=done]").wait_for()
    panels = page.locator(".of-panels [role=tab]")
    assert panels.count() == PANELS
    for place in range(PANELS):
        panels.nth(place).tap()
        name = panels.nth(place).get_attribute("data-name")
        page.locator(f"#panel-{name}").wait_for()
        play.idle()
        narrow(page, name)
    panels.nth(2).tap()
    page.locator("heed-arcs .row").nth(2).tap()
    assert page.locator("heed-heat-map [aria-rowindex]").get_attribute("aria-rowindex") == "3"
    canvas = page.locator("heed-heat-map canvas")
    box = canvas.bounding_box()
    canvas.tap(position={"x": 0.5 * box["width"], "y": 0.9 * box["height"]})
    row = page.locator("heed-heat-map [aria-rowindex]").get_attribute("aria-rowindex")
    assert int(row) > 6
    page.locator("#tab-tour").tap()
    page.locator("heed-tour h2").wait_for()
    narrow(page, "tour")


def narrow(page: Any, where: str) -> None:
    """Fail if the page is wider than the phone, or something too small to be touched."""
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], where
    small = page.evaluate(
        "[...document.querySelectorAll('button, select, summary, input, .row, .node')]"
        ".filter(one => one.checkVisibility() && !one.closest('.unseen'))"
        ".map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])"
        ".filter(([, {width, height}]) => width > 0 && (width < 23.9 || height < 23.9))"
        ".map(([text, {width, height}]) => `${text} ${width}x${height}`)"
    )
    assert small == [], where


def test_pointing_moves_nothing(play: Shown) -> None:
    """What is said of a row may be long: the picture under the pointer stays where it is."""
    play.open(text="Das ist ja unglaublich, was die Menschen hier machen.", to="en")
    page = play.page
    for kind in ("encoder", "cross"):
        press(page.locator(f"heed-attention [data-kind={kind}]"))
        rows = page.locator("heed-arcs .row")
        rows.first.scroll_into_view_if_needed()
        tops = set()
        for row in range(rows.count()):
            rows.nth(row).hover()
            chosen = page.locator("heed-heat-map [aria-rowindex]").get_attribute("aria-rowindex")
            assert int(chosen) == row + 1
            tops.add(
                page.evaluate(
                    "document.querySelector('heed-arcs').getBoundingClientRect().top + scrollY"
                )
            )
        assert len(tops) == 1, kind


def test_a_sentence_has_its_language(play: Shown) -> None:
    """A screen reader reads German as German."""
    play.open()
    assert play.page.locator("#output").get_attribute("lang") == "de"
    assert play.page.locator("html").get_attribute("lang") == "en"
    play.page.locator('.strip-of-pieces[lang="en"]').wait_for()
    assert play.page.locator("#sentence").input_value() == CAT
