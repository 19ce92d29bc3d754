"""`heed translate notes.md -o notes.de.md` with the bundled model: the words change, nothing else.

Counted by markdown-it's renderer and the parser of HTML of the standard library.
"""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from heedful.cli import main

README = """\
---
title: Weather
---
# The weather *today*

A **small** program that tells you, in your [own language](https://example.org/lang), if it will
rain. Read [the manual][m] first.

![A cat under an umbrella](images/cat.png)

## How to begin

1. Install it with `pip install weather`.
2. Open the file `config.toml` and write the name of your city.
   - You can also use <kbd>Ctrl</kbd>+<kbd>C</kbd> to stop the program.

```sh
weather --city Berlin  # is not translated
```

> The sun is *always* shining somewhere.

| Option | What it does |
|--------|--------------|
| `--city` | The city where you **live** |
| `--days` | How many days you want to see, 7 at most |

Questions? Write to <me@example.org>.[^1]

[^1]: We answer every letter.
[m]: https://example.org/manual
"""

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>My garden</title><style>p { color: green }</style></head>
<body>
<h1>Welcome to my <em>garden</em></h1>
<p class="a">The roses are <b>red</b>, and the <a href="x.html?a=1&amp;b=2" title="Flowers">violets
are blue</a>.<br>Please come &amp; see.</p>
<img src="rose.png" alt="A red rose">
<ul><li>Roses<li>Trees <i>and</i> birds</ul>
<script>if (a < b) alert("No")</script><p translate="no">Stay</p><pre>keep</pre>
</body></html>
"""

SUBTITLES = """\
1
00:00:01,000 --> 00:00:03,000
<i>Where is the station? I have been
looking for it all day.</i>

2
00:00:03,500 --> 00:00:05,000
- I don't know.
- Neither do I.

3
00:01:06,000 --> 00:01:07,250
{\\an8}The train to London leaves tonight.
"""


class Tags(HTMLParser):
    """Counts tags, with their attributes but for those in words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: Counter[object] = Counter()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kept = tuple(pair for pair in attrs if pair[0] not in ("alt", "title", "lang"))
        self.found[tag, kept] += 1

    def handle_endtag(self, tag: str) -> None:
        self.found["/", tag] += 1


