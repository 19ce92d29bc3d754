"""Phrases that must, or must not, stand in a translation: followed byte by byte, however spelled.

The bytes of phrases and of a vocabulary's pieces come in; an `Automaton` tells after every piece
how much has been seen. Pieces are no words: " Katze" may be written " Kat" "ze" or letter by
letter, and every way counts. The rules and the constrained beam ask it; the translator makes it.
"""

__all__ = ["Automaton", "Spelling", "in_word"]

import re
from collections.abc import Callable, Sequence
from functools import cache, cached_property

import numpy as np

from heedful.errors import SettingError
from heedful.shapes import Array, Bool, Int, Shaped

BYTES = 256
_OUTSIDE, _INSIDE = 0, 1
"""A byte that is no part of a word, and one that is; also the states before a phrase begins."""

# Digits, Latin letters, and the first bytes of two and three byte letters of the scripts that part
# words by spaces: not 0xC2 and 0xE2, where signs stand, nor those of Chinese and Japanese.
_WORD = re.compile(rb"[0-9A-Za-z_\xc3-\xdf\xe0\xe1]")
_SCRIPTS_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")

Ways = tuple[tuple[int, ...], ...]
"""Pieces that end a phrase, in one way or two; the first is always possible."""


class Spelling:
    """The bytes of every piece of a vocabulary; control pieces have none.

    `cut` returns the ids of a text as the tokenizer cuts it, with a space before it: what a model
    has learnt to write. Without it, or where it is not lossless, the longest pieces are taken.
    """

    def __init__(
        self, pieces: Sequence[bytes], cut: Callable[[str], Sequence[int]] | None = None
    ) -> None:
        self.pieces = tuple(pieces)
        self._cut = cut
        self._ids = {piece: number for number, piece in enumerate(pieces) if piece}
        self.longest = max(map(len, self._ids), default=0)

    def spell(self, text: bytes) -> tuple[int, ...]:
        """Return the ids of pieces that make up the text, always the longest that fits.

        Raises SettingError where no piece fits.

        >>> Spelling([b"", b"a", b"b", b"ab"]).spell(b"aab")
        (1, 3)
        """
        found, at = [], 0
        while at < len(text):
            sizes = range(min(self.longest, len(text) - at), 0, -1)
            size = next((size for size in sizes if text[at : at + size] in self._ids), 0)
            if not size:
                shown = text.decode("utf-8", "replace").strip()
                raise SettingError(f'the vocabulary of the model cannot spell "{shown}"')
            found.append(self._ids[text[at : at + size]])
            at += size
        return tuple(found)

    def words(self, text: str) -> tuple[int, ...]:
        """Return the ids of pieces that make up the text with a space before it."""
        spaced = b" " + text.encode()
        if self._cut is not None:
            ids = tuple(self._cut(text))
            if b"".join(self.pieces[piece] for piece in ids) == spaced:
                return ids
        return self.spell(spaced)

    @cached_property
    def lengths(self) -> Int[Array, " V"]:
        """How many bytes each piece has."""
        return np.array([len(piece) for piece in self.pieces])

    @cached_property
    def table(self) -> Shaped[Array, "V L"]:
        """The bytes of each piece, 0 behind its end."""
        found = np.zeros((len(self.pieces), self.longest), np.uint8)
        for row, piece in zip(found, self.pieces, strict=True):
            row[: len(piece)] = np.frombuffer(piece, np.uint8)
        return found


