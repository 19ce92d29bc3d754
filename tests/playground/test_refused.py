"""What the server refuses has a name, and the page says it in its own language."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError, ModelError, SettingError
from heedful.inspect.stages import TooLongError
from heedful.playground.refused import NAMES, NamedRefusalError, refused, told
from tests.playground.browsing import REFUSED, Shown, press

CHINESE = (
    Path(__file__).parents[2] / "src/heedful/playground/static/live/text-refused-zh.js"
).read_text("utf-8")
LONG = "猫 q " * 400


def test_every_name_has_its_text() -> None:
    """With no fact that the server does not tell; what has no name goes by its status."""
    found = {
        name: set(re.findall(r"\{(\w+)\}", text))
        for name, text in re.findall(r'"refused\.(\w+)":\s+"([^"]+)"', CHINESE)
    }
    named = {name: facts for name, facts in found.items() if not name.isdecimal()}
    assert {name: set(facts) for name, facts in NAMES.items()} == named
    assert not any(found[name] for name in found if name.isdecimal())


def test_a_name_comes_with_its_facts() -> None:
    with pytest.raises(TypeError, match="pieces"):
        NamedRefusalError(413, "pieces", "too many", n=3)


@pytest.mark.parametrize(
    ("error", "status", "code", "facts"),
    [
        (TooLongError("9", given=9, most=8, where="text", fix="f"), 413, "pieces", (9, 8)),
        (TooLongError("9", given=9, most=8, where="save", fix="f"), 413, "weights", (9, 8)),
        (ModelError("no end"), 400, "endless", ()),
        (SettingError("no such word", where="word"), 400, "word", ()),
        (DataError("something else", where="text", fix="mend it"), 400, None, ()),
    ],
)
def test_failures_are_named(
    error: Any, status: int, code: str | None, facts: tuple[int, ...]
) -> None:
    found = refused(error)
    said = told(found)
    assert found.status == status
    assert said["error"].startswith(error.problem)
    assert said.get("code") == code
    assert tuple(said.get("facts", {}).values()) == facts


def test_options_of_a_command_are_nobodys_advice() -> None:
    assert told(refused(SettingError("wrong", fix="give --to"))) == {"error": "wrong"}


def test_a_chinese_page_refuses_in_chinese(opened: Callable[..., Shown]) -> None:
    """What the server says at once, in a stream, and of a trace that it does not keep."""
    play = opened(locale="zh-CN")
    play.allowed = (REFUSED,)
    play.open(lang="zh")
    page = play.page
    page.locator(".look-up input").fill("zzzzzz")
    press(page.locator(".look-up button"))
    page.locator(".look-up p", has_text="分词器里没有“zzzzzz”这个词元。").wait_for()
    page.locator("#sentence").fill(LONG)
    wrong = page.locator("heed-bar .wrong[role=alert]")
    wrong.filter(has_text=re.compile(r"有 \d+ 个词元，一次最多看 512 个的内部")).wait_for()
    page.locator("#sentence").fill("The dog sleeps.")
    page.locator("heed-play[data-state=done]").wait_for()
    unkept = {"error": "this trace is no longer kept", "code": "trace", "facts": {}}
    page.route("**/api/what_if", lambda route: route.fulfill(status=404, json=unkept))
    press(page.locator("heed-attention button.toggle.off"))
    page.locator("heed-what-if .working.wrong", has_text="服务器已不再保留这份记录").wait_for()


def test_what_the_server_could_not_answer_is_asked_again(opened: Callable[..., Shown]) -> None:
    play = opened()
    play.allowed = (REFUSED,)
    play.open()
    page = play.page
    busy = {"error": "the model everyday is not ready; try again later"}
    page.route("**/api/what_if", lambda route: route.fulfill(status=503, json=busy), times=1)
    press(page.locator("heed-attention button.toggle.off"))
    page.locator("heed-what-if .working.wrong").wait_for()
    press(page.locator("heed-outputs .steps button").nth(2))
    page.locator("heed-what-if .result").wait_for()


def test_what_the_page_does_not_know_the_server_says(opened: Callable[..., Shown]) -> None:
    play = opened(locale="zh-CN")
    play.allowed = (REFUSED,)
    play.open(lang="zh")
    page = play.page
    said = {"error": "nobody knows this one", "code": "unheard", "facts": {"n": 1}}
    page.route("**/api/what_if", lambda route: route.fulfill(status=418, json=said))
    press(page.locator("heed-attention button.toggle.off"))
    page.locator("heed-what-if .working.wrong", has_text="Nobody knows this one.").wait_for()
