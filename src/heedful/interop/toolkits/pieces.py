"""What cuts the texts of an old model: merges or a SentencePiece file beside it, or nothing.

The vocabulary tells which, by what more of its pieces have: `@@` comes of merges, ▁ of
SentencePiece.
"""

__all__ = ["tokenizer_of"]

from collections.abc import Sequence
from pathlib import Path

from heedful.errors import ModelError
from heedful.interop.toolkits.foreign import Foreign, Vocabulary
from heedful.text.framing import Framing
from heedful.text.pieces import CONTROL
from heedful.text.sentence_pieces import SentencePieces
from heedful.text.sentencepiece_file import read_model
from heedful.text.subword_pieces import GOES_ON, SubwordPieces, merges_of
from heedful.text.tokenizer import Foreign as Cutter
from heedful.text.tokenizer import Tokenizer

_CODES = ("bpecodes", "codes", "code", "bpe.codes", "codes.bpe", "bpe.{side}", "codes.{side}")
_MODELS = ("sentencepiece.bpe.model", "sentencepiece.model", "spm.model", "{side}.model")
_JOINER = "￭"
_FIX = "name it by --pieces, and one of the target by --target-pieces"


def tokenizer_of(
    found: Foreign,
    folder: Path,
    rows: Sequence[Sequence[int | None]],
    given: tuple[Path | None, Path | None],
) -> Tokenizer:
    """Return the tokenizer whose ids are the places in `rows` of source and target.

    `given` are files of merges or of SentencePiece, where they are not in the folder under a usual
    name. Raises ModelError where they are missing, or cut to what the vocabulary has not.
    """
    source = _file(found.source, folder, ("src", found.languages[0]), given[0])
    other = ("tgt", "trg", found.languages[1])
    target = _file(found.target, folder, other, given[1] or given[0])
    reading = _side(found.source, rows[0], source)
    writing = _side(found.target, rows[1], target)
    framing = None if found.ended else Framing(ended=False)
    alike = reading.to_str() == writing.to_str()
    return Tokenizer(reading, reading if alike else writing, framing=framing)


def _file(side: Vocabulary, folder: Path, own: Sequence[str], given: Path | None) -> Path | None:
    """Return the file that cuts; None where every word is a piece."""
    marked, spaced = _marks(side.pieces)
    if not marked and not spaced:
        if any(_JOINER in piece for piece in side.pieces):
            problem = f"its pieces are pyonmttok's, which have {_JOINER} where no space is"
            fix = "known: subword-nmt, fastBPE, SentencePiece"
            raise ModelError(problem, where=side.where, fix=fix)
        return given
    if given is not None:
        if not given.is_file():
            raise ModelError("there is no such file", where=str(given), fix=_FIX)
        return given
    merged = marked >= spaced
    patterns = _CODES if merged else _MODELS
    names = [
        name.format(side=one)
        for name in patterns
        for one in (own if "{side}" in name else ("",))
        if one or "{side}" not in name
    ]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    what = "the merges of subword-nmt or fastBPE" if merged else "the SentencePiece model"
    problem = f"{what} are missing: there is no {' and no '.join(names)} in it"
    raise ModelError(problem, where=str(folder), fix=_FIX)


def _marks(pieces: Sequence[str]) -> tuple[int, int]:
    """Return how many pieces have the `@@` of merges, and how many the ▁ of SentencePiece.

    Both characters occur in texts, so that a vocabulary of one kind may have a few of the other.
    """
    marked = sum(piece.endswith(GOES_ON) for piece in pieces)
    return marked, sum(piece.startswith("▁") for piece in pieces)


def _side(side: Vocabulary, order: Sequence[int | None], file: Path | None) -> Cutter:
    """Return what cuts one side to its pieces, numbered anew."""
    rest = [side.pieces[row] for row in order[len(CONTROL) :] if row is not None]
    pieces = [*CONTROL, *(f'"{piece}"' if piece in CONTROL else piece for piece in rest)]
    if file is None:
        return SubwordPieces(pieces, None)
    marked, spaced = _marks(side.pieces)
    if spaced > marked:
        return SentencePieces(pieces, read_model(file), str(file))
    return SubwordPieces(pieces, merges_of(file))
