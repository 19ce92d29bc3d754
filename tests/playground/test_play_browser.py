"""The live page in a real browser: typing, strange texts, addresses; nothing is asked elsewhere."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heedful.inspect.page import page as page_of
from tests.playground.browsing import CAT, REFUSED, Server, Shown, press, shown

STRANGE = {
    "script": "</script><script>alert(1)</script><img src=x onerror=alert(2)> The cat ate.",
    "right to left": "القطة أكلت السمكة and שלום to you.",
    "emoji": "I love 🐈‍⬛ and 👩🏽‍🚀, and so do you 🇩🇪.",
    "punctuation": "...!?;,—«»()",
    "unknown": "\u1320\u12ed \U00013000 \u2e8f, and that is all.",
    "a long word": "x" * 500,
    "controls": "a\u0000b\u202e\u200b\ufeffc\u2028d",
}
TABS = ("translate", "inside", "tour")


def test_nothing_is_asked_elsewhere(play: Shown) -> None:
    """All tabs, all panels and a file: `Shown` fails on whatever goes to another address."""
    play.open()
    page = play.page
    for tab in TABS:
        press(page.locator(f"#tab-{tab}"))
        page.locator(f"#tab-{tab}[aria-selected=true]").wait_for()
    press(page.locator("#tab-inside"))
    for button in page.locator("[data-python]").all():
        press(button)
    press(page.locator(".strip-of-pieces button").nth(2))
    page.locator("heed-embedding").first.wait_for()
    with page.expect_download():
        press(page.locator("[data-save='html.HTML']"))
    for picture in ("arcs.SVG", "map.PNG", "tree.SVG"):
        with page.expect_download() as saving:
            press(page.locator(f"[data-save='{picture}']"))
        assert Path(saving.value.path()).stat().st_size > 1000
    assert {"/api/models", "/api/tokens", "/api/trace"} <= set(play.asked)


def test_the_page_may_ask_nobody_else(play: Shown) -> None:
    """The rule that the browser keeps, whatever a script would like."""
    play.allowed = ("Connecting to", "Refused to connect", "Fetch API cannot load")
    play.open(drawn=False)
    for address in ("http://127.0.0.1:9/", "data:,x", "https://example.org/"):
        asked = f"fetch({json.dumps(address)}).then(() => true, () => false)"
        assert not play.page.evaluate(asked)


def test_the_newest_of_ten_wins(play: Shown) -> None:
    """Each is asked for before the next is written, and only the last is drawn in the end."""
    play.open()
    page, before = play.page, int(play.seq)
    texts = [f"The {number} cats ate the fish." for number in range(10)]
    for text in texts:
        with page.expect_request("**/api/trace") as asked:
            page.locator("#sentence").fill(text)
        assert asked.value.post_data_json["text"] == text
        assert page.locator("heed-play").get_attribute("data-state") == "loading"
    page.locator(f"#output:text-matches('{len(texts) - 1}')").wait_for()
    page.locator("heed-play[data-state=done]").wait_for()
    assert before < int(play.seq) <= before + len(texts)
    assert "9" in "".join(page.locator(".strip-of-pieces .chip").all_text_contents())
    assert page.locator("heed-outputs .steps button").count() >= 5


def test_keys_in_haste_are_one_question(play: Shown) -> None:
    """Letters that follow each other at once do not ask for a trace each."""
    play.open()
    before = play.seq
    play.asked.clear()
    play.page.locator("#sentence").fill("")
    play.page.locator("heed-play[data-state=idle]").wait_for()
    play.page.keyboard.type("A dog sleeps.")
    play.wait(before)
    assert play.page.locator("#output").inner_text().strip()
    assert play.asked.count("/api/trace") < len("A dog sleeps.")
    assert play.asked.count("/api/tokens") >= play.asked.count("/api/trace")


def test_who_leaves_before_a_trace_is_whole_gets_it_on_coming_back(play: Shown) -> None:
    page = play.page
    page.route("**/api/trace", lambda _: None)  # it is never answered
    play.open(drawn=False)
    page.locator("heed-play[data-state=loading]").wait_for()
    press(page.locator("#tab-translate"))
    page.locator("heed-play[data-state=idle]").wait_for()
    page.unroute("**/api/trace")
    press(page.locator("#tab-inside"))
    page.locator("heed-play[data-state=done]").wait_for()
    assert page.locator("#output").inner_text().startswith("Die Katze")


def test_the_language_of_a_text_is_asked_with(play: Shown) -> None:
    with (
        play.page.expect_request("**/api/tokens") as tokens,
        play.page.expect_request("**/api/trace") as trace,
    ):
        play.open(**{"from": "en"})
    assert [one.value.post_data_json["from"] for one in (tokens, trace)] == ["en", "en"]


@pytest.mark.parametrize(("tab", "box"), [("inside", "#sentence"), ("translate", "#text")])
def test_nothing_is_asked_while_a_word_is_composed(play: Shown, tab: str, box: str) -> None:
    """Pinyin in a box is nobody's sentence: what is chosen is asked for, once."""
    page = play.page
    page.clock.install()
    play.open(tab=tab, text="", to="en", drawn=tab == "inside")
    page.locator(f"{box}:visible").wait_for()
    page.locator("#into option, #to option").first.wait_for(state="attached")
    page.locator(box).focus()
    page.locator(box).fill("")
    page.clock.run_for(1000)
    play.asked.clear()
    keys = page.context.new_cdp_session(page)
    for letters in ("m", "ma", "mao", "mao c", "mao chi"):
        place = {"selectionStart": len(letters), "selectionEnd": len(letters)}
        keys.send("Input.imeSetComposition", {"text": letters, **place})
        page.clock.run_for(1000)
    assert page.locator(box).input_value() == "mao chi"
    own = ("/static/", "/api/atlas")  # the page loads the rest of itself when it is quiet
    assert [one for one in play.asked if not one.startswith(own)] == []
    keys.send("Input.insertText", {"text": "猫吃鱼。"})
    assert page.locator(box).input_value() == "猫吃鱼。"
    shows = "#output" if tab == "inside" else "heed-translator .result"
    page.locator(shows, has_text=re.compile("cat", re.IGNORECASE)).wait_for()
    asked = "/api/trace" if tab == "inside" else "/v1/translate/stream"
    assert play.asked.count(asked) == 1


