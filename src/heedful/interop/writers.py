"""What writes: a file or a folder that a user names becomes a `Writer`, whatever kind it is of.

A kind is one line here; `heed generate` and `heed chat` load by it.
"""

__all__ = ["load_writer"]

from pathlib import Path

import torch

from heedful.errors import ModelError
from heedful.interop import gguf, huggingface
from heedful.writer import Writer


def load_writer(path: Path, device: torch.device | str = "cpu") -> Writer:
    """Return what writes with the model there: a GGUF file, or a folder of Hugging Face.

    A folder that holds one GGUF file and no config.json means that file. Raises ModelError for what
    is neither.
    """
    if path.is_file():
        return gguf.load(path, device)
    if path.is_dir() and not (path / "config.json").is_file():
        files = sorted(path.glob("*.gguf"))
        if len(files) > 1:
            names = ", ".join(file.name for file in files[:5])
            problem = f"there are {len(files):,} GGUF files in it ({names})"
            raise ModelError(problem, where=str(path), fix="name one of them")
        if files:
            return gguf.load(files[0], device)
    return huggingface.load(path, device)
