"""Tables become examples: which columns, which header, and what is refused."""

from pathlib import Path

import pytest

from heedful.data.examples import Example, read_examples
from heedful.data.formats.reading import ReadCounts
from heedful.errors import DataError, SettingError


def read(path: Path, columns: str | None = None, skip_bad: bool = False) -> list[Example]:
    names = columns.split(",") if columns else None
    return list(read_examples(path, names, skip_bad=skip_bad, counts=ReadCounts()))


def table(folder: Path, content: str, name: str = "a.tsv") -> Path:
    path = folder / name
    path.write_text(content, "utf-8")
    return path


@pytest.mark.parametrize(
    ("content", "columns", "expected"),
    [
        ("good film\t1\nbad\t0\n", None, [("good film", None, "1"), ("bad", None, "0")]),
        ("a\tb\tyes\n", None, [("a", "b", "yes")]),
        ("sentence\tlabel\ngood\t1\n", None, [("good", None, "1")]),
        ("Label\tsentence\n1\tgood\n", None, [("good", None, "1")]),
        ("id\ttext_b\tlabel\ttext\n7\tb\tx\ta\n", None, [("a", "b", "x")]),
        ("id\ttext\tlabel\textra\n7\ta\tx\t\n", None, [("a", None, "x")]),
        ("gj04\t1\t\tThe sailors.\n", "4,2", [("The sailors.", None, "1")]),
        ("q\ta\tb\tc\nw\tx\ty\tz\n", "a,b,q", [("x", "y", "w")]),
        ("one\t 1 \r\ntwo\t0", None, [("one", None, "1"), ("two", None, "0")]),
    ],
)
def test_columns(
    content: str, columns: str | None, expected: list[tuple[str, str | None, str]], tmp_path: Path
) -> None:
    assert [one[:3] for one in read(table(tmp_path, content), columns)] == expected


def test_csv_with_quotes_and_line_breaks(tmp_path: Path) -> None:
    path = table(tmp_path, 'text,label\n"a, ""b""\nc",1\nd,0\n', "a.csv")
    assert read(path) == [Example('a, "b"\nc', None, "1", 2), Example("d", None, "0", 4)]


@pytest.mark.parametrize(
    ("content", "columns", "sentence"),
    [
        ("a\tb\tc\td\n", None, "a.tsv:1: the first row has 4 fields; say which hold"),
        ("a\n", None, "a.tsv:1: the first row has 1 field; say"),
        ("text\tlabel\na\t1\n", "txt,label", '--columns: there is no column "txt" in the'),
        ("text\tlabel\na\t1\n", "txt,label", 'did you mean "text"'),
        ("a\t1\n", "1,3", "--columns: the rows of .* have 2 fields; count them from 1"),
        ("a\t1\n", "2,2", '--columns: "2,2" names a column twice'),
        ("a\t1\n", "0,1", "--columns: the rows of"),
        ("a\t1\n", "1", "--columns: 1 columns are named, and 2 or 3 are needed"),
        ("a\t1\nb\n", None, "a.tsv:2: the row has 1 of the 2 fields that are needed"),
        ("a\t1\nb\tc\t1\n", None, "a.tsv:2: the row has 3 fields, the first row has 2; take"),
        ("text\tlabel\nb\tc\t1\n", None, "a.tsv:2: the row has 3 fields, the first row has 2"),
        ("a\t1\nb\t \n", None, "a.tsv:2: the row has no label"),
        ("a\t1\n\nb\t0\n", None, "a.tsv:2: the row is empty"),
    ],
)
def test_what_does_not_fit_is_refused(
    content: str, columns: str | None, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises((DataError, SettingError), match=sentence):
        read(table(tmp_path, content), columns)


def test_bad_rows_can_be_left_out_and_are_counted(tmp_path: Path) -> None:
    path, counts = table(tmp_path, "a\t1\nb\n\nc\t0\n"), ReadCounts()
    rows = list(read_examples(path, None, skip_bad=True, counts=counts))
    assert [one.text for one in rows] == ["a", "c"]
    assert (counts.rows, counts.skipped_bad) == (2, 2)
    assert counts.examples[0].where == f"{path}:2"


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no table is known by the ending"):
        read(table(tmp_path, "a\t1\n", "a.txt"))
    bad = tmp_path / "bad.tsv"
    bad.write_bytes(b"a\t1\n\xff\t0\n")
    with pytest.raises(DataError, match=r"bad.tsv:2: invalid UTF-8"):
        read(bad)
