"""Rows of a corpus are spelled in another way each time, with merges of the BPE left out at random.

Ids of rows come in, other ids of the same texts go out; `heedful.data.batches` asks for them when
a batch is made. Provilkov et al. 2020, "BPE-Dropout: Simple and Effective Subword Regularization"
(arXiv 1910.13267).
"""

__all__ = ["BPEDropout"]

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from heedful.data.store import Padded, Rows
from heedful.errors import SettingError
from heedful.text.pieces import BYTE_LETTERS
from heedful.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from heedful.kernels.merges import Table

Counts = np.ndarray[Any, np.dtype[np.int64]]
_SPACE = next(letter for letter, byte in BYTE_LETTERS.items() if byte == 0x20)


class BPEDropout:
    """Spells a row by its number, side and epoch: the same again, whoever asks and when.

    A row that would have more than `most` pieces stays as it is. Raises SettingError for the pieces
    of another toolkit, whose merges are not those of bytes.
    """

    def __init__(self, tokenizer: Tokenizer, chance: float, seed: int, most: int) -> None:
        source, target = tokenizer.models()
        self._sides = [_side(source), _side(target)]
        self._chance, self._seed, self.most = chance, seed, most

    def __call__(
        self, ids: Padded, lengths: Counts, side: int, rows: Rows, epoch: int
    ) -> tuple[Padded, Counts]:
        """Return the ids of these rows and how many each has; what follows them is PAD.

        `ids` are filled up behind their lengths; `side` 0 is the source, 1 the target.
        """
        from heedful.kernels.merges import respell_rows

        place = np.array([self._seed, epoch, side], np.int64).tobytes()
        seed = int.from_bytes(blake2b(place, digest_size=8).digest()) >> 1
        table = self._sides[side]
        out = np.empty((len(rows), max(self.most, ids.shape[1])), np.int64)
        counts = np.empty(len(rows), np.int64)
        which = np.asarray(rows, np.int64)
        respell_rows(ids, lengths, which, table, self._chance, seed, self.most, out, counts)
        return out, counts


def _side(model: dict[str, Any]) -> "Table":
    """Return what `heedful.kernels.merges` knows of a BPE as the `tokenizers` library writes it."""
    numbers: dict[str, int] | None = model.get("vocab")
    if not isinstance(numbers, dict):
        problem = "the model that the training begins with has pieces of another toolkit"
        raise SettingError(problem, where="--training.bpe-dropout", fix="give 0")
    made = [left + right for left, right in model["merges"]]
    spelled: list[list[int]] = [[] for _ in range(max(numbers.values()) + 1)]
    for piece in (*BYTE_LETTERS, *made):
        spelled[numbers[piece]] = [numbers[letter] for letter in piece]
    merges = [(numbers[left] << 32) | numbers[right] for left, right in model["merges"]]
    keys = np.array(merges, np.int64)
    order = np.argsort(keys)
    return (
        np.cumsum([0, *map(len, spelled)]),
        np.array([letter for piece in spelled for letter in piece], np.int64),
        numbers[_SPACE],
        keys[order],
        order,
        np.array([numbers[piece] for piece in made], np.int64),
    )
