"""The heads of a trace on one sheet, for papers and slides: a small map for each of them.

A trace comes in, the bytes of an SVG or PNG file go out. matplotlib draws (`pip install
heedful[plot]`); in an SVG the pieces stay text, so that every script is shown.
"""

__all__ = ["picture"]

import io
import warnings
from typing import Any, Literal

from heedful.errors import SettingError
from heedful.inspect.names import KINDS, Kind
from heedful.inspect.trace import Trace

NAMES = {
    "encoder": "encoder",
    "decoder": "decoder, to itself",
    "cross": "decoder, to the source",
}
CAPTION = "Where each head read from, darker is more; not proof of why the model answered so."
_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
)
"""What writes Chinese, in a PNG; the first that is installed serves."""


def picture(seen: Trace, kind: Literal["svg", "png"]) -> bytes:
    """Return the sheet: a row for each layer, a column for each head.

    Raises SettingError without matplotlib, or where a PNG would have boxes in place of letters.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.font_manager import get_font_names
    except ImportError:
        raise SettingError(
            "pictures need matplotlib",
            where=f".{kind}",
            fix='pip install "heedful[plot]", or save .html',
        ) from None
    rows: list[tuple[Kind, int]] = [
        (name, layer) for name in KINDS for layer in range(seen.n_layers(name))
    ]
    heads = seen.model.config.n_heads
    known = get_font_names()
    fonts = ["DejaVu Sans", *[font for font in _FONTS if font in known][:1]]
    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "heedful", "font.size": 6}
    with matplotlib.rc_context(style | {"font.family": fonts}):
        size = (1.2 + 1.7 * heads, 0.8 + 1.7 * len(rows))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(rows), heads, squeeze=False)
        for line, (name, layer) in zip(panels, rows, strict=True):
            for head, panel in enumerate(line):
                _draw(panel, seen, name, layer, head)
        figure.suptitle(f"{seen.source.text}\n{seen.target.text}", fontsize=9)
        figure.supxlabel(CAPTION, fontsize=6)
        held = io.BytesIO()
        with warnings.catch_warnings(record=True) as said:
            figure.savefig(held, format=kind, dpi=150, facecolor="white", metadata=_undated(kind))
    if kind == "png" and any("missing from font" in str(one.message) for one in said):
        raise SettingError(
            "no font on this machine writes all of its letters",
            where=".png",
            fix="save .svg or .html, or install a font such as Noto Sans CJK SC",
        )
    return held.getvalue()


def _draw(panel: Any, seen: Trace, kind: Kind, layer: int, head: int) -> None:
    """Draw the map of one head; its pieces stand beside the first of its row."""
    queries, keys = seen.axes(kind)
    panel.imshow(seen.attention(kind, layer, head), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    panel.set_title(f"{NAMES[kind]}, layer {layer + 1}, head {head + 1}", fontsize=5)
    panel.set_xticks(range(len(keys)), [_plain(key) for key in keys], rotation=90)
    shown = [_plain(query) for query in queries] if head == 0 else []
    panel.set_yticks(range(len(queries)) if head == 0 else [], shown)
    panel.tick_params(length=0, labelsize=3.5 if len(keys) > 16 else 4.5)


def _plain(piece: str) -> str:
    """Return a piece without what matplotlib would read as a formula."""
    return piece.replace("$", r"\$")


def _undated(kind: str) -> dict[str, Any]:
    return {"Date": None} if kind == "svg" else {}
