"""How well a decoder foretells a text: a file comes in, sums over its pieces go out.

`heed evaluate` prints them. The text is read in windows of the model's context; each piece is
foretold once, from what stands before it in its window.
"""

__all__ = ["Perplexity", "measure"]

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from heedful.data.running_text import Part, portions, survey
from heedful.errors import DataError, SettingError
from heedful.nn.cross_entropy import projected_cross_entropy
from heedful.progress import Progress
from heedful.text.pieces import UNKNOWN
from heedful.writer import Writer

_AT_ONCE = 4096
"""Pieces that are read at a time, at least a window."""


class Perplexity(NamedTuple):
    """What was found of a text; `nll` is the sum over `pieces`, in nats."""

    nll: float
    pieces: int
    """Pieces foretold."""
    characters: int
    """Those of the text that the model knows."""
    bytes: int
    """The same in UTF-8."""
    unknown: int
    """Characters that are no pieces of the model; they are read and not foretold."""
    context: int
    stride: int
    windows: int

    @property
    def loss(self) -> float:
        """Nats a piece."""
        return self.nll / self.pieces

    def to_json(self) -> dict[str, Any]:
        """Return all of it, and what it comes to."""
        return self._asdict() | {
            "loss": self.loss,
            "perplexity": math.exp(min(self.loss, 700)),
            "character_perplexity": math.exp(min(self.nll / self.characters, 700)),
            "bits_per_character": self.nll / math.log(2) / self.characters,
            "bits_per_byte": self.nll / math.log(2) / self.bytes,
        }

    def table(self) -> list[str]:
        """Return the lines that tell it."""
        told = self.to_json()
        lines = [
            f"{self.pieces:,} pieces, {self.characters:,} characters, {self.bytes:,} bytes, in "
            f"{self.windows:,} windows of {self.context:,}, {self.stride:,} pieces apart",
            f"loss                     {self.loss:.4f} nats a piece",
            f"perplexity of a piece    {told['perplexity']:.3f}",
            f"perplexity of a character {told['character_perplexity']:.3f}",
            f"bits a character         {told['bits_per_character']:.4f}",
            f"bits a byte              {told['bits_per_byte']:.4f}",
        ]
        if self.unknown:
            lines.append(f"{self.unknown:,} characters the model does not know are left out")
        return lines


class _Coded(NamedTuple):
    """A text as ids, and which of them are to be foretold."""

    ids: NDArray[np.int64]
    asked: NDArray[np.bool_]
    characters: int
    bytes: int
    unknown: int


@torch.inference_mode()
def measure(writer: Writer, file: str, stride: int | None, progress: Progress) -> Perplexity:
    """Return `-sum log P(u_t | those before it in the window)` over a text file.

    The first window foretells all of its pieces, each later one, which begins `stride` pieces on,
    the last `stride`: a stride that is shorter than the context, which is the default, gives each
    piece more before it. Where the model has a piece that a text begins with, that stands first;
    otherwise the text's first piece is not foretold. Raises SettingError for a stride that does not
    fit, DataError for a text that has nothing to foretell.
    """
    context = writer.context
    stride = context if stride is None else stride
    if not 1 <= stride <= context:
        raise SettingError(f"{stride} is not from 1 to the context, {context}", where="--stride")
    text = _coded(writer, file)
    device = next(writer.model.parameters()).device
    pieces = int(np.count_nonzero(text.asked[1:]))
    if not pieces:
        raise DataError("the text has no piece to foretell", where=file, fix="give a longer one")
    starts = range(0, max(1, len(text.ids) - 1 - context + stride), stride)
    rows, nll = max(1, _AT_ONCE // context), 0.0
    some = [starts[at : at + rows] for at in range(0, len(starts), rows)]
    for chosen in progress.track(some, "reading, batches of windows", len(some)):
        nll += _batch(writer, text, chosen, stride, device)
    return Perplexity(
        nll, pieces, text.characters, text.bytes, text.unknown, context, stride, len(starts)
    )


def _coded(writer: Writer, file: str) -> _Coded:
    """Read and code the whole text."""
    report, known = survey([file]), writer.vocabulary
    begin = [] if writer.begin_id is None else [writer.begin_id]
    parts, characters, size, unknown = [np.array(begin, np.int64)], 0, 0, 0
    for portion in portions(Part((file,), 0, report.characters)):
        ids = known.running(portion).astype(np.int64)
        characters, size = characters + len(portion), size + len(portion.encode())
        if known.of_characters:
            strange = "".join(portion[at] for at in np.flatnonzero(ids == UNKNOWN))
            unknown += len(strange)
            size -= len(strange.encode())
        parts.append(ids)
    every = np.concatenate(parts)
    asked = every != UNKNOWN if known.of_characters else np.ones(len(every), np.bool_)
    return _Coded(every, asked, characters - unknown, size, unknown)


def _batch(writer: Writer, text: _Coded, starts: range, stride: int, device: torch.device) -> float:
    """Return the sum over the pieces that these windows foretell."""
    length = min(writer.context, len(text.ids) - 1)
    ids = np.zeros((len(starts), length), np.int64)
    after = np.zeros_like(ids)
    asked = np.zeros(ids.shape, np.bool_)
    for row, start in enumerate(starts):
        end = min(start + length, len(text.ids) - 1)
        ids[row, : end - start] = text.ids[start:end]
        after[row, : end - start] = text.ids[start + 1 : end + 1]
        new = 0 if start == 0 else writer.context - stride
        asked[row, new : end - start] = text.asked[start + 1 + new : end + 1]
    states = writer.model.hidden(torch.from_numpy(ids).to(device))
    chosen = torch.from_numpy(asked).to(device)
    _, nll = projected_cross_entropy(
        states[chosen],
        torch.from_numpy(after).to(device)[chosen],
        writer.model.project,
        writer.model.parameters(),
        0.0,
    )
    return float(nll)
