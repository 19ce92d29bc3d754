"""The report tells the truth: counts against plain Python, JSON and HTML whole and escaped."""

import json
import unicodedata
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.data.characters import describe_odd, script_of, scripts
from heedful.data.corpus import Corpus, DataConfig
from heedful.data.report import Report, share_text, shorten, write_whole
from heedful.errors import OutputError
from heedful.progress import Progress


def report_on(folder: Path, content: bytes, **settings: object) -> Report:
    path = folder / "a.tsv"
    path.write_bytes(content)
    config = DataConfig.model_validate({"train": str(path), "skip_bad": True, **settings})
    return Corpus.examine(config, seed=1, progress=Progress(quiet=True)).report


MIXED = (
    "\ufeffHello there\tHallo du\r\n"
    "Hello there\tHallo du\n"
    "\t\n"
    "only one field\n"
    "OK\tOK\n"
    f"Hi\t{'very long ' * 40}\n"
    f"{'word ' * 300}\t{'wort ' * 300}\n"
    " <b>cat</b> & co\tкошка\x0b\n"
).encode() + b"caf\xe9\tx\n"


def test_the_report_counts_everything(tmp_path: Path) -> None:
    report = report_on(tmp_path, MIXED)
    (train,) = report.splits
    (file,) = train.files
    assert (file.lines, file.rows, file.bom, file.crlf, file.bad_rows) == (9, 7, 1, 1, 2)
    assert [(bad.where, bad.reason.split(":")[0]) for bad in file.bad_examples] == [
        (f"{tmp_path}/a.tsv:4", "the row has 1 field, 2 are needed"),
        (f"{tmp_path}/a.tsv:9", "invalid UTF-8"),
    ]
    assert report.first_bad_row == file.bad_examples[0]
    rows = {finding.name: (finding.rows, finding.dropped) for finding in train.findings}
    assert rows == {
        "empty": (1, 1),
        "too_long": (1, 1),
        "ratio": (1, 1),
        "identical": (1, 0),
        "duplicate": (1, 1),
        "odd": (1, 0),
        "padded": (3, 0),
    }
    assert (train.rows, train.kept, train.held_out) == (7, 3, 0)
    where = {f.name: [e.where.split(":")[-1] for e in f.examples] for f in train.findings}
    assert where["duplicate"] == ["2"]
    assert where["empty"] == ["3"]
    assert where["ratio"] == ["6"]
    assert where["padded"] == ["6", "7", "8"]


def test_the_sides(tmp_path: Path) -> None:
    texts = ["Haus", "猫と犬", "", "a" * 700]
    report = report_on(tmp_path, "".join(f"{text}\tx y\n" for text in texts).encode())
    source, target = report.splits[0].sides
    joined = "".join(texts)
    assert (source.characters, source.distinct_characters) == (len(joined), len(set(joined)))
    assert source.scripts == {"Latin": 704, "Han": 2, "Hiragana": 1}
    assert (source.median_length, source.longest, source.words) == (3.5, 700, 3)
    assert {name: count for name, count in source.lengths.items() if count} == {
        "0": 1,
        "1-10": 2,
        "641+": 1,
    }
    assert (target.words, target.lengths["1-10"]) == (8, 4)


def test_json_says_the_same(tmp_path: Path) -> None:
    report = report_on(tmp_path, MIXED)
    record = json.loads(report.to_json())
    assert (record["format"], record["version"]) == ("heedful-data-report", 1)
    (train,) = record["splits"]
    assert (train["rows"], train["kept"]) == (7, 3)
    assert train["files"][0]["bad_examples"][0]["where"].endswith("a.tsv:4")
    assert train["findings"][0]["examples"][0]["where"].endswith("a.tsv:3")
    assert record["cleaning"]["max_words"] == 250


class Outline(HTMLParser):
    """Checks that tags close in order and gathers the text and the addresses."""

    EMPTY = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.addresses: list[str] = []
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def outline(html: str) -> Outline:
    parser = Outline()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def test_the_page_is_whole_and_needs_nothing_else(tmp_path: Path) -> None:
    html = report_on(tmp_path, MIXED).to_html()
    found = outline(html)
    said = "\n".join(found.texts)
    assert not found.addresses
    assert "http" not in html
    assert found.tags["script"] == 0
    assert "<b>cat</b> & co" in said
    assert "кошка\\x0b" in said
    assert "the row has 1 field, 2 are needed" in said
    assert "prefers-color-scheme: dark" in html
    assert "\x0b" not in html


