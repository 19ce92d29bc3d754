"""What is asked of translations, by the bundled model: prefixes, words, glossaries, capitals."""

import re
import threading
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful import pipeline
from heedful.data.glossary import Glossary, Term
from heedful.errors import ModelError, SettingError
from heedful.pipeline import FLAGS
from heedful.search import Beam, Client, Greedy, MinimumBayesRisk, Sample, SearchConfig
from heedful.text.protect import lost
from heedful.translator import BUNDLED, Care, Request, Translation, Translator, load

ENGLISH = [
    "The dog sleeps in the house.",
    "A small cat",
    "Good morning, my friend!",
    "Where is the station?",
    "",
    "I read a book. My sister reads two. Nobody talks.",
]
BEGINNINGS = [
    "Der",
    "Ein Hund",
    "Guten Mor",
    "Kat",
    "»Das",
    "猫",
    "我们",
    "3,5",
    "xqz",
    "Ärz",
    "(",
    "…",
]
NEVER = ["Hund", "der", "Haus", "ein", "und"]


@pytest.fixture(scope="module")
def translator() -> Translator:
    """Return the bundled model; in float32 one way of computing is as good as the other."""
    return load(BUNDLED, "cpu", "float32")


def squeezed(text: str) -> str:
    return " ".join(text.split())


begun = st.lists(st.sampled_from(BEGINNINGS), min_size=1, max_size=3)
gaps = st.sampled_from([" ", "  ", " \t"])


@settings(max_examples=8)
@given(
    asked=st.lists(
        st.tuples(st.sampled_from(ENGLISH[:4]), begun, gaps, st.sampled_from(["", " "])),
        min_size=4,
        max_size=4,
    ),
    search=st.sampled_from([Greedy(), Beam(beam_size=2, n_best=2), Sample(count=2, top_k=5)]),
)
def test_a_prefix_is_how_the_translation_begins(
    translator: Translator,
    asked: list[tuple[str, list[str], str, str]],
    search: SearchConfig,
) -> None:
    """Each of its spaces counts as one; where one stands at its end, so does the last word."""
    requests = [Request(text, prefix=gap.join(some) + end) for text, some, gap, end in asked]
    found = translator.translate_detailed(requests, "de", search=search)
    assert [one.source for one in found] == [request.text for request in requests]
    for request, one in zip(requests, found, strict=True):
        assert "refused" not in one.flags
        prefix = squeezed(request.prefix)
        for candidate in one.hypotheses:
            text = squeezed(candidate.text)
            assert text.startswith(prefix)
            if request.prefix.endswith(" ") and re.match(r"[a-zäöüß]", prefix[-1]):
                assert not re.match(r"\w", text[len(prefix) :])


@pytest.mark.parametrize(
    ("must", "never"), [(["Kater"], ["Hund"]), (["3,5", "猫"], ["der", "Haus"]), ([], NEVER)]
)
def test_words_that_must_and_must_not_appear(
    translator: Translator, must: list[str], never: list[str]
) -> None:
    """As whole words, in every hypothesis; Chinese may stand anywhere."""
    wanted = tuple((word,) for word in must)
    requests = [Request(text, must=wanted, never=tuple(never)) for text in ENGLISH[:2]]
    search = Beam(beam_size=2, n_best=2, max_extra=5)
    for one in translator.translate_detailed(requests, "de", search=search):
        assert "refused" not in one.flags
        for candidate in one.hypotheses:
            for word in must:
                whole = word if word == "猫" else rf"(?<![a-zß-ÿ]){word}(?![a-zß-ÿ])"
                assert re.search(whole, candidate.text)
            assert not set(never) & set(re.findall(r"\w+", candidate.text))


def test_what_contradicts_itself_or_is_too_long_is_refused(translator: Translator) -> None:
    def asked(**wishes: object) -> list[str]:
        return translator.translate([Request("The dog", **wishes)], "de")  # type: ignore[arg-type]

    with pytest.raises(SettingError, match='"Ein Hund" is asked for and holds "Hund", which must'):
        asked(prefix="Ein Hund", never=("Hund",))
    with pytest.raises(ModelError, match=r"takes [\d,]+ pieces and [\d,]+ are allowed; ask for l"):
        asked(prefix="Ein Hund " * 2000)
    with pytest.raises(ModelError, match=r"takes \d+ pieces and 4 are allowed"):
        translator.translate(
            [Request("The dog", prefix="Ein Hund und eine Katze")],
            "de",
            search=Greedy(max_length=4),
        )


