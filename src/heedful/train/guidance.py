"""What attention is taught to look at: the source pieces that each target piece comes from.

The rows of a token store come in and make a lexicon (`heedful.data.lexicon`); padded batches come
in, probabilities go out. `heedful.data.batches` asks for them when a batch is made, the objective
trains a head towards them. Chen et al. 2016, "Guided Alignment Training for Topic-Aware Neural
Machine Translation" (arXiv 1607.01628); here without an aligner from outside.
"""

__all__ = ["Guide"]

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.data import lexicon
from heedful.data.lexicon import Row
from heedful.text.pieces import CONTROL, PAD
from heedful.text.tokenizer import Tokenizer

ITERATIONS = 5
"""Of expectation maximisation: Och and Ney 2003 (section 6) give Model 1 as many."""

LEAST = 1e-5
"""Probability under which the lexicon forgets a target piece."""

TENSION = 4.0
"""How strongly pieces at like places belong together: of pieces that a sentence has twice, the
lexicon cannot tell which is meant. Dyer et al. 2013 (fast_align) begin with 4."""

EMPTY = 0.08
"""Probability beforehand that a target piece comes from no source piece; fast_align's, too."""

UNKNOWN = 1e-9
"""Probability of what the lexicon does not know."""


@dataclass(frozen=True)
class Guide:
    """IBM Model 1 with fast_align's preference for the diagonal, fixed.

    p(source piece i | target piece j) ~ p(t_j | s_i) exp(-tension |i/m - j/n|) for m source and n
    target pieces; `</s>` of the source plays the empty word, and `</s>` of the target looks at it.
    """

    first_piece: int
    """The lowest id of a source piece that is no control piece or language tag."""
    end: int
    starts: NDArray[np.int64]
    """Where each source piece's targets begin; one more at the end."""
    targets: NDArray[np.int32]
    """Rising, for each source piece."""
    probabilities: NDArray[np.float32]

    @classmethod
    def learn(cls, rows: Iterable[Row], tokenizer: Tokenizer) -> "Guide":
        """Learn from rows as `heedful.train.shortlist.rows_of` gives them. It needs numba."""
        sizes = (tokenizer.source_size, tokenizer.target_size)
        found = lexicon.learn(rows, sizes, iterations=ITERATIONS, least=LEAST)
        homes = np.repeat(np.arange(sizes[0]), np.diff(found.starts))
        order = np.lexsort((found.targets, homes))
        return cls(
            len(CONTROL) + len(tokenizer.languages),
            tokenizer.end_id,
            found.starts,
            found.targets[order],
            found.probabilities[order],
        )

    def __call__(self, source: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float32]:
        """Return the probabilities, sentences by target by source pieces; padding has 0.

        `source` and `target` are padded ids, both with their `</s>`.
        """
        from heedful.kernels.lexicon import multiply

        table = (self.starts, self.targets, self.probabilities)
        found = self._beforehand(source, target)
        multiply(source, target, *table, UNKNOWN, found)
        found /= np.maximum(found.sum(-1, keepdims=True), np.float32(1e-30))
        return found

    def _beforehand(self, source: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float32]:
        """Return the probabilities of places, before it is looked which pieces stand there."""
        places = (
            np.arange(side.shape[1]) / np.count_nonzero(side, axis=1)[:, None]
            for side in (source, target)
        )
        sources, targets = (place.astype(np.float32) for place in places)
        near = np.exp(-TENSION * np.abs(sources[:, None, :] - targets[:, :, None]))
        near *= (source >= self.first_piece)[:, None, :]
        near *= (1 - EMPTY) / np.maximum(near.sum(-1, keepdims=True), np.float32(1e-9))
        empty = (source == self.end)[:, None, :]
        near += np.float32(EMPTY) * empty
        found: NDArray[np.float32] = np.where((target == self.end)[:, :, None], empty, near)
        found *= (target != PAD)[:, :, None]
        return found
