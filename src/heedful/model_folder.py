"""A model on disk: `config.json`, `model.safetensors`, `tokenizer.json` and a model card.

The trainer writes such a folder, the translator reads it. `config.json` holds the size and SHA-256
of the other files, so that a damaged or half-copied folder is refused before a tensor is used.
Weights are numbers with a point (version 1) or, the matrices of them, int8 with a scale a row
(version 2, `heedful.models.int8`). More files may be added (`add_file`, `added_file`): whoever does
not ask for one never reads it. Nothing here is ever unpickled.
"""

__all__ = [
    "LoadedModel",
    "Outline",
    "Unfilled",
    "are_finite",
    "check_alike",
    "check_count",
    "entries_of",
    "filled",
    "load_model",
    "outline_of",
    "put",
    "save_model",
    "written_whole",
]

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from heedful.errors import ModelError, OutputError
from heedful.model_header import (
    AGAIN,
    CARD,
    FILES,
    FORMAT,
    Floats,
    Header,
    Int8,
    Languages,
    check_files,
    entry_of,
    read_header,
    write_header,
)
from heedful.models.architecture import Model, ModelConfig
from heedful.models.int8 import AT_ONCE, is_matrix, multiplied_out, to_int8
from heedful.nn.embedding import OneInput, ThreeWay
from heedful.nn.mapped import can_be_mapped, fill
from heedful.text.tokenizer import Tokenizer

_NUMBERS = ("F64", "F32", "F16", "BF16")
_SCALES = ".scales"
Outline = dict[str, tuple[list[int], str]]
"""Names of tensors, with their shapes and types."""
_OWN_TOKENIZER = "use the tokenizer.json that was trained with this model"


class LoadedModel(NamedTuple):
    """What a model folder holds."""

    model: Model
    tokenizer: Tokenizer
    languages: Languages


def save_model(
    folder: Path,
    model: Model,
    tokenizer: Tokenizer,
    languages: Languages,
    *,
    dtype: torch.dtype = torch.float32,
    card: str = "",
    added: Mapping[str, bytes] | None = None,
) -> None:
    """Write the folder whole or not at all; an older model of that name is replaced.

    `dtype` int8 means the matrices, with the rest in float32; `added` are further files, as
    `add_file` would add them. Raises OutputError where it cannot be written, or where something
    else has that name.
    """
    with written_whole(folder) as fresh:
        put(fresh, model, tokenizer.save, card, dtype)
        for name, content in (added or {}).items():
            (fresh / name).write_bytes(content)
        write_header(fresh, _header(fresh, added or {}, model.config, languages, dtype))


