"""A trace becomes a file: .html to look at, .json and .npz to compute with, .svg and .png to print.

A trace and a path come in; a file is written whole or not at all.
"""

__all__ = ["FORMATS", "check_format", "save"]

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from heedful.errors import SettingError
from heedful.inspect.names import kinds_of
from heedful.inspect.page import page
from heedful.inspect.picture import picture
from heedful.inspect.trace import Trace
from heedful.inspect.wire import to_wire
from heedful.output import write_whole


def save(seen: Trace, path: str | Path, name: str = "") -> None:
    """Write a trace as the ending of the path says: .html, .json, .npz, .svg or .png.

    `name` is the model's. Raises SettingError for another ending, OutputError where it cannot be
    written.
    """
    path = Path(path)
    write_whole(path, check_format(path)(seen, name))


def check_format(path: Path) -> "Format":
    """Return what writes files of the path's ending; raises SettingError where nothing does."""
    written = FORMATS.get(path.suffix.lower())
    if written is None:
        raise SettingError(
            f'there is no format "{path.suffix}"',
            where=str(path),
            fix=f"give it one of the endings {', '.join(FORMATS)}",
        )
    return written


def _html(seen: Trace, name: str) -> bytes:
    return page(to_wire(seen, name)).encode()


def _json(seen: Trace, name: str) -> bytes:
    return json.dumps(to_wire(seen, name), ensure_ascii=False).encode()


def _npz(seen: Trace, name: str) -> bytes:
    """Return the arrays: maps by kind [layer head query key], pieces, and log-probabilities."""
    arrays: dict[str, Any] = {str(kind): seen.maps(kind) for kind in kinds_of(seen.model)}
    arrays |= {
        "source_ids": np.array(seen.source.ids),
        "target_ids": np.array(seen.target.ids),
        "source_pieces": np.array(seen.source.tokens),
        "target_pieces": np.array(seen.target.tokens),
        "log_probs": np.array([step.log_prob for step in seen.steps(1)], np.float32),
    }
    held = io.BytesIO()
    np.savez_compressed(held, **arrays)
    return held.getvalue()


Format = Callable[[Trace, str], bytes]

FORMATS: dict[str, Format] = {
    ".html": _html,
    ".json": _json,
    ".npz": _npz,
    ".svg": lambda seen, name: picture(seen, "svg"),
    ".png": lambda seen, name: picture(seen, "png"),
}
