"""Every format gives back the rows that another library wrote, and refuses what is broken."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as arrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from heedful.data.formats import FORMATS, ReadCounts, corpus_paths, open_corpus
from heedful.errors import DataError, HeedfulError, SettingError

Pairs = list[tuple[str, str]]


def write_tsv(folder: Path, pairs: Pairs) -> str:
    path = folder / "a.tsv"
    path.write_bytes("".join(f"{source}\t{target}\n" for source, target in pairs).encode())
    return str(path)


def write_text_pair(folder: Path, pairs: Pairs) -> str:
    for side, name in enumerate(("a.en", "a.de")):
        (folder / name).write_bytes("".join(pair[side] + "\n" for pair in pairs).encode())
    return f"{folder}/a.en,{folder}/a.de"


def write_jsonl(folder: Path, pairs: Pairs) -> str:
    path = folder / "a.jsonl"
    rows = [json.dumps({"source": source, "target": target}) for source, target in pairs]
    path.write_bytes("".join(row + "\n" for row in rows).encode())
    return str(path)


def write_csv(folder: Path, pairs: Pairs) -> str:
    path = folder / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerows([("source", "target"), *pairs])
    return str(path)


def write_parquet(folder: Path, pairs: Pairs) -> str:
    path = folder / "a.parquet"
    columns = {
        name: [pair[side] for pair in pairs] for side, name in enumerate(("source", "target"))
    }
    parquet.write_table(arrow.table(columns, schema=TWO_TEXTS), path)
    return str(path)


TWO_TEXTS = arrow.schema([("source", arrow.string()), ("target", arrow.string())])

WRITERS: dict[str, Callable[[Path, Pairs], str]] = {
    "tsv": write_tsv,
    "text_pair": write_text_pair,
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
}

EVERY = [format_.model_fields["kind"].default for format_ in FORMATS]
KINDS = [kind for kind in EVERY if kind != "trees"]
"""Those that hold any two texts; trees have tests of their own, in test_trees.py."""

# No tab, line end or BOM, so that every format can hold the text; all else of Unicode, VT, FF,
# NEL and U+2028 (which some readers take for line ends) among it.
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\t\n\r\ufeff")
    | st.sampled_from("\x0b\x0c\x1c\x1e\x85\u2028\u2029\"',\\")
)


def test_every_format_has_a_writer() -> None:
    assert {*WRITERS, "trees"} == set(EVERY)


@pytest.mark.parametrize("kind", KINDS)
@given(pairs=st.lists(st.tuples(texts, texts), max_size=6))
def test_round_trip(kind: str, pairs: Pairs, tmp_path_factory: pytest.TempPathFactory) -> None:
    spec = WRITERS[kind](tmp_path_factory.mktemp("corpus"), pairs)
    counts = ReadCounts()
    assert [row[:2] for row in open_corpus(spec, counts=counts)] == pairs
    assert (counts.rows, counts.skipped_bad) == (len(pairs), 0)


@pytest.mark.parametrize("kind", KINDS)
def test_line_numbers(kind: str, tmp_path: Path) -> None:
    spec = WRITERS[kind](tmp_path, [("a", "b"), ("c", "d")])
    first = 2 if kind == "csv" else 1
    assert [row.line for row in open_corpus(spec)] == [first, first + 1]


@pytest.mark.parametrize("kind", KINDS)
def test_packed(kind: str, tmp_path: Path) -> None:
    pairs = [("Katze", "猫")]
    packed = []
    for path in corpus_paths(WRITERS[kind](tmp_path, pairs)):
        packed.append(f"{path}.gz")
        Path(packed[-1]).write_bytes(gzip.compress(path.read_bytes()))
    assert [row[:2] for row in open_corpus(",".join(packed))] == pairs


@pytest.mark.parametrize("kind", KINDS)
def test_missing_directory_and_cut_off(kind: str, tmp_path: Path) -> None:
    spec = WRITERS[kind](tmp_path, [(f"{n} a", f"{n} b") for n in range(999)])
    path = corpus_paths(spec)[-1]
    whole = path.read_bytes()
    packed = Path(f"{path}.gz")
    packed.write_bytes(gzip.compress(whole)[:-40])
    cut = spec.replace(str(path), str(packed))
    with pytest.raises(DataError, match="cut off or damaged"):
        list(open_corpus(cut))
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        open_corpus(spec)
    path.mkdir()
    with pytest.raises(DataError, match="is a directory"):
        open_corpus(spec)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_damage_is_an_error_of_ours_or_text(
    kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    spec = WRITERS[kind](tmp_path_factory.mktemp("corpus"), [("ein Haus", "a house")] * 4)
    path = corpus_paths(spec)[0]
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(place, len(whole)))])
    try:
        rows = list(open_corpus(spec))
    except DataError:
        return
    for row in rows:
        assert "\0" not in row.source + row.target
        (row.source + row.target).encode("utf-8")


def test_line_counts_are_compared_first(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_text("one\ntwo\nthree\n")
    (tmp_path / "a.de").write_text("eins\nzwei\n")
    with pytest.raises(DataError, match=r"a\.en: has 3 lines but .*a\.de has 2;"):
        next(open_corpus(f"{tmp_path}/a.en,{tmp_path}/a.de"))


@pytest.mark.parametrize(
    ("spec", "fix"),
    [
        ("a.txt", "known: .tsv"),
        ("a.en,b.en,c.en", "makes 3 names"),
        ("a.en,", "makes 2 names"),
        ("a.tsv,b.tsv", "give corpora apart"),
        ("a.tsv,b.jsonl", "give corpora apart"),
    ],
)
def test_names_that_make_no_corpus(
    spec: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in spec.split(","):
        if name:
            Path(name).write_text("a\tb\n")
    with pytest.raises(DataError, match=fix):
        open_corpus(spec)


def test_a_comma_in_the_name_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "en,de.tsv"
    path.write_text("a\tb\n")
    assert [row[:2] for row in open_corpus(str(path))] == [("a", "b")]


def test_commas_in_the_names_of_a_pairs_folders(tmp_path: Path) -> None:
    folder = tmp_path / "Miller, Smith, and sons"
    folder.mkdir()
    for side, text in {"en": "a\n", "de": "b\n"}.items():
        (folder / f"train.{side}").write_text(text)
    spec = f"{folder}/train.en,{folder}/train.de"
    assert [row[:2] for row in open_corpus(spec)] == [("a", "b")]


@pytest.mark.parametrize(
    ("name", "text", "columns", "pair"),
    [
        ("a.tsv", "id\tone\teins\n", "2,3", ("one", "eins")),
        ("a.tsv", "id\tone\teins\n", "3,2", ("eins", "one")),
        ("a.csv", "id,one,eins\n", "2,3", ("one", "eins")),
        ("a.csv", "n,de,en\n1,eins,one\n", "en,de", ("one", "eins")),
        ("a.jsonl", '{"en": "one", "de": "eins"}\n', "en,de", ("one", "eins")),
        ("a.jsonl", '{"t": {"en": "one", "de": "eins"}}\n', "t.en,t.de", ("one", "eins")),
        ("a.jsonl", '{"t.en": "one", "t": {"de": "eins"}}\n', "t.en,t.de", ("one", "eins")),
    ],
)
def test_chosen_columns(
    name: str, text: str, columns: str, pair: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert [row[:2] for row in open_corpus(str(path), columns=columns.split(","))] == [pair]


@pytest.mark.parametrize("text_type", [arrow.string(), arrow.large_string(), arrow.binary()])
def test_parquet_columns_inside_a_struct(text_type: arrow.DataType, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pair = arrow.struct([("en", text_type), ("de", text_type)])
    rows = arrow.array([{"en": "one", "de": "eins"}, {"en": None, "de": "zwei"}, None], pair)
    parquet.write_table(arrow.table({"t": rows}), path)
    found = [row[:2] for row in open_corpus(str(path), columns=("t.en", "t.de"))]
    assert found == [("one", "eins"), ("", "zwei"), ("", "")]


def test_parquet_column_of_categories(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = arrow.array(["one", "one"]).dictionary_encode()
    parquet.write_table(arrow.table({"source": texts, "target": texts}), path)
    assert [row[:2] for row in open_corpus(str(path))] == [("one", "one")] * 2


def test_parquet_column_of_lists(tmp_path: Path) -> None:
    """The file is whole: it is the column that is no text."""
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"source": [["a", "b"]], "target": ["a"]}), path)
    inside = parquet.ParquetFile(path).schema.column(0).path
    with pytest.raises(DataError, match=f'column "{inside}" does not hold text'):
        list(open_corpus(str(path), columns=(inside, "target")))


def test_parquet_column_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"source": [1], "target": ["a"]}), path)
    with pytest.raises(DataError, match='column "source" does not hold text'):
        list(open_corpus(str(path)))
    with pytest.raises(DataError, match=r'no column "en" \(found: source, target\)'):
        list(open_corpus(str(path), columns=("en", "de")))


@pytest.mark.parametrize("columns", ["1", "0,1", "1,1", "1,2,3", "en,de"])
def test_columns_that_a_tsv_cannot_have(columns: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("a\tb\n")
    with pytest.raises(SettingError, match=f'columns: "{columns}" .*--columns 1,2'):
        open_corpus(str(path), columns=columns.split(","))


def test_columns_that_a_csv_cannot_have(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n")
    with pytest.raises(SettingError):
        open_corpus(str(path), columns=("0", "1"))
    with pytest.raises(DataError, match=r'a\.csv:1: no column "source" .*found: a, b'):
        list(open_corpus(str(path)))


BAD_ROWS = [
    ("a.tsv", b"one\n", "the row has 1 field, 2 are needed", "tab"),
    ("a.tsv", b"one\ttwo\tthree\n", "the row has 3 fields, 2 are needed", "--columns 1,2"),
    ("a.tsv", b"caf\xe9\tx\n", "invalid UTF-8: byte 0xE9 at byte 4", "save the file as UTF-8"),
    ("a.tsv", b"\xed\xa0\x80\tx\n", "invalid UTF-8: byte 0xED at byte 1", "UTF-8"),
    ("a.tsv", b"a\0\tx\n", "a NUL character at byte 2", "--skip-bad"),
    ("a.jsonl", b'{"source": "a"\n', "not JSON at column 15: ", "--skip-bad"),
    ("a.jsonl", b'["a", "b"]\n', "not a JSON object", '"source"'),
    ("a.jsonl", b'{"en": "a", "de": "b"}\n', 'no key "source" (keys: de, en)', "--columns en,de"),
    ("a.jsonl", b'{"source": "a", "target": 3}\n', 'the value of "target" is not', "--skip-bad"),
    ("a.jsonl", b'{"source": "a", "target": "\\ud800"}\n', "half a surrogate pair", "--skip-bad"),
    ("a.jsonl", b'{"source": "a", "target": "\\u0000"}\n', "a NUL character", "--skip-bad"),
    ("a.jsonl", b"[" * 100_000 + b"\n", "not readable JSON", "--skip-bad"),
    ("a.jsonl", b'{"source": "\xff"}\n', "invalid UTF-8: byte 0xFF", "UTF-8"),
    ("a.csv", b"one\n", "the row has 1 of the 2 fields", "--columns"),
    ("a.csv", b'"one" two,x\n', "not CSV: ',' expected after", "write a quote inside a text twice"),
    ("a.csv", b"\xff,x\n", "invalid UTF-8: byte 0xFF", "UTF-8"),
    ("a.csv", b'"a\0",x\n', "a NUL character", "--skip-bad"),
]


@pytest.mark.parametrize(("name", "bad", "problem", "fix"), BAD_ROWS)
def test_bad_rows(name: str, bad: bytes, problem: str, fix: str, tmp_path: Path) -> None:
    good = {"a.tsv": b"a\tb\n", "a.jsonl": b'{"source": "a", "target": "b"}\n', "a.csv": b"a,b\n"}
    header = b"source,target\n" if name == "a.csv" else b""
    path = tmp_path / name
    path.write_bytes(header + good[name] + bad + good[name])
    line = 2 + bool(header)
    with pytest.raises(DataError) as refused:
        list(open_corpus(str(path)))
    said = str(refused.value)
    assert said.startswith(f"{path}:{line}: {problem}"), said
    assert fix in said
    assert "--skip-bad" in said
    assert "\n" not in said

    counts = ReadCounts()
    rows = list(open_corpus(str(path), skip_bad=True, counts=counts))
    assert [row[:2] for row in rows] == [("a", "b")] * 2
    assert (counts.rows, counts.skipped_bad, counts.lines) == (2, 1, 3 + bool(header))
    assert counts.examples[0].where == f"{path}:{line}"
    assert counts.examples[0].reason.startswith(problem)


def test_bad_row_in_the_second_of_two_files(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_bytes(b"one\ntwo\n")
    (tmp_path / "a.de").write_bytes(b"eins\nzw\xff\n")
    spec = f"{tmp_path}/a.en,{tmp_path}/a.de"
    with pytest.raises(DataError, match=r"a\.de:2: invalid UTF-8"):
        list(open_corpus(spec))
    assert [row.source for row in open_corpus(spec, skip_bad=True)] == ["one"]


def test_bad_text_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    raw = arrow.array([b"ok", b"\xff", b"a\0b"], arrow.binary())
    parquet.write_table(arrow.table({"source": raw, "target": raw}), path)
    with pytest.raises(DataError, match=r"a\.parquet:2: invalid UTF-8: byte 0xFF"):
        list(open_corpus(str(path)))
    counts = ReadCounts()
    assert len(list(open_corpus(str(path), skip_bad=True, counts=counts))) == 1
    assert counts.skipped_bad == 2


def test_csv_with_an_open_quote(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('source,target\na,b\n"c,d\ne,f\n')
    with pytest.raises(DataError, match=r"a\.csv:3: a quote is opened here and never closed"):
        list(open_corpus(str(path)))


def test_csv_text_with_a_line_break(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('source,target\n"two\nlines",b\nc,d\n')
    assert [tuple(row) for row in open_corpus(str(path))] == [("two\nlines", "b", 2), ("c", "d", 4)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_corpus_has_no_rows(kind: str, tmp_path: Path) -> None:
    assert list(open_corpus(WRITERS[kind](tmp_path, []))) == []


def test_errors_are_of_the_package() -> None:
    with pytest.raises(HeedfulError):
        open_corpus("")
