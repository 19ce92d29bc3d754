"""What writes behind prompts, whoever wrote its folder: heedful, or Hugging Face's libraries."""

__all__ = ["load_writer", "writes"]

from pathlib import Path

import torch

from heedful.decoder_folder import is_decoder, is_own, load_decoder
from heedful.interop import huggingface
from heedful.model_path import model_path
from heedful.text.pieces import CONTROL, END
from heedful.writer import Writer


def load_writer(name: Path, device: torch.device | str = "cpu") -> Writer:
    """Return the model in a folder; a run folder stands for the model in it.

    Raises ModelError for whatever is missing, damaged, or not known here.
    """
    folder = _folder(name)
    if not is_own(folder):
        return huggingface.load(folder, device)
    model, vocabulary = load_decoder(folder, device)
    never = [number for number in range(len(CONTROL)) if number != END]
    return Writer(model, vocabulary, end_ids=(END,), never=never)


def writes(name: Path) -> bool:
    """Return whether a folder holds a model that goes on with texts, and none that translates."""
    return is_decoder(_folder(name))


def _folder(name: Path) -> Path:
    of_run = (name / "model" / "config.json").is_file() or (name / "checkpoints").is_dir()
    return model_path(name) if of_run else name
