"""Every number on the live page is the one that a second Python process finds for itself."""

import random
from collections.abc import Callable, Iterator
from math import exp
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.playground.answering import OtherPython
from tests.playground.browsing import (
    CAT,
    Server,
    Shown,
    eventually,
    head_name,
    number,
    press,
    share,
    shown,
    table,
)

BUILT_IN = {"cat": (CAT, "de"), "chinese": ("猫吃鱼,因为它饿了。", "en")}
DRAWN = 2
MORE = 8
SEED = 1706
KINDS = ("encoder", "decoder", "cross")
SENTENCES = [
    *BUILT_IN,
    *range(DRAWN),
    *(pytest.param(place, marks=pytest.mark.slow) for place in range(DRAWN, DRAWN + MORE)),
]
DIGIT = 0.0005 + 1e-6
"""A share in per cent with one digit after the point is off by no more."""
NATS = 0.0005 + 2e-5
"""As much for a number with three digits; two processes may differ in the last bits."""


class Looked(NamedTuple):
    """A sentence on the page, and the other Python about the same."""

    play: Shown
    ask: Callable[..., Any]
    name: str

    @property
    def page(self) -> Any:
        """Return the page."""
        return self.play.page

    def chance(self, what: str) -> random.Random:
        """Return what chooses for a test, the same every time."""
        return random.Random(f"{SEED} {self.name} {what}")


@pytest.fixture(scope="module", params=SENTENCES, ids=str)
def looked(
    request: pytest.FixtureRequest, window: Any, server: Server, other: OtherPython
) -> Iterator[Looked]:
    """Return a sentence of ours, or one drawn from the Tatoeba test set."""
    name = request.param
    sentence = BUILT_IN.get(name) or drawn(request.getfixturevalue("data_folder"), name)
    with shown(window, server.address) as play:
        play.open(text=sentence[0], to=sentence[1])
        yield Looked(
            play,
            lambda name, **facts: other.ask(name, sentence, **facts),
            str(name),
        )


def drawn(folder: Path, place: int) -> tuple[str, str]:
    """Draw a sentence, in turn English and German."""
    lines = (folder / "tatoeba_en_de" / "test.tsv").read_bytes().decode().split("\n")
    english, german = random.Random(f"{SEED} {place}").choice(lines[:-1]).split("\t")
    return (english, "de") if place % 2 == 0 else (german, "en")


def near(found: list[str], wanted: Any, read: Callable[[str], float] = share) -> None:
    """Compare what is read with what is wanted; `<0.1 %`, read as 0, stands for up to 0.05 %."""
    off = DIGIT if read is share else NATS
    assert [read(text) for text in found] == pytest.approx(list(wanted), abs=off)


def choose(looked: Looked, kind: str, layer: int, head: int) -> None:
    """Choose a head by the button of its kind and its small map."""
    heads = looked.ask("facts")["heads"]
    press(looked.page.locator(f"heed-attention [data-kind={kind}]"))
    press(looked.page.locator("heed-heads [role=radio]").nth(layer * heads + head))


def switch(looked: Looked, element: str, name: str, on: bool) -> None:
    """Switch something on or off."""
    button = looked.page.locator(f"{element} button", has_text=name).first
    if (button.get_attribute("aria-pressed") == "true") != on:
        press(button)


def go(looked: Looked, row: int, column: int) -> None:
    """Go to a cell of the map by keys."""
    looked.page.get_by_role("grid").focus()
    for key in ["Control+Home", *["ArrowDown"] * row, *["ArrowRight"] * column]:
        looked.page.keyboard.press(key)


def test_pieces(looked: Looked) -> None:
    wanted = looked.ask("facts")
    strip = looked.page.locator(".strip-of-pieces button")
    strip.first.wait_for()  # the pieces are asked for beside the trace
    assert strip.locator(".id").all_text_contents() == [str(one) for one in wanted["source"]["ids"]]
    assert looked.page.locator("#output").inner_text() == wanted["target"]["text"]
    count = looked.page.locator("heed-tokens-panel").inner_text()
    assert f"{len(wanted['source']['tokens'])} pieces" in count
    norms = looked.ask("norms")
    place = looked.chance("pieces").randrange(len(norms))
    press(strip.nth(place))
    facts = looked.page.locator("heed-tokens-panel .detail > p").first
    facts.filter(has_text=str(wanted["source"]["ids"][place])).wait_for()
    near([facts.inner_text().split(" is ")[-1]], [norms[place]], number)
    press(strip.nth(place))