def test_terms_of_a_glossary_are_used_or_said_to_be_refused(translator: Translator) -> None:
    terms = [
        Term("dog", ("Köter", "Köters")),
        Term("house", ("Bau",)),
        Term("station", ("Haltepunkt",)),
        Term("book", ("Schmöker " * 9 + "x",)),
    ]
    glossary = Glossary(terms)
    for search in (Greedy(max_length=20), Beam(beam_size=2, max_length=20)):
        found = translator.translate_detailed(ENGLISH, "de", search=search, glossary=glossary)
        assert [one.source for one in found] == ENGLISH
        for text, one in zip(ENGLISH, found, strict=True):
            asked = [term for term in glossary.terms(text) if term.source != "book"]
            assert ("terms" in one.flags) == bool(asked)
            assert ("refused" in one.flags) == ("book" in text)
            assert all(term.times_in(one.text) for term in asked)
            assert "Schmöker" not in one.text


@pytest.mark.parametrize(
    "search", [Greedy(), Beam(n_best=2), MinimumBayesRisk(count=4)], ids=lambda search: search.kind
)
def test_capitals_come_back_and_placeholders_stay(
    translator: Translator, search: SearchConfig
) -> None:
    texts = ["THE DOG SLEEPS IN THE HOUSE %s.", "Open {name}, please", "12 of 345 files", "A~bort"]
    care = Care(protect=True)
    found = translator.translate_detailed(texts, "de", search=search, care=care)
    assert "capitals" in found[0].flags
    shouting = found[0].text.replace("%s", "")
    assert shouting == shouting.upper()
    for text, one in zip(texts, found, strict=True):
        assert lost(text, one.text, "de") == []
        assert set(one.flags) <= FLAGS.keys()
    assert ["protected" in one.flags for one in found] == [True, True, True, False]


@settings(max_examples=6)
@given(
    texts=st.lists(st.sampled_from([*ENGLISH, "THE CAT", "  ", "\n", "%s"]), max_size=7),
    search=st.sampled_from([Greedy(), Beam(beam_size=2, n_best=2)]),
    protect=st.booleans(),
)
def test_as_many_translations_as_requests_in_their_order(
    translator: Translator, texts: list[str], search: SearchConfig, protect: bool
) -> None:
    """And each as if it had come alone."""
    care = Care(protect=protect)
    found = translator.translate_detailed(texts, "de", search=search, care=care)
    assert [one.source for one in found] == texts
    for text, one in zip(texts[:2], found, strict=False):
        [alone] = translator.translate_detailed([text], "de", search=search, care=care)
        assert (alone.text, alone.flags) == (one.text, one.flags)


# One translation, as it grows


def test_partial_ends_with_the_translation(translator: Translator) -> None:
    for text in ENGLISH:
        [*growing, last] = translator.partial(text, "de", search=Greedy(), split_above=1)
        assert (
            last == translator.translate_detailed([text], "de", search=Greedy(), split_above=1)[0]
        )
        beginnings = [one for one in growing if isinstance(one, str)]
        assert len(beginnings) == len(growing)
        assert bool(beginnings) == bool(text)
        if text.count(".") < 2:
            for one, later in pairwise(beginnings):
                assert later.startswith(one.rstrip("�"))


def test_what_goes_wrong_is_raised_where_it_is_read(translator: Translator) -> None:
    with pytest.raises(SettingError, match="is empty"):
        list(translator.partial(Request("The dog", never=("",)), "de"))


def test_partial_may_be_left_before_its_end(translator: Translator) -> None:
    """The thread ends, and the translator goes on as if nothing had been."""

    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "partial"]

    expected = translator.translate(ENGLISH[:1], "de")
    growing = translator.partial(ENGLISH[0], "de")
    assert isinstance(next(growing), str)
    growing.close()  # type: ignore[attr-defined]
    for thread in threads():
        thread.join(60)
        assert not thread.is_alive()
    [*_, last] = translator.partial(ENGLISH[0], "de")
    assert isinstance(last, Translation)
    assert [last.text] == expected


# Other ways to go on


