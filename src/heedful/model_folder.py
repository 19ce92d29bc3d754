"""A model on disk: `config.json`, `model.safetensors`, `tokenizer.json` and a model card.

The trainer writes such a folder, the translator reads it. `config.json` holds the size and SHA-256
of the other files, so that a damaged or half-copied folder is refused before a tensor is used.
Weights are numbers with a point (version 1) or, the matrices of them, int8 with a scale a row
(version 2, `heedful.models.int8`). Nothing here is ever unpickled.
"""

__all__ = ["Languages", "LoadedModel", "load_model", "other_files", "save_model", "sha256"]

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.overrides import TorchFunctionMode

from heedful.errors import ModelError, OutputError
from heedful.models.int8 import is_matrix, multiplied_out, to_int8
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.embedding import ThreeWay
from heedful.settings import Settings
from heedful.text.tokenizer import Tokenizer

FORMAT = "heedful-model"
_FILES = ("model.safetensors", "tokenizer.json")
_CARD = "README.md"
_NUMBERS = ("F64", "F32", "F16", "BF16")
_SCALES = ".scales"
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
    version: int
    model: TransformerConfig
    languages: Languages
    files: dict[str, dict[str, Any]]


class _Floats(_Header):
    version: Literal[1]


class _Int8(_Header):
    version: Literal[2]
    weights: Literal["int8"]


_HEADERS: dict[Any, type[_Header]] = {1: _Floats, 2: _Int8}


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
    others: Sequence[Path] = (),
) -> None:
    """Write the folder whole or not at all; an older model of that name is replaced.

    `dtype` int8 means the matrices, with the rest in float32; `others` are files to copy beside
    them (see `other_files`). Raises OutputError where it cannot be written, or where something
    else has that name.
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
        save_file(_stored(model, dtype), fresh / "model.safetensors")
        tokenizer.save(fresh / "tokenizer.json")
        shutil.copymode(fresh / "tokenizer.json", fresh / "model.safetensors")  # saved as 0600
        (fresh / _CARD).write_text(card, encoding="utf-8")
        for path in others:
            shutil.copyfile(path, fresh / path.name)
        names = [*_FILES, *(path.name for path in others)]
        header = _header(fresh, names, model.config, languages, dtype)
        (fresh / "config.json").write_text(header.model_dump_json(indent=2) + "\n", "utf-8")
        _replace(folder, fresh, old)
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"the model cannot be saved ({error})",
            where=str(folder),
            fix="free some space or choose another folder",
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)  # there is none any more if all went well


def _stored(model: Transformer, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return the tensors of the file."""
    tensors: dict[str, Tensor] = {}
    kept = torch.float32 if dtype == torch.int8 else dtype
    for name, weight in model.named_parameters():
        values = weight.detach().to("cpu", kept).contiguous()
        if dtype == torch.int8 and is_matrix(name, weight.dim()):
            values, tensors[name + _SCALES] = to_int8(values)
        tensors[name] = values
    return tensors


def _header(
    folder: Path,
    names: Sequence[str],
    model: TransformerConfig,
    languages: Languages,
    dtype: torch.dtype,
) -> _Header:
    """Return what config.json says of a folder whose other files are written."""
    files = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)}
        for name in names
    }
    common: dict[str, Any] = {"model": model, "languages": languages, "files": files}
    if dtype == torch.int8:
        return _Int8(format=FORMAT, version=2, weights="int8", **common)
    return _Floats(format=FORMAT, version=1, **common)


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
    _check_outline(path, found, _expected(outline, int8=isinstance(header, _Int8)))
    with _Unfilled():
        model = header.model.build(*sizes)
    _fill(path, model)
    return LoadedModel(model.to(device).eval(), tokenizer, header.languages)


def other_files(folder: Path) -> list[Path]:
    """Return what config.json lists beside weights and tokenizer, checked against it.

    Raises ModelError for a missing or altered file, and for one that is not in the folder.
    """
    header = _read_header(folder)
    found = [folder / name for name in header.files if name not in (*_FILES, _CARD)]
    for path in found:
        if path.parent != folder or path.name in ("config.json", ".."):
            problem = f"{str(path.name)[:100]!r} is no file beside a model"
            raise ModelError(problem, where=str(folder / "config.json"), fix=_AGAIN)
        _check_file(path, header.files[path.name])
    return found


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
    header = next((kind for n, kind in _HEADERS.items() if n == data.get("version")), None)
    if header is None:
        raise ModelError(
            f"format version {data.get('version')!r} is not known here",
            where=str(path),
            fix="install a newer heedful",
        )
    try:
        return header.model_validate(data)
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


def _expected(outline: Transformer, *, int8: bool) -> dict[str, tuple[list[int], Sequence[str]]]:
    """Return the shape of every tensor that the file must have, and the types it may have."""
    expected: dict[str, tuple[list[int], Sequence[str]]] = {}
    for name, weight in outline.named_parameters():
        whole = int8 and is_matrix(name, weight.dim())
        expected[name] = list(weight.shape), ("I8",) if whole else _NUMBERS
        if whole:
            expected[name + _SCALES] = [len(weight)], ("F32",)
    return expected


def _check_outline(
    path: Path,
    found: dict[str, tuple[list[int], str]],
    expected: dict[str, tuple[list[int], Sequence[str]]],
) -> None:
    """Compare names, shapes and types before anything of that size is allocated."""
    if found.keys() != expected.keys():
        odd = sorted(found.keys() ^ expected.keys())[0][:100]
        raise ModelError(f"tensor {odd!r} does not fit config.json", where=str(path), fix=_AGAIN)
    for name, (shape, dtype) in found.items():
        needed, types = expected[name]
        if shape != needed:
            raise ModelError(
                f'tensor "{name}" has shape {shape} where the settings and the tokenizer '
                f"need {needed}",
                where=str(path),
                fix=_OWN_TOKENIZER,
            )
        if dtype not in types:
            raise ModelError(f'tensor "{name}" has type {dtype}', where=str(path), fix=_AGAIN)


def _fill(path: Path, model: Transformer) -> None:
    with safe_open(path, "pt") as tensors, torch.no_grad():
        for name, weight in model.named_parameters():
            values = tensors.get_tensor(name)
            if values.dtype == torch.int8:
                values = _floats(path, name, values, tensors.get_tensor(name + _SCALES))
            if not bool(torch.isfinite(values).all()):
                raise ModelError(f'tensor "{name}" holds NaN or infinity', where=str(path))
            weight.copy_(values)


def _floats(path: Path, name: str, whole: Tensor, scales: Tensor) -> Tensor:
    """Multiply out; raises ModelError for numbers that `to_int8` never makes."""
    if not bool((torch.isfinite(scales) & (scales >= 0)).all()):
        problem = f'tensor "{name + _SCALES}" holds a number below 0, NaN or infinity'
        raise ModelError(problem, where=str(path))
    if bool((whole == -128).any()):
        raise ModelError(f'tensor "{name}" holds -128', where=str(path))
    return multiplied_out(whole, scales)
