"""What the page loads, and when: little at first, the rest once it is quiet or is wanted."""

from typing import Any

from tests.playground.browsing import REFUSED, Shown, eventually, press

KILOBYTES = 150
"""Of the page at first sight, when nothing is cached."""
LAST = "/static/live/text-tour-zh.js"
"""What is loaded last of all."""
WEIGHT = """() => ['resource', 'navigation'].flatMap(kind => performance.getEntriesByType(kind))
  .reduce((sum, one) => sum + one.transferSize, 0) / 1024"""


def idle(play: Shown) -> None:
    """Wait until the page has loaded all of itself."""

    def check() -> None:
        assert LAST in play.asked

    eventually(check, play.page)
    play.page.wait_for_load_state("networkidle")


def test_little_is_loaded_at_first(play: Shown) -> None:
    """The tour, the atlas, what saves and the other language are not; nothing is loaded twice."""
    page = play.page
    page.goto(f"{play.address}/#lang=en")
    page.locator("#to option").first.wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    assert 0 < page.evaluate(WEIGHT) < KILOBYTES
    for late in ("tour.js", "tour.css", "atlas.js", "export.js", "text-shell-zh.js"):
        assert f"/static/live/{late}" not in play.asked
    assert "/static/live/text-shell-en.js" in play.asked
    idle(play)
    assert sorted(set(play.asked)) == sorted(play.asked)


def test_a_chinese_page_loads_no_english(play: Shown) -> None:
    page = play.page
    page.goto(f"{play.address}/#lang=zh")
    page.locator("#to option").first.wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert not [one for one in play.asked if one.endswith("-en.js")]
    page.locator("#language").select_option("en")
    page.locator("#tab-inside", has_text="Look inside").wait_for()


def test_all_of_the_page_is_there_without_its_server(play: Shown) -> None:
    """Once it was quiet: another language, the tour and the atlas need no network."""
    play.allowed = (REFUSED,)
    play.open()
    page = play.page
    idle(play)
    page.context.set_offline(True)
    page.locator("#language").select_option("zh")
    page.locator("#tab-tour", has_text="导览").wait_for()
    press(page.locator("#tab-tour"))
    page.locator("heed-tour h2").wait_for()
    assert max(page.locator("heed-tour h2").inner_text()) >= "\u4e00"
    press(page.locator("#tab-inside"))
    tile = page.locator("heed-atlas .tile").first
    tile.scroll_into_view_if_needed()
    assert "头" in tile.inner_text()


def test_a_part_that_cannot_be_loaded_is_loaded_later(play: Shown) -> None:
    """The page says that nobody answers, and opens what was wanted as soon as somebody does."""
    play.allowed = (REFUSED, "Failed to load resource")
    page = play.page

    def gone(route: Any) -> None:
        route.abort("connectionrefused")

    page.route("**/static/live/t*tour*", gone)
    play.open()
    press(page.locator("#tab-tour"))
    page.locator(".banner").wait_for()
    assert page.locator("heed-outputs .steps button").count() > 5
    page.unroute("**/static/live/t*tour*", gone)
    press(page.locator(".banner button"))
    page.locator("heed-tour h2").wait_for()
    page.locator(".banner").wait_for(state="hidden")
