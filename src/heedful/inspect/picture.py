"""The heads of a trace on one sheet, for papers and slides: a small map for each of them.

A trace comes in, the bytes of an SVG or PNG file go out.
"""

__all__ = ["picture"]

from typing import Any

from heedful.errors import ModelError
from heedful.inspect.drawing import Format, drawn
from heedful.inspect.names import TITLES, Kind, kinds_of
from heedful.inspect.trace import Trace

CAPTION = "Where each head read from, darker is more; not proof of why the model answered so."


def picture(seen: Trace, kind: Format) -> bytes:
    """Return the sheet: a row for each layer, a column for each head; see `drawn` for errors."""
    rows: list[tuple[Kind, int]] = [
        (name, layer) for name in kinds_of(seen.model) for layer in range(seen.n_layers(name))
    ]
    if not rows:
        raise ModelError(
            "this model has no attention to draw", fix="save .json or .npz, which hold the rest"
        )
    heads = seen.model.config.n_heads

    def sheet(figures: Any) -> Any:
        size = (1.2 + 1.7 * heads, 0.8 + 1.7 * len(rows))
        figure = figures(figsize=size, layout="constrained")
        panels = figure.subplots(len(rows), heads, squeeze=False)
        for line, (name, layer) in zip(panels, rows, strict=True):
            for head, panel in enumerate(line):
                _draw(panel, seen, name, layer, head)
        texts = [seen.source.text, seen.target.text][not seen.encoded :]
        figure.suptitle("\n".join(map(_plain, texts)), fontsize=9)
        figure.supxlabel(CAPTION, fontsize=6)
        return figure

    return drawn(sheet, kind, font_size=6)


def _draw(panel: Any, seen: Trace, kind: Kind, layer: int, head: int) -> None:
    """Draw the map of one head; its pieces stand beside the first of its row."""
    queries, keys = seen.axes(kind)
    panel.imshow(seen.attention(kind, layer, head), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    panel.set_title(f"{TITLES[kind]}, layer {layer + 1}, head {head + 1}", fontsize=5)
    panel.set_xticks(range(len(keys)), [_plain(key) for key in keys], rotation=90)
    shown = [_plain(query) for query in queries] if head == 0 else []
    panel.set_yticks(range(len(queries)) if head == 0 else [], shown)
    panel.tick_params(length=0, labelsize=3.5 if len(keys) > 16 else 4.5)


def _plain(piece: str) -> str:
    """Return a text without what matplotlib would read as a formula, or an SVG cannot hold."""
    shown = "".join(letter if letter.isprintable() else " " for letter in piece)
    return shown.replace("$", r"\$")
