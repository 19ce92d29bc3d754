"""`/docs` shows all that can be asked, and loads nothing, from here or from elsewhere."""

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.inspect.test_page_browser import browser  # noqa: F401
from tests.serve.serving import Live, asking, listening, run


class Page(HTMLParser):
    """Finds tags, anchors and links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.anchors: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), "a script"
            assert name not in ("style", "src"), "something that the policy forbids"
            if name == "id":
                self.anchors.append(value or "")
            if name == "href":
                self.links.append(value or "")


def test_it_shows_everything() -> None:
    async def scenario() -> None:
        async with asking() as client:
            answer = await client.ask("GET", "/docs")
            assert answer.status == 200
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            text = answer.body.decode()
            described = (await client.ask("GET", "/openapi.json")).json
            for path, methods in described["paths"].items():
                for method, operation in methods.items():
                    assert f'<span class="method">{method.upper()}</span> {path}' in text
                    first = operation["description"].partition("\n")[0].replace("`", "")
                    assert first in unescape(re.sub("</?code>", "", text))
            for name in ("beam", "length_penalty", "q", "document_characters", "glossary"):
                shown = f"<code>{name}</code>" in text
                assert shown == (name != "document_characters"), name
            page = Page(text)
            assert not set(page.tags) & {"script", "link", "img", "iframe", "form", "object"}
            assert len(page.anchors) == len(set(page.anchors))
            assert set(page.links) <= {f"#{one}" for one in page.anchors} | {"openapi.json"}

    run(scenario)


def test_it_is_no_part_of_the_api() -> None:
    async def scenario() -> None:
        async with asking() as client:
            assert "/docs" not in (await client.ask("GET", "/openapi.json")).json["paths"]
            answer = await client.ask("GET", "/docs", headers={"origin": "https://evil.example"})
            assert answer.status == 403

    run(scenario)


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    with listening() as one:
        yield one


def test_a_browser_shows_it_under_its_policy(live: Live, browser: Any) -> None:  # noqa: F811
    said: list[str] = []
    asked: list[str] = []
    for scheme, paper in (("light", "rgb(251, 250, 248)"), ("dark", "rgb(21, 23, 27)")):
        context = browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 800})
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        answer = page.goto(f"http://127.0.0.1:{live.port}/docs")
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        body = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(body) == paper, "its style is allowed"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.click('nav a[href="#post-v1-documents"]')
        assert page.url.endswith("#post-v1-documents")
        context.close()
    assert {url.rpartition("/")[2] for url in asked} <= {"docs", "favicon.ico"}
    assert said == []
