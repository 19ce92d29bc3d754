"""The folder an export is written into: its name, its README, and the packages that it needs."""

__all__ = ["different", "example_tag", "fresh_folder", "needed", "source_form", "tokenizer_files"]

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from heedful.errors import ModelError, OutputError, SettingError
from heedful.model_folder import LoadedModel
from heedful.text.pieces import language_tag
from heedful.text.tokenizer import Tokenizer


def needed(*packages: str) -> None:
    """Raise SettingError if one of the packages is not installed."""
    for package in packages:
        if find_spec(package) is None:
            raise SettingError(
                f"the package {package} is not installed", fix="pip install heedful[interop]"
            )


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that gets this name when the block ends; else nothing is left.

    Raises OutputError if the name is taken or the place cannot be written to.
    """
    _refuse_taken(folder)
    whole = folder.resolve()  # "." has no name
    part = whole.with_name(f".{whole.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        yield part
        part.rename(whole)  # onto nothing, or an empty folder
    except OSError as error:
        raise OutputError(
            f"the folder cannot be written ({error.strerror or error})",
            where=str(folder),
            fix="free some space or choose another folder",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _refuse_taken(folder: Path) -> None:
    """Raise OutputError if there is anything of that name but an empty folder."""
    if folder.is_symlink() or folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise OutputError(
            "there is something of that name already",
            where=str(folder),
            fix="choose another folder, or remove it first",
        )


def different(engine: str, how: str, folder: Path) -> ModelError:
    """Return the error for a model with which the other engine translates otherwise."""
    return ModelError(
        f"{engine} translates otherwise with this model than heedful ({how})",
        where=str(folder),
        fix="nothing was written; please report it with the model's config.json",
    )


def tokenizer_files(tokenizer: Tokenizer) -> list[str]:
    """Return the names that `Tokenizer.save_sides` gives its files, the source's first."""
    return [*tokenizer.side_files]


def example_tag(loaded: LoadedModel) -> str:
    """Return the tag of the model's second language; empty where it has no tags."""
    known, target = loaded.tokenizer.languages, loaded.languages.target
    if not known:
        return ""
    return language_tag(target if target in known else known[-1])


def source_form(tokenizer: Tokenizer) -> str:
    """Say what a source consists of."""
    tags = [f"`{language_tag(language)}`" for language in tokenizer.languages]
    return (
        f"{' or '.join(tags)}, the pieces of the text, `</s>`"
        if tags
        else ("the pieces of the text and `</s>`")
    )