@pytest.mark.parametrize("prefix", ["", "Der", "Der Hund ", "Ein kleiner"])
def test_alternatives_differ_after_what_stays(translator: Translator, prefix: str) -> None:
    found = translator.alternatives(ENGLISH[0], prefix, "de", count=4)
    assert len(found) == 4
    rests = [squeezed(one.text).removeprefix(prefix.rstrip()) for one in found]
    assert all(squeezed(one.text).startswith(prefix.rstrip()) for one in found)
    assert len(set(rests)) == 4
    [first, *_] = found
    [best] = translator.translate_detailed(
        [Request(ENGLISH[0], prefix=f"{prefix.rstrip()} ")], "de", search=Greedy()
    )
    assert first.text == best.text
    assert first.log_prob == pytest.approx(best.hypotheses[0].log_prob, abs=1e-3)


def test_who_has_left_is_not_translated_anew(
    translator: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are words linked for them; the others get what they get alone."""
    decode, searched, linked = translator._engine.decode, list[int](), list[str]()
    clients = set[Client]()

    def counted(sources: Sequence[Sequence[int]], *given: Any, **named: Any) -> Any:
        found = decode(sources, *given, **named)
        searched.append(len(sources))
        clients.update(named["clients"])
        leaving.leave()
        return found

    def links(model: Any, tokenizer: Any, pairs: Sequence[tuple[str, str]], to: Any) -> Any:
        linked.extend(source for source, _ in pairs)
        return [[] for _ in pairs]

    monkeypatch.setattr(translator._engine, "decode", counted)
    monkeypatch.setattr(pipeline, "word_links", links)
    losing = 'Open %PRODUCTNAME and click <a href="x">here</a>'

    def asked(*requests: Request) -> list[Translation]:
        searched.clear()
        linked.clear()
        how = {"care": Care(protect=True), "align": True, "search": Greedy()}
        return translator.translate_detailed(requests, "de", **how)  # type: ignore[arg-type]

    leaving, stays = Client(), Client()
    [alone] = asked(Request(ENGLISH[0]))
    assert searched == [1]
    clients.clear()
    asked(Request(losing, client=stays))
    assert len(searched) > 1, "else this tests nothing"
    assert clients == {stays}
    leaving = Client()
    first, second = asked(Request(losing, client=leaving), Request(ENGLISH[0]))
    assert searched == [2]
    assert linked == [ENGLISH[0]]
    assert second == alone
    first, second = asked(Request(losing, client=leaving), Request(ENGLISH[0]))
    assert (first.text, second) == ("", alone)


def test_confidence_is_of_what_was_searched_for(translator: Translator) -> None:
    quiet, loud = "The dog sleeps in the house.", "THE DOG SLEEPS IN THE HOUSE."
    found = translator.translate_detailed([quiet, loud, "…"], "de", confidence=True)
    assert found[0].text.upper() == found[1].text
    assert found[0].confidence == pytest.approx(found[1].confidence)
    kept = translator.translate_detailed([" "], "de", confidence=True)
    assert kept[0].confidence is None
    [candidate] = found[0].hypotheses[:1]
    assert candidate.pieces == len(translator.tokenizer.encode_target([found[0].text])[0])
    [mean] = translator.mean_log_probs(found[:1])
    assert mean == candidate.log_prob / candidate.pieces


def test_words_that_must_appear_are_looked_for_by_a_beam_where_samples_are_asked_for(
    translator: Translator,
) -> None:
    for search in (Sample(count=2), MinimumBayesRisk(count=3)):
        request = Request("The dog sleeps.", must=(("Köter",),))
        [found] = translator.translate_detailed([request], "de", search=search)
        assert "Köter" in found.text


def test_a_tag_is_not_torn_where_a_text_is_cut(translator: Translator) -> None:
    tag = '<img src="a.png" alt="A dog sleeps. A cat eats." title="My dog. My cat.">'
    text = f"{tag} The cat is very hungry and wants to eat now. The dog sleeps in the garden."
    [found] = translator.translate_detailed(
        [text], "de", care=Care(protect=True), split_above=20, search=Greedy()
    )
    assert tag in found.text
    assert {"protected", "split"} <= {*found.flags}


def test_a_glossary_is_looked_over_before_anything_is_translated(translator: Translator) -> None:
    translator.check_glossary(Glossary([Term("dog", ("Köter", "猫"))]))
    with pytest.raises(
        SettingError, match=r'the term "cat": "xxx.* has 201 characters and 200 are'
    ):
        translator.check_glossary(Glossary([Term("dog", ("y",)), Term("cat", ("x" * 201,))]))
