"""A folder with an encoder, of heedful or of Hugging Face, becomes a `Reader`.

`heed embed`, `heed fill`, `heed classify` and a training that begins with an encoder call it.
"""

__all__ = ["open_reader"]

from pathlib import Path

import torch

from heedful.decoder_folder import is_own
from heedful.interop import huggingface
from heedful.model_path import model_path
from heedful.reader import Reader
from heedful.reader_folder import load_reader


def open_reader(folder: Path, device: torch.device | str = "cpu") -> Reader:
    """Return what reads with the model of a folder; a run folder stands for the model in it.

    Raises ModelError for whatever is missing, damaged, or no encoder.
    """
    of_run = (folder / "model" / "config.json").is_file() or (folder / "checkpoints").is_dir()
    found = model_path(folder) if of_run else folder
    return load_reader(found, device) if is_own(found) else huggingface.load_reader(found, device)
