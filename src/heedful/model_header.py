"""`config.json` of a model folder: what the model is, and the size and SHA-256 of every file.

`heedful.model_folder` reads and writes the weights beside it; further files may be added to it
(`add_file`, `added_file`), and whoever does not ask for one never reads it.
"""

__all__ = [
    "AGAIN",
    "CARD",
    "Decoder",
    "Encoder",
    "FILES",
    "FORMAT",
    "Floats",
    "Header",
    "Int8",
    "Languages",
    "Writing",
    "add_file",
    "added_file",
    "check_file",
    "check_files",
    "entry_of",
    "other_files",
    "read_decoder_header",
    "read_encoder_header",
    "read_header",
    "sha256",
    "write_header",
]

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from heedful.errors import ModelError, OutputError
from heedful.models.architecture import ModelConfig
from heedful.models.bert import BERTConfig
from heedful.models.gpt import GPTConfig
from heedful.settings import Settings

FORMAT = "heedful-model"
FILES = ("model.safetensors", "tokenizer.json")
CARD = "README.md"
AGAIN = "copy the model folder again"


class Languages(Settings):
    """Which languages a model translates between; empty names where nobody said."""

    source: str = ""
    """Code of the first language, such as en."""
    target: str = ""
    """Code of the second language, such as de."""
    both_directions: bool = False
    """Whether it also translates from target to source."""
    others: tuple[str, ...] = ()
    """Codes of further languages that it translates the first one to, and back."""

    def ways(self) -> list[tuple[str, str]]:
        """Return every source with its target.

        >>> Languages(source="en", target="de", both_directions=True, others=("zh",)).ways()
        [('en', 'de'), ('de', 'en'), ('en', 'zh'), ('zh', 'en')]
        """
        one = (self.source, self.target)
        found = [one, one[::-1]] if self.both_directions else [one]
        for other in self.others:
            found += [(self.source, other), (other, self.source)]
        return found

    def known_source(self, to: str | None) -> str:
        """Return the language that is translated to `to`; empty where several are.

        >>> Languages(source="en", target="de", both_directions=True).known_source("en")
        'de'
        """
        sources = [source for source, target in self.ways() if target == (to or self.target)]
        return sources[0] if len(sources) == 1 else ""

    def swapped(self, to: str | None) -> bool:
        """Return whether translating into `to` is the way back, from the second to the first.

        >>> both = Languages(source="en", target="de", both_directions=True)
        >>> both.swapped("en"), both.swapped("de"), both.swapped(None)
        (True, False, False)
        """
        return self.both_directions and (to or self.target) == self.source


class Header(Settings):
    """What config.json of a model folder says."""

    format: Literal["heedful-model"]
    """That it is one."""
    version: int
    """Of the format; each has a class of its own."""
    model: ModelConfig
    """The model's settings."""
    languages: Languages
    """What it translates between."""
    files: dict[str, dict[str, Any]]
    """Bytes and SHA-256 of the other files."""


class Floats(Header):
    """Weights are numbers with a point."""

    version: Literal[1]
    """1."""


class Int8(Header):
    """Matrices are whole numbers with a scale for each row."""

    version: Literal[2]
    """2."""
    weights: Literal["int8"]
    """How the matrices are kept."""


_HEADERS: dict[Any, type[Header]] = {1: Floats, 2: Int8}
_DECODER, _ENCODER = 3, 4


class Writing(Settings):
    """How a decoder writes where its tokenizer.json does not say it."""

    begin_id: int | None = Field(None, ge=0)
    """The piece that stands for a prompt without any."""
    end_ids: tuple[int, ...] = ()
    """Pieces that end a text or an answer."""
    never: tuple[int, ...] = ()
    """Pieces that it never writes."""
    template: str = ""
    """How a conversation is written down: a chat template in Jinja; none has learnt no answers."""
    special: dict[str, str] = Field(default_factory=dict)
    """Pieces that the template names, such as `eos_token`."""


class Decoder(Settings):
    """What config.json says of a decoder alone, which goes on with texts."""

    format: Literal["heedful-model"]
    """That it is a model."""
    version: Literal[3]
    """3."""
    model: GPTConfig
    """The model's settings."""
    writing: Writing | None = None
    """How it writes, unless as one that has learnt a text here."""
    files: dict[str, dict[str, Any]]
    """Bytes and SHA-256 of the other files."""


class Encoder(Settings):
    """What config.json says of an encoder alone, which reads texts."""

    format: Literal["heedful-model"]
    """That it is a model."""
    version: Literal[4]
    """4."""
    model: BERTConfig
    """The model's settings."""
    vocabulary_size: int = Field(ge=1, le=100_000_000)
    """Pieces that the model knows."""
    max_length: int = Field(ge=4)
    """Pieces of a text that becomes a vector, at most."""
    pooling: Literal["mean", "first", "max"]
    """How its states become one."""
    normalised: bool
    """Whether the vector has the length 1."""
    files: dict[str, dict[str, Any]]
    """Bytes and SHA-256 of the other files."""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def add_file(folder: Path, name: str, content: bytes) -> None:
    """Put a further file into a model folder, or replace it, with its size and SHA-256.

    An interruption leaves the folder as it was or, where the file is replaced, without it. Raises
    ModelError when the folder holds no model, OutputError when it cannot be written.
    """
    header = read_header(folder)
    fresh = folder / f".{name}.{os.getpid()}.partial"
    try:
        fresh.write_bytes(content)
        others = {other: entry for other, entry in header.files.items() if other != name}
        if others != header.files:
            write_header(folder, header.model_copy(update={"files": others}))
        entry = entry_of(fresh)
        fresh.replace(folder / name)
        write_header(folder, header.model_copy(update={"files": others | {name: entry}}))
    except OSError as error:
        raise OutputError(
            f"{name} cannot be written ({error.strerror or error})",
            where=str(folder),
            fix="make room there, or copy the model to a folder that you can write to",
        ) from error
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)