def test_strange_texts_are_texts(play: Shown) -> None:
    """Each is shown as it is, or refused with a sentence; the page goes on."""
    play.open()
    page = play.page
    scripts = page.locator("script").count()
    for name, text in STRANGE.items():
        page.locator("#sentence").fill(text)
        page.locator("heed-play[data-state=loading]").wait_for(state="detached")
        state = page.locator("heed-play").get_attribute("data-state")
        said = page.locator("heed-bar .wrong[role=alert]").inner_text()
        assert (state == "done" and not said) or (state == "error" and plain(said)), (name, said)
        assert page.locator("script").count() == scripts, name
        assert page.locator("heed-play img, heed-play iframe").count() == 0, name
        if name == "script":
            chips = page.locator(".strip-of-pieces .chip").all_text_contents()
            assert "<" in "".join(chips)
    play.write("The dog sleeps.")
    assert page.locator("heed-bar .wrong[role=alert]").is_hidden()


def plain(said: str) -> bool:
    """Return whether something is a plain sentence."""
    return bool(re.fullmatch(r"[A-Z0-9][^<>{}\[\]]{10,300}\.", said)) and "undefined" not in said


def test_nothing_is_a_sentence_too(play: Shown) -> None:
    """Without a text nothing is wrong, and all that was said of the last one is gone."""
    play.open()
    play.page.locator("#sentence").fill("")
    play.page.locator("heed-play[data-state=idle]").wait_for()
    assert play.page.locator("#output").inner_text() == ""
    assert play.page.locator("heed-bar .wrong[role=alert]").is_hidden()
    play.write(CAT)
    assert play.page.locator("#output").inner_text().startswith("Die Katze")


