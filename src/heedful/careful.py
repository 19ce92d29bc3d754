"""Translations that can be trusted: what was lost is looked for, and translated again.

Parts of texts come in with what a search has found for them; those whose placeholders are gone,
that go round in circles or are not as wished are searched for anew, and flagged. The pipeline calls
it after every search.
"""

__all__ = ["Care", "Part", "mend"]

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from heedful.request import Wishes
from heedful.search import (
    Beam,
    Client,
    DiverseBeam,
    Hypothesis,
    SearchConfig,
    Shaping,
    Wish,
)
from heedful.search.leaving import ANYONE
from heedful.text.numerals import forms
from heedful.text.protect import Span, added, lost, spans
from heedful.text.repeats import loop

if TYPE_CHECKING:  # it brings the readers of all corpus formats
    from heedful.data.glossary import Glossary

PROTECTED = "protected"
"""Flag: what must survive was looked after, and is all there."""
RETRIED = "retried"
"""Flag: the first translation was not good enough, and another search made this one."""
REPEATS = "repeats"
"""Flag: a phrase comes again and again, whatever was tried."""
REFUSED = "refused"
"""Flag: what was asked for, words or a beginning, could not be."""
TERMS = "terms"
"""Flag: terms of the glossary were in it, and are translated as it says."""
UNTRANSLATED = "untranslated"
"""Flag: what must survive was lost whatever was tried; this, or a part of it, is as it was."""

NO_REPEAT, PENALTY = 3, 1.2
"""What a translation that goes round in circles is searched for with, at least."""

UNSEARCHED = Hypothesis(tokens=(), log_prob=0.0, score=0.0, finished=True)
"""What stands for a text that was not searched for."""

MOST_FORCED = 8
"""Numbers of a text that are made to appear; each is a search among its spellings."""


@dataclass(frozen=True)
class Care:
    """What is looked after."""

    protect: bool = False
    """Placeholders, tags, addresses and numbers survive, and marks of keyboard shortcuts."""
    capitals: bool = True
    """A text all in capitals is translated as if it were not, and comes back in capitals; a title
    in English, Where Words Begin With Capitals, is translated as a sentence."""
    loops: bool = True
    """A translation that repeats itself is searched for anew."""


@dataclass
class Part:
    """One piece of work: a text that goes through the model in one go."""

    text: str
    wish: Wish = field(default_factory=Wish)
    asked: str = ""
    """The words that are wished for: what is like a placeholder in them is not made up."""
    found: list[Hypothesis] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """The texts of what was found, best first."""
    flags: set[str] = field(default_factory=set)
    glossary: "Glossary | None" = None
    """Whose terms the wish holds; where the text is cut, each piece is asked for its own."""
    client: Client = ANYONE
    """Who waits for it."""
    settled: bool = False
    """Put together as wished for: another search of the whole would not know of the wish."""


Decode = Callable[[Sequence[Part], SearchConfig], None]
"""Searches for translations of parts, and puts them there."""


def mend(
    parts: Sequence[Part],
    search: SearchConfig,
    decode: Decode,
    wishes: Wishes,
    care: Care,
    target: "Target",
) -> None:
    """Look at what was found, and search again where it is not good enough."""
    _refuse([part for part in parts if not _granted(part)], search, decode)
    if care.protect:
        _protect(parts, search, decode, wishes, target)
    if care.loops:
        _break_loops(parts, search, decode)


class Target(NamedTuple):
    """What is known of the side that is written."""

    language: str
    """"" if it is not known."""
    longest: int
    """Most pieces of a translation."""


def beam_of(search: SearchConfig) -> SearchConfig:
    """Return a search for words that must appear: the same if it is a beam, else one of 4."""
    if isinstance(search, Beam | DiverseBeam):
        return search
    count = search.returned
    shaping = {name: getattr(search, name) for name in Shaping.model_fields}
    return Beam(**shaping, beam_size=max(count, 4), n_best=count)


def _granted(part: Part) -> bool:
    return part.wish == Wish() or part.wish.granted(part.found[0].tokens)


def _refuse(parts: Sequence[Part], search: SearchConfig, decode: Decode) -> None:
    """Translate without what cannot be granted; what must not appear, still must not."""
    for part in parts:
        part.wish = Wish(never=part.wish.never)
        _say_refused(part)
    decode(parts, search)


def _say_refused(part: Part) -> None:
    part.flags.add(REFUSED)
    part.flags.discard(TERMS)


