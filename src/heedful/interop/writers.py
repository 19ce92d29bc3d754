"""What writes: a file or a folder that a user names becomes a `Writer`, whatever kind it is of.

A kind is one line here; `heed generate`, `heed chat` and `heed serve` load by it.
"""

__all__ = ["load_writer", "writes", "writing_of"]

from pathlib import Path

import torch

from heedful.decoder_folder import is_decoder, is_own, load_decoder
from heedful.errors import ModelError
from heedful.interop import gguf, huggingface
from heedful.model_header import Writing
from heedful.model_path import model_path
from heedful.models.gpt import GPT
from heedful.text.chat import ChatTemplate
from heedful.text.pieces import CONTROL, END
from heedful.text.vocabulary import Vocabulary
from heedful.writer import Writer

_LEARNT_HERE = Writing(
    end_ids=(END,), never=tuple(number for number in range(len(CONTROL)) if number != END)
)
"""How one writes that has learnt a text."""


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
    model, vocabulary, writing = load_decoder(place, device)
    return _written_by(model, vocabulary, writing or _LEARNT_HERE, f"{place}/config.json, template")


def _written_by(model: GPT, vocabulary: Vocabulary, writing: Writing, where: str) -> Writer:
    """Return what writes with a model as `writing` says."""
    template = None
    if writing.template:
        template = ChatTemplate(writing.template, writing.special, where=where)
    return Writer(model, vocabulary, writing.begin_id, writing.end_ids, template, writing.never)


def writing_of(writer: Writer) -> Writing:
    """Return what a model folder keeps of a writer beside model and vocabulary."""
    template = writer.template
    return Writing(
        begin_id=writer.begin_id,
        end_ids=writer.end_ids,
        never=writer.never,
        template=template.source if template else "",
        special=template.special if template else {},
    )


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