@pytest.mark.parametrize("kind", KINDS)
def test_attention(looked: Looked, kind: str) -> None:
    """The table of a head, the list of a row, and what is said of a cell, by keys and pointer."""
    chance = looked.chance(kind)
    facts, page = looked.ask("facts"), looked.page
    layer = chance.randrange(facts["layers"][kind])
    head = chance.randrange(facts["heads"])
    choose(looked, kind, layer, head)
    switch(looked, "heed-attention", "Show as table", True)
    wanted = looked.ask("attention", kind=kind, layer=layer, head=head)
    weights = wanted["weights"]
    columns, rows, cells = table(page, "heed-attention .beside")
    targets = facts["target"]["tokens"]
    both = [f"{one} → {two}" for one, two in zip(facts["reads"], targets, strict=True)]
    assert (columns, rows) == (wanted["columns"], wanted["rows"] if kind == "encoder" else both)
    for line, row in zip(cells, weights, strict=True):
        near(line, row)
    row, column = (chance.randrange(len(some)) for some in (weights, weights[0]))
    go(looked, row, column)
    said = page.locator("heed-attention .said").first.inner_text()
    where = {"encoder": "encoder", "decoder": "decoder", "cross": "decoder"}[kind]
    assert f"{where} layer {layer + 1}, head {head + 1}" in said
    near([said.rsplit(f", {where} layer", 1)[0].rsplit(", ", 1)[1]], [weights[row][column]])
    listed = page.locator("heed-attention .weights .n").all_text_contents()
    near(listed, sorted(weights[row], reverse=True)[:8])
    pointed = chance.randrange(len(weights))
    page.locator("heed-arcs .row").nth(pointed).hover()
    near(
        page.locator("heed-attention .weights .n").all_text_contents(),
        sorted(weights[pointed], reverse=True)[:8],
    )
    switch(looked, "heed-attention", "Show as table", False)


def test_outputs(looked: Looked) -> None:
    """What was written, what else was likely, and what each layer would say."""
    page, steps, lens = looked.page, looked.ask("steps"), looked.ask("lens")
    buttons = page.locator("heed-outputs .steps button")
    assert buttons.count() == len(steps)
    for place, step in enumerate(steps):
        press(buttons.nth(place))
        cells = buttons.nth(place).locator("> span").all_text_contents()
        assert cells[:3] == [str(place + 1), step["reads"], step["predicts"]]
        near(cells[3:4], [exp(step["log_prob"])])
        said = page.locator("heed-outputs .said").inner_text()
        near([said.split("log p ")[1]], [step["log_prob"]], number)
        bars = page.locator("heed-outputs .weights.top")
        assert bars.locator(".piece").all_text_contents() == [text for text, _ in step["top"]]
        near(bars.locator(".n").all_text_contents(), [exp(value) for _, value in step["top"]])
        layers = [layer[place] for layer in lens]
        _, _, lines = table(page, "heed-outputs .lens")
        near([line[0] for line in lines], [exp(log_prob) for log_prob, _ in layers])
        tops = [pair for _, top in layers for pair in top]
        said_by_layers = page.locator("heed-outputs .lens td")
        pieces = said_by_layers.locator(".piece").all_text_contents()
        assert pieces == [text for text, _ in tops]
        shares = said_by_layers.locator(".n").all_text_contents()
        near(shares, [exp(value) for _, value in tops])


def test_the_rank_of_a_piece(looked: Looked) -> None:
    chance = looked.chance("the_rank_of_a_piece")
    page, steps = looked.page, looked.ask("steps")
    place = chance.randrange(len(steps))
    piece = chance.choice(steps[place]["top"])[0]
    press(page.locator("heed-outputs .steps button").nth(place))
    page.locator("heed-outputs .look-up input").fill(piece)
    page.locator("heed-outputs .look-up button").click()
    said = page.locator("heed-outputs .look-up [role=status]:not(:empty)").inner_text()
    wanted = looked.ask("rank", step=place, piece=piece)
    assert f"rank {wanted['rank'] + 1}, " in said
    near([said.split("log p ")[1]], [wanted["logp"]], number)


def test_the_search(looked: Looked) -> None:
    buttons = looked.page.locator("heed-beam .found [data-node]")
    wanted = looked.ask("found")
    assert buttons.count() == len(wanted)
    for place, (text, score, log_prob) in enumerate(wanted):
        shown_text, *values = buttons.nth(place).locator("span").all_text_contents()[:3]
        assert shown_text == text
        near(values, [score, log_prob], number)


