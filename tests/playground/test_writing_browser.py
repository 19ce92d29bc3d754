"""The page of a model that goes on with texts, in a real browser: its numbers are Python's."""

from collections.abc import Callable, Iterator
from math import exp
from pathlib import Path
from typing import Any

import pytest

from heedful.inspect import Trace
from heedful.inspect.prompted import trace_prompt
from heedful.interop.huggingface import load
from heedful.search import Sample
from heedful.writer import Writer
from tests.interop.folders import LLAMA, make_folder
from tests.playground.browsing import Server, Shown, number, press, share, shown, table

PROMPT = "the cat sat on the mat and"
PANELS = ["tokens", "machine", "attention", "evidence", "outputs", "what-if"]
DIGIT = 0.0005 + 1e-6
NATS = 0.0005 + 2e-5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model that has learnt nothing: 3 layers of 4 heads, of which two share keys."""
    shape = {"hidden_size": 32, "num_hidden_layers": 3, "max_position_embeddings": 96}
    return make_folder(tmp_path_factory.mktemp("play") / "tiny", LLAMA, **shape)


@pytest.fixture(scope="module")
def writer(folder: Path) -> Writer:
    return load(folder)


@pytest.fixture(scope="module")
def seen(writer: Writer) -> Trace:
    return trace_prompt(writer, PROMPT)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """Return a server with this model, and the bundled one behind it."""
    found = Server(models=(str(folder), "everyday"))
    yield found
    found.kill()


@pytest.fixture
def opened(window: Any, server: Server) -> Iterator[Callable[..., Shown]]:
    """Return what opens the page with a prompt; nothing may go wrong on it."""
    pages = []

    def one(options: dict[str, Any] | None = None, **state: Any) -> Shown:
        holder = shown(window, server.address, **(options or {}))
        pages.append(holder)
        play: Shown = holder.__enter__()
        asked = {"tab": "inside", "text": PROMPT, "to": "", "kind": "decoder"} | state
        return play.open(**asked)

    yield one
    for holder in pages:
        holder.__exit__(None, None, None)


def near(found: list[str], wanted: Any, read: Callable[[str], float] = share) -> None:
    off = DIGIT if read is share else NATS
    assert [read(text) for text in found] == pytest.approx(list(wanted), abs=off)


def test_the_numbers_are_pythons(opened: Callable[..., Shown], seen: Trace) -> None:
    """Pieces, a head's map, every step with its rivals and layers, and how heads matter."""
    play = opened()
    page = play.page
    strip = page.locator(".strip-of-pieces button")
    strip.first.wait_for()
    assert strip.locator(".id").all_text_contents() == [str(one) for one in seen.source.ids]
    assert page.locator("#output").text_content() == seen.target.text
    assert page.locator("#output .given").text_content() == PROMPT
    press(page.locator("heed-heads [role=radio]").nth(2 * 4 + 3))
    press(page.locator("heed-attention button", has_text="Show as table"))
    columns, rows, cells = table(page, "heed-attention .beside")
    assert columns == list(seen.reads)
    assert rows == [f"{a} → {b}" for a, b in zip(seen.reads, seen.target.tokens, strict=True)]
    for line, row in zip(cells, seen.attention("decoder", 2, 3), strict=True):
        near(line, row)
    steps, lens = seen.steps(), seen.lens()
    buttons = page.locator("heed-outputs .steps button")
    assert buttons.count() == len(steps)
    assert page.locator("heed-outputs .steps .given").count() == seen.begins
    assert buttons.nth(seen.begins).get_attribute("aria-checked") == "true"
    for place in (0, seen.begins, len(steps) - 1):
        press(buttons.nth(place))
        step = steps[place]
        cut = buttons.nth(place).locator("> span").all_text_contents()
        assert cut[:3] == [str(place + 1), step.reads, step.predicts]
        near(cut[3:4], [exp(step.log_prob)])
        bars = page.locator("heed-outputs .weights.top")
        assert bars.locator(".piece").all_text_contents() == [text for text, _ in step.top]
        near(bars.locator(".n").all_text_contents(), [exp(value) for _, value in step.top])
        _, _, lines = table(page, "heed-outputs .lens")
        near([line[0] for line in lines], [exp(layer[place].log_prob) for layer in lens])
    press(page.locator("heed-machine .choices button").nth(1))
    play.idle()
    press(page.locator("heed-machine button", has_text="Show as table"))
    page.locator("heed-machine table").wait_for()
    page.locator("heed-machine [aria-label*=matters]").first.wait_for()
    _, _, cells = table(page, "heed-machine")
    slopes = abs(seen.importance()["decoder"]).ravel()
    near([cell for line in cells for cell in line], slopes, number)


