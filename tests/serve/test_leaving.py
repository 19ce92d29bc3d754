"""A thousand clients leave as they like while a real model translates: `heedful.search.leaving`.

The clock is the model's: in each of its steps some clients leave, before the step is computed.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from heedful.decode import engine as decoding
from heedful.decode.quantize import Precision
from heedful.flowing import Feed
from heedful.model_folder import LoadedModel
from heedful.model_header import Languages
from heedful.models.transformer import TransformerConfig
from heedful.request import Request
from heedful.search import Beam, Client, Greedy
from heedful.search.beam import BeamSearch
from heedful.search.single import _EachItsOwn
from heedful.serve.batcher import How
from heedful.serve.limits import ServerLimits
from heedful.serve.translating import TranslatorEngine
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.translation import Translation
from heedful.translator import Translator
from tests.serve.serving import JSON, Answer, asking, run

WORDS = ["good", "morning", "my", "friend", "how", "are", "you", "the", "house", "is", "small"]


def translator_of(precision: Precision, languages: Languages | None = None) -> Translator:
    """Return a translator that has learnt nothing."""
    torch.manual_seed(7)
    pairs = [(" ".join(WORDS), "guten Morgen mein Freund wie geht es dir das Haus ist klein")] * 4
    tokenizer = Tokenizer.train(lambda: pairs, BPE(vocabulary_size=290))
    config = TransformerConfig(
        d_model=16, d_ff=32, n_heads=2, encoder_layers=1, decoder_layers=1, max_length=24
    )
    model = config.build(tokenizer.source_size, tokenizer.target_size).eval()
    return Translator(LoadedModel(model, tokenizer, languages or Languages()), "cpu", precision)


def texts_of(clients: int) -> dict[str, int]:
    """Return a text for each client, with the client's number."""
    draw, found = random.Random(2), dict[str, int]()
    while len(found) < clients:
        found.setdefault(" ".join(draw.choices(WORDS, k=draw.randint(2, 9))), len(found))
    return found


@dataclass
class World:
    """Clients that ask, and in each of the model's steps some that leave."""

    draw: random.Random
    texts: dict[str, int]
    begun: bool = False
    """Whether all have asked."""
    left: Counter[Client] = field(default_factory=Counter)
    """In how many steps each has been after having left."""
    numbers: dict[Client, int] = field(default_factory=dict)
    """Whose texts the model has been given."""
    asked: "list[asyncio.Task[Answer]]" = field(default_factory=list)
    gone: list[asyncio.Event] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop | None = None
    """None: nobody leaves."""
    pending: Callable[[], int] = lambda: 0

    def tick(self, clients: Sequence[Client]) -> None:
        """Let some leave: in the model's thread, which waits until the event loop knows it."""
        if self.loop is not None:
            clients = list(dict.fromkeys(clients))
            going = [self.numbers[one] for one in clients]
            asyncio.run_coroutine_threadsafe(self._some_leave(going), self.loop).result()
            for one in clients:  # of another thread's some may have left before this one looked
                if one in self.left:
                    self.left[one] += 1

    async def _some_leave(self, going: Sequence[int]) -> None:
        """Let some leave whose texts are in this step, and some others."""
        draw = self.draw
        while not self.begun:
            await asyncio.sleep(0)
            self.begun = self.begun or self.pending() == len(self.asked)
        leaving = [number for number in going if draw.random() < 0.05]
        leaving += draw.sample(range(len(self.asked)), draw.randrange(2))
        for number in leaving:
            if not self.asked[number].done():
                self.gone[number].set()
                await asyncio.wait([self.asked[number]])


class WorldEngine(TranslatorEngine):
    """Tells the world whose texts it is given."""

    def __init__(self, translator: Translator, world: World) -> None:
        super().__init__(translator)
        self.world, self.open = world, asyncio.Event()

    def translate(self, requests: Sequence[Request], how: How) -> list[Translation]:
        self.know(requests)
        return super().translate(requests, how)

    def flow(self, how: How, feed: Feed) -> None:
        super().flow(how, Overheard(self, feed))

    def know(self, requests: Sequence[Request]) -> None:
        self.world.numbers |= {one.client: self.world.texts[one.text] for one in requests}


@dataclass
class Overheard:
    """A feed whose requests the engine learns of."""

    engine: WorldEngine
    feed: Feed

    def more(self, free: int) -> Sequence[Request]:
        requests = self.feed.more(free)
        self.engine.know(requests)
        return requests

    def done(self, number: int, translation: Translation) -> None:
        self.feed.done(number, translation)


def watched(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every step of a search tell the world whose sentences are in it."""
    for search in (_EachItsOwn, BeamSearch):
        real = search.grow

        def grow(self: Any, course: Any, growing: Any, real: Any = real) -> Any:
            world.tick([course._clients[number] for number in growing.sentences.tolist()])
            return real(self, course, growing)

        monkeypatch.setattr(search, "grow", grow)
    leave = Client.leave

    def leaves(self: Client) -> None:
        leave(self)
        world.left[self] = 0

    monkeypatch.setattr(Client, "leave", leaves)


@pytest.mark.parametrize(("way", "clients"), [("fused", 1000), ("eager", 200)])
@pytest.mark.parametrize("beam", [1, 4])
def test_a_thousand_clients_leave_as_they_like(
    way: str, clients: int, beam: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is in one more step at most; of the others, no bit of an answer is another."""
    monkeypatch.setattr(decoding, "fusible", lambda *_: way == "fused")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    translator = translator_of("int8" if way == "fused" else "float32")
    translator.settle()
    world = World(random.Random(beam), texts_of(clients))
    search = Greedy() if beam == 1 else Beam(beam_size=beam)
    limits = ServerLimits(
        queue=clients, queue_tokens=10**6, batch_tokens=1_500 * beam, request_seconds=3_600
    )
    expected = translator.translate_detailed(list(world.texts), search=search)
    watched(world, monkeypatch)

    async def scenario() -> None:
        served = WorldEngine(translator, world)
        async with asking(served, limits, ways=(("", ""),)) as client:  # type: ignore[arg-type]
            world.gone = [asyncio.Event() for _ in world.texts]
            world.asked = [
                asyncio.create_task(ask(client, text, gone, beam))
                for text, gone in zip(world.texts, world.gone, strict=True)
            ]
            batcher = client._service._models.loaded[0].batcher
            world.pending, world.loop = lambda: batcher.pending, asyncio.get_running_loop()
            answers = await asyncio.gather(*world.asked)
            world.loop = None
            told = (await client.ask("GET", "/metrics")).body.decode()
            assert 'heed_pending_requests{model="fake"} 0.0' in told
            for answer, gone, one in zip(answers, world.gone, expected, strict=True):
                if gone.is_set():
                    assert answer.status == 0
                    continue
                assert answer.status == 200, answer.json
                [found] = answer.json["translations"]
                assert found["text"] == one.text
                if way == "fused":
                    assert found["alternatives"][0]["score"] == one.hypotheses[0].score

    run(scenario, seconds=600)
    assert max(world.left.values()) <= 1
    stayed = sum(not gone.is_set() for gone in world.gone)
    assert clients / 10 < stayed < clients * 0.9
    assert len(world.numbers.keys() & world.left) > clients / 8, "many in the middle of it"


def ask(client: Any, text: str, gone: asyncio.Event, beam: int) -> Coroutine[Any, Any, Answer]:
    """Ask for a translation, unless somebody leaves before it is there."""
    body = json.dumps({"texts": [text], "beam": beam}).encode()
    return client.ask("POST", "/v1/translate", body, JSON, gone=gone)
