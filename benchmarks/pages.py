"""Results take their place in a page of the documents, and plots look alike."""

__all__ = ["begin", "end", "put", "pyplot"]

from pathlib import Path
from typing import Any


def begin(script: Path) -> str:
    """Return the comment behind which the results of a script stand."""
    return f"<!-- begin: {script.stem}.json, by benchmarks/{script.name} -->"


def end(script: Path) -> str:
    """Return the comment before which they end."""
    return f"<!-- end: {script.stem}.json -->"


def put(page: Path, script: Path, text: str, caption: str) -> None:
    """Put text between the two comments, behind the plot that bears the script's name.

    Raises SystemExit where the page has not the comments.
    """
    before, _, rest = page.read_text("utf-8").partition(begin(script))
    _, found, after = rest.partition(end(script))
    if not found:
        comments = f'"{begin(script)}" and "{end(script)}"'
        raise SystemExit(f"{script.stem}: {page} has not the comments {comments}")
    plot = page.with_name(f"{script.stem.replace('_', '-')}.svg")
    shown = f"![{caption}]({plot.name})\n\n" if plot.exists() else ""
    page.write_text(f"{before}{begin(script)}\n\n{shown}{text}\n{end(script)}{after}", "utf-8")


def pyplot() -> Any:
    """Return matplotlib's pyplot, set up for files that are the same for the same results."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams |= {"svg.hashsalt": "heedful", "svg.fonttype": "none", "font.size": 9}
    from matplotlib import pyplot as plt

    return plt
