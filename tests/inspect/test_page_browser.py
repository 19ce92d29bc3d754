"""The numbers on the page, in a browser, are the numbers of Python; nothing leaves the page."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heedful.inspect import Trace, trace
from heedful.inspect.lens import logit_lens
from heedful.inspect.names import KINDS, Kind
from heedful.inspect.page import page
from heedful.inspect.wire import to_wire
from heedful.translator import load
from tests.browser import chromium

NAMES = {"encoder": "Encoder", "decoder": "Decoder, to itself", "cross": "Decoder, to the source"}
WORDS, HIDE, TABLE = "By words", "Hide specials and renormalise", "Show as table"
DIGIT = 0.0005 + 1e-6
"""A share that is written as per cent with one digit after the point is off by no more."""
CAT = ("The cat ate the fish because it was hungry.", "de")
CHINESE = ("猫吃鱼,因为它饿了。", "en")
NASTY = "</script><script>alert(1)</script> <b>bold</b> & 猫"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def traces() -> Callable[[str, str], Trace]:
    model = load()
    return cache(lambda text, to: trace(model, text, to=to))


@pytest.fixture(scope="module")
def pages(traces: Callable[[str, str], Trace]) -> Callable[[tuple[str, str]], str]:
    """Return what gives the page of a sentence, made once."""
    return cache(lambda sentence: page(to_wire(traces(*sentence), "everyday")))


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return what opens HTML from a file; nothing may be asked of others, nothing may fail."""
    said: list[str] = []
    contexts = []

    def one(html: str, **options: Any) -> Any:
        contexts.append(browser.new_context(**{"reduced_motion": "reduce"} | options))
        shown = contexts[-1].new_page()
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.on("dialog", lambda dialog: said.append(dialog.message))
        shown.on("request", lambda request: asked.append(request.url))
        asked: list[str] = []
        path = tmp_path / "trace.html"
        path.write_text(html, "utf-8")
        shown.goto(path.as_uri())
        assert [address for address in asked if not address.startswith("data:")] == [path.as_uri()]
        return shown

    yield one
    for context in contexts:
        context.close()
    assert said == []


def switch(shown: Any, name: str) -> None:
    press(shown.get_by_role("button", name=name, exact=True))


def press(button: Any) -> None:
    """Click without waiting for a frame to be drawn, as a person's click does."""
    button.dispatch_event("click")


def choose(shown: Any, kind: Kind, layer: int, head: int) -> None:
    """Choose a head by its small map; its name counts from 1."""
    of = "encoder" if kind == "encoder" else "decoder"
    to = NAMES[kind].removeprefix("Decoder").removeprefix("Encoder")
    name = f"{of} layer {layer + 1}, head {head + 1}{to}"
    press(shown.get_by_role("radio", name=name, exact=True))


def table(shown: Any) -> tuple[list[str], list[str], np.ndarray]:
    """Return the columns, the rows and the shares of the table."""
    lines = shown.evaluate(
        "[...document.querySelector('heed-attention table').rows]"
        ".map(row => [...row.cells].map(cell => cell.textContent))"
    )
    shares = np.array([[share(cell) for cell in line[1:]] for line in lines[1:]])
    return lines[0][1:], [line[0] for line in lines[1:]], shares


def share(text: str) -> float:
    """Read a share that is written as per cent."""
    number = text.replace("\u00a0", "").removeprefix("≈").removesuffix("%")
    return 0.0 if number == "<0.1" else float(number) / 100


def number(text: str) -> float:
    return float(text.split()[-1].replace("−", "-"))


