"""What is translated of each format, what is kept, and how it comes back."""

import pytest

from heedful.documents import read
from heedful.documents.document import Document
from heedful.errors import DataError
from tests.documents.mirror import changed, said


def put(document: Document, found: dict[str, str]) -> str:
    """Return a document with these translations, the other texts as they are."""
    return document.rebuilt(said({text: found.get(text, text) for text in document.texts()}))[0]


def test_markdown_texts() -> None:
    text = (
        "---\ntitle: No\n---\n# A *b* `c`\n\nSee [the guide](x.md) and\n![a cat](c.png) <b>d</b>.\n"
        "Read docs/output.md, {name} or me@x.org.\n\n- [x] done\n\n> [!NOTE]\n> Careful!\n\n"
        "| One | `x` |\n|--|--|\n| 12 | R&amp;D of file_name |\n\n[^1]: Why not?\n"
        "[^2]: No\n[x]: y\n\n```\nNo\n```\n"
    )
    assert read(text, "markdown").texts() == [
        "A b <x1/>",
        "See the guide and <x1/> d. Read <x2/>, <x3/> or <x4/>.",
        "a cat",
        *("done", "Careful!", "One", "<x1/> of <x2/>", "Why not?", "No"),
    ]


def test_markdown_front_matter() -> None:
    rules = "---\n\n# Title\n\nText.\n\n---\n\nEnd.\n"
    assert read(rules, "markdown").texts() == ["Title", "Text.", "End."]
    for first, last in ("---", "---"), ("---", "..."), ("+++", "+++"):
        for end in "\n", "\r\n":
            text = f"{first}\ntitle: No\n\nb: 1\n{last} \nYes\n\n---\n".replace("\n", end)
            assert read(text, "markdown").texts() == ["Yes"]
    assert read("---\na: b\n---", "markdown").texts() == []


def test_markdown_is_broken_at_the_width_that_it_had() -> None:
    text = "> one two three four\n> five six\n\nand another\n"
    document = read(text, "markdown")
    new = "eins zwei drei vier fünf sechser - sieben 8. acht"
    assert put(document, {"one two three four five six": new}) == (
        "> eins zwei drei\n> vier fünf sechser -\n> sieben 8. acht\n\nand another\n"
    )


def test_markdown_what_reads_as_markup_is_escaped() -> None:
    document = read("good\n\n# bad\n\n| a |\n|---|\n| b |\n", "markdown")
    new = put(document, {"good": "1. *x* <b> [a](b)", "bad": "C #", "b": "x|y"})
    assert new == ("1\\. \\*x\\* \\<b\\> \\[a\\](b)\n\n# C \\#\n\n| a |\n|---|\n| x\\|y |\n")
    assert put(document, {"good": "5 * 3 is a_b"}).startswith("5 * 3 is a_b\n")


def test_markdown_in_spaces_of_any_width() -> None:
    text = "\u3000one\u3000\n\n## \xa0two\xa0 ##\n\n- three\nfour\xa0\n\nfive\xa0\n===\n"
    document = read(text, "markdown")
    assert document.texts() == ["one", "two", "three four", "five"]
    assert put(document, {}) == text
    found = {"one": "eins", "two": "zwei", "three four": "drei vier", "five": "fünf"}
    new = text
    for before, after in ("one", "eins"), ("two", "zwei"), ("three\nfour", "drei\nvier"):
        new = new.replace(before, after)
    assert put(document, found) == new.replace("five", "fünf")


def test_markdown_references_keep_their_names() -> None:
    text = "Read [the guide] and [it][] or [that][the guide] now.\n\n[the guide]: x\n[it]: y\n"
    new = changed(read(text, "markdown"), str.upper)
    assert new == (
        "NOW. [THAT][the guide] OR [IT][it] AND [GUIDE THE][the guide] READ\n\n"
        "[the guide]: x\n[it]: y\n"
    )


def test_markup_that_finds_no_place_is_counted() -> None:
    document = read("one\n\nA *b* **c** d\n\ntwo\n", "markdown")
    new, report = document.rebuilt(said({"one": "eins", "A b c d": "x", "two": "zwei"}))
    assert new == "eins\n\nA *b* **c** d\n\nzwei\n"
    assert (report.texts, report.words, report.kept) == (3, 6, [3])


