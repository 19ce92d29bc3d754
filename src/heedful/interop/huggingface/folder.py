"""A Hugging Face folder becomes a `GPT`: names, shapes and types first, then memory, then numbers.

Weights are read from safetensors alone, one file or several with an index. Nothing is unpickled: a
folder that has nothing else than pickles is refused.
"""

__all__ = [
    "Held",
    "check_tied",
    "compare",
    "config_of",
    "fill",
    "held_in",
    "load",
    "load_model",
    "outline",
    "read",
]

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from heedful.errors import ModelError
from heedful.interop.huggingface.config import Described, described, read_json
from heedful.interop.huggingface.header import check_header
from heedful.interop.huggingface.layouts import OUTPUT, Place, ignored, places
from heedful.interop.huggingface.template import more_ends, template_of
from heedful.model_folder import Unfilled, are_finite
from heedful.model_header import FORMAT
from heedful.models.gpt import GPT
from heedful.shapes import Shaped, Tensor
from heedful.text.vocabulary import Vocabulary
from heedful.writer import Writer

_NUMBERS = ("F64", "F32", "F16", "BF16")
_AGAIN = "fetch the folder again"
_TIED = "tables.source.weight"


class Held(NamedTuple):
    """A tensor in a file."""

    file: Path
    shape: tuple[int, ...]
    dtype: str


def load(folder: Path, device: torch.device | str = "cpu") -> Writer:
    """Return what writes with the model and the vocabulary of a folder.

    Raises ModelError for whatever is missing, damaged, or not known here.
    """
    model, said = load_model(folder, device)
    vocabulary = Vocabulary.load(folder / "tokenizer.json", said.vocabulary_size)
    ends = [at for at in more_ends(folder) if at < said.vocabulary_size]
    ends = [*dict.fromkeys((*said.end_ids, *ends))]
    return Writer(model, vocabulary, said.begin_id, ends, template_of(folder))


def load_model(folder: Path, device: torch.device | str = "cpu") -> tuple[GPT, Described]:
    """Return the model, in float32, and what config.json says of it."""
    said = described(config_of(folder))
    held = held_in(folder)
    bare = "wte.weight" in held
    wanted = places(said, bare=bare)
    needed = {place.tensor: place.shape for place in wanted.values()}
    if said.model.tied_output and OUTPUT in held:
        needed[OUTPUT] = wanted[_TIED].shape
    compare(folder, held, needed, said.architecture)
    with Unfilled():
        model = said.model.build(said.vocabulary_size)
    fill(model, held, wanted)
    if said.model.tied_output and OUTPUT in held:
        check_tied(held, wanted[_TIED].tensor, OUTPUT)
    return model.to(device).eval(), said


def config_of(folder: Path) -> Path:
    """Return where config.json is; raises ModelError for what is no folder of a model."""
    path = folder / "config.json"
    if not path.is_file():
        problem = "there is no config.json in it" if folder.is_dir() else "there is no such folder"
        fix = "give a folder of Hugging Face: config.json, model.safetensors, tokenizer.json"
        raise ModelError(problem, where=str(folder), fix=fix)
    if read_json(path).get("format") == FORMAT:
        fix = f"translate with it: heed translate --model {folder}"
        raise ModelError("this is a model of heedful that translates", where=str(folder), fix=fix)
    return path


def held_in(folder: Path) -> dict[str, Held]:
    """Return all tensors of the folder's safetensors files, which check their own sizes."""
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return outline(single)
    if not index.is_file():
        raise _weightless(folder)
    named = read_json(index).get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(x, str) for x in named.values()):
        raise ModelError('"weight_map" names no files', where=str(index), fix=_AGAIN)
    found: dict[str, Held] = {}
    names = sorted(set(named.values()))
    for name in names:
        path = folder / name
        if path.parent != folder or not path.is_file():
            problem = f"the file {name[:100]!r} is not in the folder"
            raise ModelError(problem, where=str(index), fix=_AGAIN)
    for name in names:
        path = folder / name
        inside = outline(path)
        listed = {tensor for tensor, file in named.items() if file == name}
        if listed != inside.keys():
            odd = min(listed ^ inside.keys())[:100]
            known = "is not in that file" if odd in listed else "is not in the index"
            raise ModelError(f"tensor {odd!r} {known}", where=str(path), fix=_AGAIN)
        found |= inside
    return found