@pytest.mark.parametrize(("tab", "box"), [("inside", "#sentence"), ("translate", "#text")])
def test_ten_thousand_characters_are_refused(play: Shown, tab: str, box: str) -> None:
    play.open(tab=tab, drawn=tab == "inside")
    page = play.page
    page.locator("#into option, #to option").first.wait_for(state="attached")
    page.locator(box).fill("")
    play.asked.clear()
    page.locator(box).focus()
    page.keyboard.insert_text("All cats are grey. " * 527)
    said = page.locator(f"#{tab} [role=alert]:visible").first
    said.wait_for()
    assert plain(said.inner_text())
    assert "10,013" in said.inner_text() or "10013" in said.inner_text()
    assert not {"/api/trace", "/v1/translate/stream"} & set(play.asked)


def test_the_server_refuses_what_is_too_long(play: Shown) -> None:
    """A text that the page lets through and that has too many pieces."""
    play.allowed = (REFUSED,)
    play.open()
    play.page.locator("#sentence").fill("猫 q " * 400)
    play.page.locator("heed-play[data-state=error]").wait_for()
    assert plain(play.page.locator("heed-bar .wrong[role=alert]").inner_text())
    play.write("The dog sleeps.")


@pytest.mark.parametrize(
    "address", ["%E0%A4%A", "tab=nowhere", "beam=900", "off=encoder.x", "a=b", "replace=%7B"]
)
def test_a_broken_address_begins_anew(play: Shown, address: str) -> None:
    play.page.goto(f"{play.address}/#{address}")
    news = play.page.locator(".news")
    news.wait_for()
    assert "could not be read" in news.inner_text()
    assert play.page.locator("#tab-translate").get_attribute("aria-selected") == "true"
    assert play.page.locator("#text").input_value() == ""
    press(news.get_by_role("button"))
    assert news.is_hidden()


def test_an_address_brings_back_what_was_seen(play: Shown, opened: Callable[..., Any]) -> None:
    play.open()
    page = play.page
    press(page.locator("heed-attention [data-kind=cross]"))
    press(page.locator("heed-heads [role=radio]").nth(5))
    press(page.locator("heed-attention button.toggle.off"))
    page.locator("heed-what-if .result").wait_for()
    page.wait_for_url(re.compile("off=cross.1.1"))
    said = page.locator("heed-attention .said").first.inner_text()
    verdict = page.locator("heed-what-if .verdict").inner_text()
    other = opened()
    other.page.goto(page.url)
    other.page.locator("heed-play[data-state=done]").wait_for()
    other.page.locator("heed-what-if .result").wait_for()
    assert other.page.locator("heed-attention .said").first.inner_text() == said
    assert other.page.locator("heed-what-if .verdict").inner_text() == verdict


def test_undo_and_redo_by_keys(play: Shown) -> None:
    play.open()
    page, before = play.page, play.seq
    page.locator("#into").select_option("zh")
    play.wait(before)
    chinese = page.locator("#output").inner_text()
    for key, wanted in [("u", "Die Katze"), ("Shift+U", chinese[:2])]:
        before = play.seq
        page.locator("main").focus()
        page.keyboard.press(key)
        play.wait(before)
        assert page.locator("#output").inner_text().startswith(wanted)


@pytest.mark.parametrize("version", [0, 99, None])
def test_an_export_of_another_version_says_so(
    window: Any, server: Server, tmp_path: Path, version: int | None
) -> None:
    """A saved page with a trace that it does not know is a sentence, not a blank page."""
    from heedful.inspect import trace
    from heedful.inspect.wire import to_wire
    from heedful.translator import load

    wire = to_wire(trace(load(), "Hello.", to="de")) | {"v": version}
    path = tmp_path / "old.html"
    path.write_text(page_of(wire), "utf-8")
    with shown(window, path.parent.as_uri(), offline=True) as saved:
        saved.allowed = ("This page reads",)
        saved.page.goto(path.as_uri())
        said = saved.page.get_by_role("alert").inner_text()
        assert plain(said)
        assert "save it again" in said