def test_markdown_that_changes_other_blocks_is_counted() -> None:
    text = "<!-- c --> one\n|-|-|\n\ntwo\n"
    new, report = read(text, "markdown").rebuilt(said({"one": "x | y", "two": "zwei"}))
    assert new == "<!-- c --> one\n|-|-|\n\nzwei\n"
    assert report.kept == [1]


def test_html_texts() -> None:
    text = (
        '<html lang="en" xml:lang="en"><title>The &amp; title</title><body><p>One <b>two</b><br>'
        'three <code>four</code> <a href="x" title="five">six</a></p><img alt="a &quot;b&quot;">'
        '<script>no</script><p translate="no" title="no">no</p><ul><li>seven<li>eight</ul></html>'
    )
    document = read(text, "html", language="de")
    assert document.texts() == [
        *("The & title", "One two", "three <x1/> six", "five", 'a "b"', "seven", "eight")
    ]
    new = put(document, {'a "b"': '<"ü"> & mehr', "The & title": "Ü & Ö"})
    assert '<html lang="de" xml:lang="de">' in new
    assert '<img alt="&lt;&quot;&#252;&quot;&gt; &amp; mehr">' in new
    assert "<title>&#220; &amp; &#214;</title>" in new, "nothing says that the page is UTF-8"
    declared = read(text.replace("<title>", "<meta charset=UTF-8><title>"), "html")
    assert "<title>Ü &amp; Ö</title>" in put(declared, {"The & title": "Ü & Ö"})
    assert read(text, "html").rebuilt(said({one: one for one in document.texts()}))[0] == text


def test_html_attributes_of_a_tag_that_refuses_are_kept() -> None:
    text = (
        '<p>One <img translate="no" alt="two"> <input class="notranslate" placeholder="three">'
        '<code translate="no" title="four">x</code> <img translate="yes" alt="five"></p>'
    )
    assert "".join(read(text, "html").texts()[1:]) == "five"


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("<ul><li class=notranslate>API<li>Two<li>Three</ul><p>More.", ["Two", "Three", "More."]),
        ("<ul><li translate=no>A<ul><li>B<p>C</ul>D<p>E</p>F</ul>Two", ["Two"]),
        ("<div><p translate=no>A <b>B</b></div>Two", ["Two"]),
        ("<p translate=no>A<h2>Two</h2><p translate=no>B</p>Three", ["Two", "Three"]),
        ("<dl><dt translate=no>A<dd>Two</dl>", ["Two"]),
        ("<table><tr><td translate=no>A<td>Two<tr translate=no><td>B<tr><td>C</table>", "Two C"),
        ("<select><option translate=no>A<option>Two</select>", ["Two"]),
        ("<ul><li translate=no><script>'</ul>'</script>A<li>Two</ul>", ["Two"]),
        ("<p translate=no>A", []),
    ],
)
def test_html_what_refuses_ends_where_its_tag_may_be_left_open(
    text: str, translated: list[str] | str
) -> None:
    wanted = translated.split() if isinstance(translated, str) else translated
    assert read(text, "html").texts() == wanted


def test_html_attributes_keep_their_lines() -> None:
    text = '<p title="One word.&#10;Two words." aria-label="a\nb">x</p><input placeholder="y\n  z">'
    document = read(text, "html")
    assert document.texts() == ["One word.", "Two words.", "a b", "x", "y", "z"]
    new = put(document, {"One word.": "Ein Wort. " * 10, "y": "ü"})
    assert new == text.replace("One word.", ("Ein Wort. " * 10).strip()).replace("y", "ü")


def test_html_is_broken_as_it_was() -> None:
    text = "<div>\r\n  <p>one\r\n     two</p>\r\n</div>"
    new = put(read(text, "html"), {"one two": "wort " * 15 + "wort"})
    assert new == f"<div>\r\n  <p>{'wort ' * 13}wort\r\n     wort wort</p>\r\n</div>"


