"""docs/claims.md is what `heed claims --document` makes of the committed results, to the letter."""

from pathlib import Path

from heedful.claims import CLAIMS
from heedful.claims.page import page

ROOT = Path(__file__).resolve().parents[2]
PAGE, RESULTS = ROOT / "docs" / "claims.md", ROOT / "benchmarks" / "results" / "claims"


def test_the_page_is_that_of_the_results() -> None:
    if not any(RESULTS.glob("*.json")):
        assert not PAGE.exists(), "figures without results"
        return
    assert PAGE.read_text("utf-8") == page(CLAIMS, RESULTS, PAGE)


def test_every_picture_is_there() -> None:
    shown = PAGE.read_text("utf-8").split("](") if PAGE.exists() else []
    links = [one.partition(")")[0] for one in shown[1:]]
    missing = [
        link for link in links if link.endswith(".svg") and not (PAGE.parent / link).exists()
    ]
    assert missing == []
