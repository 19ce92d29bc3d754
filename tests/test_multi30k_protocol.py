"""The benchmark of Multi30k's protocol: its text, and the table it writes."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import BENCHMARKS


@pytest.fixture
def protocol(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("multi30k_protocol")


def test_raw_text_stays_and_only_a_line_feed_ends_a_line(protocol: Any, tmp_path: Path) -> None:
    for part in protocol.PARTS:
        (tmp_path / f"{part}.en").write_text("A\u2028man\t.\n Two\n", "utf-8")
        (tmp_path / f"{part}.de").write_text("Ein Mann .\nZwei\n", "utf-8")
    corpora = protocol.prepared(tmp_path, tmp_path / "out", raw=True)
    for part in protocol.PARTS:
        text = Path(corpora[part]).read_text("utf-8")
        assert text == "A\u2028man .\tEin Mann .\nTwo\tZwei\n"


def test_the_table_has_a_line_for_each_kind_of_text(protocol: Any) -> None:
    row = {"chrf": 65.0, "target_pieces": 24_000_000}
    rows = [
        row | {"text": "raw", "seed": 1, "bleu": 39.0},
        row | {"text": "tokenised", "seed": 2, "bleu": 42.0},
        row | {"text": "tokenised", "seed": 1, "bleu": 41.0},
    ]
    *_, first, second = protocol.table(rows)
    assert first == "| lower-cased, Moses tokens | 2 | 41.5 | 41.0, 42.0 | 65.0 | 24 |"
    assert second == "| as it is, cased | 1 | 39.0 | 39.0 | 65.0 | 24 |"
