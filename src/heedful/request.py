"""What can be asked of a translation in words, and how that becomes a wish of pieces.

A text with a beginning, words that must and must not appear comes in, what a search follows goes
out. The translator and `heedful.careful` call it.
"""

__all__ = ["Request", "Wishes", "sound"]

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from heedful.errors import DataError, SettingError
from heedful.search import Automaton, Client, Opening, Spelling, Wish
from heedful.search.leaving import ANYONE
from heedful.text.tokenizer import Tokenizer

REMEMBERED = 256
"""Phrases whose automata are kept: up to 50 ms each to make and 150 kB to keep."""

LONGEST = 200
"""Characters of words that must or must not appear: to follow them takes memory and time."""

_HALF = re.compile("[\ud800-\udfff]")
_LAST_WORD = re.compile(r"\S*\Z")


@dataclass(frozen=True)
class Request:
    """A text to be translated, and what its translation must be like."""

    text: str
    prefix: str = ""
    """How the translation begins. Its last word may go on, unless white space follows it."""
    must: tuple[tuple[str, ...], ...] = ()
    """Words that must appear; of several forms of one, any will do."""
    never: tuple[str, ...] = ()
    """Words that must not appear."""
    client: Client = field(default=ANYONE, repr=False, compare=False)
    """Who waits for it. When it leaves, the search gives the text up, at once."""

    @property
    def plain(self) -> bool:
        """Whether nothing is asked for but a translation."""
        return not (self.prefix or self.must or self.never)


def sound(texts: Iterable[str | Request]) -> Iterator[Request]:
    """Yield requests; raises DataError with the number (from 1) of a text that is none."""
    for number, given in enumerate(texts, start=1):
        request = given if isinstance(given, Request) else Request(given)
        text = request.text
        if not isinstance(text, str):
            raise DataError(f"{text!r:.60} is not a text", where=f"text {number}")
        if not text.isascii() and (half := _HALF.search(text)):
            raise DataError(
                f"it holds half a surrogate pair, U+{ord(half[0]):04X}",
                where=f"text {number}",
                fix="decode it from the bytes that it was read from",
            )
        yield request


class Wishes:
    """Makes wishes for the pieces of one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._automaton = lru_cache(REMEMBERED)(self._made)

    @cached_property
    def _spelling(self) -> Spelling:
        """How the pieces are spelled; most translators are never asked."""
        return Spelling(self._tokenizer.target_bytes(), self.cut)

    def of(self, request: Request) -> Wish:
        """Return what is wished for.

        Raises SettingError for words that are empty, asked for and forbidden, or not to be spelled.
        """
        if request.plain:
            return Wish()
        for phrase in (*(form for forms in request.must for form in forms), *request.never):
            if not phrase.strip():
                raise SettingError("a word that must or must not appear is empty")
        opening = self.opening(request.prefix) if request.prefix.strip() else None
        _check_short(request.never)
        never = tuple(self.follow([phrase]) for phrase in request.never)
        asked = [(forms, " or ".join(forms)) for forms in request.must]
        if opening is not None:
            asked.append(((request.prefix,), request.prefix))
        for forms, shown in asked:
            for phrase, automaton in zip(request.never, never, strict=True):
                if all(self._holds(form, automaton) for form in forms):
                    problem = f'"{shown}" is asked for and holds "{phrase}", which must not appear'
                    raise SettingError(problem)
        return Wish(opening, self.musts(request.must), never)

    def check(self, forms: Sequence[str]) -> None:
        """Raise SettingError for words that could not be asked for; it costs far less than that."""
        _check_short(forms)
        for form in forms:
            self._spelling.words(" ".join(form.split()))

    def musts(self, words: Iterable[Sequence[str]]) -> tuple[tuple[Automaton, ...], ...]:
        """Return what follows words of which one form each must appear.

        Raises SettingError for a form longer than `LONGEST`.
        """
        words = list(words)
        _check_short(form for forms in words for form in forms)
        return tuple(tuple(self.follow([form]) for form in forms) for forms in words)

    def follow(self, phrases: Sequence[str]) -> Automaton:
        """Return what follows phrases that come one after another."""
        return self._automaton(tuple(" ".join(phrase.split()) for phrase in phrases))

    def followed(self, *phrases: str) -> Automaton | None:
        """Return the same; None where the vocabulary has no pieces for them."""
        try:
            return self.follow(phrases)
        except SettingError:
            return None

    def opening(self, prefix: str, *, closed: bool = False) -> Opening:
        """Return how a translation begins that begins with this text; see `Request.prefix`."""
        words = prefix.strip()
        last = _LAST_WORD.search(words)
        assert last is not None
        before = words[: last.start()].rstrip()
        fixed = self.cut(before) if before else ()
        closed = closed or prefix != prefix.rstrip()
        return Opening(tuple(fixed), f" {last[0]}".encode(), self._spelling, closed)

    def granted(self, wish: Wish, text: str) -> bool:
        """Return whether a translation has the words that must appear, and none that must not."""
        return replace(wish, opening=None).granted(self.cut(text))

    def _made(self, phrases: tuple[str, ...]) -> Automaton:
        return Automaton(phrases, self._spelling)

    def cut(self, text: str) -> Sequence[int]:
        """Return the pieces of a text of the target, as the tokenizer cuts it."""
        return self._tokenizer.encode_target([text])[0][:-1]

    def _holds(self, text: str, automaton: Automaton) -> bool:
        state = 0
        for piece in self._spelling.words(text.strip()):
            state = automaton.advance(state, piece)
            if automaton.ends_well(state):
                return True
        return False


def _check_short(phrases: Iterable[str]) -> None:
    for phrase in phrases:
        if len(phrase) > LONGEST:
            problem = f'"{phrase[:40]}..." has {len(phrase):,} characters and {LONGEST} are allowed'
            raise SettingError(problem, fix="ask for a part of it")
