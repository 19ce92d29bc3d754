"""An old checkpoint becomes a `LoadedModel` of ours, whole or not at all.

What it says, then pieces, then names, shapes and types of all tensors, then memory, then numbers.
"""

__all__ = ["is_checkpoint", "load"]

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from heedful.errors import ModelError
from heedful.interop.huggingface.folder import Held, check_tied, compare, read
from heedful.interop.huggingface.seq2seq.reading import NEVER
from heedful.interop.huggingface.seq2seq.reading import rows as rows_in
from heedful.interop.toolkits import fairseq, joeynmt, opennmt
from heedful.interop.toolkits.foreign import Foreign, rows_of
from heedful.interop.toolkits.pieces import tokenizer_of
from heedful.interop.toolkits.sandbox import Opened, opened
from heedful.model_folder import LoadedModel, Unfilled
from heedful.model_header import Languages
from heedful.nn.embedding import ThreeWay
from heedful.text.pieces import END, START

_TOOLKITS: dict[str, Callable[[Opened, Path], Foreign]] = {
    "fairseq": fairseq.foreign,
    "opennmt": opennmt.foreign,
    "joeynmt": joeynmt.foreign,
}
_SUFFIXES = (".pt", ".pth", ".ckpt")
_USUAL = ("checkpoint_best.pt", "best.ckpt", "checkpoint_last.pt")


def is_checkpoint(path: Path) -> bool:
    """Return whether a file, or a folder with one and without config.json, is an old checkpoint."""
    if path.is_dir():
        return not (path / "config.json").is_file() and bool(_inside(path))
    return path.is_file() and path.suffix in _SUFFIXES


def _inside(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)


def _checkpoint(path: Path) -> Path:
    """Return the checkpoint that is meant; raises ModelError where a folder has several."""
    if path.is_file():
        return path
    inside = _inside(path)
    for name in _USUAL:
        if path / name in inside:
            return path / name
    if len(inside) > 1:
        names = ", ".join(one.name for one in inside[:5])
        problem = f"there are {len(inside):,} checkpoints in it ({names})"
        raise ModelError(problem, where=str(path), fix="name one of them")
    return inside[0]


def load(path: Path, pieces: Path | None = None, target_pieces: Path | None = None) -> LoadedModel:
    """Return model, tokenizer and languages of a checkpoint.

    `pieces` are its merges or its SentencePiece model, where these are not beside it under a usual
    name. Raises ModelError for whatever is missing, damaged, or not known here.
    """
    checkpoint = _checkpoint(path)
    folder = checkpoint.parent
    config = folder / "config.yaml"
    with opened(checkpoint, config if config.is_file() else None) as found:
        toolkit = found.said["toolkit"]
        if toolkit == "joeynmt" and "config" not in found.said:
            problem = "its configuration is missing: there is no config.yaml in it"
            raise ModelError(problem, where=str(folder), fix="copy it from where it was trained")
        return _filled(found, _TOOLKITS[toolkit](found, folder), (pieces, target_pieces))


def _filled(found: Opened, said: Foreign, given: tuple[Path | None, Path | None]) -> LoadedModel:
    rows = [rows_of(side) for side in (said.source, said.target)]
    tokenizer = tokenizer_of(said, found.checkpoint.parent, rows, given)
    _check(found, said)
    if isinstance(said.model.embedding, ThreeWay) and said.source.pieces != said.target.pieces:
        problem = "the weights have one embedding for both sides, and there are two vocabularies"
        raise ModelError(problem, where=f"{said.source.where}, {said.target.where}")
    with Unfilled():
        model = said.model.build(tokenizer.source_size, tokenizer.target_size)
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for name, place in said.places.items():
            values = read(found.held[place.tensor], place.tensor)
            weights[name].copy_(values[place.first : place.first + len(weights[name])])
        tables = model.tables
        for table, name, order in (
            (tables.source, said.source_table, rows[0]),
            (tables.target, said.target_table, rows[1]),
            (tables.output, said.output_table, rows[1]),
        ):
            table.weight.copy_(rows_in(read(found.held[name], name), order, 0.0))
        assert tables.bias is not None
        tables.bias.copy_(_bias(found, said, rows[1]))
    languages = Languages(source=said.languages[0], target=said.languages[1])
    return LoadedModel(model.eval(), tokenizer, languages)


def _bias(found: Opened, said: Foreign, order: Sequence[int | None]) -> Tensor:
    """Return the bias of the logits, which rules out rows that were never the model's own."""
    size = len(said.target.pieces)
    bias = torch.zeros(size)
    if said.output_bias is not None:
        bias = read(found.held[said.output_bias], said.output_bias)
    ours = rows_in(bias, order, NEVER)
    if order[START] == order[END]:  # one row there: it is written as the end alone
        ours[START] = NEVER
    return ours


def _check(found: Opened, said: Foreign) -> None:
    """Raise ModelError unless the file holds what its settings describe, and nothing else."""
    width, held = said.model.d_model, found.held
    sizes = {
        said.source_table: (said.source, len(said.source.pieces)),
        said.target_table: (said.target, len(said.target.pieces)),
        said.output_table: (said.target, len(said.target.pieces)),
    }
    for name, (side, size) in sizes.items():
        if name in held and held[name].shape[:1] != (size,):
            rows = held[name].shape[0] if held[name].shape else 0
            problem = (
                f"it has {size:,} pieces and the weights have {rows:,}: it belongs to another model"
            )
            raise ModelError(problem, where=side.where, fix="take the file of this model")
    needed: dict[str, tuple[int, ...]] = {
        place.tensor: place.shape for place in said.places.values()
    }
    needed |= {name: (size, width) for name, (_, size) in sizes.items()}
    if said.output_bias is not None:
        needed[said.output_bias] = (len(said.target.pieces),)
    needed |= {two: needed.get(two, needed[one]) for two, one in said.copies.items() if two in held}
    known = _without(held, said.ignored)
    compare(found.checkpoint, known, needed, f"Transformer of {said.toolkit}")
    for two, one in said.copies.items():
        if two in held:
            check_tied(held, one, two)


def _without(held: Mapping[str, Held], ignored: str) -> dict[str, Held]:
    return {name: one for name, one in held.items() if re.fullmatch(ignored, name) is None}
