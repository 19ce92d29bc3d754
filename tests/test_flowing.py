"""Requests let in while others are translated give what they give all at once."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from heedful import flowing
from heedful.request import Request
from heedful.search import Beam, Client, Greedy, SearchConfig
from heedful.translation import Translation
from heedful.translator import Translator
from tests.serve.test_leaving import WORDS, translator_of


@pytest.fixture(scope="module")
def translator() -> Translator:
    found = translator_of("int8")
    found.settle()
    found.translate(["x"])
    assert found.flows
    return found


@dataclass
class Coming:
    """Requests that come a few at a time."""

    requests: Sequence[Request]
    draw: random.Random
    found: dict[int, Translation] = field(default_factory=dict)
    come: int = 0

    def more(self, free: int) -> Sequence[Request]:
        most = min(free, self.draw.randint(0, 3) or (self.come == len(self.found)))
        some = self.requests[self.come : self.come + most]
        self.come += len(some)
        return some

    def done(self, number: int, translation: Translation) -> None:
        assert number not in self.found
        self.found[number] = translation


def requests_of(count: int) -> list[Request]:
    """Return requests: blank ones, several sentences, and some longer than the model can take."""
    draw = random.Random(2)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 40))) for _ in range(count)]
    texts[3], texts[4], texts[9] = "", " \n ", "Good morning. How are you?\n\nMy HOUSE IS SMALL! "
    return [Request(text) for text in texts]


@pytest.mark.parametrize("search", [Greedy(max_extra=5), Beam(n_best=2, max_extra=5)])
@pytest.mark.parametrize("most", [5, 4096])
def test_the_same_translations(
    translator: Translator, search: SearchConfig, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many go in one run."""
    monkeypatch.setattr(flowing, "MOST", most)
    requests, draw, runs = requests_of(40), random.Random(1), 0
    found: list[Translation] = []
    while len(found) < len(requests):
        coming = Coming(requests[len(found) :], draw)
        translator.flow(coming, search=search)
        assert len(coming.found) == coming.come <= most, "whatever has begun has ended"
        found += [coming.found[number] for number in range(coming.come)]
        runs += 1
    assert found == translator.translate_detailed(requests, search=search)
    assert runs >= len(requests) / most


def test_who_has_left_is_not_begun_with(translator: Translator) -> None:
    client = Client()
    client.leave()
    requests = [Request(one.text, client=client) for one in requests_of(20)]
    coming = Coming([*requests, Request("the house")], random.Random(1))
    translator.flow(coming, search=Greedy(max_extra=5))
    assert sorted(coming.found) == list(range(21)), "all are told of"
    alone = translator.translate_detailed(["the house"], search=Greedy(max_extra=5))
    assert [coming.found[20]] == alone
