"""A plot has figures on both axes, whatever lies between its values."""

from xml.etree import ElementTree

import pytest

from heedful.claims.claim import Line, Plot, Point
from heedful.claims.drawing import picture

SPACE = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("heights", [(1.6, 2.2, 2.1), (0.5, 700.0, 30.0)])
@pytest.mark.parametrize("log_x", [False, True])
def test_both_axes_have_figures(heights: tuple[float, ...], log_x: bool) -> None:
    pytest.importorskip("matplotlib")
    points = [Point(x, y) for x, y in zip((10, 100, 1000), heights, strict=True)]
    made = Plot("name", "A title", "x", "y", [Line("one", points)], log_x=log_x, log_y=True)
    drawing = ElementTree.fromstring(picture(made))
    for axis in ("x", "y"):
        (panel,) = drawing.iterfind(f".//{SPACE}g[@id='matplotlib.axis_{'xy'.index(axis) + 1}']")
        ticks = [one for one in panel if str(one.get("id", "")).startswith(f"{axis}tick_")]
        shown = [one for one in ticks if "".join(one.itertext()).strip()]
        assert len(shown) > 1
