"""Two side by side: hypotheses of a search, and a model with its changed self; also in Chinese."""

import random
from typing import Any

import pytest

from tests.playground.answering import OtherPython
from tests.playground.browsing import CAT, PHONE, Shown, head_name, number, press, share

SENTENCES = {"cat": (CAT, "de"), "chinese": ("猫吃鱼,因为它饿了。", "en")}
LISTED = 8
DIGIT = 0.0005 + 1e-6
SEED = 1706


def near(found: list[str], row: list[float]) -> None:
    """Compare a list of shares with the largest of a row."""
    wanted = sorted(row, reverse=True)[:LISTED]
    assert [share(text) for text in found] == pytest.approx(wanted, abs=DIGIT)


def shares(page: Any, element: str) -> list[list[str]]:
    """Return the numbers of both sides, and wait until they are there."""
    sides = page.locator(f"{element} heed-two-maps [role=group]")
    sides.nth(1).wait_for()
    return [sides.nth(place).locator(".n").all_text_contents() for place in range(2)]


@pytest.mark.parametrize("name", SENTENCES)
def test_two_hypotheses(play: Shown, other: OtherPython, name: str) -> None:
    """Their words, their scores and a row of a head of each are those of two traces."""
    sentence = SENTENCES[name]
    play.open(text=sentence[0], to=sentence[1], step=2)
    page, found = play.page, other.ask("found", sentence)
    own = page.locator("#output").inner_text()
    press(page.locator("heed-beam .compare").first)
    numbers = shares(page, "heed-compared")
    texts = page.locator("heed-compared .text").all_text_contents()
    by_text = {text: values for text, *values in found}
    assert texts[0] == own
    assert texts[1] in by_text
    assert texts[1] != own
    for place, text in enumerate(texts):
        said = page.locator("heed-compared .text + p").nth(place).inner_text()
        values = [number(one) for one in said.split(" · ")]
        assert values == pytest.approx(by_text[text], abs=0.0006)
        marked = page.locator("heed-compared .text").nth(place).locator("ins").all_text_contents()
        others = texts[1 - place]
        assert all(len(one) < len(others) and one in text for one in marked)
    assert page.locator("heed-compared ins").count() > 0
    title = page.locator("heed-compared heed-two-maps h4").inner_text()
    heads = {
        head_name(f"cross.{layer}.{head}"): (layer, head) for layer in range(2) for head in range(4)
    }
    layer, head = heads[title]
    traces = [sentence, (*sentence, texts[1])]
    for listed, one in zip(numbers, traces, strict=True):
        wanted = other.ask("attention", one, kind="cross", layer=layer, head=head)
        near(listed, wanted["weights"][2])
    press(page.locator("heed-beam .compare").first)
    page.locator("heed-compared").wait_for(state="hidden")


def test_another_sentence_ends_a_comparison(play: Shown) -> None:
    play.open()
    page = play.page
    press(page.locator("heed-beam .compare").nth(1))
    shares(page, "heed-compared")
    assert page.locator("heed-beam .compare[aria-pressed=true]").count() == 1
    play.write("The dog sleeps.")
    assert page.locator("heed-compared").is_hidden()
    assert page.locator("heed-beam .compare[aria-pressed=true]").count() == 0


@pytest.mark.parametrize("how", ["mean", "zero"])
def test_maps_of_the_changed_model(play: Shown, other: OtherPython, how: str) -> None:
    """The same row of a head in both, and the head that looks elsewhere most."""
    chance = random.Random(f"{SEED} {how}")
    off = [f"encoder.{chance.randrange(3)}.{chance.randrange(4)}" for _ in range(2)]
    sentence = SENTENCES["cat"]
    kind, layer, head, row = "encoder", 4, chance.randrange(4), chance.randrange(10)
    place = {"kind": kind, "layer": layer, "head": head, "row": row, "column": 0}
    play.open(off=",".join(off), how=how, **place)
    numbers = shares(play.page, "heed-what-if")
    wanted = other.ask("changed_maps", sentence, ablate=off, how=how)
    before = other.ask("attention", sentence, kind=kind, layer=layer, head=head)["weights"]
    near(numbers[0], before[row])
    near(numbers[1], wanted["maps"][f"{kind}.{layer}.{head}"][row])
    button = play.page.locator("heed-what-if .result > p > button.head-name")
    names = {head_name(one): far for one, far in wanted["far"].items()}
    said = button.locator("xpath=..").inner_text()
    most = said.split(" with ")[1].split(" of ")[0]
    assert names[button.inner_text()] == pytest.approx(max(names.values()), abs=1e-4)
    assert share(most) == pytest.approx(max(names.values()), abs=DIGIT)
    press(button)
    title = play.page.locator("heed-what-if heed-two-maps h4", has_text=button.inner_text())
    title.wait_for()


def test_both_on_a_phone(opened: Any) -> None:
    """Nothing is wider than the screen."""
    play = opened(viewport=PHONE, has_touch=True)
    play.open(panel="what-if", off="cross.1.0")
    shares(play.page, "heed-what-if")
    play.open(panel="beam")
    press(play.page.locator("heed-beam .compare").first)
    shares(play.page, "heed-compared")
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert play.page.evaluate(wide) <= 0
