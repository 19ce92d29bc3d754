"""The page of translations side by side: read back by an HTML parser, not by patterns."""

from html.parser import HTMLParser

import pytest

from heedful.evaluation_page import MOST, Column, page

SOURCES = ["The <b>cat</b>", "A dog & a cat", "猫吃鱼"]
REFERENCES = ["Die <b>Katze</b>", "Ein Hund und eine Katze", "The cat eats fish"]


class Reader(HTMLParser):
    """Collects the rows of the table: their facts, the texts of their cells, the marked words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[dict[str, str]] = []
        self.cells: list[list[str]] = []
        self.marked: list[str] = []
        self.options: list[str] = []
        self.path: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        if tag == "tr" and "data-row" in facts:
            self.rows.append(facts)
            self.cells.append([])
        if tag == "td":
            self.cells[-1].append("")
        if tag == "option":
            self.options.append(facts["value"])
        if tag not in ("meta", "input"):
            self.path.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.path.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.path and "span" not in self.path:
            self.cells[-1][-1] += data
        if "mark" in self.path:
            self.marked.append(data)


def test_every_text_is_there_as_it_is() -> None:
    lines = ["Die <b>Katze</b>", "Ein Hund, eine Katze", "The dog eats <fish>"]
    column = Column("runs/<x>", lines, [100.0, 61.25, 40.0], [80.0, 50.0, 10.0])
    text = page("Translations of <t>", "BLEU < 5", [0, 2, 7], (SOURCES, REFERENCES), [column])
    found = Reader(text)
    assert found.cells == [
        [number, source, reference, line]
        for number, source, reference, line in zip(
            ["1", "3", "8"], SOURCES, REFERENCES, lines, strict=True
        )
    ]
    assert found.marked == [",", "dog", "<", ">"]
    assert [row["data-chrf0"] for row in found.rows] == ["100.0", "61.2", "40.0"]
    assert [row["data-expected0"] for row in found.rows] == ["80.0", "50.0", "10.0"]
    assert "<title>Translations of &lt;t&gt;</title>" in text
    assert "BLEU &lt; 5" in text


def test_two_systems_are_ordered_by_what_they_differ_in() -> None:
    systems = [Column("A: x", ["a", "b", "c"], [1.0, 2.0, 3.0]), Column("B", ["d"] * 3, [4.0] * 3)]
    found = Reader(page("t", "", [0, 1, 2], (SOURCES, REFERENCES), systems))
    assert [row["data-gain"] for row in found.rows] == ["3.0", "2.0", "1.0"]
    names = {option.split()[0] for option in found.options}
    assert names == {"row", "chrf0", "chrf1", "gain"}
    assert all(f"data-{name}" in found.rows[0] for name in names)


@pytest.mark.parametrize("count", [MOST, MOST + 1])
def test_of_many_rows_evenly_spread_ones_are_shown(count: int) -> None:
    texts = [str(number) for number in range(count)]
    column = Column("x", texts, [0.0] * count)
    text = page("t", "", range(count), (texts, texts), [column])
    found = Reader(text)
    assert len(found.rows) == MOST
    assert (f"{MOST:,} of {count:,} rows" in text) == (count > MOST)
    assert found.cells[-1][0] in (str(count), str(count - 1))
