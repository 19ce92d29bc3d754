"""Translations that can be trusted: what was lost is looked for, and translated again.

Parts of texts come in with what a search has found for them; those whose placeholders are gone,
that go round in circles or are not as wished are searched for anew, and flagged. The pipeline calls
it after every search.
"""

__all__ = ["Care", "Part", "mend"]

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from heedful.request import Wishes
from heedful.search import (
    Automaton,
    Beam,
    DiverseBeam,
    Hypothesis,
    SearchConfig,
    Shaping,
    Wish,
)
from heedful.text.numerals import forms
from heedful.text.protect import Span, added, lost, spans
from heedful.text.repeats import loop

PROTECTED = "protected"
"""Flag: what must survive was looked after, and is all there."""
RETRIED = "retried"
"""Flag: the first translation was not good enough, and another search made this one."""
REPEATS = "repeats"
"""Flag: a phrase comes again and again, whatever was tried."""
REFUSED = "refused"
"""Flag: words that must appear could not, and none of the wishes was granted."""

AGAINST_LOOPS = {"no_repeat_ngram": 3, "repetition_penalty": 1.2}
"""What a translation that goes round in circles is searched for with."""


@dataclass(frozen=True)
class Care:
    """What is looked after."""

    protect: bool = False
    """Placeholders, tags, addresses and numbers survive, and marks of keyboard shortcuts."""
    capitals: bool = True
    """A text all in capitals is translated as if it were not, and comes back in capitals."""
    loops: bool = True
    """A translation that repeats itself is searched for anew."""


@dataclass
class Part:
    """One piece of work: a text that goes through the model in one go."""

    text: str
    wish: Wish = field(default_factory=Wish)
    found: list[Hypothesis] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """The texts of what was found, best first."""
    flags: set[str] = field(default_factory=set)


Decode = Callable[[Sequence[Part], SearchConfig], None]
"""Searches for translations of parts, and puts them there."""


def mend(
    parts: Sequence[Part],
    search: SearchConfig,
    decode: Decode,
    wishes: Wishes,
    care: Care,
    language: str,
) -> None:
    """Look at what was found, and search again where it is not good enough.

    `language` is the target's; "" if it is not known.
    """
    _refuse([part for part in parts if not _granted(part)], search, decode)
    if care.protect:
        _protect(parts, search, decode, wishes, language)
    if care.loops:
        _break_loops(parts, search, decode)


def beam_of(search: SearchConfig) -> SearchConfig:
    """Return a search for words that must appear: the same if it is a beam, else one of 4."""
    if isinstance(search, Beam | DiverseBeam):
        return search
    return Beam(**{name: getattr(search, name) for name in Shaping.model_fields})


def _granted(part: Part) -> bool:
    return part.wish == Wish() or part.wish.granted(part.found[0].tokens)


def _refuse(parts: Sequence[Part], search: SearchConfig, decode: Decode) -> None:
    """Translate without what cannot be granted; what must not appear, still must not."""
    for part in parts:
        part.wish = Wish(never=part.wish.never)
        part.flags.add(REFUSED)
    decode(parts, search)


def _break_loops(parts: Sequence[Part], search: SearchConfig, decode: Decode) -> None:
    turning = [part for part in parts if _turns(part)]
    if not turning:
        return
    before = [replace(part) for part in turning]
    decode(turning, search.model_copy(update=AGAINST_LOOPS))
    for part, old in zip(turning, before, strict=True):
        if _turns(part) or not _granted(part) or len(_missing(part, "")) > len(_missing(old, "")):
            part.found, part.words = old.found, old.words
            part.flags.add(REPEATS)
        else:
            part.flags.add(RETRIED)


def _turns(part: Part) -> bool:
    """Return whether the translation goes round in circles."""
    pieces = part.found[0].tokens
    if len(pieces) - len(set(pieces)) < 2:  # a phrase that comes three times
        return False
    return loop(part.words[0], part.text) is not None


def _protect(
    parts: Sequence[Part], search: SearchConfig, decode: Decode, wishes: Wishes, language: str
) -> None:
    """Search again where something is missing; at last translate what stands between the spans."""
    holding = [part for part in parts if _protected(part.text)]
    for part in holding:
        part.flags.add(PROTECTED)
    losing = [part for part in holding if not _whole(part, language)]
    for part in losing:
        part.wish = _with_spans(part, wishes, language)
        part.flags.add(RETRIED)
    if losing:
        decode(losing, beam_of(search))
    torn = [part for part in losing if not _granted(part) or not _whole(part, language)]
    if torn:
        _between(torn, search, decode)


def _protected(text: str) -> list[Span]:
    """Return what must survive of a text: a number of one digit may become a word."""
    return [span for span in spans(text) if span.kind != "number" or len(span.text) > 1]


def _missing(part: Part, language: str) -> list[Span]:
    gone = lost(part.text, part.words[0], language)
    return [span for span in gone if span.kind != "number" or len(span.text) > 1]


def _whole(part: Part, language: str) -> bool:
    """Return whether all is there, and nothing but numbers is more than it was."""
    more = added(part.text, part.words[0], language)
    return not _missing(part, language) and all(span.kind == "number" for span in more)


def _with_spans(part: Part, wishes: Wishes, language: str) -> Wish:
    """Return the wish that the spans of a part's text come again, as often as they are there."""
    found = _protected(part.text)
    counts = Counter((span.text, span.kind) for span in found)
    tags = [span.text for span in found if span.kind == "tag"]
    must: list[tuple[Automaton, ...]] = [(wishes.follow(tags),)] if tags else []
    never: list[Automaton] = []
    for (text, kind), times in counts.items():
        if kind == "number":
            must.append(tuple(wishes.follow([form] * times) for form in forms(text, language)))
            continue
        if kind != "tag":
            must.append((wishes.follow([text] * times),))
        never.append(wishes.follow([text] * (times + 1)))
    return replace(part.wish, must=(*part.wish.must, *must), never=(*part.wish.never, *never))


def _between(parts: Sequence[Part], search: SearchConfig, decode: Decode) -> None:
    """Translate what stands between the spans, and join it with them: they cannot be lost."""
    cut = [_cut(part.text) for part in parts]
    words = [Part(text.strip()) for pieces in cut for text, kept in pieces if _is_words(text, kept)]
    decode(words, search)
    waiting = iter(words)
    for part, pieces in zip(parts, cut, strict=True):
        text, log_prob, score = "", 0.0, 0.0
        for piece, kept in pieces:
            if not _is_words(piece, kept):
                text += piece
                continue
            one = next(waiting)
            before, after = piece[: -len(piece.lstrip())], piece[len(piece.rstrip()) :]
            text += before + one.words[0] + after
            log_prob, score = log_prob + one.found[0].log_prob, score + one.found[0].score
        part.words, part.wish = [text], Wish()
        part.found = [Hypothesis((), log_prob, score, finished=True)]


def _is_words(text: str, kept: bool) -> bool:
    return not kept and any(letter.isalpha() for letter in text)


def _cut(text: str) -> list[tuple[str, bool]]:
    """Return what is between the spans of a text, and the spans, which are marked True."""
    found, at = [], 0
    for span in _protected(text):
        found += [(text[at : span.start], False), (span.text, True)]
        at = span.end
    return [(piece, kept) for piece, kept in [*found, (text[at:], False)] if piece]