def _weightless(folder: Path) -> ModelError:
    """Return the error for a folder without safetensors."""
    pickles = sorted(path.name for path in folder.glob("*.bin*"))
    if pickles:
        return ModelError(
            f"its weights are a pickle ({pickles[0]}), which could run any program when it is read",
            where=str(folder),
            fix="take a folder with model.safetensors, or save it so with transformers",
        )
    return ModelError("there is no model.safetensors in it", where=str(folder), fix=_AGAIN)


def outline(path: Path) -> dict[str, Held]:
    """Return the tensors of one file; raises ModelError for what is not a whole one."""
    check_header(path)
    try:
        with safe_open(path, "pt") as tensors:
            views = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118
            return {
                name: Held(path, tuple(view.get_shape()), view.get_dtype())
                for name, view in views.items()
            }
    except (SafetensorError, OSError) as error:
        problem = f"not a whole safetensors file ({' '.join(str(error).split())})"
        raise ModelError(problem, where=str(path), fix=_AGAIN) from error


def compare(
    folder: Path,
    held: Mapping[str, Held],
    needed: Mapping[str, tuple[int, ...]],
    architecture: str,
) -> None:
    """Raise ModelError unless the files hold what config.json describes, and nothing else."""
    for name, shape in needed.items():
        if name not in held:
            problem = f'tensor "{name}" of the shape {list(shape)} is missing'
            raise ModelError(problem, where=str(folder), fix=_AGAIN)
        found = held[name]
        where = str(found.file)
        if found.shape != shape:
            expected = f"{list(shape)} where config.json is followed"
            problem = f'tensor "{name}" has the shape {list(found.shape)}, and {expected}'
            raise ModelError(problem, where=where, fix=_AGAIN)
        if found.dtype not in _NUMBERS:
            known = ", ".join(_NUMBERS)
            problem = f'tensor "{name}" is of the type {found.dtype}, and one of {known} is needed'
            raise ModelError(problem, where=where, fix="take the model before it was quantized")
    for name in sorted(held.keys() - needed.keys()):
        if not ignored(architecture, name):
            raise ModelError(
                f'tensor "{name[:100]}" is none of a {architecture}',
                where=str(held[name].file),
                fix="take a model that is nothing but that",
            )


def fill(model: nn.Module, held: Mapping[str, Held], wanted: Mapping[str, Place]) -> None:
    """Copy every weight into its place."""
    weights = dict(model.named_parameters())
    assert weights.keys() == wanted.keys()
    for name, weight in weights.items():
        place = wanted[name]
        values = read(held[place.tensor], place.tensor)
        if place.across:
            values = values.t()
        with torch.no_grad():
            weight.copy_(values[place.first : place.first + len(weight)])


def read(tensor: Held, name: str) -> Shaped[Tensor, "..."]:
    with safe_open(tensor.file, "pt") as tensors:  # anew: what is read stays in memory
        values: Tensor = tensors.get_tensor(name)
    if not are_finite(values):
        problem = f'tensor "{name}" holds NaN or infinity'
        raise ModelError(problem, where=str(tensor.file), fix=_AGAIN)
    return values


def check_tied(held: Mapping[str, Held], embedding: str, output: str) -> None:
    """Raise ModelError where one matrix is stored twice, and not as one."""
    if not torch.equal(read(held[embedding], embedding), read(held[output], output)):
        raise ModelError(
            f'config.json says that "{output}" and "{embedding}" are one, and they differ',
            where=str(held[output].file),
            fix='set "tie_word_embeddings" to false there if they are two',
        )
