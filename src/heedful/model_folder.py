"""A model on disk: `config.json`, `model.safetensors`, `tokenizer.json` and a model card.

The trainer writes such a folder, the translator reads it. `config.json` holds the size and SHA-256
of the other files, so that a damaged or half-copied folder is refused before a tensor is used.
More files may be added (`add_file`, `added_file`): whoever does not ask for one never reads it.
Nothing here is ever unpickled.
"""

__all__ = [
    "Languages",
    "LoadedModel",
    "add_file",
    "added_file",
    "load_model",
    "save_model",
    "sha256",
]

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.overrides import TorchFunctionMode

from heedful.errors import ModelError, OutputError
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.embedding import ThreeWay
from heedful.settings import Settings
from heedful.text.tokenizer import Tokenizer

FORMAT = "heedful-model"
VERSION = 1
_FILES = ("model.safetensors", "tokenizer.json")
_NUMBERS = ("F64", "F32", "F16", "BF16")
_AGAIN = "copy the model folder again"
_OWN_TOKENIZER = "use the tokenizer.json that was trained with this model"


class Languages(Settings):
    """Which languages a model translates between; empty names where nobody said."""

    source: str = ""
    """Code of the first language, such as en."""
    target: str = ""
    """Code of the second language, such as de."""
    both_directions: bool = False
    """Whether it also translates from target to source."""


class _Header(Settings):
    format: Literal["heedful-model"]
    version: Literal[1]
    model: TransformerConfig
    languages: Languages
    files: dict[str, dict[str, Any]]


