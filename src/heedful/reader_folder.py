"""An encoder on disk: `config.json`, `model.safetensors`, `tokenizer.json` and a model card.

A training writes such a folder, `heed embed`, `heed fill` and `heed classify` read it. As of a
translator's folder (`heedful.model_folder`), `config.json` holds the size and SHA-256 of the other
files, the whole appears by rename, and nothing is ever unpickled.
"""

__all__ = ["load_reader", "save_reader"]

from pathlib import Path

import torch

from heedful.model_folder import check_count, entries_of, filled, outline_of, put, written_whole
from heedful.model_header import (
    FORMAT,
    Encoder,
    check_files,
    read_encoder_header,
    write_header,
)
from heedful.reader import Reader, Sentences
from heedful.text.wordpiece import WordPieces


def save_reader(folder: Path, reader: Reader, card: str = "") -> None:
    """Write the folder whole or not at all; an older model of that name is replaced.

    Raises OutputError where it cannot be written, or where something else has that name.
    """
    how = reader.sentences
    with written_whole(folder) as fresh:
        put(fresh, reader.model, reader.vocabulary.save, card)
        header = Encoder(
            format=FORMAT,
            version=4,
            model=reader.model.config,
            vocabulary_size=reader.model.vocabulary_size,
            max_length=how.max_length,
            pooling=how.pooling,
            normalised=how.normalised,
            files=entries_of(fresh),
        )
        write_header(fresh, header)


def load_reader(folder: Path, device: torch.device | str = "cpu") -> Reader:
    """Read a folder that `save_reader` wrote, checked against its own manifest.

    Raises ModelError for a missing, truncated or altered file, or weights that do not fit.
    """
    header = read_encoder_header(folder)
    check_files(folder, header)
    vocabulary = WordPieces.load(folder, header.vocabulary_size)
    weights = folder / "model.safetensors"
    found = outline_of(weights)
    check_count(weights, found, header.model.n_layers)
    model = filled(weights, found, lambda: header.model.build(header.vocabulary_size), device)
    how = Sentences(
        max_length=min(header.max_length, header.model.max_length),
        pooling=header.pooling,
        normalised=header.normalised,
    )
    return Reader(model, vocabulary, how)