@pytest.mark.parametrize("whole", [False, True], ids=["step", "whole"])
def test_what_heads_matter(looked: Looked, whole: bool) -> None:
    """The estimate of every head, for a step and for the whole translation."""
    page, steps = looked.page, looked.ask("steps")
    step = looked.chance(str(whole)).randrange(len(steps))
    press(page.locator("heed-outputs .steps button").nth(step))
    press(page.locator("heed-machine .choices button").nth(int(whole)))
    switch(looked, "heed-machine", "Show as table", True)
    wanted = looked.ask("importance", step=None if whole else step)
    flat = [value for kind in KINDS for layer in wanted[kind] for value in layer]

    def same() -> None:
        _, _, cells = table(page, "heed-machine")
        near([cell for line in cells for cell in line], flat, number)

    page.locator("heed-machine table").wait_for()
    eventually(same, page)
    dots = page.locator("heed-machine .figure [role=radio]")
    matter = sorted(number(name.split(" matters ")[1]) for name in _labels(dots))
    assert matter == pytest.approx(sorted(flat), abs=NATS)
    switch(looked, "heed-machine", "Show as table", False)
    press(page.locator("heed-machine .choices button").first)


def _labels(some: Any) -> list[str]:
    found: list[str] = some.evaluate_all("some => some.map(one => one.getAttribute('aria-label'))")
    return found


@pytest.mark.parametrize(("kind", "of_step"), [("encoder", False), ("encoder", True), ("cross", 1)])
def test_evidence(looked: Looked, kind: str, of_step: bool) -> None:
    """All that is measured of a pair of pieces, and the sentence about it."""
    chance = looked.chance(f"{kind} {of_step}")
    page, facts, steps = looked.page, looked.ask("facts"), looked.ask("steps")
    choose(looked, kind, 0, 0)
    keys = len(facts["source"]["tokens"])
    step = chance.randrange(len(steps))
    row, column = (step if kind == "cross" else chance.randrange(keys)), keys // 2
    if kind == "encoder":
        press(page.locator("heed-outputs .steps button").nth(step))
    go(looked, row, column)
    if kind == "encoder":
        press(page.locator("heed-evidence .choices button").nth(int(of_step)))
    page.locator("heed-evidence .working").wait_for(state="hidden")
    wanted = looked.ask(
        "evidence", kind=kind, row=row, column=column, step=step if of_step else None
    )
    dl = page.locator("heed-evidence .measures dd")
    verdict = page.locator("heed-evidence .verdict").inner_text()
    assert verdict.endswith(wanted["verdict"])
    over = page.locator("heed-evidence .measures dd .value").first.inner_text()
    assert over.startswith(f"{wanted['over_half']} of {len(wanted['heads'])} ")
    for place, value in ((0, 2), (1, 3)):
        best = sorted((one[value] for one in wanted["heads"]), reverse=True)
        listed = dl.nth(place).locator(".n").all_text_contents()
        assert len(listed) == (5, 3)[place]
        near(listed, best[: len(listed)])
    values = [dl.nth(place).locator(".value").inner_text() for place in range(2, 6)]
    near(values[:1], [wanted["rollout"]])
    near(values[2:], [wanted["zeroing"], wanted["ablation"]], number)
    if wanted["gradient"] is None:
        assert values[1] == "not measured here"
    else:
        near(values[1:2], [wanted["gradient"]], number)


def test_what_if(looked: Looked) -> None:
    """Without a head: both translations, and what every step has lost."""
    chance = looked.chance("what_if")
    page, facts = looked.page, looked.ask("facts")
    kind = chance.choice(KINDS)
    layer = chance.randrange(facts["layers"][kind])
    head = chance.randrange(facts["heads"])
    choose(looked, kind, layer, head)
    press(page.locator("heed-attention button.toggle.off"))
    same_edit(looked, ablate=[f"{kind}.{layer}.{head}"])
    press(page.locator("heed-what-if .choices button", has_text="zero"))
    same_edit(looked, ablate=[f"{kind}.{layer}.{head}"], how="zero")
    press(page.get_by_role("button", name="Take all back"))
    press(page.locator("heed-what-if .choices button", has_text="mean"))
    words = facts["words"]
    word = chance.choice([one for one in words if words.count(one) == 1])
    page.locator("heed-what-if select").select_option(word)
    page.get_by_role("textbox", name="another word").fill(words[0] * 2)
    page.get_by_role("button", name="Replace", exact=True).click()
    same_edit(looked, replace={word: words[0] * 2})
    press(page.get_by_role("button", name="Take all back"))
    page.locator("heed-what-if .result").wait_for(state="hidden")


