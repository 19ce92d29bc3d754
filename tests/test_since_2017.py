"""The benchmark of changes since 2017: its settings are settings, and its table adds up."""

from pathlib import Path
from typing import Any

import pytest

from heedful.cli import arguments
from heedful.commands import train
from heedful.config import RunConfig, merged
from heedful.recipes import recipe
from tests.benchmarks import Part, parts_of


@pytest.fixture(scope="module")
def part() -> Part:
    """Return a module of benchmarks/since by its name."""
    return parts_of("since", "table", "variants")


def config_of(words: list[str]) -> RunConfig:
    _, settings = arguments("train", train, ["--data", "x.tsv", "--out", "x", *words])
    return merged(recipe("low-resource"), settings)


def test_every_variant_is_a_run_of_its_own(part: Part) -> None:
    module = part("variants")
    base, variants = module.BASE, module.VARIANTS | module.RATES
    made = {name: config_of([*base, *words]) for name, words in variants.items()}
    assert len({config.model_dump_json() for config in made.values()}) == len(variants)


def row(variant: str, seed: int, bleu: float) -> dict[str, Any]:
    return {"variant": variant, "seed": seed, "bleu": bleu, "chrf": 50.0, "steps": 1000}


def test_a_change_is_compared_seed_by_seed(part: Part, tmp_path: Path) -> None:
    rows = [row("2017", 1, 20.0), row("2017", 2, 22.0), row("Muon", 2, 23.0), row("Muon", 1, 22.0)]
    table = part("table")
    first, muon = table.summary(rows)
    assert (first.against, muon.against) == ([0, 0], [2, 1])
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n", "utf-8")
    found = table.fill(page, rows)
    assert "| Muon | 22.5 | 22.0 to 23.0 | +1.5 | +1.0 to +2.0 | 50.0 | 1,000 | 2 |" in found
    whole = f"before\n{table.BEGIN}\n\n{found}\n\n{table.END}\nafter\n"
    assert page.read_text("utf-8") == whole
