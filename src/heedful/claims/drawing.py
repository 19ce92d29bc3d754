"""A claim's plot as the bytes of an SVG: lines with points and, where known, intervals."""

__all__ = ["picture"]

from typing import Any

from heedful.claims.claim import Line, Plot
from heedful.inspect.drawing import drawn

_COLOURS = ("#1f5fa8", "#c46a12", "#2e7d32", "#8e24aa", "#555555", "#b71c1c", "#00838f", "#9e9d24")
_MARKS = "os^Dv<>P"


def picture(plot: Plot) -> bytes:
    """Return the file; raises SettingError without matplotlib."""

    def figure(figures: Any) -> Any:
        from matplotlib.ticker import MaxNLocator, NullLocator

        made = figures(figsize=(7, 4), layout="constrained")
        panel = made.subplots()
        for number, line in enumerate(plot.lines):
            _draw(panel, line, number, joined=plot.joined)
        panel.set_xscale("log" if plot.log_x else "linear")
        panel.set_yscale("log" if plot.log_y else "linear")
        if plot.log_x:
            ticks = sorted({point.x for line in plot.lines for point in line.points})
            panel.set_xticks(ticks, [f"{tick:,.12g}" for tick in ticks])
            panel.xaxis.set_minor_locator(NullLocator())
        else:
            panel.xaxis.set_major_formatter("{x:,.12g}")
        heights = [point.y for line in plot.lines for point in line.points]
        if plot.log_y and max(heights) < 10 * min(heights):  # no power of ten may lie between
            panel.yaxis.set_major_locator(MaxNLocator(6))
            panel.yaxis.set_minor_locator(NullLocator())
            panel.yaxis.set_major_formatter("{x:,.12g}")
        panel.set(xlabel=_plain(plot.x), ylabel=_plain(plot.y), title=_plain(plot.title))
        panel.grid(visible=True, color="#eeeeee")
        panel.set_axisbelow(True)
        panel.legend(frameon=False, fontsize=8)
        return made

    return drawn(figure, "svg", font_size=9)


def _draw(panel: Any, line: Line, number: int, *, joined: bool) -> None:
    """Draw the points of a line, and their intervals: as a band if joined, else as bars."""
    colour = _COLOURS[number % len(_COLOURS)]
    style = {"marker": _MARKS[number % len(_MARKS)], "color": colour, "label": _plain(line.label)}
    points = sorted(line.points)
    x, y = [point.x for point in points], [point.y for point in points]
    panel.plot(x, y, markersize=4 if joined else 6, linestyle="-" if joined else "none", **style)
    sure = [point for point in points if point.low is not None and point.high is not None]
    edges = [[point.low for point in sure], [point.high for point in sure]]
    if joined:
        panel.fill_between([point.x for point in sure], *edges, color=colour, alpha=0.12)
    else:
        panel.vlines([point.x for point in sure], *edges, color=colour, alpha=0.5, linewidth=1)


def _plain(text: str) -> str:
    """Return a text without what matplotlib would read as a formula."""
    return text.replace("$", r"\$")