def translated(
    folder: Path, name: str, text: str, capsys: pytest.CaptureFixture[str], *more: str
) -> tuple[str, str]:
    """Return the document in German and what was said of it."""
    source = folder / name
    target = folder / f"{source.stem}.de{source.suffix}"
    source.write_bytes(text.encode())
    assert main(["translate", "--to", "de", str(source), "-o", str(target), *more]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert sorted(folder.iterdir()) == sorted([source, target])
    return target.read_bytes().decode(), err


def test_markdown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, said = translated(tmp_path, "notes.md", README, capsys)
    parser = MarkdownIt("commonmark").enable("table")
    assert [token.type for token in parser.parse(new)] == [
        token.type for token in parser.parse(README)
    ]
    assert Tags(parser.render(new)).found == Tags(parser.render(README)).found
    code = re.compile(r"```[^`]*```|`[^`]+`|\]\([^)]*\)|\[m\](?:: http\S+)?")
    assert Counter(code.findall(new)) == Counter(code.findall(README))
    assert "[^1]: " in new
    assert new.startswith("---\ntitle: Weather\n---\n# ")
    assert "Das Wetter" in new
    assert "weather *today*" not in new
    assert "notes.md: translated as Markdown, 14 texts of 82 words in " in said
    assert "kept as they are" not in said


def test_html(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, said = translated(tmp_path, "garden.HTML", PAGE, capsys, "--protect", "--beam", "2")
    assert Tags(new).found == Tags(PAGE).found
    assert '<html lang="de">' in new
    assert "Garten" in new
    for kept in ('alert("No")', ">Stay<", "<pre>keep</pre>", "&amp;b=2", "p { color: green }"):
        assert kept in new
    for gone in ("My garden", "A red rose", "Please come"):
        assert gone not in new
    assert "garden.HTML: translated as HTML, " in said


def test_subtitles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crlf = "\ufeff" + SUBTITLES.replace("\n", "\r\n")
    new, said = translated(tmp_path, "film.srt", crlf, capsys)
    assert new.startswith("\ufeff1\r\n")
    assert new.count("\r\n") == new.count("\n") == crlf.count("\n")
    head = re.compile(r"\d+\r\n[\d:,]+ --> [\d:,]+\r\n")
    assert head.findall(new) == head.findall(crlf)
    assert re.search(r"<i>Wo [^<]*\r\n[^<]*</i>\r\n", new)
    assert "{\\an8}Der Zug" in new
    assert "film.srt: translated as subtitles, 4 texts of 24 words in " in said


def test_plain_and_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "The house is old.\n\n  The dog sleeps."
    new, said = translated(tmp_path, "a.txt", text, capsys, "--quiet")
    assert new == "Das Haus ist alt.\n\n  Der Hund schläft."
    assert said == ""


def test_options_for_words_apply(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    terms = tmp_path / "in" / "terms.tsv"
    terms.parent.mkdir()
    terms.write_text("house\tBude\n")
    source, target = tmp_path / "a.md", tmp_path / "b.markdown"
    source.write_text("The **house** is old.\n")
    words = [str(source), "-o", str(target), "--to", "de", "--glossary", str(terms)]
    assert main(["translate", *words]) == 0
    assert "Bude" in target.read_text()
    assert "1 with terms of the glossary" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--json"], "--json: it is for lines of text, and a.md is a document; leave it out"),
        (["--nbest", "2"], "--nbest: it is for lines of text, and a.md is a document"),
        (["--resume"], "--resume: it is for lines of text, and a.md is a document"),
        (["--alignments"], "--alignments: it is for lines of text, and a.md is a document"),
        (["--to", "fr"], '--to: the model knows no language "fr"'),
    ],
)
def test_refused(
    options: list[str],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.md").write_text("One.\n")
    assert main(["translate", "a.md", "-o", "b.md", *options]) == 2
    assert capsys.readouterr().err.startswith(f"heed: {problem}")
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]


def test_files_that_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.srt").write_text("1\n00:00:01 --> 00:00:02\nHello\n")
    Path("a.md").write_bytes(b"one\ntwo \xff\n")
    for name, problem in {
        "a.srt": 'a.srt:2: "00:00:01 --> 00:00:02" are not the times of a cue; write them as ',
        "a.md": "a.md:2: invalid UTF-8: byte 0xFF; save it as UTF-8",
    }.items():
        assert main(["translate", "--to", "de", name, "-o", f"b{name}"]) == 2
        assert capsys.readouterr().err.startswith(f"heed: {problem}")
    for target, problem in {
        "a.md": "a.md: the document would be written over; choose another output",
        "no/b.md": "no/b.md: cannot be written: no such file or directory",
    }.items():
        Path("a.md").write_bytes(b"one\n")
        assert main(["translate", "--to", "de", "a.md", "-o", target]) == 2
        assert capsys.readouterr().err == f"heed: {problem}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.md", "a.srt"]


def test_words_that_are_no_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.md").write_text("Good morning!\n")
    for words in (["a.md"], ["a.md", "-o", "b.html"], ["a.md", "no.md", "-o", "c.md"]):
        assert main(["translate", "--to", "de", *words]) == 0
        said = capsys.readouterr().err
        assert "a.md is a file, and its name is translated" in said
        assert "no.md" not in said
    assert "Morgen" not in Path("b.html").read_text() + Path("c.md").read_text()
    words = ["Good morning! " * 400, "-o", "d.md", "--beam", "1"]
    assert main(["translate", "--to", "de", *words]) == 0