def close(found: Any, wanted: Any, off: float = 2 * DIGIT) -> None:
    """Compare shares; `<0.1 %`, read as 0, may stand for just under 0.05 %."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=off)


def specials(side: Any) -> np.ndarray:
    return side.shares.sum(1) == 0


@pytest.mark.parametrize("sentence", [CAT, CHINESE], ids=["en-de", "zh-en"])
@pytest.mark.parametrize("kind", KINDS)
def test_maps(opened: Any, pages: Any, traces: Any, sentence: tuple[str, str], kind: Kind) -> None:
    """Every weight of a head in the table is Python's: by pieces, by words, and renormalised."""
    seen = traces(*sentence)
    shown = opened(pages(sentence))
    switch(shown, NAMES[kind])
    switch(shown, TABLE)
    queries, keys = seen.sides(kind)
    reads, looked_at = seen.axes(kind)
    for layer in range(seen.n_layers(kind)):
        head = layer % seen.model.config.n_heads
        weights = seen.attention(kind, layer, head)
        choose(shown, kind, layer, head)
        columns, rows, shares = table(shown)
        close(shares, weights)
        assert columns == list(looked_at)
        both = [f"{one} → {two}" for one, two in zip(reads, queries.tokens, strict=True)]
        assert rows == (list(reads) if kind == "encoder" else both)
        switch(shown, HIDE)
        plain = ~specials(keys)
        rest = weights[:, plain].sum(1, keepdims=True)
        close(table(shown)[2], np.where(rest > 1e-9, weights[:, plain] / np.maximum(rest, 1e-9), 0))
        mass = shown.locator(".mass").inner_text()
        close(share(mass.split()[1] + "%"), 1 - rest.mean())
        switch(shown, WORDS)
        by_words = seen.by_words(kind, layer, head)
        known = [place for place, one in enumerate(table(shown)[1]) if one in queries.words]
        columns, rows, shares = table(shown)
        wanted = [place for place, word in enumerate(keys.words) if word in columns]
        words = by_words[:, wanted] / np.maximum(by_words.sum(1, keepdims=True), 1e-9)
        close(shares[known], np.where(by_words.sum(1, keepdims=True) > 1e-9, words, 0))
        assert [rows[place] for place in known] == queries.words
        assert columns == [keys.words[place] for place in wanted]
        switch(shown, HIDE)
        columns, rows, shares = table(shown)
        real = [place for place, one in enumerate(columns) if one in keys.words]
        close(shares[known][:, real], by_words[:, wanted])
        close(shares.sum(1), 1, len(columns) * DIGIT)
        switch(shown, WORDS)


@pytest.mark.parametrize("sentence", [CAT, CHINESE], ids=["en-de", "zh-en"])
def test_a_chosen_row(opened: Any, pages: Any, traces: Any, sentence: tuple[str, str]) -> None:
    """The line and the list of numbers say what Python says, by keys and by pointing."""
    seen = traces(*sentence)
    shown = opened(pages(sentence))
    choose(shown, "encoder", 4, 0)
    weights, tokens = seen.attention("encoder", 4, 0), seen.source.tokens
    grid = shown.get_by_role("grid")
    grid.focus()
    grid.press("Control+Home")
    for row, name in enumerate(tokens):
        shown.keyboard.press("Home")
        line = shown.locator(".said").first.inner_text().replace("\u00a0", " ")
        looked = plain(tokens[0])
        share_text = f"{100 * weights[row, 0]:.1f} %" if weights[row, 0] >= 5e-4 else "< 0.1 %"
        assert line == f"{plain(name)} looks at {looked}, {share_text}, encoder layer 5, head 1"
        best = np.sort(weights[row])[::-1][:8]
        close(
            [share(text) for text in shown.locator(".weights:not(.top) .n").all_inner_texts()], best
        )
        shown.keyboard.press("ArrowDown")
    shown.locator("heed-arcs .row").nth(6).hover()
    best = int(weights[6].argmax())
    line = shown.locator(".said").first.inner_text()
    assert line.startswith(f"{plain(tokens[6])} looks at {plain(tokens[best])}, ")
    box = shown.locator("heed-heat-map canvas").bounding_box()
    shown.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.85 * box["height"])
    row = int(shown.locator("[role=row][aria-rowindex]").get_attribute("aria-rowindex")) - 1
    column = int(shown.get_by_role("gridcell").get_attribute("aria-colindex")) - 1
    assert row > 6
    line = shown.locator(".said").first.inner_text()
    close(share(line.split(", ")[1]), weights[row, column])


def plain(piece: str) -> str:
    return piece[1:] if len(piece) > 1 and piece[0] == "▁" else piece


