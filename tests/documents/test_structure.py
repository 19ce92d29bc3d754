"""Whatever a translator makes of the words, the markup of a document is still there, as often.

The judges are markdown-it's own renderer and the parser of HTML of the standard library.
"""

import re
from collections import Counter
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from heedful.documents import read
from tests.documents.mirror import SIGNS as WORDS
from tests.documents.mirror import changed
from tests.documents.test_identity import HTML, MARKDOWN, NASTY, built, cues

TRANSLATED = ("alt", "title", "placeholder", "aria-label")
RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


class Tags(HTMLParser):
    """Counts tags, comments and the text in code."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[object] = Counter()
        self.code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kept = tuple((name, value) for name, value in attrs if name not in TRANSLATED)
        self.found[tag, kept] += 1
        self.code = tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self.found["/", tag] += 1
        self.code = False

    def handle_comment(self, data: str) -> None:
        self.found["!", data] += 1

    def handle_data(self, data: str) -> None:
        if self.code:
            self.found["code", " ".join(data.split())] += 1


def tags(page: str) -> Counter[object]:
    parser = Tags()
    parser.feed(page)
    parser.close()
    return parser.found


def blocks(text: str) -> list[tuple[str, str, int]]:
    return [(token.type, token.tag, token.level) for token in RENDERER.parse(text)]


@given(built(MARKDOWN), st.data())
def test_markdown(text: str, data: st.DataObject) -> None:
    word = st.sampled_from(WORDS)
    new = changed(read(text, "markdown"), lambda old: old[:1] + data.draw(word) + old[1:])
    assert blocks(new) == blocks(text)
    assert tags(RENDERER.render(new)) == tags(RENDERER.render(text))


@given(built(MARKDOWN), st.sampled_from(WORDS))
def test_markdown_of_nothing_but_signs(text: str, word: str) -> None:
    new = changed(read(text, "markdown"), lambda _: word)
    assert blocks(new) == blocks(text)
    assert tags(RENDERER.render(new)) == tags(RENDERER.render(text))


def test_nasty_markdown() -> None:
    new = changed(read(NASTY, "markdown"), str.upper)
    assert blocks(new) == blocks(NASTY)
    assert tags(RENDERER.render(new)) == tags(RENDERER.render(NASTY))
    for kept in ('title: "What is kept"', "$a_1 * b_2$", "[^1]: ", "https://x.org/a_b_c", "- [x] "):
        assert kept in new
    assert "WITH *FOOTNOTE* A" in new
    assert "> <p>QUOTATION A IN</p>" in new


@given(built(HTML), st.sampled_from(WORDS))
def test_html(text: str, word: str) -> None:
    new = changed(read(text, "html"), lambda old: old[:1] + word + old[1:])
    assert tags(new) == tags(text)


@given(cues(), st.sampled_from(WORDS))
def test_subtitles(text: str, word: str) -> None:
    new = changed(read(text, "srt"), lambda old: old + word)
    heads = re.compile(r"^\d+\s+\d\d:\S+ --> \S+$", re.MULTILINE)
    both = [file.replace("\r\n", "\n").replace("\r", "\n") for file in (text, new)]
    assert heads.findall(both[0]) == heads.findall(both[1])
    old_cues, new_cues = (file.split("\n\n") for file in both)
    assert len(old_cues) == len(new_cues)
    for before, after in zip(old_cues, new_cues, strict=True):
        assert after.count("\n") <= before.count("\n")
    markup = re.compile(r"</?[a-z][^<>]*>|\{\\an8\}")
    assert Counter(markup.findall(text)) <= Counter(markup.findall(new))
