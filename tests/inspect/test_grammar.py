"""The relations of the plain sentences, against a parser for just these sentences."""

import pytest

from heedful.inspect.heads.grammar import RELATIONS, Labelled, labelled

VERBS = {"ate", "drank", "crossed", "carried"}
ADVERBS = {"often", "almost", "never"}
ADJECTIVES = {"old", "small", "big", "brown"}


def parsed(one: Labelled) -> dict[tuple[str, str], set[tuple[int, int]]]:
    """Find the relations of an English sentence by its words."""
    words = [word.lower() for word in one.words]
    [verb] = [n for n, word in enumerate(words) if word in VERBS]
    nouns = [
        n for n, word in enumerate(words) if word not in {*VERBS, *ADVERBS, *ADJECTIVES, "the", "."}
    ]
    subject, object_ = nouns
    assert subject < verb < object_
    found = {name: set() for name in RELATIONS}
    found["verb", "subject"] = {(verb, subject)}
    found["subject", "verb"] = {(subject, verb)}
    found["verb", "object"] = {(verb, object_)}
    found["object", "verb"] = {(object_, verb)}
    for place, word in enumerate(words):
        noun = next((n for n in nouns if n > place), None)
        if word in ADJECTIVES:
            found["adjective", "noun"].add((place, noun))
        if word == "the":
            found["determiner", "noun"].add((place, noun))
            found["noun", "determiner"].add((noun, place))
    return found


def test_english_relations() -> None:
    sentences = labelled("en")
    assert len({one.text for one in sentences}) == 200
    for one in sentences:
        assert {name: set(edges) for name, edges in one.edges.items()} == parsed(one)


def test_chinese_relations() -> None:
    for one in labelled("zh"):
        assert one.text == "".join(one.words)
        [(verb, subject)] = one.edges["verb", "subject"]
        [(again, object_)] = one.edges["verb", "object"]
        assert verb == again
        assert subject < verb < object_ == len(one.words) - 2
        assert not one.edges["determiner", "noun"]
        assert all(one.words[noun] in one.text for _, noun in one.edges["adjective", "noun"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_offset_finds_them_all(language: str) -> None:
    for name in RELATIONS:
        offsets = [b - a for one in labelled(language) for a, b in one.edges[name]]
        best = max((offsets.count(offset) for offset in set(offsets)), default=0)
        assert best <= 0.8 * len(offsets)