@pytest.mark.parametrize("sentence", [CAT, CHINESE], ids=["en-de", "zh-en"])
def test_outputs(opened: Any, pages: Any, traces: Any, sentence: tuple[str, str]) -> None:
    """Chosen pieces, their rivals and what each layer would say have Python's probabilities."""
    seen = traces(*sentence)
    shown = opened(pages(sentence))
    assert shown.locator("h1").inner_text() == seen.source.text
    assert shown.locator(".translation").inner_text() == seen.target.text
    assert shown.locator("header").inner_text().startswith("everyday: ")
    buttons = shown.locator(".steps button")
    lens = logit_lens(seen)
    assert buttons.count() == len(seen.steps())
    for number_of, step in enumerate(seen.steps()):
        cells = buttons.nth(number_of).locator("> span").all_text_contents()
        assert cells[:3] == [str(number_of + 1), step.reads, step.predicts]
        close(share(cells[3]), np.exp(step.log_prob))
        press(buttons.nth(number_of))
        assert shown.locator(".top .piece").all_text_contents() == [text for text, _ in step.top]
        close(
            [share(text) for text in shown.locator(".top .n").all_inner_texts()],
            np.exp([value for _, value in step.top]),
        )
        rows = shown.locator(".lens tbody tr")
        for layer, said in enumerate(lens):
            row = rows.nth(layer)
            close(share(row.locator("td").first.inner_text()), np.exp(said[number_of].log_prob))
            pieces = row.locator(".piece").all_text_contents()
            assert pieces == [text for text, _ in said[number_of].top]


@pytest.mark.parametrize("sentence", [CAT, CHINESE], ids=["en-de", "zh-en"])
def test_the_tree_of_the_search(
    opened: Any, pages: Any, traces: Any, sentence: tuple[str, str]
) -> None:
    seen = traces(*sentence)
    shown = opened(pages(sentence))
    buttons = shown.locator(".found button")
    assert shown.locator(".node").count() == sum(one.state != "dropped" for one in seen.beam.nodes)
    for place, found in enumerate(seen.beam.found):
        text, score, log_prob = buttons.nth(place).locator("span").all_text_contents()
        [wanted] = seen.tokenizer.decode_target([found.tokens])
        assert (text, number(score)) == (wanted, pytest.approx(found.score, abs=5.1e-4))
        assert number(log_prob) == pytest.approx(found.log_prob, abs=5.1e-4)
        press(buttons.nth(place))
        leaf = seen.beam.leaf(found, seen.translator.limits.end_id)
        assert leaf is not None
        path = [node.token for node in seen.beam.path(leaf.number)]
        levels = shown.evaluate(
            "[...document.querySelectorAll('.node.path')].map(node => "
            "[+node.getAttribute('aria-level'), node.querySelector('text').textContent])"
        )
        assert [text for _, text in sorted(levels)] == [short(token) for token in path]
    switch(shown, "Show what was dropped")
    assert shown.locator(".node").count() == len(seen.beam.nodes)


def short(token: str) -> str:
    return token if len(token) <= 11 else f"{token[:10]}…"


def test_keys(opened: Any, pages: Any) -> None:
    """The map is one stop of the tab key; keys choose row, column, layer and head."""
    shown = opened(pages(CAT))
    grid = shown.get_by_role("grid")
    assert shown.locator("heed-heat-map [tabindex='0']").count() == 1
    shown.get_by_role("radio", checked=True).first.focus()
    shown.keyboard.press("Tab")
    assert grid.evaluate("grid => grid === document.activeElement")
    assert grid.evaluate("grid => getComputedStyle(grid).outlineStyle") == "solid"
    place = (
        "[+document.querySelector('[aria-rowindex]').getAttribute('aria-rowindex'), "
        "+document.querySelector('[aria-colindex]').getAttribute('aria-colindex')]"
    )
    for keys, wanted in [
        ("Control+Home", [1, 1]),
        ("ArrowUp", [1, 1]),
        ("ArrowDown", [2, 1]),
        ("ArrowRight", [2, 2]),
        ("End", [2, 12]),
        ("ArrowLeft", [2, 11]),
        ("Control+End", [12, 12]),
        ("Home", [12, 1]),
    ]:
        grid.press(keys)
        assert shown.evaluate(place) == wanted, keys
    title = shown.locator("heed-attention h3")
    for keys, wanted in [("PageUp", 1), ("PageDown", 2), ("PageDown", 3), ("PageUp", 2)]:
        grid.press(keys)
        assert title.inner_text().startswith(f"Encoder layer {wanted}, ")
    grid.press("4")
    grid.press("9")
    assert title.inner_text() == "Encoder layer 2, head 4"
    shown.get_by_role("tree").focus()
    shown.keyboard.press("ArrowLeft")
    chosen = shown.locator(".node.chosen")
    assert chosen.get_attribute("aria-selected") == "true"
    assert chosen.get_attribute("aria-level") == "11"