def test_markup_of_the_corpus_stays_text(tmp_path: Path) -> None:
    evil = "</bdi><script>alert('x')</script>"
    rows = "".join(f"{evil}\t{evil}\n" for _ in range(2))
    found = outline(report_on(tmp_path, rows.encode()).to_html())
    assert found.tags["script"] == 0
    assert evil in found.texts


def test_hold_out_and_leaks_are_told(tmp_path: Path) -> None:
    rows = "".join(f"s{n}\tt{n}\n" for n in range(40))
    (tmp_path / "dev.tsv").write_text("s3\tt3\ns4\tx\nnew\ty\n")
    report = report_on(tmp_path, rows.encode(), dev=str(tmp_path / "dev.tsv"))
    (leak,) = report.leaks
    assert (leak.split, leak.seen_in, leak.rows, leak.same_pair) == ("dev", "train", 2, 1)
    assert [example.where.split(":")[-1] for example in leak.examples] == ["1", "2"]
    train, dev, test = report.splits
    assert (train.kept, train.held_out, dev.kept, test.kept) == (37, 1, 3, 1)
    assert test.files == ()
    summary = report.summary()
    assert "train: 37 rows used of 40 (1 held out, 2 dropped)" in summary
    assert "leak: 2 rows of dev have a source that is in train (1 with the same target)" in summary
    assert "test: 1 rows held out of train" in summary
    outline(report.to_html())


def test_the_notes_name_what_is_strange(tmp_path: Path) -> None:
    rows = "a\tb\nx\nb\tc\ufffd\n" + "same\trow\n" * 5
    said = report_on(tmp_path, rows.encode()).notes
    assert any("1 rows of train cannot be read" in note for note in said)
    assert any("57 % of the rows of train are dropped" in note for note in said)
    assert any("U+FFFD stands 1 times in train" in note for note in said)


def test_long_texts_are_cut_in_the_report(tmp_path: Path) -> None:
    report = report_on(tmp_path, b"x" * 1_000_000 + b"\tb\na\tb\n")
    assert len(report.to_json()) < 20_000
    assert len(report.to_html()) < 30_000


def test_a_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = Path(f"{tmp_path}/caf\udce9.tsv")
    path.write_text("a\tb\nx\n")
    config = DataConfig(train=str(path), skip_bad=True)
    report = Corpus.examine(config, seed=1, progress=Progress(quiet=True)).report
    for text in (report.summary(), report.to_json(), report.to_html()):
        text.encode("utf-8")
    assert "caf\\udce9.tsv:2" in report.summary()


def test_saved_whole_or_not_at_all(tmp_path: Path) -> None:
    report = report_on(tmp_path, MIXED)
    folder = tmp_path / "run"
    folder.mkdir()
    report.save(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "data-report.html",
        "data-report.json",
    ]
    assert (folder / "data-report.json").read_text("utf-8") == report.to_json()
    with pytest.raises(OutputError, match="cannot be written: no such file or directory"):
        write_whole(tmp_path / "none" / "a.html", "x")
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError, match="taken: cannot be written: is a directory"):
        write_whole(tmp_path / "taken", "x")
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


@given(text=st.text())
def test_every_character_has_one_script(text: str) -> None:
    counts = Counter(text)
    assert sum(scripts(counts).values()) == len(text)
    for character in counts:
        letter = unicodedata.category(character)[0] == "L"
        assert letter == (
            script_of(character)[0].isupper() or script_of(character) == "other letters"
        )


def test_odd_characters_are_named() -> None:
    found = describe_odd(Counter("a\u200b\u200b\ufffd\r\t\n é\ue000"))
    assert [(odd.code, odd.name, odd.count) for odd in found] == [
        ("U+200B", "zero width space", 2),
        ("U+FFFD", "replacement character", 1),
        ("U+000D", "carriage return", 1),
        ("U+E000", "private use", 1),
    ]


@given(text=st.text(max_size=40), most=st.integers(2, 30))
def test_shortened_texts_can_be_shown(text: str, most: int) -> None:
    shown = shorten(text, most)
    assert len(shown) <= most
    assert shown.isprintable()
    if text.isprintable() and len(text) <= most:
        assert shown == text


@given(share=st.floats(0, 1))
def test_shares_never_hide_something(share: float) -> None:
    said = share_text(share)
    assert (said == "0 %") == (share == 0)
    assert (said == "100 %") == (share == 1)
