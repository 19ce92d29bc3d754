"""What writes: a file or a folder that a user names becomes a `Writer`, whatever kind it is of.

A kind is one line here; `heed generate` and `heed chat` load by it.
"""

__all__ = ["load_writer"]

from pathlib import Path

import torch

from heedful.decoder_folder import is_own, load_decoder
from heedful.errors import ModelError
from heedful.interop import gguf, huggingface
from heedful.model_path import model_path
from heedful.text.pieces import CONTROL, END
from heedful.writer import Writer


def load_writer(path: Path, device: torch.device | str = "cpu") -> Writer:
    """Return what writes with the model there: a GGUF file, or a folder of heedful's or another's.

    A run folder stands for the model in it, a folder with one GGUF file and no config.json for that
    file. Raises ModelError for whatever is missing, damaged, or not known here.
    """
    if path.is_file():
        return gguf.load(path, device)
    of_run = (path / "model" / "config.json").is_file() or (path / "checkpoints").is_dir()
    folder = model_path(path) if of_run else path
    if is_own(folder):
        return _own(folder, device)
    if folder.is_dir() and not (folder / "config.json").is_file():
        files = sorted(folder.glob("*.gguf"))
        if len(files) > 1:
            names = ", ".join(file.name for file in files[:5])
            problem = f"there are {len(files):,} GGUF files in it ({names})"
            raise ModelError(problem, where=str(folder), fix="name one of them")
        if files:
            return gguf.load(files[0], device)
    return huggingface.load(folder, device)


def _own(folder: Path, device: torch.device | str) -> Writer:
    model, vocabulary = load_decoder(folder, device)
    never = [number for number in range(len(CONTROL)) if number != END]
    return Writer(model, vocabulary, end_ids=(END,), never=never)