class Automaton:
    """Follows phrases that stand one after another in a text; the same may come several times.

    A phrase that begins with a letter or a digit must begin a word, one that ends with one must
    end a word; in scripts without spaces it may stand anywhere. States are numbers, 0 at the start.
    Built as by Knuth, Morris and Pratt (1977), over bytes. Raises SettingError for a phrase that
    the vocabulary cannot spell.

    >>> cat = Automaton(["cat"], Spelling([b"", b" ", b"c", b"a", b"t", b"at"]))
    >>> state = cat.advance(cat.advance(0, 2), 5)
    >>> cat.ends_well(state), cat.ends_well(cat.advance(state, 3))
    (True, False)
    """

    def __init__(self, phrases: Sequence[str], spelling: Spelling) -> None:
        self._spelling = spelling
        self._phrases = [phrase.encode() for phrase in phrases]
        self._first = [_bounded(phrase[0]) for phrase in phrases]
        self._last = [_bounded(phrase[-1]) for phrase in phrases]
        self._starts = np.cumsum([0, *(2 + len(phrase) for phrase in self._phrases)]).tolist()
        self.done = int(self._starts[-1])
        """The state in which all phrases have been seen."""
        self._almost = self.done - 1
        """The state in which they will have been, if no letter follows."""
        self._next = self._transitions()
        self._ways = [self._ways_of(number) for number in range(len(phrases))]
        self._left = [self._counted(state) for state in range(self.done + 1)]
        self._advanced: dict[tuple[int, int], int] = {}
        self._completing: dict[int, Bool[Array, " V"]] = {}

    def advance(self, state: int, piece: int) -> int:
        """Return the state after a piece."""
        known = self._advanced.get((state, piece))
        if known is None:
            known = state
            for byte in self._spelling.pieces[piece]:
                known = int(self._next[known, byte])
            self._advanced[state, piece] = known
        return known

    def ends_well(self, state: int) -> bool:
        """Return whether all has been seen, should the text end here."""
        return state >= self._almost

    def completing(self, state: int) -> Bool[Array, " V"]:
        """Return the pieces after which all would have been seen, should the text end there."""
        found = self._completing.get(state)
        if found is None:
            states = np.full(len(self._spelling.pieces), state)
            for column in range(self._spelling.longest):
                going = np.flatnonzero(self._spelling.lengths > column)
                states[going] = self._next[states[going], self._spelling.table[going, column]]
            found = (states >= self._almost) & (self._spelling.lengths > 0)
            self._completing[state] = found
        return found

    def ways(self, state: int) -> Ways:
        """Return the pieces that end the phrase under way, in one way or two; none when done."""
        if state == self.done:
            return ()
        number, seen = self._where(state)
        return self._ways[number][seen]

    def left(self, state: int) -> int:
        """Return how many pieces are enough for all to have been seen; 0 if the text may end."""
        return self._left[state]

    @property
    def whole(self) -> int:
        """How many pieces are enough behind a word."""
        return self._left[_INSIDE]

    def _counted(self, state: int) -> int:
        if self.ends_well(state):
            return 0
        number, seen = self._where(state)
        whole = seen == 1 + len(self._phrases[number])
        later = range(number + 1 + whole, len(self._phrases))
        here = len(self._ways[number][seen][0])
        return here + sum(max(map(len, self._ways[one][_INSIDE])) for one in later)

    def _where(self, state: int) -> tuple[int, int]:
        """Return which phrase is under way, and the number of its state among its own."""
        number = next(n for n, end in enumerate(self._starts[1:]) if state < end)
        return number, state - self._starts[number]

    def _ways_of(self, number: int) -> list[Ways]:
        """Return the ways to go on from each state of a phrase."""
        phrase, spell = self._phrases[number], self._spelling.spell
        spaced, bare = self._spelling.words(phrase.decode()), spell(phrase)
        ends = np.cumsum([len(self._spelling.pieces[piece]) for piece in spaced]).tolist()
        shortest = sorted([spaced, bare], key=len)
        found: list[Ways] = [
            tuple(shortest),
            (spaced, bare) if self._first[number] else tuple(shortest),
        ]
        for seen in range(1, len(phrase)):
            ways = [spell(phrase[seen:])]
            if seen + 1 in ends:
                ways.append(spaced[ends.index(seen + 1) + 1 :])
            found.append((min(ways, key=len),))
        if number + 1 < len(self._phrases):  # the word must end before the next phrase
            following = self._phrases[number + 1]
            found.append((self._spelling.words(following.decode()), spell(following)))
        return [*found, ()]

    def _transitions(self) -> Int[Array, "Q B"]:
        """Return the state after each byte, for every state."""
        table = np.empty((self.done + 1, BYTES), np.int64)
        table[self.done] = self.done
        known = set(b"".join(self._phrases))
        alike = [
            [byte for byte in range(BYTES) if byte not in known and _kinds()[byte] == kind]
            for kind in (None, _OUTSIDE, _INSIDE)
        ]
        for number, start in enumerate(self._starts[:-1]):
            for state in range(start, self._starts[number + 1]):
                for some in [*alike, *([byte] for byte in known)]:
                    if some:
                        table[state, some] = self._after(number, state - start, some[0])
        return table

    def _after(self, number: int, offset: int, byte: int) -> int:
        """Return the state after a byte, `offset` states after the first of this phrase."""
        if number == len(self._phrases):
            return self.done
        phrase, matched = self._phrases[number], max(0, offset - 1)
        kind = _kinds()[byte]
        if matched == len(phrase) and kind == _OUTSIDE:
            return self._after(number + 1, _INSIDE, byte)
        text = phrase[:matched] + bytes([byte])
        if not matched:
            before = offset
            follows = byte == phrase[0] and (before == _OUTSIDE or not self._first[number])
            length = int(follows)
        else:
            before = _OUTSIDE
            follows = matched < len(phrase) and byte == phrase[matched]
            length = matched + 1 if follows else self._longest_begun(number, text)
        if length == len(phrase) and not self._last[number]:
            return int(self._starts[number + 1]) + _kind_after(phrase, _OUTSIDE) * (
                number + 1 < len(self._phrases)
            )
        if length:
            return int(self._starts[number]) + 1 + length
        return int(self._starts[number]) + _kind_after(text, before)

    def _longest_begun(self, number: int, text: bytes) -> int:
        """Return the length of the longest beginning of the phrase that the text ends with."""
        phrase = self._phrases[number]
        for length in range(len(text) - 1, 0, -1):
            before = _kind_after(text[:-length], _OUTSIDE)
            if text.endswith(phrase[:length]) and (before == _OUTSIDE or not self._first[number]):
                return length
        return 0


@cache
def _kinds() -> tuple[int | None, ...]:
    """Return for each byte whether it is part of a word; None: if the byte before it is."""
    return tuple(
        None if 0x80 <= byte < 0xC0 else int(bool(_WORD.match(bytes([byte]))))
        for byte in range(BYTES)
    )


def _kind_after(text: bytes, before: int) -> int:
    """Return whether a text ends inside a word; `before` is what stood before it."""
    for byte in reversed(text):
        kind = _kinds()[byte]
        if kind is not None:
            return kind
    return before


def in_word(text: bytes) -> bool:
    """Return whether a text ends inside a word of a script that parts words by spaces.

    >>> in_word(b"a cat"), in_word(b"a "), in_word("猫".encode())
    (True, False, False)
    """
    return _kind_after(text, _OUTSIDE) == _INSIDE


def _bounded(letter: str) -> bool:
    """Return whether a phrase that ends or begins with it ends or begins a word.

    >>> _bounded("a"), _bounded("ß"), _bounded("7"), _bounded("猫"), _bounded("%"), _bounded("—")
    (True, True, True, False, False, False)
    """
    if _SCRIPTS_WITHOUT_SPACES.match(letter):
        return False
    return bool(_kinds()[letter.encode()[0]])
