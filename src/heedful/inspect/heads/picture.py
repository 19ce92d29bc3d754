"""A report on heads as one picture, for papers and slides: the roles, and who follows "it".

A `Report` comes in, the bytes of an SVG or PNG file go out.
"""

__all__ = ["picture"]

from typing import Any

from heedful.inspect.drawing import Format, drawn
from heedful.inspect.heads.coreference import Coreference
from heedful.inspect.heads.measure import Report
from heedful.inspect.heads.page import COLOURS
from heedful.inspect.heads.roles import ROLES, Roles
from heedful.inspect.names import KINDS, TITLES, Kind


def picture(report: Report, kind: Format) -> bytes:
    """Return the picture; see `drawn` for what can be wrong."""

    def sheet(figures: Any) -> Any:
        last = [] if report.coreference is None else [1.6]
        layers = max(one.head.layer for one in report.roles) + 1
        figure = figures(figsize=(7 + 4 * len(last), 1.6 + 0.42 * layers), layout="constrained")
        panels = figure.subplots(1, 3 + len(last), width_ratios=[1, 1, 1, *last])
        for panel, name in zip(panels, KINDS, strict=False):
            _grid(panel, name, report)
        if report.coreference is not None:
            _bars(panels[3], report.coreference)
        _key(figure)
        source, target = (language or "?" for language in report.way)
        figure.suptitle(f"The heads of {report.model}, {source} to {target}", fontsize=10)
        return figure

    return drawn(sheet, kind, font_size=8)


def _grid(panel: Any, kind: Kind, report: Report) -> None:
    """Draw a square for each head in the colour of its first role, a smaller one for the next."""
    heads = layers = 0
    for one in report.roles:
        if one.head.kind != kind:
            continue
        heads, layers = max(heads, one.head.head + 1), max(layers, one.head.layer + 1)
        colours = [COLOURS[role] for role in one.roles] or ["#f1efea"]
        for number, colour in enumerate(colours):
            size = 0.9 * (len(colours) - number) / len(colours)
            at = (one.head.head - size / 2, one.head.layer - size / 2)
            panel.add_patch(_square(at, size, colour))
        centre = (one.head.head, one.head.layer)
        panel.text(*centre, _short(one), ha="center", va="center", fontsize=4.5)
    panel.set_xlim(-0.6, heads - 0.4)
    panel.set_ylim(layers - 0.4, -0.6)
    panel.set_aspect("equal", anchor="N")
    panel.set_xticks(range(heads))
    panel.set_yticks(range(layers))
    panel.set_xlabel("head")
    panel.set_ylabel("layer")
    panel.set_title(TITLES[kind], fontsize=8)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def _short(one: Roles) -> str:
    """Return what a square has room for: a positional head's offset, a syntactic one's relation."""
    said = [f"{one.habit.offset:+d}"] if "positional" in one.roles else []
    if "syntactic" in one.roles and one.relation is not None:
        said += one.relation.split()
    return "\n".join(said)


def _square(at: tuple[float, float], size: float, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(at, size, size, facecolor=colour, edgecolor="#bbb6ab", linewidth=0.5)


def _bars(panel: Any, found: Coreference) -> None:
    """Draw how often each head finds what "it" stands for, beside what needs no understanding."""
    heads = sorted(found.heads, key=lambda one: one.content.value)
    places = range(len(heads))
    values = [100 * one.content.value for one in heads]
    panel.barh(places, values, color="#9db8c6", height=0.8)
    for place, one in zip(places, heads, strict=True):
        panel.plot(
            [100 * one.content.low, 100 * one.content.high], [place] * 2, color="#22242a", lw=0.7
        )
    name, best = found.to_beat
    panel.axvline(100 * best, color="#b4483c", lw=1)
    panel.text(100 * best + 1, 0, f"{name}, {best:.0%}", color="#b4483c", fontsize=6.5)
    panel.axvline(100 * found.shuffled.value, color="#c9962c", lw=1, ls=":")
    labels = [f"{one.head.layer}.{one.head.head}" for one in heads]
    panel.set_yticks(places, labels, fontsize=5)
    panel.set_xlim(0, 100)
    panel.set_xlabel('of sentences, the noun "it" stands for gets most, in %')
    panel.set_title("encoder heads, frames that none was chosen on", fontsize=8)
    panel.tick_params(axis="y", length=0)
    panel.spines[["top", "right"]].set_visible(False)


def _key(figure: Any) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(facecolor=COLOURS[role], label=role) for role in ROLES]
    patches.append(Patch(facecolor="#f1efea", edgecolor="#bbb6ab", label="none"))
    figure.legend(handles=patches, loc="outside lower center", ncols=6, frameon=False, fontsize=7)
