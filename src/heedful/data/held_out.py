"""The dev and test pairs that a run keeps beside its model, one JSON object a line.

`heedful.run_data` writes them; what measures the model in the end, and `heed evaluate`, read them.
"""

__all__ = ["held_out", "write_held_out"]

import json
from collections.abc import Iterable
from pathlib import Path


def write_held_out(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write sources and targets; the file appears when it is whole."""
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        for source, target in pairs:
            pair = {"source": source, "target": target}
            file.write(json.dumps(pair, ensure_ascii=False) + "\n")
    fresh.replace(path)


def held_out(path: Path) -> list[tuple[str, str]]:
    """Return the pairs of a file; none where there is no file."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8").split("\n")  # a text may hold what splitlines() ends a line at
    rows = [json.loads(line) for line in lines if line]
    return [(row["source"], row["target"]) for row in rows]
