"""Results become a plot: how good and how fast each search is, a panel for each test set."""

__all__ = ["draw"]

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pages import pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAMILIES = {"greedy": "#444444", "beam": "#1f5fa8", "diverse": "#2a8f5b", "sampling": "#c46a12"}
RISK = "#9b2c6f"
LINE = {"arrowstyle": "-", "lw": 0.6, "alpha": 0.5, "relpos": (0, 0.5), "shrinkA": 0}
"""From a name to its point."""
GAP = 0.042
"""Least distance of two labels, as a share of a panel's height."""


def draw(sets: dict[str, Any], path: Path) -> None:
    """Write the plot as SVG (or whatever the name ends in), with white behind it."""
    plt = pyplot()
    figure, panels = plt.subplots(
        1, len(sets), figsize=(7.2 * len(sets), 6.4), squeeze=False, layout="constrained"
    )
    for panel, (name, searches) in zip(panels[0], sets.items(), strict=True):
        _panel(panel, name, searches)
    figure.savefig(path, facecolor="white", dpi=110, metadata={"Date": None})
    plt.close(figure)


def _panel(panel: "Axes", name: str, searches: dict[str, Any]) -> None:
    points = {
        search: (row["sentences_per_second"], row["chrf against beam 4"]["value"])
        for search, row in searches.items()
    }
    panel.set_xscale("log")
    for search, (speed, quality) in points.items():
        panel.plot(speed, quality, "o", color=_colour(search), markersize=6)
    base = searches["beam 4"]
    panel.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    panel.set_title(f"{name} (beam 4: chrF {base['chrf']:.1f}, BLEU {base['bleu']:.1f})")
    panel.set_xlabel("sentences a second")
    panel.set_ylabel("chrF against beam 4 on the same sentences")
    panel.grid(visible=True, color="#eeeeee")
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    speeds = [speed for speed, _ in points.values()]
    panel.set_xlim(min(speeds) / 1.4, max(speeds) * 1.4)
    panel.set_xticks(
        [tick for tick in (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if _within(tick, speeds)]
    )
    panel.xaxis.set_major_formatter("{x:g}")
    panel.xaxis.set_minor_formatter("")
    panel.margins(y=0.06)
    _name(panel, points)


def _within(tick: float, speeds: list[float]) -> bool:
    return min(speeds) / 1.4 <= tick <= max(speeds) * 1.4


def _name(panel: "Axes", points: dict[str, tuple[float, float]]) -> None:
    """Write the names in a column beside the panel, in the order of the points, with lines."""
    low, high = panel.get_ylim()
    panel.set_ylim(low, high)
    order = sorted(points, key=lambda search: points[search][1])
    heights = spread([(points[search][1] - low) / (high - low) for search in order], GAP)
    for search, height in zip(order, heights, strict=True):
        panel.annotate(
            search,
            xy=points[search],
            xytext=(1.04, height),
            textcoords="axes fraction",
            va="center",
            color=_colour(search),
            arrowprops=LINE | {"color": _colour(search)},
        )


def spread(heights: list[float], gap: float) -> list[float]:
    """Return rising heights between 0 and 1, moved as little as keeps them apart.

    >>> spread([0.5, 0.5, 0.9], 0.25)
    [0.375, 0.625, 0.9]
    """
    groups: list[list[float]] = []  # each: [sum of the wished-for heights of its first, number]
    for height in heights:
        groups.append([height, 1])
        while len(groups) > 1 and _first(groups[-2], gap) + groups[-2][1] * gap > _first(
            groups[-1], gap
        ):
            wished, number = groups.pop()
            before = groups[-1]
            before[0] += wished - number * before[1] * gap
            before[1] += number
    found = []
    for group in groups:
        first = _first(group, gap)
        found += [first + place * gap for place in range(int(group[1]))]
    return found


def _first(group: list[float], gap: float) -> float:
    """Return the height of the lowest of a group, within the panel as far as there is room."""
    wished, number = group
    return min(max(wished / number, 0.0), max(1.0 - (number - 1) * gap, 0.0))


def _colour(search: str) -> str:
    return next((c for family, c in FAMILIES.items() if search.startswith(family)), RISK)
