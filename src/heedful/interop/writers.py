"""What writes: a file or a folder that a user names becomes a `Writer`, whatever kind it is of.

A kind is one line here; `heed generate`, `heed chat` and `heed serve` load by it.
"""

__all__ = ["load_writer", "writes"]

from pathlib import Path

import torch

from heedful.decoder_folder import is_decoder, is_own, load_decoder
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
    place = _place(path)
    if place.is_file():
        return gguf.load(place, device)
    if not is_own(place):
        return huggingface.load(place, device)
    model, vocabulary = load_decoder(place, device)
    never = [number for number in range(len(CONTROL)) if number != END]
    return Writer(model, vocabulary, end_ids=(END,), never=never)


def writes(name: Path | str) -> bool:
    """Return whether a model goes on with texts, and does not translate."""
    place = _place(Path(name))
    return place.is_file() or is_decoder(place)


def _place(path: Path) -> Path:
    """Return the file or the folder that holds what a user names."""
    if path.is_file():
        return path
    of_run = (path / "model" / "config.json").is_file() or (path / "checkpoints").is_dir()
    folder = model_path(path) if of_run else path
    if not folder.is_dir() or (folder / "config.json").is_file():
        return folder
    files = sorted(folder.glob("*.gguf"))
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:5])
        problem = f"there are {len(files):,} GGUF files in it ({names})"
        raise ModelError(problem, where=str(folder), fix="name one of them")
    return files[0] if files else folder