def same_edit(looked: Looked, **edits: Any) -> None:
    """Compare what the panel shows with what is found."""
    page = looked.page
    page.locator("heed-what-if > .working").wait_for(state="hidden")
    page.locator("heed-what-if .result").wait_for()
    wanted = looked.ask("what_if", **edits)
    said = page.locator("heed-what-if .verdict").inner_text().removesuffix(".")
    words, values = wanted["said"], [one for one in said.split() if one.replace(".", "").isdigit()]
    near(values, [abs(sum(before - after for before, after in wanted["log_probs"]))], number)
    assert said.lower().split(values[0])[0] == words.split(values[0])[0]
    texts = page.locator("heed-what-if .result .text").evaluate_all(
        "some => some.map(one => [...one.childNodes].filter(part => "
        "part.localName !== 'del' || part.parentNode !== some[0]).map(part => "
        "part.textContent).join(''))"
    )
    assert texts[1:] == [wanted["before"], wanted["after"]]
    if "replace" in edits:
        assert texts[0] == wanted["source"]
    _, _, cells = table(page, "heed-what-if .result")
    for place, line in enumerate(cells):
        before, after = wanted["log_probs"][place]
        near(line[:2], [exp(before), exp(after)])
        near(line[2:], [after - before, wanted["divergence"][place]], number)
    assert len(cells) == len(wanted["log_probs"])


def test_every_head_in_turn(looked: Looked) -> None:
    page, steps = looked.page, looked.ask("steps")
    step = looked.chance("every_head_in_turn").randrange(len(steps))
    press(page.locator("heed-outputs .steps button").nth(step))
    press(page.locator("heed-exact button.toggle").first)
    page.locator("heed-exact .progress span").filter(has_text="40 of 40").wait_for()
    switch(looked, "heed-exact", "Show as table", True)
    _, rows, cells = table(page, "heed-exact")
    wanted = looked.ask("exact", step=step)
    by_name = {head_name(name): value for name, value in wanted.items()}
    near([line[0] for line in cells], [by_name[name] for name in rows], number)
    assert sorted(rows) == sorted(by_name)
    switch(looked, "heed-exact", "Show as table", False)


def test_a_saved_page_shows_the_same(looked: Looked, window: Any, tmp_path: Path) -> None:
    """Saved by the menu and opened from a file without a network, digit for digit."""
    page = looked.page
    page.locator("details.menu summary").click()
    with page.expect_download() as saving:
        page.locator("[data-save='html.HTML']").click()
    path = tmp_path / "saved.html"
    saving.value.save_as(path)
    live = told(looked)
    with shown(window, path.as_uri().rsplit("/", 1)[0], offline=True) as saved:
        saved.page.goto(path.as_uri())
        other = looked._replace(play=saved)
        saved.page.locator("heed-trace heed-attention table, heed-trace .steps").first.wait_for()
        assert told(other) == live


def told(looked: Looked) -> list[Any]:
    """Return what a page says of all kinds of attention, of the outputs and of the search."""
    page = looked.page
    found: list[Any] = []
    for kind in KINDS:
        choose(looked, kind, 1, 2)
        switch(looked, "heed-attention", "Show as table", True)
        go(looked, 1, 0)
        found.append(table(page, "heed-attention .beside"))
        found.append(page.locator("heed-attention .said").first.inner_text())
        found.append(page.locator("heed-attention .weights").first.inner_text())
        switch(looked, "heed-attention", "Show as table", False)
    buttons = page.locator("heed-outputs .steps button")
    for place in range(buttons.count()):
        press(buttons.nth(place))
        found.append(buttons.nth(place).inner_text())
        found.append(page.locator("heed-outputs .said").inner_text())
        found.append(page.locator("heed-outputs .weights.top").inner_text())
        found.append(table(page, "heed-outputs .lens"))
    found += page.locator("heed-beam .found [data-node]").all_inner_texts()
    return found


def test_a_long_sentence_has_exact_rows(play: Shown, other: OtherPython) -> None:
    """Maps of a hundred pieces are rounded; the chosen row is not."""
    text = f"{' '.join([CAT.removesuffix('.') + ' and the dog slept,'] * 7)} and that was all."
    target = "Das war alles."
    play.open(text=text, target=target)
    press(play.page.locator("heed-attention button", has_text="Show as table").first)
    assert all("≈" in cell for cell in table(play.page, "heed-attention .beside")[2][0])
    sentence = (text, "de", target)
    wanted = other.ask("attention", sentence, kind="encoder", layer=2, head=1)["weights"]
    press(play.page.locator("heed-heads [role=radio]").nth(2 * 4 + 1))
    play.page.get_by_role("grid").focus()
    play.page.keyboard.press("Control+Home")
    play.page.keyboard.press("ArrowDown")
    listed = play.page.locator("heed-attention .weights .n")

    eventually(lambda: _no_rounding(listed), play.page)
    near(listed.all_text_contents(), sorted(wanted[1], reverse=True)[:8])


def _no_rounding(listed: Any) -> None:
    assert not any("≈" in text for text in listed.all_text_contents())
