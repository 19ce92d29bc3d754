"""A Hugging Face folder with a translator becomes a `LoadedModel` of ours, whole or not at all.

What `config.json` says, then pieces, then names, shapes and types of all tensors, then memory, then
numbers. Nothing is unpickled.
"""

__all__ = ["ARCHITECTURES", "NEVER", "left_out", "load", "rows"]

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from heedful.errors import ModelError
from heedful.interop.huggingface.config import kind_of, read_json
from heedful.interop.huggingface.folder import (
    Held,
    check_tied,
    compare,
    config_of,
    held_in,
    read,
)
from heedful.interop.huggingface.seq2seq import bart, marian
from heedful.interop.huggingface.seq2seq.marian import DescribedTranslator
from heedful.interop.huggingface.seq2seq.multilingual import numbered as numbered_marks
from heedful.interop.huggingface.seq2seq.names import (
    BIAS,
    COPIES,
    POSITIONS,
    SHARED,
    SOURCE,
    TARGET,
    UNREAD,
    layers,
)
from heedful.interop.huggingface.seq2seq.vocabulary import Numbered, numbered
from heedful.interop.keys import Keys
from heedful.model_folder import LoadedModel, Unfilled
from heedful.models.transformer import Transformer
from heedful.nn.position import Learned, sinusoids
from heedful.shapes import Float, Tensor

ARCHITECTURES = (*marian.ARCHITECTURES, *bart.ARCHITECTURES)
"""What `model_type` may be."""

NEVER = -100.0
"""Logit of a piece that the model never had: its probability is 0 in float32."""


def load(folder: Path) -> LoadedModel:
    """Return model, tokenizer and languages of a folder.

    Raises ModelError for whatever is missing, damaged, or not known here.
    """
    said = _described(config_of(folder))
    held = held_in(folder)
    places = layers(said.model)
    embeddings = _embeddings(held, said)
    needed = {place.tensor: place.shape for place in places.values()}
    needed |= {name: (size, said.model.d_model) for name, size in embeddings.items()}
    needed |= _also_there(held, said)
    compare(folder, held, needed, "translator of this kind")
    target = [*embeddings][-1]
    for name in COPIES:
        if name in held and name not in embeddings:
            check_tied(held, target, name)
    _check_positions(held, said)
    pieces = (numbered_marks if said.begin_id is not None else numbered)(folder, said)
    with Unfilled():
        model = said.model.build(len(pieces.source_rows), len(pieces.target_rows))
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for name, place in places.items():
            weights[name].copy_(read(held[place.tensor], place.tensor)[place.first :])
        _fill_tables(model, held, pieces, embeddings)
    return LoadedModel(model.eval(), pieces.tokenizer, pieces.languages)


def left_out(folder: Path, loaded: LoadedModel) -> int:
    """Return how many rows of the folder's embeddings no piece of the loaded model has."""
    said = _described(config_of(folder))
    return 0 if said.begin_id is None else said.source_size - loaded.tokenizer.source_size


def _described(path: Path) -> DescribedTranslator:
    """Return what config.json says; raises ModelError for what is not known here."""
    kind = kind_of(Keys(read_json(path), str(path)), ARCHITECTURES)
    return bart.described(path) if kind in bart.ARCHITECTURES else marian.described(path)


def _embeddings(held: Mapping[str, Held], said: DescribedTranslator) -> dict[str, int]:
    """Return the embedding matrices and how many rows each has, the target's last."""
    if said.one_vocabulary:
        return {
            next((name for name in (SHARED, *COPIES) if name in held), SHARED): said.source_size
        }
    return {SOURCE: said.source_size, TARGET: said.target_size}


def _also_there(held: Mapping[str, Held], said: DescribedTranslator) -> dict[str, tuple[int, ...]]:
    """Return the shapes of tensors that a file may hold, of those that it does."""
    d_model = said.model.d_model
    target = (said.target_size, d_model)
    known: dict[str, tuple[int, ...]] = {COPIES[-1]: target}
    if said.model.embedding.output_bias:
        known[BIAS] = (1, said.target_size)
    if said.one_vocabulary:
        known |= dict.fromkeys(COPIES, target)
    known |= dict.fromkeys(_tables(said), (len(_sinusoids(said)), d_model))
    return {name: shape for name, shape in known.items() if name in held}


def _check_positions(held: Mapping[str, Held], said: DescribedTranslator) -> None:
    """Raise ModelError where positions are stored and are not the sinusoids."""
    for name in _tables(said):
        if name in held:
            expected = _sinusoids(said)
            unread = UNREAD if name not in POSITIONS else 0
            found = read(held[name], name).float()
            if not torch.allclose(found[unread:], expected[unread:], atol=1e-2):
                problem = f'tensor "{name}" does not hold the sinusoids that {said.kind} computes'
                raise ModelError(problem, where=str(held[name].file))


def _tables(said: DescribedTranslator) -> list[str]:
    """Return the names of sinusoids that older files hold."""
    if isinstance(said.model.position, Learned):
        return []
    return [f"{name}s" for name in POSITIONS] if said.kind in bart.ARCHITECTURES else [*POSITIONS]


def _sinusoids(said: DescribedTranslator) -> Float[Tensor, "T D"]:
    """Return what those would hold."""
    model = said.model
    if said.kind not in bart.ARCHITECTURES:
        return sinusoids(model.max_length, model.d_model, "halves")
    rows = model.max_length + len(model.opening.before) + UNREAD
    return sinusoids(rows, model.d_model, "halves", "closed")


def _fill_tables(
    model: Transformer, held: Mapping[str, Held], pieces: Numbered, embeddings: Mapping[str, int]
) -> None:
    """Copy the rows of the embeddings and of the bias, each to its place."""
    tables = model.tables
    sides = [(tables.source, pieces.source_rows), (tables.target, pieces.target_rows)]
    for name, (table, order) in zip(embeddings, sides[-len(embeddings) :], strict=True):
        table.weight.copy_(rows(read(held[name], name), order, 0.0))
    if tables.bias is None:
        return
    size = [*embeddings.values()][-1]
    bias = read(held[BIAS], BIAS)[0] if BIAS in held else torch.zeros(size)
    tables.bias.copy_(rows(bias, pieces.target_rows, NEVER))


def rows(
    values: Float[Tensor, "N *D"], order: Sequence[int | None], missing: float
) -> Float[Tensor, "M *D"]:
    """Return the rows in this order; one that is nowhere is `missing` throughout."""
    found = values.float()[[0 if row is None else row for row in order]]
    found[[at for at, row in enumerate(order) if row is None]] = missing
    return found