class LoadedModel(NamedTuple):
    """What a model folder holds."""

    model: Transformer
    tokenizer: Tokenizer
    languages: Languages


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_model(
    folder: Path,
    model: Transformer,
    tokenizer: Tokenizer,
    languages: Languages,
    *,
    dtype: torch.dtype = torch.float32,
    card: str = "",
    added: Mapping[str, bytes] | None = None,
) -> None:
    """Write the folder whole or not at all; an older model of that name is replaced.

    `added` are further files, as `add_file` would add them. Raises OutputError where it cannot be
    written, or where something else has that name.
    """
    fresh = folder.with_name(folder.name + ".new")
    old = folder.with_name(folder.name + ".old")
    try:
        if old.exists() and not folder.exists():
            old.rename(folder)  # an earlier save was cut off between its two renames
        _refuse_other(folder)
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh.mkdir(parents=True)
        tensors = {
            name: weight.detach().to("cpu", dtype).contiguous()
            for name, weight in model.named_parameters()
        }
        save_file(tensors, fresh / "model.safetensors")
        tokenizer.save(fresh / "tokenizer.json")
        shutil.copymode(fresh / "tokenizer.json", fresh / "model.safetensors")  # saved as 0600
        (fresh / "README.md").write_text(card, encoding="utf-8")
        for name, content in (added or {}).items():
            (fresh / name).write_bytes(content)
        header = _Header(
            format=FORMAT,
            version=VERSION,
            model=model.config,
            languages=languages,
            files={name: _entry(fresh / name) for name in (*_FILES, *(added or {}))},
        )
        _write_header(fresh, header)
        _replace(folder, fresh, old)
    except OutputError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    except (OSError, SafetensorError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise OutputError(
            f"the model cannot be saved ({error})",
            where=str(folder),
            fix="free some space or choose another folder",
        ) from error


def add_file(folder: Path, name: str, content: bytes) -> None:
    """Put a further file into a model folder, or replace it, with its size and SHA-256.

    An interruption leaves the folder as it was or, where the file is replaced, without it. Raises
    ModelError when the folder holds no model, OutputError when it cannot be written.
    """
    header = _read_header(folder)
    fresh = folder / f".{name}.{os.getpid()}.partial"
    try:
        fresh.write_bytes(content)
        others = {other: entry for other, entry in header.files.items() if other != name}
        if others != header.files:
            _write_header(folder, header.model_copy(update={"files": others}))
        entry = _entry(fresh)
        fresh.replace(folder / name)
        _write_header(folder, header.model_copy(update={"files": others | {name: entry}}))
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
    entry = _read_header(folder).files.get(name)
    if entry is None:
        return None
    _check_file(folder / name, entry)
    return folder / name


def _entry(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def _write_header(folder: Path, header: _Header) -> None:
    fresh = folder / f".config.json.{os.getpid()}.partial"
    try:
        fresh.write_text(header.model_dump_json(indent=2) + "\n", "utf-8")
        fresh.replace(folder / "config.json")
    finally:
        fresh.unlink(missing_ok=True)


def _refuse_other(folder: Path) -> None:
    """Raise OutputError if there is anything else of that name than a model or an empty folder."""
    if not folder.exists() or (folder / "config.json").is_file():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise OutputError(
            "there is something else than a model of that name",
            where=str(folder),
            fix="choose another folder",
        )


def _replace(folder: Path, fresh: Path, old: Path) -> None:
    """Give `fresh` its final name; the older model comes back if that fails."""
    if folder.exists():
        folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def load_model(folder: Path, device: torch.device | str = "cpu") -> LoadedModel:
    """Read a model folder in float32, checked against its own manifest.

    Raises ModelError for a missing, truncated or altered file, an unknown format, or a tokenizer
    or weights that do not fit the settings.
    """
    header = _read_header(folder)
    for name in _FILES:
        _check_file(folder / name, header.files.get(name))
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    if isinstance(header.model.embedding, ThreeWay) and not tokenizer.shared:
        raise ModelError(
            "the model has one vocabulary and this tokenizer has two",
            where=str(folder / "tokenizer.json"),
            fix=_OWN_TOKENIZER,
        )
    sizes = (tokenizer.source_size, tokenizer.target_size)
    path = folder / "model.safetensors"
    found = _outline_of(path)
    if len(found) < header.model.encoder_layers + header.model.decoder_layers:
        raise ModelError(
            "it has fewer tensors than config.json layers", where=str(path), fix=_AGAIN
        )
    with torch.device("meta"), _Unfilled():
        outline = header.model.build(*sizes)
    _check_outline(path, found, outline)
    with _Unfilled():
        model = header.model.build(*sizes)
    _fill(path, model)
    return LoadedModel(model.to(device).eval(), tokenizer, header.languages)


class _Unfilled(TorchFunctionMode):
    """Weights made under it are not drawn, since a file has them.

    That saves the time, and on the meta device the import of torch's compiler: seconds at a start.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init" or func in (
            Tensor.uniform_,
            Tensor.normal_,
        ):
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def _read_header(folder: Path) -> _Header:
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
        raise ModelError("not valid JSON", where=str(path), fix=_AGAIN) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ModelError(f'"format" is not "{FORMAT}"', where=str(path), fix=_AGAIN)
    if data.get("version") != VERSION:
        raise ModelError(
            f"format version {data.get('version')!r} is not known here",
            where=str(path),
            fix="install a newer heedful",
        )
    try:
        return _Header.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"{key}: {first['msg']}", where=str(path), fix=_AGAIN) from error


def _check_file(path: Path, entry: dict[str, Any] | None) -> None:
    if entry is None:
        raise ModelError(f"{path.name} is not in config.json", where=str(path), fix=_AGAIN)
    if not path.is_file():
        raise ModelError("the file is missing", where=str(path), fix=_AGAIN)
    size = path.stat().st_size
    if size != entry.get("bytes"):
        raise ModelError(
            f"the file has {size:,} bytes where config.json says {entry.get('bytes')}",
            where=str(path),
            fix=_AGAIN,
        )
    try:
        found = sha256(path)
    except OSError as error:
        raise ModelError(f"the file cannot be read ({error.strerror})", where=str(path)) from error
    if found != entry.get("sha256"):
        raise ModelError(
            "the file's content has changed since it was written (SHA-256 differs)",
            where=str(path),
            fix=_AGAIN,
        )


def _outline_of(path: Path) -> dict[str, tuple[list[int], str]]:
    """Return the shape and the type of every tensor in the file."""
    try:
        with safe_open(path, "pt") as tensors:
            views = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118
            return {name: (view.get_shape(), view.get_dtype()) for name, view in views.items()}
    except SafetensorError as error:
        raise ModelError(
            f"not a safetensors file ({error})", where=str(path), fix=_AGAIN
        ) from error


def _check_outline(
    path: Path, found: dict[str, tuple[list[int], str]], outline: Transformer
) -> None:
    """Compare names and shapes before anything of that size is allocated."""
    expected = {name: list(weight.shape) for name, weight in outline.named_parameters()}
    if found.keys() != expected.keys():
        odd = sorted(found.keys() ^ expected.keys())[0][:100]
        raise ModelError(f"tensor {odd!r} does not fit config.json", where=str(path), fix=_AGAIN)
    for name, (shape, dtype) in found.items():
        if shape != expected[name]:
            raise ModelError(
                f'tensor "{name}" has shape {shape} where the settings and the tokenizer '
                f"need {expected[name]}",
                where=str(path),
                fix=_OWN_TOKENIZER,
            )
        if dtype not in _NUMBERS:
            raise ModelError(f'tensor "{name}" has type {dtype}', where=str(path), fix=_AGAIN)


def _fill(path: Path, model: Transformer) -> None:
    with safe_open(path, "pt") as tensors, torch.no_grad():
        for name, weight in model.named_parameters():
            values = tensors.get_tensor(name)
            if not bool(torch.isfinite(values).all()):
                raise ModelError(f'tensor "{name}" holds NaN or infinity', where=str(path))
            weight.copy_(values)
