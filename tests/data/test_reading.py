"""Bytes become lines as `wc -l` counts them, and every oddity of a file is counted or refused."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.data.formats import ReadCounts, open_corpus, reading
from heedful.data.formats.reading import count_lines, lines
from heedful.errors import DataError

NOT_LINE_ENDS = "a\x0bb\x0cc\x1cd\x1ee\x85f\u2028g\u2029h\ri"
"""VT, FF, FS, RS, NEL, LINE and PARAGRAPH SEPARATOR and a lone CR: none ends a line."""


def test_only_lf_ends_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(f"{NOT_LINE_ENDS}\tx\n".encode() * 3)
    rows = list(open_corpus(str(path)))
    assert [row.source for row in rows] == [NOT_LINE_ENDS] * 3
    wc = subprocess.run(["wc", "-l", str(path)], capture_output=True, text=True, check=True)
    assert len(rows) == int(wc.stdout.split()[0]) == 3


@given(content=st.binary(max_size=60) | st.text("a\n\r\u2028\x85\x0b", max_size=30).map(str.encode))
def test_lines_are_the_parts_between_lf(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("lines") / "a"
    path.write_bytes(content)
    counts = ReadCounts()
    found = [raw for _, raw in lines(path, counts)]
    parts = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    last = parts.pop()
    expected = [part.removesuffix(b"\r") for part in parts] + ([last] if last else [])
    if content != b"\xef\xbb\xbf":
        assert found == expected
    assert counts.crlf == sum(part.endswith(b"\r") for part in parts)
    assert counts.lines == len(found) == count_lines(path)


def test_bom_and_crlf_are_accepted_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"\xef\xbb\xbfone\teins\r\ntwo\tzwei\r\nthree\tdrei\n")
    counts = ReadCounts()
    rows = list(open_corpus(str(path), counts=counts))
    assert [row[:2] for row in rows] == [("one", "eins"), ("two", "zwei"), ("three", "drei")]
    assert (counts.bom, counts.crlf, counts.lines) == (1, 2, 3)


def test_bom_and_crlf_of_both_of_two_files(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_bytes(b"\xef\xbb\xbfone\r\n")
    (tmp_path / "a.de").write_bytes(b"\xef\xbb\xbfeins\r\n")
    counts = ReadCounts()
    rows = list(open_corpus(f"{tmp_path}/a.en,{tmp_path}/a.de", counts=counts))
    assert rows == [("one", "eins", 1)]
    assert (counts.bom, counts.crlf) == (2, 2)


def test_blank_lines_are_rows_of_two_empty_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"a\tb\n\n\r\n")
    assert [row[:2] for row in open_corpus(str(path))] == [("a", "b"), ("", ""), ("", "")]


def test_a_line_of_a_megabyte(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"a" * 1_000_000 + b"\tb\nc\td\n")
    assert [len(row.source) for row in open_corpus(str(path))] == [1_000_000, 1]


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_LINE", 2**20)
    path = tmp_path / "a.tsv"
    path.write_bytes(b"a\tb\n" + b"a" * 2**21)
    with pytest.raises(DataError, match=r"a\.tsv:2: the line is longer than 1 MiB"):
        list(open_corpus(str(path)))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("a\tb\n".encode("utf-16"), "UTF-16"),
        (b"\x1f\x8b\x08\x00", "gzip data without .gz"),
        (b"PAR1\xff", "Parquet data"),
    ],
)
def test_files_of_another_kind_are_named(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"a.tsv:1: invalid UTF-8.*{what}"):
        list(open_corpus(str(path)))


def test_not_gzip_inside(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(b"a\tb\n")
    with pytest.raises(DataError, match="cut off or damaged"):
        list(open_corpus(str(path)))


def test_a_pipe_cannot_be_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    os.mkfifo(path)
    with pytest.raises(DataError, match="save it to a file first"):
        open_corpus(str(path))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("a\tb\n")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")  # chmod does not stop root

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"a\.tsv: cannot be read: permission denied"):
        open_corpus(str(path))


def test_at_most_twenty_bad_rows_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("x\n" * 50)
    counts = ReadCounts()
    assert list(open_corpus(str(path), skip_bad=True, counts=counts)) == []
    assert counts.skipped_bad == 50
    assert [bad.where for bad in counts.examples] == [f"{path}:{n}" for n in range(1, 21)]