def _break_loops(parts: Sequence[Part], search: SearchConfig, decode: Decode) -> None:
    turning = []
    for part in filter(_turns, parts):
        if part.settled:
            part.flags.add(REPEATS)
        else:
            turning.append(part)
    if not turning:
        return
    before = [replace(part) for part in turning]
    decode(turning, search.model_copy(update=_stricter(search)))
    for part, old in zip(turning, before, strict=True):
        if _turns(part) or not _granted(part) or _harm(part) > _harm(old):
            part.found, part.words = old.found, old.words
            part.flags.add(REPEATS)
        else:
            part.flags.add(RETRIED)


def _harm(part: Part) -> int:
    """Return how many placeholders, tags, addresses and numbers are missing or made up."""
    return len(_missing(part, "")) + len(_foreign(part, ""))


def _stricter(search: SearchConfig) -> dict[str, float]:
    return {
        "no_repeat_ngram": min(search.no_repeat_ngram or NO_REPEAT, NO_REPEAT),
        "repetition_penalty": max(search.repetition_penalty, PENALTY),
    }


def _turns(part: Part) -> bool:
    """Return whether the translation goes round in circles."""
    pieces = part.found[0].tokens
    if pieces and len(pieces) - len(set(pieces)) < 2:  # no phrase can have come three times
        return False
    return loop(part.words[0], part.text) is not None


def _protect(
    parts: Sequence[Part], search: SearchConfig, decode: Decode, wishes: Wishes, target: Target
) -> None:
    """Translate again where something is missing, or is there that was not.

    A model that loses a placeholder has not learnt what it is: what stands between is translated.
    Numbers it knows: they are made to appear, unless they are many. On 300 strings of LibreOffice's
    and 400 descriptions of Debian's (first bundled model) that gave 2.3 and 0.5 BLEU more than
    making everything appear.
    """
    language = target.language
    for part in parts:
        part.flags.update([PROTECTED] if _protected(part.text) else [])
    losing = [part for part in parts if not _whole(part, language)]
    for part in losing:
        part.flags.add(RETRIED)
    signs = [part for part in losing if _signs(part.text)]
    _between(signs, search, decode, wishes, target, numbers=False)
    plain = [part for part in losing if not _signs(part.text)]
    _forbid_foreign(plain, search, decode, wishes, language)
    without = [part for part in plain if _missing(part, language)]
    asked = {id(part): part.wish for part in without}
    most = min(target.longest, search.max_length or target.longest)
    forced = []
    for part in without:
        wish = _with_numbers(part, wishes, language)
        few = len(_protected(part.text)) <= MOST_FORCED
        if wish is not None and few and wish.need < most:
            part.wish = wish
            forced.append(part)
    if forced:
        decode(forced, beam_of(search))
    torn = [part for part in without if not (_granted(part) and _whole(part, language))]
    for part in torn:
        part.wish = asked[id(part)]
    _between(torn, search, decode, wishes, target, numbers=True)
    for part in losing:
        if not _whole(part, language):  # words joined with spans may read as other spans: %1$sopen
            part.words, part.found, part.wish = [part.text], [UNSEARCHED], Wish()
            part.flags.add(UNTRANSLATED)


def _protected(text: str) -> list[Span]:
    """Return what must survive of a text: a number of one digit may become a word."""
    return [span for span in spans(text) if span.kind != "number" or len(span.text) > 1]


def _signs(text: str) -> bool:
    """Return whether there is more to survive than numbers."""
    return any(span.kind != "number" for span in spans(text))


def _missing(part: Part, language: str) -> list[Span]:
    gone = lost(part.text, part.words[0], language)
    return [span for span in gone if span.kind != "number" or len(span.text) > 1]


def _foreign(part: Part, language: str) -> list[Span]:
    """Return what was never in the source; numbers may have been words there."""
    more = added(part.text, part.words[0], language)
    return [span for span in more if span.kind != "number" and span.text not in part.asked]


def _whole(part: Part, language: str) -> bool:
    return not _missing(part, language) and not _foreign(part, language)


def _forbid_foreign(
    parts: Sequence[Part], search: SearchConfig, decode: Decode, wishes: Wishes, language: str
) -> None:
    """Search again without the placeholders that a model has made up; at last take them out."""
    having = [part for part in parts if _foreign(part, language)]
    for part in having:
        made_up = {span.text for span in _foreign(part, language)}
        found = [wishes.followed(text) for text in sorted(made_up)]
        never = [one for one in found if one is not None]
        part.wish = replace(part.wish, never=(*part.wish.never, *never))
    if having:
        decode(having, search)
    for part in having:
        for span in reversed(_foreign(part, language)):
            text = part.words[0]
            part.words = [text[: span.start].rstrip() + text[span.end :]]
            part.found = part.found[:1]
        if not _granted(part):
            _say_refused(part)


