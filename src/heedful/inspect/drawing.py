"""How pictures are made: matplotlib (`pip install heedful[plot]`), files that do not change.

What draws a figure comes in, the bytes of an SVG or PNG file go out; in an SVG the letters stay
text, so that every script is shown.
"""

__all__ = ["Format", "drawn"]

import io
import warnings
from collections.abc import Callable
from typing import Any, Literal

from heedful.errors import SettingError

Format = Literal["svg", "png"]

_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "PingFang SC",
)
"""What writes Chinese, in a PNG; the first that is installed serves."""


def drawn(draw: Callable[[Any], Any], kind: Format, *, font_size: int) -> bytes:
    """Return the file of the figure that `draw` makes with matplotlib's `Figure`.

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
    known = get_font_names()
    fonts = ["DejaVu Sans", *[font for font in _FONTS if font in known][:1]]
    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "heedful", "font.size": font_size}
    held = io.BytesIO()
    undated: dict[str, Any] = {"Date": None} if kind == "svg" else {}
    with matplotlib.rc_context(style | {"font.family": fonts}):
        figure = draw(Figure)
        with warnings.catch_warnings(record=True) as said:
            figure.savefig(held, format=kind, dpi=150, facecolor="white", metadata=undated)
    if kind == "png" and any("missing from font" in str(one.message) for one in said):
        raise SettingError(
            "no font on this machine writes all of its letters",
            where=".png",
            fix="save .svg or .html, or install a font such as Noto Sans CJK SC",
        )
    return held.getvalue()