def test_panels_follow_each_other(opened: Any, pages: Any) -> None:
    shown = opened(pages(CAT))
    switch(shown, NAMES["cross"])
    shown.locator(".steps button").nth(4).click()
    assert shown.locator("[aria-rowindex]").get_attribute("aria-rowindex") == "5"
    shown.get_by_role("grid").press("ArrowDown")
    assert shown.locator(".steps button").nth(5).get_attribute("aria-checked") == "true"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen(opened: Any, pages: Any, scheme: str) -> None:
    """The page does not scroll sideways, and what is touched is at least 24 pixels large."""
    screen = {"width": 360, "height": 740}
    shown = opened(pages(CAT), viewport=screen, color_scheme=scheme, has_touch=True)
    for kind in KINDS:
        switch(shown, NAMES[kind])
        for name in (TABLE, WORDS, HIDE, TABLE, WORDS, HIDE):
            switch(shown, name)
            assert shown.evaluate("document.documentElement.scrollWidth") == 360
    small = shown.evaluate(
        "[...document.querySelectorAll('button, .row, .node')].map(one => "
        "one.getBoundingClientRect()).filter(({width, height}) => width < 24 || height < 24).length"
    )
    assert small == 0
    shown.mouse.move(1, 1)
    shown.locator("heed-arcs .row").nth(2).tap()
    assert shown.locator("[aria-rowindex]").get_attribute("aria-rowindex") == "3"


def test_a_sentence_that_looks_like_a_script_is_a_sentence(opened: Any, traces: Any) -> None:
    seen = traces(NASTY, "de")
    shown = opened(page(to_wire(seen, "<i>model</i>")))
    assert shown.locator("h1").text_content() == NASTY
    assert shown.locator("script").count() == 3
    assert shown.locator("main b, main i:not(:empty)").count() == 0
    assert "<i>model</i>" in shown.locator("header").text_content()
    chips = shown.locator("heed-tokens").first.locator(".chip").all_text_contents()
    assert chips == list(seen.source.tokens)


def test_no_connection_is_allowed(browser: Any, pages: Any, tmp_path: Path) -> None:
    shown = browser.new_page()
    (tmp_path / "x.html").write_text(pages(CAT), "utf-8")
    shown.goto((tmp_path / "x.html").as_uri())
    assert not shown.evaluate("fetch('data:,x').then(() => true, () => false)")
    shown.close()


def test_it_works_in_a_frame_without_rights(opened: Any, traces: Any) -> None:
    shown = opened(f"<!doctype html>{traces(*CAT)._repr_html_()}")
    frame = shown.frame_locator("iframe")
    assert frame.locator("h1").inner_text() == CAT[0]
    assert frame.locator(".steps button").count() == len(traces(*CAT).steps())


def test_a_rounded_trace_says_so(opened: Any, traces: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = traces(*CHINESE)
    monkeypatch.setattr("heedful.inspect.wire.EXACT", 0)
    shown = opened(page(to_wire(seen)))
    assert "rounded to 1/255" in shown.locator("header").inner_text()
    choose(shown, "encoder", 3, 1)
    switch(shown, TABLE)
    shares = table(shown)[2]
    close(shares, seen.attention("encoder", 3, 1), 0.005 + 1 / 255)
    assert "≈" in shown.locator(".said").first.inner_text()


def test_another_version_is_refused_with_a_sentence(
    browser: Any, traces: Any, tmp_path: Path
) -> None:
    wire = json.loads(json.dumps(to_wire(traces(*CAT)))) | {"v": 2}
    shown = browser.new_page()
    (tmp_path / "x.html").write_text(page(wire), "utf-8")
    shown.goto((tmp_path / "x.html").as_uri())
    assert "this one is of version 2" in shown.get_by_role("alert").inner_text()
    shown.close()
