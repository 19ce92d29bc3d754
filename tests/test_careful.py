"""Looking after translations by a model that loses, repeats and makes up whatever it likes."""

import random
from collections.abc import Callable, Sequence
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.careful import (
    NO_REPEAT,
    PROTECTED,
    REFUSED,
    REPEATS,
    RETRIED,
    UNTRANSLATED,
    Care,
    Part,
    Target,
    _cut,
    beam_of,
    mend,
)
from heedful.request import Wishes
from heedful.search import Beam, DiverseBeam, Greedy, Hypothesis, Sample, SearchConfig, Wish
from heedful.text.protect import added, lost, spans
from heedful.text.repeats import loop
from heedful.text.tokenizer import BPE, Tokenizer

WORDS = ["Open", "the file", "new", "Insert", "pages", "Größe", "DPI", "version", "to"]
SIGNS = [
    *("%s", "%1$s", "%d", "{name}", "{0}", "%(count)d", "$(ARG1)", "${x}", "%PRODUCTNAME"),
    *("<b>", "</b>", "<br/>", '<a href="x">', "&amp;", "https://x.org/a?b=1", "me@x.org"),
    *("1,000", "42", "7", "3.5", "2024", "100%", "50", "1"),
]
MARKS = [".", ",", ": ", "...", "(", ")", '"', " - ", "/", " ", " ", " "]
strings = st.lists(st.sampled_from([*WORDS, *SIGNS, *MARKS]), min_size=1, max_size=12).map(
    lambda some: " ".join("".join(some).split())
)


@cache
def wishes() -> Wishes:
    pairs = [(" ".join(WORDS), " ".join(SIGNS))] * 3
    return Wishes(Tokenizer.train(lambda: pairs, BPE(vocabulary_size=300)))


Say = Callable[[Part, SearchConfig], str]


def saying(say: Say) -> Callable[[Sequence[Part], SearchConfig], None]:
    """Return a way to decode that puts these words there."""

    def decode(parts: Sequence[Part], search: SearchConfig) -> None:
        for part in parts:
            part.words = [" ".join(say(part, search).split())]
            tokens = wishes().cut(part.words[0])
            part.found = [Hypothesis(tuple(tokens), -1.0, -0.5, finished=True)]

    return decode


def mended(text: str, say: Say, care: Care, search: SearchConfig | None = None) -> Part:
    """Return what is there at last of a text that a model translates so."""
    part, decode, search = Part(text), saying(say), search or Greedy()
    decode([part], search)
    mend([part], search, decode, wishes(), care, Target("de", 500))
    return part


def careless(seed: int) -> Say:
    """Return a model that drops, repeats, tears and invents what must survive."""
    draw = random.Random(seed)

    def say(part: Part, _: SearchConfig) -> str:
        said, at = "", 0
        for span in spans(part.text):
            said += part.text[at : span.start].lower()
            said += draw.choice(["", span.text, span.text, 2 * span.text, span.text[:-1], "{nix}"])
            at = span.end
        return said + part.text[at:].lower() + draw.choice(["", "", "", " %x", " <i>", " 17"])

    return say


@settings(max_examples=150)
@given(text=strings, seed=st.integers(0, 99))
def test_what_must_survive_does(text: str, seed: int) -> None:
    """Whatever the model does: all spans are there, as often as before, and no others."""
    part = mended(text, careless(seed), Care(protect=True))
    protected = [x for x in spans(text) if x.kind != "number" or len(x.text) > 1]
    gone = [x for x in lost(text, part.words[0], "de") if x.kind != "number" or len(x.text) > 1]
    assert gone == []
    assert [x for x in added(text, part.words[0], "de") if x.kind != "number"] == []
    assert (PROTECTED in part.flags) == bool(protected)


@settings(max_examples=80)
@given(some=st.lists(st.sampled_from([*WORDS, *SIGNS]), min_size=1, max_size=9), seed=st.integers())
def test_what_stands_between_is_translated(some: list[str], seed: int) -> None:
    """Where spans stand by themselves, no text is given up."""
    part = mended(" ".join(some), careless(seed), Care(protect=True))
    assert UNTRANSLATED not in part.flags
    words = [word for word in some if word in WORDS]
    assert all(word.lower() in part.words[0].lower() for word in words)


@given(text=strings)
def test_a_careful_model_is_left_alone(text: str) -> None:
    """What loses nothing is neither searched for again nor flagged as if it were."""
    asked = []

    def say(part: Part, _: SearchConfig) -> str:
        asked.append(part.text)
        return part.text

    part = mended(text, say, Care(protect=True, loops=False))
    assert part.words == [text]
    assert part.flags <= {PROTECTED}
    assert asked == [text]


@given(text=strings, numbers=st.booleans())
def test_cut_texts_are_whole(text: str, numbers: bool) -> None:
    """Pieces that are translated have a letter, and none of what must survive."""
    pieces = _cut(text, numbers=numbers)
    assert "".join(piece.text for piece in pieces) == text
    kept = [piece.text for piece in pieces if piece.kept]
    wanted = [x for x in spans(text) if x.kind != "number" or (numbers and len(x.text) > 1)]
    assert all(any(span.text in one for one in kept) for span in wanted)
    for piece in pieces:
        assert piece.kept or any(map(str.isalpha, piece.text))


def test_loops_are_broken_or_said() -> None:
    turning, text = "und der Hund " * 9, "The dog sleeps in the house."

    def stops(part: Part, search: SearchConfig) -> str:
        against = search.no_repeat_ngram == NO_REPEAT
        return "Der Hund schläft." if against else turning

    part = mended(text, stops, Care())
    assert (part.words, part.flags) == (["Der Hund schläft."], {RETRIED})
    part = mended(text, lambda *_: turning, Care())
    assert (part.words, part.flags) == ([turning.strip()], {REPEATS})
    assert loop(part.words[0], text)
    part = mended(text, stops, Care(loops=False))
    assert (part.words, part.flags) == ([turning.strip()], set())
    part = mended("no no no no no no", lambda *_: "nein nein nein nein nein", Care())
    assert part.flags == set(), "the source does it too"


def test_what_cannot_be_granted_is_translated_without() -> None:
    """What must not appear still must not; that words are missing is said."""
    wish = Wish(wishes().opening("Der"), wishes().musts([["Hund"]]), (wishes().follow(["Katze"]),))
    part, seen = Part("The dog", wish), list[Wish]()

    def say(part: Part, _: SearchConfig) -> str:
        seen.append(part.wish)
        return "Ein Tier"

    decode = saying(say)
    decode([part], Beam())
    mend([part], Beam(), decode, wishes(), Care(), "de")
    assert part.flags == {REFUSED}
    assert seen == [wish, Wish(never=wish.never)]


def test_the_beam_for_words_that_must_appear() -> None:
    for beam in (Beam(beam_size=7), DiverseBeam()):
        assert beam_of(beam) is beam
    for other in (Greedy(max_extra=3, no_repeat_ngram=2), Sample(min_length=2, max_length=9)):
        found = beam_of(other)
        assert isinstance(found, Beam)
        assert found.beam_size == 4
        shared = found.model_dump(include={"max_extra", "max_length", "min_length"})
        assert shared.items() <= other.model_dump().items()
