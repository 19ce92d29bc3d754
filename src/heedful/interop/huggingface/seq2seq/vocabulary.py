"""The vocabulary of an OPUS-MT folder: `source.spm` and `target.spm` cut, `vocab.json` numbers.

A folder comes in, our tokenizer goes out, and for each of its pieces the row that it has in the
weights: control pieces and language tags are the first here and anywhere there.
"""

__all__ = ["FIX", "OWN", "Numbered", "not_of", "numbered", "own", "pieces_of", "settings_of"]

import json
import re
from pathlib import Path
from typing import NamedTuple

from heedful.errors import ModelError
from heedful.interop.huggingface.config import read_json
from heedful.interop.huggingface.seq2seq.marian import DescribedTranslator
from heedful.model_header import Languages
from heedful.text.pieces import CONTROL, language_of
from heedful.text.sentence_pieces import SentencePieces
from heedful.text.sentencepiece_file import read_model
from heedful.text.tokenizer import Tokenizer

OWN = "heedful_tokenizer.json"
"""The tokenizer of a model that heedful wrote, as it was."""
FIX = "fetch the folder again"
_CODE = re.compile("[A-Za-z][A-Za-z0-9_-]*")


class Numbered(NamedTuple):
    """A tokenizer, and which row of the weights each piece has; None: no row there."""

    tokenizer: Tokenizer
    source_rows: list[int | None]
    target_rows: list[int | None]
    languages: Languages


def numbered(folder: Path, said: DescribedTranslator) -> Numbered:
    """Return what a folder's files of pieces say.

    Raises ModelError for one that is missing or damaged, or does not belong to the weights.
    """
    if (folder / OWN).is_file():
        sizes = (said.source_size, said.target_size)
        return own(folder, *sizes, one_vocabulary=said.one_vocabulary)
    settings = settings_of(folder)
    apart = settings.get("separate_vocabs") is True
    if apart and said.one_vocabulary:
        problem = '"separate_vocabs" is true, and the weights have one embedding for both sides'
        raise ModelError(problem, where=str(folder / "tokenizer_config.json"), fix=FIX)
    source = pieces_of(folder / "vocab.json", said.source_size)
    target = pieces_of(folder / "target_vocab.json", said.target_size) if apart else source
    if len(target) != said.target_size:
        raise not_of(folder / "vocab.json", len(target), said.target_size)
    tagged = not apart
    source_order, target_order = (
        _order(folder / "vocab.json", pieces, said, tagged=tagged) for pieces in (source, target)
    )
    sides = [
        SentencePieces(_names(pieces, order), read_model(folder / name), str(folder / name))
        for pieces, order, name in (
            (source, source_order, "source.spm"),
            (target, target_order, "target.spm"),
        )
    ]
    return Numbered(Tokenizer(*sides), source_order, target_order, _languages(settings))


def own(folder: Path, source: int, target: int, *, one_vocabulary: bool) -> Numbered:
    """Return a tokenizer of ours, whose numbers are those of weights of so many rows."""
    tokenizer = Tokenizer.load(folder / OWN)
    sizes = (tokenizer.source_size, tokenizer.target_size)
    for size, needed in zip(sizes, (source, target), strict=True):
        if size != needed:
            raise not_of(folder / OWN, size, needed)
    if one_vocabulary and not tokenizer.shared:
        problem = "it has two vocabularies, and the weights have one embedding for both sides"
        raise ModelError(problem, where=str(folder / OWN), fix=FIX)
    data = read_json(folder / "config.json").get("heedful_languages")
    try:
        languages = Languages.model_validate(data or {})
    except ValueError as error:
        problem = '"heedful_languages" is damaged'
        raise ModelError(problem, where=str(folder / "config.json"), fix=FIX) from error
    return Numbered(tokenizer, [*range(sizes[0])], [*range(sizes[1])], languages)


def settings_of(folder: Path) -> dict[str, object]:
    """Return what tokenizer_config.json says; nothing where there is none."""
    path = folder / "tokenizer_config.json"
    return read_json(path) if path.is_file() else {}


def _languages(settings: dict[str, object]) -> Languages:
    """Return the languages that a folder names, where both are codes."""
    codes = [settings.get(key) for key in ("source_lang", "target_lang")]
    source, target = (
        code if isinstance(code, str) and _CODE.fullmatch(code) else "" for code in codes
    )
    return Languages(source=source, target=target)


def pieces_of(path: Path, size: int) -> list[str]:
    """Return the pieces in the order of their numbers, which must be 0 to `size` - 1."""
    if not path.is_file():
        raise ModelError(f"there is no {path.name} in it", where=str(path.parent), fix=FIX)
    data = read_json(path)
    if not all(type(number) is int for number in data.values()):
        raise ModelError("it does not number its pieces", where=str(path), fix=FIX)
    if len(data) != size:
        raise not_of(path, len(data), size)
    if sorted(data.values()) != list(range(len(data))):
        raise ModelError("its numbers have gaps", where=str(path), fix=FIX)
    return sorted(data, key=data.__getitem__)


def not_of(path: Path, found: int, size: int) -> ModelError:
    """Return the error for a file of so many pieces beside weights of `size` rows."""
    problem = f"it has {found:,} pieces and the weights have {size:,}: it belongs to another model"
    return ModelError(problem, where=str(path), fix=FIX)


def _order(
    path: Path, pieces: list[str], said: DescribedTranslator, *, tagged: bool
) -> list[int | None]:
    """Return the row of each piece in our order: control pieces, language tags, the others."""
    if "<unk>" not in pieces:
        raise ModelError('it has no piece "<unk>"', where=str(path), fix=FIX)
    for name, number in (("</s>", said.end_id), ("<pad>", said.pad_id)):
        if name not in pieces or pieces.index(name) != number:
            found = pieces.index(name) if name in pieces else "missing"
            problem = f"{json.dumps(name)} is {found} and config.json says {number}"
            fix = "take the vocab.json of this model"
            raise ModelError(f"{problem}: it belongs to another model", where=str(path), fix=fix)
    pad = None if said.pad_id == said.start_id else said.pad_id
    first: list[int | None] = [pad, said.start_id, said.end_id, pieces.index("<unk>")]
    if len(set(first)) != len(first):
        raise ModelError("two of its control pieces are one", where=str(path), fix=FIX)
    if tagged:
        first += [at for at, piece in enumerate(pieces) if language_of(piece)]
    return [*first, *sorted(set(range(len(pieces))) - set(first))]


def _names(pieces: list[str], order: list[int | None]) -> list[str]:
    """Return the pieces in our order; one that is called as a control piece of ours is quoted."""
    rest = [pieces[row] for row in order[len(CONTROL) :] if row is not None]
    return [*CONTROL, *(f'"{piece}"' if piece in CONTROL else piece for piece in rest)]
