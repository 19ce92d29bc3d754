"""An encoder on disk: `config.json`, `model.safetensors`, `tokenizer.json` and a model card.

A training writes such a folder, `heed embed`, `heed fill` and `heed classify` read it. As of a
translator's folder (`heedful.model_folder`), `config.json` holds the size and SHA-256 of the other
files, the whole appears by rename, and nothing is ever unpickled.
"""

__all__ = ["load_reader", "save_reader"]

import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from heedful.errors import ModelError
from heedful.model_folder import (
    Unfilled,
    check_outline,
    expected_outline,
    fill_weights,
    outline_of,
    stored,
    written_whole,
)
from heedful.model_header import (
    AGAIN,
    CARD,
    FILES,
    FORMAT,
    Encoder,
    check_file,
    entry_of,
    read_encoder_header,
    write_header,
)
from heedful.nn.mapped import can_be_mapped
from heedful.reader import Reader, Sentences
from heedful.text.wordpiece import WordPieces


def save_reader(folder: Path, reader: Reader, card: str = "") -> None:
    """Write the folder whole or not at all; an older model of that name is replaced.

    Raises OutputError where it cannot be written, or where something else has that name.
    """
    how = reader.sentences
    with written_whole(folder) as fresh:
        save_file(stored(reader.model, torch.float32), fresh / "model.safetensors")
        (fresh / "tokenizer.json").write_text(reader.vocabulary.content(), "utf-8")
        shutil.copymode(fresh / "tokenizer.json", fresh / "model.safetensors")  # saved as 0600
        (fresh / CARD).write_text(card, "utf-8")
        header = Encoder(
            format=FORMAT,
            version=4,
            model=reader.model.config,
            vocabulary_size=reader.model.vocabulary_size,
            max_length=how.max_length,
            pooling=how.pooling,
            normalised=how.normalised,
            files={name: entry_of(fresh / name) for name in FILES},
        )
        write_header(fresh, header)


def load_reader(folder: Path, device: torch.device | str = "cpu") -> Reader:
    """Read a folder that `save_reader` wrote, checked against its own manifest.

    Raises ModelError for a missing, truncated or altered file, or weights that do not fit.
    """
    header = read_encoder_header(folder)
    for name in FILES:
        check_file(folder / name, header.files.get(name))
    vocabulary = WordPieces.load(folder, header.vocabulary_size)
    weights = folder / "model.safetensors"
    found = outline_of(weights)
    if len(found) < header.model.n_layers:
        problem = "it has fewer tensors than config.json layers"
        raise ModelError(problem, where=str(weights), fix=AGAIN)
    with torch.device("meta"), Unfilled():
        outline = header.model.build(header.vocabulary_size)
    check_outline(weights, found, expected_outline(outline, int8=False))
    with Unfilled():
        model = header.model.build(header.vocabulary_size)
    fill_weights(weights, model, mapped=can_be_mapped(torch.device(device)))
    how = Sentences(
        max_length=min(header.max_length, header.model.max_length),
        pooling=header.pooling,
        normalised=header.normalised,
    )
    return Reader(model.to(device).eval(), vocabulary, how)