@pytest.mark.parametrize("gap", ["\r\n\r\n ", "\n\n ", "\r\n\r\n\r\n\r\n "])
def test_html_with_a_blank_line_in_a_paragraph_has_one_kind_of_line_ends(gap: str) -> None:
    new = put(read(f"<p>one{gap}two</p>", "html"), {"one two": "wort " * 15 + "wort"})
    end = "\r\n" if "\r" in gap else "\n"
    assert new == f"<p>{'wort ' * 13}wort{end} wort wort</p>"


SUBTITLES = (
    "1\r\n00:00:01,000 --> 00:00:02,500\r\n{\\an8}<i>Where have you\r\nbeen all day?</i>\r\n\r\n"
    "2\r\n00:00:03,000 --> 00:00:04,000  X1:5\r\n- Here.\r\n- No!\r\n"
)


def test_subtitles() -> None:
    document = read(SUBTITLES, "srt")
    assert document.texts() == ["Where have you been all day?", "Here.", "No!"]
    new = put(document, {document.texts()[0]: "Wo bist du den ganzen Tag gewesen?", "No!": "Nein!"})
    assert new == SUBTITLES.replace("Where have you", "Wo bist du den").replace(
        "been all day?", "ganzen Tag gewesen?"
    ).replace("No!", "Nein!")
    assert put(document, {document.texts()[0]: "Wo?"}) == SUBTITLES.replace(
        "Where have you\r\nbeen all day?", "Wo?"
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("2\r\n", "two\r\n", 'a.srt:6: "two" is not the number of a cue; after a blank line'),
        ("2\r\n", "", 'a.srt:6: "00:00:03,000 --> 00:00:04,000  X1:5" is not the number'),
        ("04,000", "04;000", 'a.srt:7: "00:00:03,000 --> 00:00:04;000  X1:5" are not the times'),
        ("-->", "->", 'a.srt:2: "00:00:01,000 -> 00:00:02,500" are not the times of a cue; write'),
        ("- No!\r\n", "\r\n3", "a.srt:10: cue 3 has no times"),
    ],
)
def test_bad_subtitles(old: str, new: str, problem: str) -> None:
    with pytest.raises(DataError) as failure:
        read(SUBTITLES.replace(old, new, 1), "srt", name="a.srt")
    assert str(failure.value).startswith(problem)


def test_plain_text() -> None:
    text = (
        "A TITLE\n\n  This is a long line that was broken at sixty columns and\n"
        "  goes on here. It has an end.\n- one item\n- another item\nYours\n"
    )
    document = read(text, "plain")
    assert document.texts() == [
        "A TITLE",
        "This is a long line that was broken at sixty columns and goes on here. It has an end.",
        *("- one item", "- another item", "Yours"),
    ]
    new = put(document, {document.texts()[1]: "wort " * 14 + "wort"})
    assert f"\n  {'wort ' * 10}wort\n  {'wort ' * 3}wort\n- one" in new
    assert read("one\ntwo " * 3, "plain").texts() == ["one", "two one", "two"]


def test_plain_text_in_chinese() -> None:
    lines = ["今天天气很好，我们去公园散步，" + "看花" * n for n in (8, 9, 10)]
    assert read("\n".join(lines), "plain").texts() == lines, "each line has room for a letter more"
    ended = ["他说：“" + "好" * 26 + "！”", "第二句" + "话" * 26]
    assert read("\n".join(ended), "plain").texts() == ended, "a sentence has ended"


def test_plain_text_in_chinese_that_was_broken_at_a_width() -> None:
    document = read("春" * 30 + "\n" + "秋" * 30 + "\nend\n", "plain")
    assert document.texts() == ["春" * 30 + "秋" * 30 + " end"], "a space before what has spaces"
    new = "我们读了（很多）书，" * 8
    text = put(document, {document.texts()[0]: new})
    assert text.replace("\n", "") == new
    assert [len(line) for line in text.split("\n")] == [30, 30, 20, 0]
    broken = put(document, {document.texts()[0]: "书" * 29 + "（" + "书" * 3 + "，"})
    assert broken == "书" * 29 + "\n（书书书，\n", "what opens goes with what it opens"
