"""64 clients ask a real model for all kinds of things at once; each gets what it gets alone."""

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import pytest

from heedful.model_header import Languages
from heedful.request import Request
from heedful.search import Beam, Greedy
from heedful.serve.limits import ServerLimits
from heedful.serve.translating import TranslatorEngine
from heedful.translator import Translator
from tests.serve.serving import Client, asking, run
from tests.serve.test_leaving import WORDS, translator_of

CLIENTS = 64
SEARCHES = {1: Greedy(), 2: Beam(beam_size=2), 4: Beam()}


class RealEngine(TranslatorEngine):
    """Two lanes, however many cores there are."""

    def __init__(self, translator: Translator) -> None:
        super().__init__(translator)
        self.lanes, self.open = 2, asyncio.Event()


@dataclass
class Asked:
    """One request, and what it would get alone."""

    path: str
    body: dict[str, Any]
    said: list[str]

    def heard(self, answer: Any) -> list[str]:
        """Return what was answered."""
        if self.path == "/translate":
            return list(answer["translatedText"])
        return [one["text"] for one in answer["translations"]]


def made_up(draw: random.Random, translator: Translator) -> Asked:
    """Return a request: some have several texts, some wishes, some are LibreTranslate's."""
    count = draw.choice([1, 1, 1, 1, 7])
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 14))) for _ in range(count)]
    beam, never = draw.choice(list(SEARCHES)), draw.choice([(), (), (), ("Haus",)])
    path = draw.choice(["/v1/translate", "/v1/translate", "/translate"])
    body: dict[str, Any] = {"q": texts, "source": "en", "target": "de"}
    if path == "/translate":
        beam, never = 4, ()
    else:
        body = {"texts": texts, "beam": beam, "never": list(never), "to": "de"}
    requests = [Request(text, never=never) for text in texts]
    found = [translator.translate([one], search=SEARCHES[beam])[0] for one in requests]
    return Asked(path, body, found)


def loaded(turns: int) -> None:
    """Let every client ask so often."""
    translator = translator_of("int8", Languages(source="en", target="de"))
    translator.settle()
    draw = random.Random(turns)
    requests = [made_up(draw, translator) for _ in range(CLIENTS * 2)]

    async def client_of(client: Client, number: int) -> None:
        order = random.Random(number)
        for _ in range(turns):
            one = order.choice(requests)
            answer = await client.post(one.path, one.body)
            assert answer.status == 200, answer.body
            assert one.heard(answer.json) == one.said

    async def scenario() -> None:
        engine, limits = RealEngine(translator), ServerLimits(batch_tokens=2_000)
        async with asking(engine, limits, ways=(("en", "de"),)) as client:  # type: ignore[arg-type]
            await asyncio.gather(*(client_of(client, number) for number in range(CLIENTS)))
            told = (await client.ask("GET", "/metrics")).body.decode()
            assert 'heed_pending_requests{model="fake"} 0.0' in told

    run(scenario, seconds=3_000)


def test_each_gets_what_it_would_get_alone() -> None:
    loaded(3)


@pytest.mark.slow
def test_each_gets_what_it_would_get_alone_for_long() -> None:
    loaded(300)