def added_file(folder: Path, name: str) -> Path | None:
    """Return where a further file of a model folder is; None where config.json does not name it.

    Raises ModelError when it is missing, truncated or altered.
    """
    entry = read_header(folder).files.get(name)
    if entry is None:
        return None
    check_file(folder / name, entry)
    return folder / name


def other_files(folder: Path) -> list[Path]:
    """Return what config.json lists beside weights and tokenizer, checked against it.

    Raises ModelError for a missing or altered file, and for one that is not in the folder.
    """
    header = read_header(folder)
    found = [folder / name for name in header.files if name not in (*FILES, CARD)]
    for path in found:
        if path.parent != folder or path.name in ("config.json", ".."):
            problem = f"{str(path.name)[:100]!r} is no file beside a model"
            raise ModelError(problem, where=str(folder / "config.json"), fix=AGAIN)
        check_file(path, header.files[path.name])
    return found


def entry_of(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def check_files(folder: Path, header: Header | Decoder | Encoder) -> None:
    """Raise ModelError unless weights and tokenizer are as config.json says."""
    for name in FILES:
        check_file(folder / name, header.files.get(name))


def write_header(folder: Path, header: Header | Decoder | Encoder) -> None:
    fresh = folder / f".config.json.{os.getpid()}.partial"
    try:
        fresh.write_text(header.model_dump_json(indent=2) + "\n", "utf-8")
        fresh.replace(folder / "config.json")
    finally:
        fresh.unlink(missing_ok=True)


def read_header(folder: Path) -> Header:
    """Return what config.json says of a translator; raises ModelError for anything else."""
    return _read(folder, _HEADERS)


def read_decoder_header(folder: Path) -> Decoder:
    """Return what config.json says of a decoder alone; raises ModelError for anything else."""
    return _read(folder, {_DECODER: Decoder})


def read_encoder_header(folder: Path) -> Encoder:
    """Return what config.json says of an encoder alone; raises ModelError for anything else."""
    return _read(folder, {_ENCODER: Encoder})


Known = TypeVar("Known", bound=Settings)


def _read(folder: Path, kinds: Mapping[Any, type[Known]]) -> Known:
    """Return what config.json says, of one of the versions."""
    path, data = folder / "config.json", _said(folder)
    kind = next((kind for version, kind in kinds.items() if version == data.get("version")), None)
    if kind is None:
        raise _other(folder, data)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise _wrong(path, error) from error


def _said(folder: Path) -> dict[str, Any]:
    """Return the object in config.json of a model of heedful."""
    path = folder / "config.json"
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError(
            "this is not a model folder: config.json cannot be read",
            where=str(folder),
            fix="give a folder that `heed train` wrote (RUN/model)",
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelError("not valid JSON", where=str(path), fix=AGAIN) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ModelError(f'"format" is not "{FORMAT}"', where=str(path), fix=AGAIN)
    return data


def _other(folder: Path, data: dict[str, Any]) -> ModelError:
    """Return the error for a model of another kind, or of a version that is not known."""
    version = data.get("version")
    where = str(folder)
    if any(version == known for known in _HEADERS):
        fix = f"translate with it: heed translate --model {folder}"
        return ModelError("this is a model of heedful that translates", where=where, fix=fix)
    if version == _DECODER:
        fix = f'write with it: heed generate --model {folder} -p "Once upon a time"'
        problem = "this model goes on with texts and does not translate"
        return ModelError(problem, where=where, fix=fix)
    if version == _ENCODER:
        fix = f"ask it: heed classify, heed fill or heed embed --model {folder}"
        return ModelError("this model reads texts and writes none", where=where, fix=fix)
    return ModelError(
        f"format version {version!r} is not known here",
        where=str(folder / "config.json"),
        fix="install a newer heedful",
    )


def _wrong(path: Path, error: ValidationError) -> ModelError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    return ModelError(f"{key}: {first['msg']}", where=str(path), fix=AGAIN)


def check_file(path: Path, entry: dict[str, Any] | None) -> None:
    if entry is None:
        raise ModelError(f"{path.name} is not in config.json", where=str(path), fix=AGAIN)
    if not path.is_file():
        raise ModelError("the file is missing", where=str(path), fix=AGAIN)
    size = path.stat().st_size
    if size != entry.get("bytes"):
        raise ModelError(
            f"the file has {size:,} bytes where config.json says {entry.get('bytes')}",
            where=str(path),
            fix=AGAIN,
        )
    try:
        found = sha256(path)
    except OSError as error:
        raise ModelError(f"the file cannot be read ({error.strerror})", where=str(path)) from error
    if found != entry.get("sha256"):
        raise ModelError(
            "the file's content has changed since it was written (SHA-256 differs)",
            where=str(path),
            fix=AGAIN,
        )
