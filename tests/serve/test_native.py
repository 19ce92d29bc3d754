"""The native API over ASGI: what it answers, what it refuses, what it streams."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from heedful.request import Request
from heedful.search import Beam, Greedy
from heedful.serve.batcher import How
from heedful.serve.limits import ServerLimits
from heedful.serve.models import Model, Models
from heedful.serve.refusal import RefusalError
from heedful.translation import Candidate, Translation
from tests.serve.serving import JSON, WAYS, FakeEngine, asking, open_engine, run, until


def test_texts_are_translated_in_their_order() -> None:
    async def scenario() -> None:
        async with asking() as client:
            answer = await client.post(
                "/v1/translate", {"texts": ["a", "", "猫"], "from": "en", "to": "de"}
            )
            assert answer.status == 200
            told = answer.json
            assert [one["text"] for one in told["translations"]] == ["de:a", "de:", "de:猫"]
            assert (told["model"], told["to"]) == ("fake", "de")

    run(scenario)


def test_alternatives_come_best_first() -> None:
    async def scenario() -> None:
        async with asking() as client:
            answer = await client.post(
                "/v1/translate", {"texts": ["a"], "to": "de", "alternatives": 6}
            )
            [told] = answer.json["translations"]
            assert [one["text"] for one in told["alternatives"]][:2] == ["de:a", "de:a (2)"]
            assert len(told["alternatives"]) == 6

    run(scenario)


def test_what_is_asked_reaches_the_model() -> None:
    class Listening(FakeEngine):
        def translate(self, requests, how):  # type: ignore[no-untyped-def]
            heard.append((requests[0], how))
            return super().translate(requests, how)

    heard: list[tuple[Any, How]] = []

    async def scenario() -> None:
        engine = Listening()
        engine.open.set()
        async with asking(engine) as client:
            asked = {
                "texts": ["a cat"],
                "to": "de",
                "beam": 8,
                "length_penalty": 1.5,
                "glossary": {"cat ": ["Katze", "Kater"]},
                "must": [["Hund", "Hunde"], ["Haus"]],
                "never": ["Maus"],
                "prefix": "Ein ",
                "protect": True,
                "confidence": True,
            }
            assert (await client.post("/v1/translate", asked)).status == 200
            await client.post("/v1/translate", {"texts": ["b"], "to": "de", "beam": 1})
        (request, how), (_, greedy) = heard
        assert (request.must, request.never, request.prefix) == (
            (("Hund", "Hunde"), ("Haus",)),
            ("Maus",),
            "Ein ",
        )
        assert how.search == Beam(beam_size=8, length_penalty=1.5)
        assert [tuple(term) for term in how.terms] == [("cat", ("Katze", "Kater"))]
        assert how.care.protect
        assert how.confidence
        assert greedy.search == Greedy()

    run(scenario)


@pytest.mark.parametrize("most", [1, 2])
def test_whoever_asks_for_no_beam_gets_what_is_allowed(most: int) -> None:
    class Listening(FakeEngine):
        def translate(self, requests, how: How):  # type: ignore[no-untyped-def]
            heard.append(how.search.beam_size if isinstance(how.search, Beam) else 1)
            return super().translate(requests, how)

    heard: list[int] = []

    async def scenario() -> None:
        engine = Listening()
        engine.open.set()
        async with asking(engine, ServerLimits(beam=most)) as client:
            asked: dict[str, Any] = {"texts": ["a"], "to": "de"}
            assert (await client.post("/v1/translate", asked)).status == 200
            answer = await client.post("/v1/translate", asked | {"alternatives": 3})
            assert answer.json["error"] == f"alternatives: 3 were given and {most} are allowed"
            document = {"content-type": "text/html"}
            answer = await client.ask("POST", "/v1/documents?to=de", b"<p>a</p>", document)
            assert answer.status == 200
            asked = {"q": "a", "source": "en", "target": "de"}
            for more in {}, {"format": "html"}, {"alternatives": most - 1}:
                assert (await client.post("/translate", asked | more)).status == 200
            answer = await client.post("/translate", asked | {"alternatives": most})
            assert "alternatives parameter must be <=" in answer.json["error"]

    run(scenario)
    assert set(heard) == {most}


@pytest.mark.parametrize(
    ("asked", "status", "sentence"),
    [
        ({"texts": ["a"], "to": "fr"}, 400, 'no model here translates to "fr"; loaded are: en to'),
        ({"texts": ["a"], "from": "de", "to": "zh"}, 400, 'from "de" to "zh"'),
        ({"texts": ["a"]}, 400, "the target language is missing; give one of de, en, zh"),
        ({"texts": ["a"], "to": "de", "model": "b\nc"}, 404, r'no model "b\nc" here; known: fake'),
        ({"texts": [], "to": "de"}, 422, "texts: list should have at least 1 item"),
        ({"texts": "a", "to": "de"}, 422, "texts: input should be a valid list"),
        ({"texts": [1], "to": "de"}, 422, "texts.0: input should be a valid string"),
        ({"texts": ["a"] * 4, "to": "de"}, 413, "texts: 4 were given and 3 are allowed"),
        ({"texts": ["a", "b" * 11], "to": "de"}, 413, "characters of text 2: 11 were given and 10"),
        ({"texts": ["a"], "to": "de", "beam": 17}, 422, "beam: 17 were given and 16 are allowed"),
        ({"texts": ["a"], "to": "de", "alternatives": 9}, 422, "alternatives: 9 were given and 8"),
        ({"texts": ["a"], "to": "de", "beam": 2, "alternatives": 3}, 422, "alternatives: 3 were"),
        ({"texts": ["a"], "to": "de", "beam": 0}, 422, "beam: input should be greater than"),
        ({"texts": ["a"], "to": "de", "beam": 10**400}, 422, "beam: "),
        ({"texts": ["a"], "to": "de", "never": ["x"] * 17}, 422, "words in must and never: 17"),
        ({"texts": ["a"], "to": "de", "never": [" "]}, 422, "never.0: string should match"),
        ({"texts": ["a"], "to": "de", "glossary": {"a": []}}, 422, "glossary"),
        ({"texts": ["a"], "to": "de", "secret": "<x>"}, 422, "the body: extra inputs"),
        (["a"], 422, "the body: input should be a valid"),
        (None, 422, "the body: "),
    ],
    ids=str,
)
def test_refused_with_a_sentence(asked: Any, status: int, sentence: str) -> None:
    async def scenario() -> None:
        async with asking(limits=ServerLimits(texts=3, characters=10)) as client:
            answer = await client.post("/v1/translate", asked)
            assert answer.status == status, answer.body
            assert list(answer.json) == ["error"]
            assert sentence in answer.json["error"]
            assert "<x>" not in answer.json["error"]

    run(scenario)


def test_a_full_server_says_when_to_come_again_and_stays_healthy() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with asking(engine, ServerLimits(queue=4, retry_seconds=3)) as client:
            asked = {"texts": ["a"], "to": "de"}
            tasks = [asyncio.create_task(client.post("/v1/translate", asked)) for _ in range(16)]
            started = asyncio.get_running_loop().time()
            await until(lambda: sum(task.done() for task in tasks) == 12)
            health = await client.ask("GET", "/health")
            assert asyncio.get_running_loop().time() - started < 30
            assert (health.status, health.json) == (200, {"status": "ok"})
            engine.open.set()
            answers = await asyncio.gather(*tasks)
            refused = [one for one in answers if one.status == 429]
            assert len(refused) == 12
            assert {one.headers["retry-after"] for one in refused} == {"3"}
            assert sum(one.status == 200 for one in answers) == 4

    run(scenario)


def test_answers_are_never_crossed() -> None:
    async def client_of(client: Any, number: int) -> None:
        for turn in range(10):
            to = "de" if (number + turn) % 3 else "zh"
            texts = [f"nonce {number} {turn} {n}" for n in range(1 + number % 4)]
            answer = await client.post("/v1/translate", {"texts": texts, "from": "en", "to": to})
            told = [one["text"] for one in answer.json["translations"]]
            assert told == [f"{to}:{text}" for text in texts]

    async def scenario() -> None:
        engine = open_engine()
        async with asking(engine, ServerLimits(batch_tokens=400)) as client:
            await asyncio.gather(*(client_of(client, number) for number in range(64)))
            assert len(engine.batches) < 640, "they shared batches"

    run(scenario)


def test_a_client_that_goes_away_leaves_the_queue() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with asking(engine) as client:
            body, gone = json.dumps({"texts": ["a"], "to": "de"}).encode(), asyncio.Event()
            first = asyncio.create_task(client.post("/v1/translate", {"texts": ["b"], "to": "de"}))
            await until(engine.begun.is_set)
            asks = client.ask("POST", "/v1/translate", body, JSON, gone)
            second = asyncio.create_task(asks)
            health = (await client.ask("GET", "/metrics")).body
            await until(lambda: not second.done())
            gone.set()
            assert (await second).status == 0, "there is nobody to answer"
            engine.open.set()
            assert (await first).status == 200
            assert engine.batches == [["b"]]
            assert b"heed_pending_requests" in health
            counted = (await client.ask("GET", "/metrics")).body
            assert b'heed_pending_requests{model="fake"} 0.0' in counted

    run(scenario)


def test_a_long_text_is_streamed_by_sentences() -> None:
    async def scenario() -> None:
        async with asking() as client:
            text = "Good morning. How are you?\n\nFine."
            answer = await client.post("/v1/translate/stream", {"text": text, "to": "de"})
            assert answer.headers["content-type"] == "application/x-ndjson"
            *lines, last = [json.loads(line) for line in answer.body.splitlines()]
            assert "".join(line["source"] for line in lines) == text
            assert [line["text"] for line in lines] == [
                "de:Good morning. ",
                "de:How are you?\n\n",
                "de:Fine.",
            ]
            assert last == {"done": True, "text": "".join(line["text"] for line in lines)}

    run(scenario)


def test_a_stream_has_spaces_where_the_language_has_them() -> None:
    """Chinese has none between its sentences; what is read from it has."""

    async def scenario() -> None:
        text = "你好。“今天天气很好！”\n走吧。"
        for to, gap in (("en", " "), ("ja", "")):
            asked = {"text": text, "from": "zh", "to": to}
            async with asking(Speaking(to), ways=(("zh", to),)) as client:
                answer = await client.post("/v1/translate/stream", asked)
            *lines, last = [json.loads(line) for line in answer.body.splitlines()]
            assert "".join(line["source"] for line in lines) == text
            said = [SPOKEN[to] + gap, SPOKEN[to] + "\n", SPOKEN[to]]
            assert [line["text"] for line in lines] == said
            assert last == {"done": True, "text": "".join(said)}

    run(scenario)


SPOKEN = {"en": "Hello.", "ja": "こんにちは。"}


class Speaking(FakeEngine):
    """Says the same of everything."""

    def __init__(self, to: str) -> None:
        super().__init__()
        self.open.set()
        self._said = SPOKEN[to]

    def translate(self, requests: Sequence[Request], how: How) -> list[Translation]:
        candidates = (Candidate(self._said, 0.0, 0.0),)
        return [Translation(one.text, self._said, candidates) for one in requests]


def test_a_stream_has_an_end_of_a_line_after_each_part_alone() -> None:
    async def scenario() -> None:
        async with asking() as client:
            text = "one\u2028two\u2029three\x85four\x0bfive 猫"
            answer = await client.post("/v1/translate/stream", {"text": text, "to": "de"})
            lines = answer.body.decode().splitlines()  # as httpx and requests part them
            found = [json.loads(line) for line in lines]
            assert "".join(one["source"] for one in found[:-1]) == text
            assert found[-1]["done"]
            assert "猫" in lines[-1]

    run(scenario)


def test_a_stream_of_nothing_ends() -> None:
    async def scenario() -> None:
        async with asking() as client:
            answer = await client.post("/v1/translate/stream", {"text": "", "to": "de"})
            assert answer.json == {"done": True, "text": ""}

    run(scenario)


def test_a_stream_says_when_it_fails_on_the_way() -> None:
    async def scenario() -> None:
        engine = open_engine()
        async with asking(engine, ServerLimits(batch_tokens=1)) as client:
            refused = await client.post("/v1/translate/stream", {"text": "A.", "to": "fr"})
            assert refused.status == 400

            class Twice(list[BaseException]):
                def __bool__(self) -> bool:
                    return len(engine.batches) == 2

            engine.fails = Twice([RuntimeError("secret")])
            answer = await client.post("/v1/translate/stream", {"text": "One. Two.", "to": "de"})
            first, last = [json.loads(line) for line in answer.body.splitlines()]
            assert first["text"] == "de:One. "
            assert last == {"error": "the model failed on this request; try again later"}

    run(scenario)


def test_models_and_limits_are_told() -> None:
    async def scenario() -> None:
        async with asking(missing=["lost"]) as client:
            told = (await client.ask("GET", "/v1/models")).json
            assert told["models"] == [
                {
                    "name": "fake",
                    "ready": True,
                    "ways": [list(way) for way in WAYS],
                    "languages": [],
                    "writes": False,
                }
            ]
            assert told["missing"] == ["lost"]
            assert told["limits"]["texts"] == 128

    run(scenario)


def test_many_languages_are_told_once() -> None:
    """NLLB's 202 are 40,602 pairs."""
    codes = [f"l{number}" for number in range(202)]
    ways = tuple((a, b) for a in codes for b in codes if a != b)

    async def scenario() -> None:
        async with asking(ways=ways) as client:
            answer = await client.ask("GET", "/v1/models")
            [told] = answer.json["models"]
            assert (told["languages"], told["ways"]) == (codes, [])
            assert len(answer.body) < 10_000
        async with asking(ways=ways[1:]) as client:
            [told] = (await client.ask("GET", "/v1/models")).json["models"]
            assert (len(told["ways"]), told["languages"]) == (40_601, [])

    run(scenario)


