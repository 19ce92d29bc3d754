"""A decoder alone on disk: a model folder as `heedful.model_folder` has it, of version 3.

`config.json` holds its settings, and size and SHA-256 of `model.safetensors` and `tokenizer.json`;
the trainer writes such a folder, `heedful.interop.writers` makes a `Writer` of it.
"""

__all__ = ["LoadedDecoder", "is_decoder", "is_own", "load_decoder", "save_decoder"]

import json
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch

from heedful.errors import ModelError
from heedful.model_folder import entries_of, filled, outline_of, put, written_whole
from heedful.model_header import (
    AGAIN,
    FORMAT,
    Decoder,
    Writing,
    check_files,
    read_decoder_header,
    write_header,
)
from heedful.models.gpt import GPT
from heedful.text.vocabulary import Vocabulary


class LoadedDecoder(NamedTuple):
    """What the folder of a decoder holds."""

    model: GPT
    vocabulary: Vocabulary
    writing: Writing | None
    """How it writes, unless as one that has learnt a text here."""


def save_decoder(
    folder: Path,
    model: GPT,
    vocabulary: Vocabulary,
    *,
    card: str = "",
    writing: Writing | None = None,
) -> None:
    """Write the folder whole or not at all; an older model of that name is replaced.

    Raises OutputError where it cannot be written, or where something else has that name.
    """
    with written_whole(folder) as fresh:
        put(fresh, model, vocabulary.save, card)
        files = entries_of(fresh)
        header = Decoder(format=FORMAT, version=3, model=model.config, writing=writing, files=files)
        write_header(fresh, header)


def load_decoder(folder: Path, device: torch.device | str = "cpu") -> LoadedDecoder:
    """Read the folder of a decoder in float32, checked against its own manifest.

    Raises ModelError as `load_model` does, and for the folder of a translator.
    """
    header = read_decoder_header(folder)
    check_files(folder, header)
    path = folder / "model.safetensors"
    found = outline_of(path)
    size = found.get("tables.source.weight", ([0], ""))[0][0]
    if not size or len(found) < header.model.n_layers:
        raise ModelError("its tensors do not fit config.json", where=str(path), fix=AGAIN)
    vocabulary = Vocabulary.load(folder / "tokenizer.json", size)
    model = filled(path, found, lambda: header.model.build(size), device)
    return LoadedDecoder(model, vocabulary, header.writing)


def is_own(folder: Path) -> bool:
    """Return whether heedful wrote what is in a folder, as far as its config.json says so."""
    with suppress(OSError, ValueError, RecursionError):
        said = json.loads((folder / "config.json").read_text("utf-8"))
        return isinstance(said, dict) and said.get("format") == FORMAT
    return False


def is_decoder(folder: Path) -> bool:
    """Return whether a folder holds a decoder alone: one of heedful, or one of Hugging Face."""
    if not is_own(folder):
        return (folder / "config.json").is_file()
    with suppress(ModelError):
        read_decoder_header(folder)
        return True
    return False
