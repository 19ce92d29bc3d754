"""A document whose texts are translated by themselves comes back byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.documents import Kind, read
from tests.documents.mirror import unchanged

MARKDOWN = (
    *("a", "b ", "foo", "\n", "\n\n", " ", "  \n", "*", "_", "**", "`", "``", "[", "]", "(", "u"),
    *(")", "](u)", "![", "<b>", "</b>", "<br>", "<!-- c -->", "#", "# ", "- ", "1. ", "> ", "|"),
    *("\n|-|-|\n", "\\", "&amp;", "&lt;", "~~", "$", "[^1]", "[ref]", "\n[ref]: /url\n", "\t"),
    *("    ", "<u@v.w>", "<http://x.y>", "!", "===", "---", "\r\n", "\r", "<div>", "</div>"),
    *('"t"', "猫", "^", "```\n", "\0", "\ufeff", "\u2028", "[x] ", "[!NOTE]\n", "a_b", "+++\n"),
)
HTML = (
    *("a", "foo ", "b", "\n", " ", "<p>", "</p>", "<b>", "</b>", "<i>", "</i>", "</a>", "<br>"),
    *('<a href="x?a=1&amp;b=2" title="The T">', "<img alt='a cat' src=x>", "<!-- c -->", "&amp;"),
    *("&lt;", "&nbsp;", "&", "<code>", "</code>", "<pre>", "</pre>", '<p translate="no">'),
    *("<script>", "</script>", "<ul><li>", "</ul>", "<BR/>", '<input placeholder="a b">', "é"),
    *("&#31;", "x@y.org", "\r\n", "<div class='x'>", "</div>", "<span>", "</span>", '"', "'", "> "),
)
BROKEN = ("<", "<a", "</", "<!", "<?", "<![CDATA[", "<b ", "=", "<a href='x", "<?php ", "?>", "\0")
SAID = (
    *(
        "foo bar",
        "<i>",
        "</i>",
        "{\\an8}",
        "\n- No.\n- Yes",
        "\nbaz ",
        "猫は",
        "<font color='a b'>",
    ),
    *(" ", "  ", "\n", "- ", "-5 ", "</b>"),
)
PLAIN = ("foo ", "bar baz ", "\n", "\n\n", "  ", "\t", "- ", "1. ", "x" * 30, "\r\n", "\r", "猫 ")


def built(pieces: tuple[str, ...], most: int = 50) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=most).map("".join)


@given(built(MARKDOWN))
def test_markdown(text: str) -> None:
    assert unchanged(read(text, "markdown")) == text


@given(built((*HTML, *BROKEN)))
def test_html(text: str) -> None:
    assert unchanged(read(text, "html")) == text


@given(built(PLAIN))
def test_plain(text: str) -> None:
    assert unchanged(read(text, "plain")) == text


@given(st.text(), st.sampled_from(["markdown", "html", "plain"]))
def test_any_text(text: str, kind: Kind) -> None:
    assert unchanged(read(text, kind)) == text


@st.composite
def cues(draw: st.DrawFn) -> str:
    """Make a file of subtitles."""
    said = draw(st.lists(built(SAID, 8), max_size=4))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    text = draw(st.sampled_from(["", "\ufeff", "\n"]))
    for number, words in enumerate(said, start=1):
        lines = "\n".join(line for line in words.split("\n") if line.strip())
        text += f"{number}\n00:00:0{number},000 --> 00:00:0{number},9\n{lines}\n" + "\n" * number
    return text.removesuffix(draw(st.sampled_from(["", "\n"]))).replace("\n", end)


@given(cues())
def test_subtitles(text: str) -> None:
    assert unchanged(read(text, "srt")) == text


NASTY = """\
---
title: "What is kept"
---

Title\twith a tab
=====

Sub *title*
-----------
# One #
##  Two  ##  \nParagraph with trailing spaces   
over a hard break\\
and `code  with  spaces` and ``a ` b`` and `code
over lines`.\t
* a list
  with *emphasis
  over lines* and a [link
  over lines](<a b> "ti\\"tle")

  - nested **[`code`](x)** \\*not\\* &copy; &#169; &nosuch;
\t- tab

1) one
   ```python
   print("*x*")
   ```
2) two

> quote with _words_
lazy line
> > deeper <b>and
> > bold</b>

| a | b \\| c |
|:--|--:|
| `x \\| y` | **z** |
| only one
a | b | c | d

![alt *text* [x](y)](img.png 'T') and ![ref image][r] and ![r] [r] [r][] [text][r]

<div align="center">
  <p>Some <b>bold</b> &amp; text</p>
</div>

> <p>in a quotation</p>

<!-- a comment -->
Math $a_1 * b_2$ and $$x
y$$ costs $5 or $6. https://x.org/a_b_c, <https://y.org>, me@x.org.

[^1]: A footnote with *words*.
- [ ] to do
- [x] done

***

    indented code *x*

[r]: https://example.org/a_b "Title"
~~gone~~ 5 * 3 * 2 snake_case_name 2.1\\. <kbd>Ctrl</kbd>+<kbd>C</kbd>
Line&nbsp;with<br>break<br/>s
"""


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("before", ["", "\ufeff"])
def test_nasty_markdown(end: str, before: str) -> None:
    text = before + NASTY.replace("\n", end)
    document = read(text, "markdown")
    assert unchanged(document) == text
    assert unchanged(read(text[:-1], "markdown")) == text[:-1]
    for words in (
        "in a quotation",
        "Some bold & text",
        "A footnote with words.",
        "to do",
        "One",
        "Two",
    ):
        assert words in document.texts()


@pytest.mark.parametrize("text", ["Hello&#31;", "&#31;x@y.org&#127;", "a &#11;x@y.org&#11; b&#11;"])
def test_html_with_references_to_nothing(text: str) -> None:
    assert unchanged(read(f"<p>{text}</p>", "html")) == f"<p>{text}</p>"


def test_nasty_html() -> None:
    text = (
        "\ufeff<!DOCTYPE html>\r\n<?xml version='1.0'?><html lang=en><title>A &lt; B</title>\r\n"
        "<p class=x>One<p>Two <b>bold <i>both</b> italic</i> &nbsp; &eacute; & &amp;amp;\n"
        '<a href=">" title=\'A "quoted" title\'>text</a><BR><img alt="x > y" src=a>\n'
        "<script>'</p>' < \"<b>\"</script><style>p > b {}</style><pre>  a\n b</pre>\n"
        "<textarea>Text <b></textarea><!-- <p>no</p> --><![CDATA[ x ]]><!-->x\n"
        "<p translate=no>No <p>no</p></p> <span class='a notranslate'>No <span>x</span></span>\n"
        "<?php echo '<p>' > 5; ?>{{ template }} {% if x %}5 < 6 > 4</p></div><b"
    )
    assert unchanged(read(text, "html")) == text