def test_a_head_is_switched_off_by_key(opened: Callable[..., Shown], seen: Trace) -> None:
    play = opened()
    page = play.page
    page.locator("heed-heads [role=radio]").nth(5).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("x")
    page.locator("heed-what-if .result").wait_for()
    wanted = seen.what_if(ablate=["decoder.1.1"])
    texts = page.locator("heed-what-if .result > p.text")  # source, before, after
    assert texts.nth(1).text_content() == wanted.before.target.text
    assert texts.nth(2).text_content() == wanted.after.target.text
    _, pieces, cells = table(page, "heed-what-if .result")
    assert len(pieces) == len(seen.target.ids) - seen.begins
    near([line[0] for line in cells], [exp(before) for before, _ in wanted.log_probs])
    near([line[1] for line in cells], [exp(after) for _, after in wanted.log_probs])
    near([line[3] for line in cells], wanted.divergence, number)
    assert page.locator("heed-attention .off[aria-pressed=true]").count() == 1


def test_another_piece_is_another_text(
    opened: Callable[..., Shown], writer: Writer, seen: Trace
) -> None:
    """A rival becomes the prompt's end, and undo takes it back; so is a word replaced."""
    play = opened()
    page = play.page
    rivals = page.locator("heed-outputs .weights.top button")
    rivals.first.wait_for()
    piece = rivals.first.text_content()
    before = play.seq
    press(rivals.first)
    play.wait(before)
    text = PROMPT + piece.replace("▁", " ")
    assert page.locator("#sentence").input_value() == text
    assert page.locator("#output").text_content() == trace_prompt(writer, text).target.text
    before = play.seq
    page.locator("#undo").click()
    play.wait(before)
    assert page.locator("#output").text_content() == seen.target.text
    page.locator("heed-what-if select").select_option("cat")
    page.locator("heed-what-if .maker-row input").first.fill("mat")
    page.keyboard.press("Enter")
    page.locator("heed-what-if .result").wait_for()
    wanted = seen.what_if(replace={"cat": "mat"})
    assert (
        page.locator("heed-what-if .verdict")
        .text_content()
        .startswith("The text changes" if wanted.changed else "The text stays")
    )


def test_what_is_drawn(opened: Callable[..., Shown], writer: Writer) -> None:
    play = opened(most=5, temperature=0.8, seed=3)
    wanted = trace_prompt(writer, PROMPT, most=5, search=Sample(temperature=0.8, seed=3))
    assert play.page.locator("#output").text_content() == wanted.target.text
    assert play.page.locator("#most").input_value() == "5"


@pytest.mark.parametrize(
    ("look", "lang"),
    [("light", "en"), ("dark", "zh")],
)
def test_axe_finds_nothing(opened: Callable[..., Shown], look: str, lang: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    play = opened({"color_scheme": look}, lang=lang, off="decoder.1")
    play.page.locator("heed-what-if .result").wait_for()
    play.page.locator(".more summary").click()
    play.idle()
    found = Axe().run(play.page)
    assert found.violations_count == 0, found.generate_report()
    titles = play.page.locator("h2:visible").all_inner_texts()
    assert all((max(title) >= "\u4e00") == (lang == "zh") for title in titles)


def test_every_panel_by_keys_and_nothing_that_is_not_there(opened: Callable[..., Shown]) -> None:
    play = opened()
    page = play.page
    page.locator("heed-evidence .measures").wait_for()
    panels = page.locator(".panel:visible").evaluate_all("all => all.map(one => one.id)")
    assert panels == [f"panel-{name}" for name in PANELS]
    assert page.locator("heed-attention [data-kind]:visible").count() == 0
    for gone in ("#into", "#beam", "#penalty", "#tab-tour", "heed-beam", "heed-atlas"):
        assert not page.locator(gone).first.is_visible(), gone
    page.locator("#sentence").focus()
    seen = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        seen.add(page.evaluate("document.activeElement.closest('.panel')?.id"))
    assert seen - {None} == set(panels)
    page.locator("heed-machine [role=radio][aria-checked=true]").focus()
    for key in ("ArrowUp", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.getAttribute('role')") == "radio"


def test_a_phone(opened: Callable[..., Shown]) -> None:
    from tests.playground.test_access_browser import PHONE, narrow

    play = opened({"viewport": PHONE, "has_touch": True, "is_mobile": True})
    tabs = play.page.locator(".of-panels [role=tab]:visible")
    assert tabs.count() == len(PANELS)
    for place, name in enumerate(PANELS):
        tabs.nth(place).tap()
        play.page.locator(f"#panel-{name}").wait_for()
        play.idle()
        narrow(play.page, name)


def test_models_of_both_kinds(opened: Callable[..., Shown]) -> None:
    """Another model, another voice: one translates, and what it has is there again."""
    play = opened()
    page = play.page
    assert page.locator("label[for=sentence]").inner_text() == "Prompt"
    before = play.seq
    page.locator("#model").select_option("everyday")
    play.wait(before)
    assert page.locator("label[for=sentence]").inner_text() == "Sentence"
    assert page.locator(".panel:visible").count() == 8
    assert page.locator("heed-attention [data-kind]:visible").count() == 3
    before = play.seq
    page.locator("#model").select_option("tiny")
    play.wait(before)
    assert page.locator(".panel:visible").count() == len(PANELS)
    press(page.locator("#tab-translate"))
    page.locator("heed-translator textarea").first.wait_for()
    assert page.locator("#model").input_value() == "everyday"
