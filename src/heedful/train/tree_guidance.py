"""What a parser's attention is taught to look at: the word that comes next.

Whoever writes a tree must know how many words have had their tags. A lexicon cannot tell (a tag
stands for thousands of words), the tree does: padded batches come in, probabilities go out as from
`heedful.train.guidance`, whose place this takes where the corpus is of trees.
"""

__all__ = ["TreeGuide"]

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.text.pieces import PAD
from heedful.text.tokenizer import Tokenizer

_SPACE = "▁"
_LABELLED = (_SPACE + "(", _SPACE + ")", "(", ")")


@dataclass(frozen=True)
class TreeGuide:
    """Every piece of a tree looks at the first word that no tag before it stands for.

    The pieces of that word share the probability; behind the last word it is the source's `</s>`.
    """

    end: int
    words: NDArray[np.bool_]
    """Whether a word begins with this source piece."""
    symbols: NDArray[np.bool_]
    """Whether a tag or a bracket begins with this target piece."""
    spaces: NDArray[np.bool_]
    """Whether it is no more than that beginning."""
    brackets: NDArray[np.bool_]
    """Whether it is a bracket, or begins with one."""

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "TreeGuide":
        """Make it for the pieces of a tokenizer."""
        source = tokenizer.source_pieces(range(tokenizer.source_size))
        target = tokenizer.target_pieces(range(tokenizer.target_size))
        return cls(
            tokenizer.end_id,
            words=np.array([piece.startswith(_SPACE) for piece in source]),
            symbols=np.array([piece.startswith(_SPACE) for piece in target]),
            spaces=np.array([piece == _SPACE for piece in target]),
            brackets=np.array([piece.startswith(_LABELLED) for piece in target]),
        )

    def __call__(self, source: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float32]:
        """Return the probabilities, sentences by target by source pieces; padding has 0.

        `source` and `target` are padded ids, both with their `</s>`.
        """
        begun = self.words[source] | (source == self.end)
        word = np.where(source == PAD, -1, begun.cumsum(axis=1) - 1)
        last = word.max(axis=1, keepdims=True)  # that of </s>
        following = np.minimum(self._tagged(target), last)
        same = word[:, None, :] == following[:, :, None]
        found: NDArray[np.float32] = same.astype(np.float32)
        found /= np.maximum(found.sum(axis=-1, keepdims=True), 1)
        found *= (target != PAD)[:, :, None]
        return found

    def _tagged(self, target: NDArray[Any]) -> NDArray[np.int64]:
        """Return how many tags stand before the symbol that each piece is of."""
        begins = self.symbols[target] | (target == self.end)
        bracket = self.brackets[target]
        bracket[:, :-1] |= self.spaces[target[:, :-1]] & bracket[:, 1:]
        tags = begins & ~bracket
        before: NDArray[np.int64] = tags.cumsum(axis=1) - tags
        first = np.maximum.accumulate(np.arange(target.shape[1]) * begins, axis=1)
        return np.take_along_axis(before, first, axis=1)
