"""Who only translates is never answered by a model that somebody else is changing.

The engine asks the very modules that edits replace: the eager way in float32, which is taken until
the kernels are there and where they never come.
"""

import asyncio
import random
import sys

import pytest

from heedful.decode import engine as decoding
from heedful.inspect.names import modules
from heedful.playground.handlers import Played, Playground
from heedful.serve.limits import ServerLimits
from heedful.translator import load
from tests.playground.playing import events_of, playing, whole
from tests.serve.serving import run

TEXTS = ["The cat sleeps.", "Where is the station?", "She reads a book.", "I am tired."]


def test_edits_reach_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "ready", lambda **_: False)
    own = load(device="cpu", precision="float32")
    assert own._engine._in_precision()[0] is own.model
    expected = dict(zip(TEXTS, own.translate(TEXTS, "de"), strict=True))
    play = Playground([Played("everyday", own, own.folder)], ServerLimits())
    draw = random.Random(3)
    edits = [
        {"ablate": ["cross.0", "cross.1"], "how": "zero"},
        {"ablate": ["encoder.3"], "how": "uniform"},
        {"ablate": ["cross.1.2"], "replace": {"cat": "dog"}},
    ]

    async def scenario() -> None:
        async with playing(play) as client:
            begun = await client.post("/api/trace", {"text": "The cat ate the fish.", "to": "de"})
            number = whole(events_of(begun))["id"]
            first = [await client.post("/api/what_if", {"id": number, **one}) for one in edits]
            told = [(one.json["after"], one.json["lost"]) for one in first]
            assert all(abs(lost) > 0.01 for _, lost in told)

            async def translating() -> None:
                for _ in range(5):
                    text = draw.choice(TEXTS)
                    answer = await client.post("/v1/translate", {"texts": [text], "to": "de"})
                    assert answer.json["translations"][0]["text"] == expected[text]
                    await asyncio.sleep(draw.random() / 200)

            async def changing() -> None:
                for _ in range(2):
                    at = draw.randrange(len(edits))
                    answer = await client.post("/api/what_if", {"id": number, **edits[at]})
                    assert answer.json["after"] == told[at][0]
                    assert answer.json["lost"] == pytest.approx(told[at][1], abs=1e-4)
                    kind = {"id": number, "step": 2}
                    assert (await client.post("/api/importance", kind)).status == 200
                    assert (await client.post("/api/attribute", kind)).status == 200

            await asyncio.gather(*[translating() for _ in range(3)], changing(), changing())
            assert not any("look" in vars(module) for _, _, module in modules(own.model))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads take turns as often as they can
    try:
        run(scenario, 120)
    finally:
        sys.setswitchinterval(interval)