def _with_numbers(part: Part, wishes: Wishes, language: str) -> Wish | None:
    """Return the wish that the numbers of a part's text come again, as often as they are there.

    None where the vocabulary can write no form of one.
    """
    counts = Counter(span.text for span in _protected(part.text))
    must = []
    for text, times in counts.items():
        found = [wishes.followed(*[form] * times) for form in forms(text, language)]
        must.append(tuple(one for one in found if one is not None))
    return replace(part.wish, must=(*part.wish.must, *must)) if all(must) else None


def _between(
    parts: Sequence[Part],
    search: SearchConfig,
    decode: Decode,
    wishes: Wishes,
    target: Target,
    *,
    numbers: bool,
) -> None:
    """Translate what stands between the spans, and join it with them: they cannot be lost.

    The first words begin as wished for, all have the terms of the glossary; what of a wish the
    whole then lacks is refused.
    """
    if not parts:
        return
    cut = [_cut(part.text, numbers=numbers) for part in parts]
    fragments = [
        _fragment(piece.text, part, wishes, first=piece is pieces[0])
        for part, pieces in zip(parts, cut, strict=True)
        for piece in pieces
        if not piece.kept
    ]
    decode(fragments, search)
    _refuse([one for one in fragments if not _granted(one)], search, decode)
    _protect(fragments, search, decode, wishes, target)
    waiting = iter(fragments)
    for part, pieces in zip(parts, cut, strict=True):
        text, log_prob, score, finished = "", 0.0, 0.0, True
        tokens = list[int]()
        for piece in pieces:
            if piece.kept:
                text += piece.text
                continue
            one = next(waiting)
            text += _ended_alike(one.words[0], piece.text)
            found = one.found[0]
            tokens += found.tokens
            log_prob, score = log_prob + found.log_prob, score + found.score
            finished = finished and found.finished
            part.flags |= one.flags - {TERMS}
        unopened = part.wish.opening is not None and pieces[0].kept
        if unopened or not wishes.granted(part.wish, text):
            _say_refused(part)
        part.settled = part.wish != Wish()
        part.words, part.wish = [text.strip()], Wish()
        part.found = [Hypothesis(tuple(tokens), log_prob, score, finished)]


def _fragment(text: str, part: Part, wishes: Wishes, *, first: bool) -> Part:
    """Return a piece of a part as one of its own, with as much of the wish as is its."""
    terms = [] if part.glossary is None else part.glossary.terms(text)
    must = wishes.musts(term.targets for term in terms)
    opening = part.wish.opening if first else None
    wish = Wish(opening, must, part.wish.never)
    return Part(text, wish, part.asked, glossary=part.glossary, client=part.client)


class _Piece(NamedTuple):
    """A piece of a text."""

    text: str
    kept: bool
    """Whether it is kept as it is, or translated."""


def _cut(text: str, *, numbers: bool) -> list[_Piece]:
    """Return spans, words between them, and the signs and spaces at the edges of words.

    >>> [piece.text for piece in _cut('The file "%s" is new.', numbers=False)]
    ['The file', ' "', '%s', '" ', 'is new.']
    """
    found, at = list[_Piece](), 0
    kept = [span for span in _protected(text) if numbers or span.kind != "number"]
    for start, end in [*((span.start, span.end) for span in kept), (len(text), len(text))]:
        words = _WORDS.search(text, at, start)
        if words is not None:
            last = words.end() if start < len(text) else len(text.rstrip())
            found += [
                _Piece(text[at : words.start()], True),
                _Piece(text[words.start() : last], False),
            ]
            at = last
        found += [_Piece(text[at:start], True), _Piece(text[start:end], True)]
        at = end
    return [piece for piece in found if piece.text]


_WORDS = re.compile(r"[^\W\d_](?:.*[^\W_])?|\d(?:.*[^\W\d_](?:.*[^\W_])?)", re.DOTALL)
"""From the first letter or digit to the last, if a letter is among them."""
_END = ".!?。！？"


def _ended_alike(translation: str, source: str) -> str:
    """Take off the end of a sentence that the source has not."""
    return translation if source[-1] in _END else translation.rstrip(_END)
