"""An encoder on disk: `config.json`, `model.safetensors`, `tokenizer.json` and a model card.

A training writes such a folder, `heed embed`, `heed fill` and `heed classify` read it. As of a
translator's folder (`heedful.model_folder`), `config.json` holds the size and SHA-256 of the other
files, the whole appears by rename, and nothing is ever unpickled.
"""

__all__ = ["FORMAT", "is_reader", "load_reader", "save_reader"]

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import save_file

from heedful.errors import ModelError, OutputError
from heedful.model_folder import (
    Unfilled,
    check_outline,
    expected,
    fill_from,
    outline_of,
    refuse_other,
    replace_folder,
    stored,
)
from heedful.model_header import AGAIN, CARD, FILES, check_file, entry_of
from heedful.models.bert import BERTConfig
from heedful.nn.mapped import can_be_mapped
from heedful.reader import Pooling, Reader, Sentences
from heedful.settings import Settings
from heedful.text.wordpiece import WordPieces

FORMAT = "heedful-encoder"


class _Header(Settings):
    """What config.json says."""

    format: Literal["heedful-encoder"]
    """That it is one."""
    version: Literal[1]
    """Of the format."""
    model: BERTConfig
    """The model's settings."""
    vocabulary_size: int = Field(ge=1, le=100_000_000)
    """Pieces that the model knows."""
    max_length: int = Field(ge=4)
    """Pieces of a text that becomes a vector."""
    pooling: Pooling
    """How its states become one."""
    normalised: bool
    """Whether the vector has the length 1."""
    files: dict[str, dict[str, Any]]
    """Bytes and SHA-256 of the other files."""


def is_reader(folder: Path) -> bool:
    """Return whether config.json of a folder says that it is an encoder of heedful."""
    try:
        data = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(data, dict) and data.get("format") == FORMAT


def save_reader(folder: Path, reader: Reader, card: str = "") -> None:
    """Write the folder whole or not at all; an older model of that name is replaced.

    Raises OutputError where it cannot be written, or where something else has that name.
    """
    fresh, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    try:
        if old.exists() and not folder.exists():
            old.rename(folder)  # an earlier save was cut off between its two renames
        refuse_other(folder)
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh.mkdir(parents=True)
        save_file(stored(reader.model, torch.float32), fresh / "model.safetensors")
        (fresh / "tokenizer.json").write_text(reader.vocabulary.content(), "utf-8")
        shutil.copymode(fresh / "tokenizer.json", fresh / "model.safetensors")  # saved as 0600
        (fresh / CARD).write_text(card, "utf-8")
        how = reader.sentences
        header = _Header(
            format="heedful-encoder",
            version=1,
            model=reader.model.config,
            vocabulary_size=reader.model.vocabulary_size,
            max_length=how.max_length,
            pooling=how.pooling,
            normalised=how.normalised,
            files={name: entry_of(fresh / name) for name in (*FILES, CARD)},
        )
        (fresh / "config.json").write_text(header.model_dump_json(indent=2) + "\n", "utf-8")
        replace_folder(folder, fresh, old)
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"the model cannot be saved ({error})",
            where=str(folder),
            fix="free some space or choose another folder",
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)  # there is none any more if all went well


def load_reader(folder: Path, device: torch.device | str = "cpu") -> Reader:
    """Read a folder that `save_reader` wrote, checked against its own manifest.

    Raises ModelError for a missing, truncated or altered file, or weights that do not fit.
    """
    path = folder / "config.json"
    try:
        header = _Header.model_validate_json(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError("config.json cannot be read", where=str(folder)) from error
    except ValidationError as error:
        first = error.errors()[0]
        named = ".".join(map(str, first["loc"]))
        problem = f"{named}: {first['msg']}" if named else first["msg"]
        raise ModelError(problem, where=str(path), fix=AGAIN) from error
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
    check_outline(weights, found, expected(outline, int8=False))
    with Unfilled():
        model = header.model.build(header.vocabulary_size)
    fill_from(weights, model, mapped=can_be_mapped(torch.device(device)))
    how = Sentences(
        max_length=min(header.max_length, header.model.max_length),
        pooling=header.pooling,
        normalised=header.normalised,
    )
    return Reader(model.to(device).eval(), vocabulary, how)
