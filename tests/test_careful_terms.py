"""What is wished for survives that a text is translated in pieces, or is refused aloud."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from heedful.careful import PROTECTED, REFUSED, RETRIED, Care, Part, Target, mend
from heedful.data.glossary import Glossary, Term
from heedful.errors import SettingError
from heedful.request import Request, Wishes
from heedful.search import Beam, Hypothesis, SearchConfig
from heedful.text.tokenizer import BPE, Tokenizer

PAIRS = [("the cat sees the dog", "die Katze sieht den Hund und den Kater")] * 4


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(lambda: PAIRS, BPE(vocabulary_size=290))


class Forgetful:
    """Translates word by word into capitals, without placeholders, as the terms and prefix ask."""

    def __init__(self, tokenizer: Tokenizer, terms: dict[str, str], prefix: str = "") -> None:
        self.tokenizer, self.terms, self.prefix = tokenizer, terms, prefix

    def __call__(self, parts: Sequence[Part], search: SearchConfig) -> None:
        for part in parts:
            words = re.findall(r"(?<![%\w])\w+", part.text)
            known = self.terms if part.wish.must else {}
            text = " ".join(known.get(word, word.upper()) for word in words)
            text = self.prefix + text if part.wish.opening else text
            pieces = tuple(self.tokenizer.encode_target([text])[0][:-1])
            part.words, part.found = [text], [Hypothesis(pieces, -1.0, -1.0, finished=True)]


def mended(part: Part, decode: Forgetful, wishes: Wishes) -> Part:
    """Return the part as it is after a first search and all care."""
    decode([part], Beam())
    mend([part], Beam(), decode, wishes, Care(protect=True), Target("de", 500))
    return part


def test_each_piece_has_its_own_terms(tokenizer: Tokenizer) -> None:
    wishes, terms = Wishes(tokenizer), {"cat": "Katze", "dog": "Hund"}
    glossary = Glossary(Term(source, (target,)) for source, target in terms.items())
    part = Part("the cat %s the dog", glossary=glossary)
    must = wishes.musts([["Katze"], ["Hund"]])
    part.wish = replace(part.wish, must=must)
    mended(part, Forgetful(tokenizer, terms), wishes)
    assert part.words == ["THE Katze %s THE Hund"]
    assert part.flags == {PROTECTED, RETRIED}


def test_words_that_no_piece_takes_are_refused_aloud(tokenizer: Tokenizer) -> None:
    wishes = Wishes(tokenizer)
    part = Part("the cat %s the dog", wishes.of(Request("", must=(("Kater",),))))
    mended(part, Forgetful(tokenizer, {"cat": "Kater"}), wishes)
    assert part.words == ["THE CAT %s THE DOG"]
    assert part.flags == {PROTECTED, RETRIED, REFUSED}


@pytest.mark.parametrize(
    ("text", "found", "flags"),
    [
        ("the cat %s", "Die THE CAT %s", {PROTECTED, RETRIED}),
        ("%s the cat", "%s THE CAT", {PROTECTED, RETRIED, REFUSED}),
    ],
)
def test_a_prefix_begins_the_whole_or_is_refused_aloud(
    tokenizer: Tokenizer, text: str, found: str, flags: set[str]
) -> None:
    wishes = Wishes(tokenizer)
    part = Part(text, wishes.of(Request("", prefix="Die ")))
    mended(part, Forgetful(tokenizer, {}, "Die "), wishes)
    assert part.words == [found]
    assert part.flags == flags


def test_a_number_that_no_piece_spells_is_put_between(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unspelled(_: Wishes, phrases: Sequence[str]) -> None:
        raise SettingError(f"no piece spells {phrases}")

    def without_numbers(parts: Sequence[Part], search: SearchConfig) -> None:
        for part in parts:
            part.words = [re.sub("[0-9]+", "", part.text).upper().strip() + " %d"]
            part.found = [Hypothesis((), -1.0, -1.0, finished=True)]

    monkeypatch.setattr(Wishes, "follow", unspelled)
    part = Part("the cat of 2010")
    without_numbers([part], Beam())
    mend([part], Beam(), without_numbers, Wishes(tokenizer), Care(protect=True), Target("de", 500))
    assert part.words == ["THE CAT OF 2010"]
    assert part.flags == {PROTECTED, RETRIED}


def test_what_was_put_together_as_wished_for_is_not_searched_for_anew(tokenizer: Tokenizer) -> None:
    wishes, asked = Wishes(tokenizer), list[str]()

    def turning(parts: Sequence[Part], search: SearchConfig) -> None:
        for part in parts:
            asked.append(part.text)
            part.words = ["the dog " * 8 + "the dog" if "%s" not in part.text else "the cat"]
            part.found = [Hypothesis((), -1.0, -1.0, finished=True)]

    part = Part("the cat %s", wishes.of(Request("", never=("cat",))))
    turning([part], Beam())
    mend([part], Beam(), turning, wishes, Care(protect=True), Target("de", 500))
    assert part.words == ["the dog " * 8 + "the dog %s"]
    assert "repeats" in part.flags
    assert asked.count("the cat %s") == 1
