"""Marks in a translation stand around the words that translate the words they had."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from heedful.decode.alignment import Link
from heedful.documents.pieces import Atom, Mark, Piece, Text, Unit, parts_of
from heedful.documents.placing import MOST_PAIRS, placed
from heedful.documents.wrapping import Fragment, balanced, wrapped


def unit_of(*pieces: Piece | str) -> Unit:
    """Return the unit of pieces, a string being a text."""
    found = parts_of(
        [Text(one, one) if isinstance(one, str) else one for one in pieces], lambda *_: ""
    )
    [unit] = [part for part in found if isinstance(part, Unit)]
    return unit


def spelled(unit: Unit, text: str, links: list[tuple[int, int]]) -> str | None:
    found = placed(unit, text, [Link(*link) for link in links])
    if found is None:
        return None
    return "".join(one.raw if isinstance(one, Text) else str(one.raw[0]) for one in found)


def bold(name: str = "b") -> tuple[Mark, Mark]:
    return Mark((f"<{name}>",), name, True), Mark((f"</{name}>",), name, False)


B, END_B = bold()
EM, END_EM = bold("i")
CODE = Atom(("`x`",))


def test_the_words_that_look_at_them() -> None:
    unit = unit_of("the ", B, "old red", END_B, " house")
    links = [(0, 0), (3, 1), (1, 3), (2, 4)]
    assert spelled(unit, "la casa , vieja roja", links) == "la casa , <b>vieja roja</b>"


def test_one_stretch_though_words_are_apart() -> None:
    unit = unit_of("a ", B, "turn off", END_B, " b c d")
    links = [(1, 0), (3, 1), (4, 2), (5, 3), (2, 4)]
    assert spelled(unit, "dreh b c d ab", links) == "<b>dreh</b> b c d ab"


def test_nested_pairs_stay_nested() -> None:
    unit = unit_of("so ", B, "very ", EM, "old", END_EM, END_B, " now")
    links = [(3, 0), (1, 1), (2, 2), (0, 3)]
    assert spelled(unit, "jetzt sehr alt so", links) == "jetzt <b>sehr <i>alt</i></b> so"


def test_atoms_are_their_own_translation() -> None:
    unit = unit_of("run ", B, "the ", CODE, END_B, " now")
    assert unit.shown == "run the <x1/> now"
    assert spelled(unit, "<x1/> jetzt", [(6, 4)]) == "<b>`x`</b> jetzt"
    assert spelled(unit, "jetzt", []) is None
    assert spelled(unit, "<x1/> <x1/>", []) is None
    assert spelled(unit, "<x1/> <x2/>", []) is None


def test_without_links_the_same_place() -> None:
    unit = unit_of("one two three ", B, "four", END_B)
    assert spelled(unit, "eins zwei drei vier!", []) == "eins zwei drei <b>vier</b>!"


def test_more_pairs_than_words() -> None:
    unit = unit_of("x ", B, "a", END_B, " ", EM, "b", END_EM)
    assert spelled(unit, "y", []) is None
    many = [piece for _ in range(MOST_PAIRS + 1) for piece in (B, "a", END_B, " ")]
    assert spelled(unit_of("x ", *many), "a " * 999, []) is None


def test_marks_begin_and_end_at_words() -> None:
    unit = unit_of("by ", B, "Miller", END_B, " (2017)")
    links = [(0, 0), (1, 1), (1, 2), (2, 2), (3, 3), (4, 4)]
    assert spelled(unit, "von Müller (2017)", links) == "von <b>Müller</b> (2017)"


def test_what_is_around_the_whole_text_stays_out_of_it() -> None:
    image = Atom(("![]",), silent=True)
    found = parts_of(
        [image, Text(" ", " "), B, EM, Text("all", "all"), END_EM, END_B, END_B], lambda *_: ""
    )
    assert [part for part in found if isinstance(part, str)] == [
        *("![]", " ", "<b>", "<i>", "</i>", "</b>", "</b>")
    ]
    assert [part.shown for part in found if isinstance(part, Unit)] == ["all"]


def test_pairs_with_nothing_to_read_are_atoms() -> None:
    unit = unit_of("a ", B, EM, CODE, END_EM, END_B, " b ", END_EM, EM, " c")
    assert unit.shown == "a <x1/> b <x2/><x3/> c"
    assert all(isinstance(piece, Text | Atom) for piece in unit.pieces)


WORDS = st.lists(st.text("abcde", min_size=1, max_size=9), min_size=1, max_size=9)


@given(WORDS, st.integers(1, 4))
def test_balanced_is_as_good_as_any_division(words: list[str], most: int) -> None:
    """Compare with all ways to divide the words, by dynamic programming over their borders."""
    lines = balanced([Fragment(word, len(word), True) for word in words], most)
    assert " ".join(lines).split(" ") == words
    assert len(lines) <= most
    best = {0: 0}
    for _ in range(most):
        longer = dict(best)
        for end in range(1, len(words) + 1):
            for begin in range(end):
                if begin in best:
                    longest = max(best[begin], len(" ".join(words[begin:end])))
                    longer[end] = min(longer.get(end, 10**9), longest)
        best = longer
    assert max(map(len, lines)) == best[len(words)]


@given(WORDS, st.integers(5, 30))
def test_wrapped_is_greedy(words: list[str], width: int) -> None:
    lines = wrapped([Fragment(word, len(word), True) for word in words], width)
    assert all(len(line) <= width or " " not in line for line in lines)
    for line, following in pairwise(lines):
        assert len(f"{line} {following.split()[0]}") > width


def test_chinese_may_be_broken_in_subtitles_alone() -> None:
    letters = [Fragment(letter, 2, False, True) for letter in "猫吃鱼因为饿了"]
    assert balanced(letters, 2) == ["猫吃鱼因", "为饿了"]
    assert wrapped(letters, 4) == ["猫吃鱼因为饿了"]
