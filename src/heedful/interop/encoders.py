"""A folder with an encoder, of heedful or of Hugging Face, becomes a `Reader`.

`heed embed`, `heed fill`, `heed classify` and a training that begins with an encoder call it.
"""

__all__ = ["open_reader"]

from pathlib import Path

import torch

from heedful.errors import ModelError
from heedful.interop import huggingface
from heedful.model_header import FORMAT as TRANSLATOR
from heedful.reader import Reader
from heedful.reader_folder import is_reader, load_reader


def open_reader(folder: Path, device: torch.device | str = "cpu") -> Reader:
    """Return what reads with the model of a folder, or of the run folder that it is in.

    Raises ModelError for whatever is missing, damaged, or no encoder.
    """
    if is_reader(folder / "model"):
        folder = folder / "model"
    if is_reader(folder):
        return load_reader(folder, device)
    if _is_translator(folder):
        fix = f"translate with it: heed translate --model {folder}"
        raise ModelError("this is a translator and no encoder", where=str(folder), fix=fix)
    return huggingface.load_reader(folder, device)


def _is_translator(folder: Path) -> bool:
    """Return whether a folder, or the run folder around it, holds a translator."""
    for path in (folder / "config.json", folder / "model" / "config.json"):
        if path.is_file() and f'"{TRANSLATOR}"' in path.read_text("utf-8", "replace")[:200]:
            return True
    return False
