"""The sides of a trace: a text, its pieces, its words, and which piece spells which word.

Ids and a text come in, a `Side` goes out, which turns maps of pieces into maps of words.
"""

__all__ = ["Side", "source_side", "target_side", "text_side"]

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from heedful.errors import DataError, SettingError, did_you_mean
from heedful.shapes import Array, Float
from heedful.text.spans import Span, piece_shares, shares, words
from heedful.text.tokenizer import Tokenizer
from heedful.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Side:
    """One side of a trace."""

    text: str
    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    """The pieces for the eye: `▁cat`, `</s>`, `>>de<<`, `<0xE7>` for a lone byte."""
    spans: tuple[Span, ...]
    """The words, with the bytes of the text that each covers."""
    shares: Float[Array, "S words"]
    """Which share of each piece lies in each word; control pieces lie in none."""

    @cached_property
    def words(self) -> list[str]:
        """Return the words in order."""
        return [span.word for span in self.spans]

    def part(self, pieces: slice, *, spelled: bool = False) -> "Side":
        """Return the same text with some of its pieces; words that others spell stay.

        `spelled`: of the words only those up to the last that these pieces spell.
        """
        kept = self.shares[pieces]
        count = len(self.spans)
        if spelled:
            count = int(max(np.flatnonzero(kept.any(0)), default=-1)) + 1
        return Side(
            self.text, self.ids[pieces], self.tokens[pieces], self.spans[:count], kept[:, :count]
        )

    def find(self, word: str | int) -> int:
        """Return a word's number, from 0; a word that stands more than once is asked for by it.

        Raises SettingError for a word that is not there or that is not the only one.
        """
        if isinstance(word, int):
            if not 0 <= word < len(self.spans):
                raise SettingError(
                    f"there is no word {word}", where="word", fix=f"there are {len(self.spans)}"
                )
            return word
        places = [number for number, known in enumerate(self.words) if known == word]
        if len(places) == 1:
            return places[0]
        if not places:
            fix = did_you_mean(word, set(self.words)) if self.spans else "the text has no words"
            raise SettingError(f'there is no word "{word}"', where="word", fix=fix)
        raise SettingError(
            f'"{word}" stands {len(places)} times',
            where="word",
            fix=f"ask by its number: {' or '.join(map(str, places))}",
        )

    def to_words(self, by_piece: Float[Array, "*rows S"]) -> Float[Array, "*rows words"]:
        """Return what each word gets: the sum over its pieces."""
        found: Float[Array, "*rows words"] = by_piece @ self.shares.astype(by_piece.dtype)
        return found

    def of_words(self, by_piece: Float[Array, "S *columns"]) -> Float[Array, "words *columns"]:
        """Return what each word gives: the mean over its pieces, so that rows still sum to 1."""
        parts = self.shares / np.maximum(self.shares.sum(0), 1e-9)
        found: Float[Array, "words *columns"] = np.tensordot(
            parts.T.astype(by_piece.dtype), by_piece, axes=1
        )
        return found

    def elsewhere(self, by_piece: Float[Array, "*rows S"]) -> Float[Array, " *rows"]:
        """Return what goes to pieces that spell no word: `</s>` and the language tag."""
        found: Float[Array, " *rows"] = by_piece[..., self.shares.sum(1) == 0].sum(-1)
        return found


def source_side(tokenizer: Tokenizer, text: str, to: str | None) -> Side:
    """Return the side that the encoder reads: `[tag] pieces </s>`."""
    [ids] = tokenizer.encode_source([text], to)
    return _side(text, ids, tokenizer.source_pieces(ids), tokenizer.around)


def target_side(tokenizer: Tokenizer, text: str, ids: Sequence[int] | None = None) -> Side:
    """Return the side that the decoder writes: `pieces </s>`, the text's own or those given.

    Raises DataError for a text that the tokenizer cannot spell.
    """
    if ids is None:
        [ids] = tokenizer.encode_target([text])
        if tokenizer.decode_target([ids]) != [text]:
            raise DataError(
                "the model's tokenizer cannot spell this target",
                where=text,
                fix="leave out the characters that it does not know",
            )
    return _side(text, ids, tokenizer.target_pieces(ids), (0, 1))


def text_side(vocabulary: Vocabulary, ids: Sequence[int]) -> Side:
    """Return the side that a model without an encoder reads and writes."""
    text, covered = vocabulary.spelled(ids)
    spans = words(text)
    pieces = vocabulary.pieces(ids)
    return Side(text, tuple(ids), tuple(pieces), tuple(spans), shares(covered, spans))


def _side(text: str, ids: Sequence[int], pieces: Sequence[str], around: tuple[int, int]) -> Side:
    spans = words(text)
    shares = piece_shares(pieces, text, spans, *around)
    return Side(text, tuple(ids), tuple(pieces), tuple(spans), shares)
