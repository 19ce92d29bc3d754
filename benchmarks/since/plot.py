"""Trainings become a plot: how much BLEU each change gives, a point for each seed."""

__all__ = ["draw"]

from pathlib import Path
from statistics import fmean
from typing import Any

from pages import pyplot
from since.table import summary
from since.variants import FIRST


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the plot as SVG, with white behind it; the change that gives most is at the top."""
    plt = pyplot()
    every = [one for one in summary(rows) if one.against and one.name != FIRST]
    every.sort(key=lambda one: fmean(one.against))
    if not every:
        return
    figure, panel = plt.subplots(figsize=(7, 0.6 + 0.32 * len(every)), layout="constrained")
    for place, one in enumerate(every):
        mean = fmean(one.against)
        panel.barh(place, mean, height=0.6, color="#1f5fa8" if mean > 0 else "#c46a12", alpha=0.35)
        panel.plot(one.against, [place] * len(one.against), "o", color="#222222", markersize=3.5)
    panel.axvline(0, color="#888888", linewidth=0.8)
    panel.set_yticks(range(len(every)), [one.name for one in every])
    panel.set_xlabel(
        "BLEU against the model and training of 2017 with the same seed, at equal time"
    )
    panel.grid(visible=True, axis="x", color="#eeeeee")
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    figure.savefig(path, facecolor="white", metadata={"Date": None})
    plt.close(figure)
