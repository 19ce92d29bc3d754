"""A model's shortlist, learnt from its token store: what is listed, and what never is."""

from pathlib import Path

import pytest

from heedful.data.store import TokenStore
from heedful.decode.shortlist import Shortlist
from heedful.progress import Progress
from heedful.text.pieces import CONTROL, END
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.train.shortlist import learn, rows_of, summary

NOUNS = {"cat": "Katze", "dog": "Hund", "mouse": "Maus", "house": "Haus", "tree": "Baum"}
COLOURS = {"red": "rot", "blue": "blau", "green": "grün", "old": "alt", "small": "klein"}
PAIRS = [
    (f"the {noun} is {colour} .", f"{NOUNS[noun]} ist {COLOURS[colour]} .")
    for noun in NOUNS
    for colour in COLOURS
]
WAYS: list[tuple[int, str | None]] = [(0, "de"), (1, "en")]


def tokenizer_of(*, shared: bool = True, languages: tuple[str, ...] = ()) -> Tokenizer:
    config = BPE(vocabulary_size=400, exact=False, shared=shared)
    return Tokenizer.train(lambda: PAIRS * 3, config, languages)


def store_of(folder: Path, tokenizer: Tokenizer) -> TokenStore:
    ways = WAYS if tokenizer.languages else [(0, None)]
    return TokenStore.build(folder, PAIRS, tokenizer, ways, 50, Progress(quiet=True))


def candidates(
    shortlist: Shortlist, tokenizer: Tokenizer, text: str, to: str | None = None
) -> set[str]:
    source = tokenizer.encode_source([text], to)[0]
    return set(tokenizer.target_pieces(shortlist.candidates(source).tolist()))


@pytest.mark.parametrize("shared", [True, False])
def test_it_lists_translations(tmp_path: Path, shared: bool) -> None:
    tokenizer = tokenizer_of(shared=shared)
    rows = rows_of(store_of(tmp_path / "s", tokenizer))
    shortlist = learn(rows, tokenizer, least=0.1, most_frequent=3)
    assert (shortlist.source_size, shortlist.target_size) == (
        tokenizer.source_size,
        tokenizer.target_size,
    )
    for source, target in PAIRS:
        wanted = set(tokenizer.target_pieces(tokenizer.encode_target([target])[0]))
        found = candidates(shortlist, tokenizer, source)
        assert wanted <= found
        assert len(found) < tokenizer.target_size / 4


@pytest.mark.parametrize("shared", [True, False])
def test_names_and_numbers_are_copied(tmp_path: Path, shared: bool) -> None:
    """A piece lists itself, seen or not, where the target's vocabulary has it."""
    tokenizer = tokenizer_of(shared=shared)
    shortlist = learn(rows_of(store_of(tmp_path / "s", tokenizer)), tokenizer)
    name = tokenizer.encode_source(["Qx7"])[0]
    assert set(tokenizer.source_pieces(name)) <= candidates(shortlist, tokenizer, "Qx7")


@pytest.mark.parametrize("languages", [(), ("en", "de")])
def test_no_control_piece_but_the_end(tmp_path: Path, languages: tuple[str, ...]) -> None:
    tokenizer = tokenizer_of(languages=languages)
    shortlist = learn(rows_of(store_of(tmp_path / "s", tokenizer)), tokenizer)
    first = len(CONTROL) + len(languages)
    everything = shortlist.candidates(range(tokenizer.source_size))
    assert [piece for piece in everything if piece < first] == [END]
    for control in range(len(CONTROL)):
        assert shortlist.candidates([control]).tolist() == shortlist.always.tolist()
    assert END in shortlist.always


def test_always_is_what_is_frequent(tmp_path: Path) -> None:
    tokenizer = tokenizer_of()
    rows = rows_of(store_of(tmp_path / "s", tokenizer))
    shortlist = learn(rows, tokenizer, most_frequent=2)
    assert set(tokenizer.target_pieces(shortlist.always.tolist())) == {"</s>", "▁ist", "▁."}


def test_a_tag_lists_what_is_frequent_in_its_language(tmp_path: Path) -> None:
    """So that a model of both directions has no long lists of the other language."""
    tokenizer = tokenizer_of(languages=("en", "de"))
    rows = rows_of(store_of(tmp_path / "s", tokenizer))
    shortlist = learn(rows, tokenizer, most_frequent=4)
    assert shortlist.always.tolist() == [END]
    into_german, into_english = (candidates(shortlist, tokenizer, "", to) for to in ("de", "en"))
    assert {"▁ist", "▁."} < into_german
    assert {"▁is", "▁."} < into_english
    assert "▁is" not in into_german
    assert "▁ist" not in into_english
    assert len(into_german) <= 4 + 1
    for source, target in PAIRS:
        wanted = set(tokenizer.target_pieces(tokenizer.encode_target([source])[0]))
        assert wanted <= candidates(shortlist, tokenizer, target, "en")


def test_rows_are_scattered_over_both_directions(tmp_path: Path) -> None:
    """The two take turns, so that every second row would be of one direction alone."""
    tokenizer = tokenizer_of(languages=("en", "de"))
    store = store_of(tmp_path / "s", tokenizer)
    every = [store.source(row).tolist() for row in range(len(store))]
    some = [source.tolist() for source, _ in rows_of(store, len(store) // 2)]
    assert all(one in every[2 * at : 2 * at + 2] for at, one in enumerate(some))
    assert {source[0] for source in some} == {source[0] for source in every}
    assert [source.tolist() for source, _ in rows_of(store, 1000)] == every


def test_what_is_said(tmp_path: Path) -> None:
    tokenizer = tokenizer_of()
    store = store_of(tmp_path / "s", tokenizer)
    shortlist = learn(rows_of(store), tokenizer)
    covered, length = shortlist.coverage(rows_of(store))
    each = len(shortlist.targets) / tokenizer.source_size
    said = summary(shortlist, store, "dev set")
    assert said == (
        f"{each:.0f} target pieces for each source piece; in the dev set {length:.0f} of "
        f"{tokenizer.target_size} pieces a sentence, which hold {covered:.1%} of the "
        "translations' pieces"
    )
    assert summary(shortlist, None, "dev set") == said.partition(";")[0]