def put(
    folder: Path,
    model: nn.Module,
    save_tokenizer: Callable[[Path], object],
    card: str,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write weights, tokenizer and model card; `config.json` comes when all others are there."""
    save_file(_stored(model, dtype), folder / "model.safetensors")
    save_tokenizer(folder / "tokenizer.json")
    shutil.copymode(folder / "tokenizer.json", folder / "model.safetensors")  # saved as 0600
    (folder / CARD).write_text(card, encoding="utf-8")


def entries_of(folder: Path, added: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
    """Return size and SHA-256 of the files that `config.json` names."""
    return {name: entry_of(folder / name) for name in (*FILES, *added)}


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Let a model folder be written in a place beside it; it gets its name when all is there.

    An older model of that name is replaced. Raises OutputError as `save_model` does.
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
        yield fresh
        _replace(folder, fresh, old)
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"the model cannot be saved ({error})",
            where=str(folder),
            fix="free some space or choose another folder",
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)  # there is none any more if all went well


def _stored(model: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
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
    added: Iterable[str],
    model: ModelConfig,
    languages: Languages,
    dtype: torch.dtype,
) -> Header:
    """Return what config.json says of a folder whose other files are written."""
    files = entries_of(folder, added)
    common: dict[str, Any] = {"model": model, "languages": languages, "files": files}
    if dtype == torch.int8:
        return Int8(format=FORMAT, version=2, weights="int8", **common)
    return Floats(format=FORMAT, version=1, **common)


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

    On Linux and a CPU, weights in float32 stay in their file and are read when they are needed: it
    may be replaced, as `save_model` does, but must not be written to while the model is used.
    Raises ModelError for a missing, truncated or altered file, an unknown format, or a tokenizer
    or weights that do not fit the settings.
    """
    header = read_header(folder)
    check_files(folder, header)
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    if isinstance(header.model.embedding, ThreeWay | OneInput) and not tokenizer.shared:
        raise ModelError(
            "the model has one vocabulary and this tokenizer has two",
            where=str(folder / "tokenizer.json"),
            fix=_OWN_TOKENIZER,
        )
    sizes = (tokenizer.source_size, tokenizer.target_size)
    path = folder / "model.safetensors"
    found = outline_of(path)
    check_count(path, found, header.model.encoder_layers + header.model.decoder_layers)
    model = filled(
        path, found, lambda: header.model.build(*sizes), device, int8=isinstance(header, Int8)
    )
    return LoadedModel(model, tokenizer, header.languages)


Built = TypeVar("Built", bound=nn.Module)


def filled(
    path: Path,
    found: Outline,
    build: Callable[[], Built],
    device: torch.device | str,
    *,
    int8: bool = False,
) -> Built:
    """Return the model that `build` makes, with the weights of a file that has that outline.

    Nothing of its size is allocated before the file is known to fit.
    """
    with torch.device("meta"), Unfilled():
        outline = build()
    _check_outline(path, found, _expected_outline(outline, int8=int8))
    with Unfilled():
        model = build()
    _fill_weights(path, model, mapped=can_be_mapped(torch.device(device)))
    return model.to(device).eval()


class Unfilled(TorchFunctionMode):
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


def outline_of(path: Path) -> Outline:
    """Return the shape and the type of every tensor in the file."""
    try:
        with safe_open(path, "pt") as tensors:
            views = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118
            return {name: (view.get_shape(), view.get_dtype()) for name, view in views.items()}
    except SafetensorError as error:
        if any("\udc80" <= letter <= "\udcff" for letter in str(path)):
            problem, fix = "safetensors reads no file whose path is not UTF-8", "rename the folder"
            raise ModelError(problem, where=str(path), fix=fix) from error
        raise ModelError(f"not a safetensors file ({error})", where=str(path), fix=AGAIN) from error


def _expected_outline(
    outline: nn.Module, *, int8: bool
) -> dict[str, tuple[list[int], Sequence[str]]]:
    """Return the shape of every tensor that the file must have, and the types it may have."""
    expected: dict[str, tuple[list[int], Sequence[str]]] = {}
    for name, weight in outline.named_parameters():
        whole = int8 and is_matrix(name, weight.dim())
        expected[name] = list(weight.shape), ("I8",) if whole else _NUMBERS
        if whole:
            expected[name + _SCALES] = [len(weight)], ("F32",)
    return expected


def check_count(path: Path, found: Outline, layers: int) -> None:
    """Raise ModelError for fewer tensors than layers, before so many are built."""
    if len(found) < layers:
        raise ModelError("it has fewer tensors than config.json layers", where=str(path), fix=AGAIN)


def _check_outline(
    path: Path,
    found: Outline,
    expected: dict[str, tuple[list[int], Sequence[str]]],
) -> None:
    """Compare names, shapes and types before anything of that size is allocated."""
    if found.keys() != expected.keys():
        odd = sorted(found.keys() ^ expected.keys())[0][:100]
        raise ModelError(f"tensor {odd!r} does not fit config.json", where=str(path), fix=AGAIN)
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
            raise ModelError(f'tensor "{name}" has type {dtype}', where=str(path), fix=AGAIN)


def _fill_weights(path: Path, model: nn.Module, *, mapped: bool) -> None:
    """Give the model the numbers of the file, which stay there where they are `mapped`."""
    for name, weight in model.named_parameters():
        with safe_open(path, "pt") as tensors:  # anew: what is read stays in memory
            values, own = tensors.get_tensor(name), mapped
            if values.dtype == torch.int8:
                values = _floats(path, name, values, tensors.get_tensor(name + _SCALES))
                own = False
            if not are_finite(values):
                raise ModelError(f'tensor "{name}" holds NaN or infinity', where=str(path))
            fill(weight, values, mapped=own)


def are_finite(values: Tensor) -> bool:
    """Return whether no number is NaN or infinite; parts are looked at in turn, to save memory."""
    return all(bool(torch.isfinite(part).all()) for part in torch.split(values, AT_ONCE))


def _floats(path: Path, name: str, whole: Tensor, scales: Tensor) -> Tensor:
    """Multiply out; raises ModelError for numbers that `to_int8` never makes."""
    if not bool((torch.isfinite(scales) & (scales >= 0)).all()):
        problem = f'tensor "{name + _SCALES}" holds a number below 0, NaN or infinity'
        raise ModelError(problem, where=str(path))
    if bool((whole == -128).any()):
        raise ModelError(f'tensor "{name}" holds -128', where=str(path))
    return multiplied_out(whole, scales)


def check_alike(first: LoadedModel, other: LoadedModel, name: str) -> None:
    """Raise ModelError unless two models can be asked together."""
    if first.tokenizer.fingerprint() != other.tokenizer.fingerprint():
        raise ModelError(
            "its vocabulary is another than the first model's",
            where=name,
            fix="take models trained with one tokenizer.json",
        )
    if first.languages != other.languages:
        raise ModelError("its languages are others than the first model's", where=name)