def test_languages_are_detected() -> None:
    async def scenario() -> None:
        async with asking() as client:
            texts = ["Good morning, my friend", "Guten Morgen, mein Freund", "早上好"]
            told = (await client.post("/v1/detect", {"texts": texts})).json
            assert [one[0]["language"] for one in told] == ["en", "de", "zh"]
            assert all(sum(x["probability"] for x in one) == pytest.approx(1) for one in told)

    run(scenario)


def model(name: str, *ways: tuple[str, str]) -> Model:
    return Model(name, ways, None)  # type: ignore[arg-type]


def test_the_first_model_that_fits_is_found() -> None:
    models = Models([model("a", ("en", "de")), model("b", ("de", "en"), ("en", "de"))])
    assert models.find("en")[0].name == "b"
    assert models.find("de")[1:] == (None, "de")
    assert models.find(name="a")[1:] == (None, "de")
    assert models.find("de", "en", "b").model.name == "b"
    assert models.ways == (("en", "de"), ("de", "en"))


def test_many_pairs_are_counted_where_few_are_named() -> None:
    few = Models([model("a", ("en", "de"), ("de", "en"))])
    assert few.pairs() == "en to de, de to en"
    codes = [f"{a}{b}" for a in "abcd" for b in "abc"]
    many = Models([model("a", *((a, b) for a in codes for b in codes if a != b))])
    assert many.pairs() == "132 pairs, from 12 languages to 12 (GET /languages lists them)"


def test_a_model_without_names_of_languages_translates() -> None:
    models = Models([model("a", ("", ""))])
    assert models.find()[1:] == (None, None)
    with pytest.raises(RefusalError, match="the models loaded do not name theirs"):
        models.find("de")
