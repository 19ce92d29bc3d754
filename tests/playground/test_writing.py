"""What the page asks of a model that goes on with texts, without a browser or HTTP."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from heedful.errors import SettingError
from heedful.inspect.embedding import embedding
from heedful.inspect.prompted import trace_prompt
from heedful.inspect.wire import to_wire
from heedful.interop.huggingface import load
from heedful.playground.handlers import Played, Playground
from heedful.playground.writing import WriterEngine
from heedful.search import Sample
from heedful.serve.limits import ServerLimits
from heedful.serve.refusal import RefusalError
from heedful.writer import Writer
from tests.interop.folders import GPT2, make_folder
from tests.playground.playing import events_of, playing, whole

PROMPT = "the cat sat on"


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    return load(make_folder(tmp_path_factory.mktemp("writing") / "tiny", GPT2))


@pytest.fixture
def play(writer: Writer) -> Playground:
    return Playground([Played("tiny", writer)], ServerLimits())


def traced(play: Playground, **asked: Any) -> tuple[dict[str, Any], list[str]]:
    """Return what all events make together, and the texts that were shown on the way."""
    events = list(play.ask("trace", {"text": PROMPT} | asked))
    grew = [one["so_far"] for one in events if one["event"] == "writing"]
    return whole([one for one in events if one["event"] != "writing"]), grew


@pytest.mark.parametrize(
    ("asked", "search"),
    [({"most": 5}, None), ({"most": 9, "temperature": 0.8, "seed": 4}, (0.8, 4))],
)
def test_events_are_the_trace_of_python(
    play: Playground, writer: Writer, asked: dict[str, Any], search: tuple[float, int] | None
) -> None:
    found, grew = traced(play, **asked)
    drawn = None if search is None else Sample(temperature=search[0], seed=search[1])
    seen = trace_prompt(writer, PROMPT, most=asked["most"], search=drawn)
    wanted = to_wire(seen, "tiny")
    assert {name: found[name] for name in wanted} == wanted
    assert len(grew) == len(seen.target.ids) - seen.begins
    assert all(b.startswith(a) for a, b in pairwise(grew))
    assert seen.target.text.startswith(grew[-1])


def test_a_text_that_is_given_does_not_grow(play: Playground, writer: Writer) -> None:
    found, grew = traced(play, target=" the mat")
    assert grew == []
    assert found["forced"] is True
    assert found["target"]["text"] == f"{PROMPT} the mat"


def test_questions_about_a_trace(play: Playground, writer: Writer) -> None:
    found, _ = traced(play, most=5)
    seen = trace_prompt(writer, PROMPT, most=5)
    of = {"id": found["id"]}
    row = play.ask("row", of | {"kind": "decoder", "layer": 1, "head": 0, "query": 3})
    assert row["weights"] == seen.attention("decoder", 1, 0)[3].tolist()
    changed = play.ask("what_if", of | {"ablate": ["decoder.0.1"]})
    wanted = seen.what_if(ablate=["decoder.0.1"])
    assert (changed["after"], changed["begins"]) == (wanted.after.target.text, seen.begins)
    assert changed["log_probs"] == [list(pair) for pair in wanted.log_probs]
    told = play.ask("evidence", of | {"kind": "decoder", "row": 5, "column": 1})
    assert told["said"] == str(seen.evidence("decoder", 5, 1))
    ranked = play.ask("rank", of | {"step": 2, "piece": "sat"})
    place = writer.vocabulary.encode("sat")[0]
    assert ranked["logp"] == float(seen.log_probs[2, place])
    assert "<title>" in play.ask("export", of)
    with pytest.raises(SettingError, match="no attention"):
        play.ask("row", of | {"kind": "cross", "layer": 0, "head": 0, "query": 0})


def test_pieces_of_a_prompt(play: Playground, writer: Writer) -> None:
    found = play.ask("tokens", {"text": "Zoë ate 猫"})
    ids = writer.vocabulary.encode("Zoë ate 猫")
    assert [one["id"] for one in found["pieces"]] == ids
    assert found["words"] == ["Zoë", "ate", "猫"]
    lone = [one["bytes"] for one in found["pieces"] if one["bytes"]]
    assert bytes.fromhex("".join(lone)).decode() == "猫"
    for one in found["pieces"]:
        assert one["bytes"] or found["text"][one["start"] : one["end"]] == one["s"].replace(
            "▁", " "
        )
    own = play.ask("embedding", {"id": ids[0]})
    assert own["values"] == embedding(writer, "target", ids[0]).vector[:32].tolist()
    assert own["position"]["kind"] == "learned"


@pytest.mark.parametrize("field", ["to", "from", "beam", "length_penalty"])
def test_fields_of_translators_are_refused(play: Playground, field: str) -> None:
    value = 2 if field in ("beam", "length_penalty") else "de"
    with pytest.raises(RefusalError, match=f"{field}: the model goes on with texts"):
        play.ask("trace", {"text": PROMPT, field: value})


def test_the_card(play: Playground) -> None:
    [card] = play.listed()["models"]
    assert (card["writes"], card["ways"], card["card"]["encoder_layers"]) == (True, [], 0)
    assert {one["to"] for one in card["examples"]} == {""}


def test_over_http(writer: Writer, play: Playground) -> None:
    """The trace comes in lines; who wants a translation is refused."""

    async def asked() -> None:
        async with playing(play, engines=[WriterEngine(writer)]) as client:
            answer = await client.post("/api/trace", {"text": PROMPT, "most": 3})
            events = [one["event"] for one in events_of(answer)]
            assert events[0] == "begin"
            assert events.count("writing") == 3
            assert events[-5:] == ["target", "attention", "steps", "lens", "done"]
            refused = await client.post("/v1/translate", {"texts": [PROMPT], "to": "de"})
            assert refused.status == 400

    asyncio.run(asked())
