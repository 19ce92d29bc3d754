"""Models that go on with texts: what a user names becomes a `heedful.writer.Writer`.

`heed inspect`, `heed heads` and `heed play` ask here whether a model translates or writes.
"""

__all__ = ["is_writer", "load_writer"]

import json
from pathlib import Path
from typing import TYPE_CHECKING

from heedful.model_header import FORMAT

if TYPE_CHECKING:
    import torch

    from heedful.writer import Writer


def is_writer(name: str | Path) -> bool:
    """Return whether it is a folder of Hugging Face; loading says whether it can be read."""
    try:
        config = json.loads((Path(name) / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and "model_type" in config and config.get("format") != FORMAT


def load_writer(name: str | Path, device: "torch.device | str" = "cpu") -> "Writer":
    """Return what writes; raises ModelError for whatever is missing, damaged, or not known here."""
    from heedful.interop import huggingface

    return huggingface.load(Path(name), device)
