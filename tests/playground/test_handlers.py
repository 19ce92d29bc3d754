"""What the page is answered is what `heedful.inspect` says, number by number."""

import base64
import json
import subprocess
import sys
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from heedful.errors import DataError, ModelError, SettingError
from heedful.inspect import Trace, trace
from heedful.inspect.attribute import METHODS
from heedful.inspect.leaving import LeftError, waited_for
from heedful.inspect.names import KINDS
from heedful.inspect.page import page
from heedful.inspect.stages import TooLongError
from heedful.inspect.wire import to_wire
from heedful.playground.handlers import Playground
from heedful.playground.tracing import Event
from heedful.search import Client
from heedful.serve.limits import ServerLimits
from heedful.serve.refusal import RefusalError
from tests.playground.playing import CAT, bundled, playground, random_model, whole

ADDED = ("id", "ms", "precision", "searched")


@pytest.fixture(scope="module")
def play() -> Playground:
    return playground()


@pytest.fixture(scope="module")
def seen() -> Trace:
    return trace(bundled(), CAT, to="de")


def events(play: Playground, **request: Any) -> list[Event]:
    answer = play.ask("trace", request)
    assert not isinstance(answer, dict | str)
    return list(answer)


def asked(play: Playground, name: str, **request: Any) -> dict[str, Any]:
    answer = play.ask(name, request)
    assert isinstance(answer, dict)
    return answer


@pytest.fixture(scope="module")
def number(play: Playground) -> str:
    """Return the name of a trace that is kept."""
    return str(events(play, text=CAT, to="de")[0]["id"])


def same(found: Any, expected: Any) -> bool:
    """Return whether two answers are the same, as JSON."""
    return bool(json.loads(json.dumps(found)) == json.loads(json.dumps(expected)))


# A trace


@pytest.mark.parametrize(
    "request_",
    [
        {"text": CAT, "to": "de"},
        {"text": f"  {CAT}\n", "to": "zh", "beam": 1, "length_penalty": 0.0},
        {"text": "猫吃鱼,因为它饿了。", "to": "en", "from": "zh", "beam": 2},
        {"text": CAT, "to": "de", "target": "Der Hund schläft."},
        {
            "text": "<script>alert(1)</script> \u202eabc 👩‍👩‍👧 ?!",
            "to": "de",
            "target": "<b>\u202e👩‍👩‍👧</b>",
        },
    ],
)
def test_events_together_are_the_saved_trace(play: Playground, request_: dict[str, Any]) -> None:
    told = events(play, **request_)
    found = whole(told)
    given = {"from_" if name == "from" else name: value for name, value in request_.items()}
    expected = to_wire(
        trace(bundled(), given.pop("text"), given.pop("target", None), **given), "everyday"
    )
    added = {name: found.pop(name) for name in ADDED}
    assert same(found, expected)
    assert list(expected) == list(found) or set(expected) == set(found)
    assert set(added["ms"]) == {"tokens", "encode", "search", "read", "lens", "beam"}
    assert added["precision"] == "float32"
    order = ["begin", "attention", "target", "attention", "attention", "steps", "lens", "beam"]
    assert [one["event"] for one in told] == [*order, "done"]
    assert [one["kind"] for one in told if one["event"] == "attention"] == list(KINDS)


def test_another_process_says_the_same(play: Playground) -> None:
    command = [sys.executable, "-m", "heedful", "inspect", "--to", "de", "--json", CAT]
    told = subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout
    expected, found = json.loads(told), whole(events(play, text=CAT, to="de"))
    for one, other in zip(found["attention"], expected["attention"], strict=True):
        ours, theirs = (
            np.frombuffer(base64.b64decode(side["data"]), "<f4") for side in (one, other)
        )
        np.testing.assert_array_equal(ours, theirs)
    assert found["steps"] == expected["steps"]


def test_long_sentences_are_in_bytes(play: Playground) -> None:
    text, target = "the cat " * 60, "die Katze " * 40
    found = whole(events(play, text=text, to="de", target=target))
    assert [one["enc"] for one in found["attention"]] == ["u8-rowsum255", "f32le", "f32le"]
    for one in found["attention"]:
        if one["enc"] == "f32le":
            continue
        maps = np.frombuffer(base64.b64decode(one["data"]), np.uint8)
        assert (maps.reshape(-1, len(one["keys"])).sum(1) == 255).all()
    exact = asked(play, "row", id=found["id"], kind="encoder", layer=2, head=1, query=70)
    assert sum(exact["weights"]) == pytest.approx(1, abs=1e-5)


def test_what_cannot_be_traced(play: Playground) -> None:
    with pytest.raises(DataError, match="nothing to look at"):
        events(play, text=" \n", to="de")
    with pytest.raises(TooLongError, match="513 pieces are more than the 512"):
        events(play, text="a " * 511, to="de")
    with pytest.raises(RefusalError, match="10,000 were given and 5,000 are allowed") as refused:
        events(play, text="a" * 10_000, to="de")
    assert refused.value.status == 413
    with pytest.raises(RefusalError, match="characters of the target"):
        events(play, text="a", to="de", target="a" * 10_000)
    with pytest.raises(SettingError, match='knows no language "xx"'):
        events(play, text=CAT, to="xx")
    with pytest.raises(RefusalError, match="beam: 17 were given and 16 are allowed"):
        events(play, text=CAT, to="de", beam=17)
    with pytest.raises(RefusalError, match='there is no model "none" here; known: everyday'):
        events(play, text=CAT, to="de", model="none")


def test_a_translation_without_an_end(play: Playground) -> None:
    """What is there is shown; then it is said."""
    tiny = playground(translator=random_model())
    told = tiny.ask("trace", {"text": "The cat ate.", "to": "de"})
    assert not isinstance(told, dict | str)
    assert next(told)["event"] == "begin"
    assert next(told)["event"] == "attention"
    with pytest.raises(ModelError, match="came to no end"):
        next(told)


@pytest.mark.parametrize("begun", range(1, 9))
def test_who_leaves_is_given_up(play: Playground, begun: int) -> None:
    """Nothing of the model stays changed, whenever that is."""
    client, before = Client(), len(play.kept)
    told = play.ask("trace", {"text": CAT, "to": "de"})
    assert not isinstance(told, dict | str)
    with waited_for(client):
        for _ in range(begun):
            next(told)
        client.leave()
        computed = begun < 8  # the tree is the last thing that a model is asked for
        with pytest.raises(LeftError) if computed else nullcontext():
            rest = list(told)
            assert not computed
            assert len(rest) == 9 - begun
    assert same(
        whole(events(play, text=CAT, to="de"))["steps"],
        to_wire(trace(bundled(), CAT, to="de"))["steps"],
    )
    assert len(play.kept) >= before


# Of a trace that is kept


def test_rows(play: Playground, number: str, seen: Trace) -> None:
    for kind, layer, head, query in (
        ("encoder", 4, 3, 2),
        ("decoder", 1, 0, 5),
        ("cross", 0, 2, 0),
    ):
        given = {"kind": kind, "layer": layer, "head": head}
        found = asked(play, "row", id=number, query=query, **given)
        assert found == {"weights": seen.attention(**given)[query].tolist()}
    with pytest.raises(SettingError, match="there is no query 99"):
        asked(play, "row", id=number, kind="cross", layer=0, head=0, query=99)
    with pytest.raises(SettingError, match="there is no head 4"):
        asked(play, "row", id=number, kind="cross", layer=0, head=4, query=0)


@pytest.mark.parametrize("method", METHODS)
def test_attributions(play: Playground, number: str, seen: Trace, method: str) -> None:
    expected = seen.attribute(3, method)
    found = asked(play, "attribute", id=number, step=3, method=method)
    assert found["source"] == pytest.approx(expected.source.tolist(), abs=1e-6)
    assert found["target"] == pytest.approx(expected.target.tolist(), abs=1e-6)
    assert (found["piece"], found["path"]) == (expected.piece, expected.path)
    if method == "grad_x_input":
        found = asked(play, "attribute", id=number, step=3, against="▁die")
        told = seen.attribute(3, method, "▁die")
        assert found["source"] == pytest.approx(told.source.tolist(), abs=1e-6)
        assert found["against"] == "▁die"


@pytest.mark.parametrize(
    "edits",
    [
        {"ablate": ["encoder.4.3", "cross.1"], "how": "zero"},
        {"ablate": ["encoder.2"]},
        {"replace": {"hungry": "tasty"}},
        {"prefix": "Der Fisch"},
        {"ablate": ["cross.0.1"], "how": "uniform", "replace": {"cat": "dog"}, "prefix": "Ein"},
    ],
)
def test_what_would_be(play: Playground, number: str, seen: Trace, edits: dict[str, Any]) -> None:
    found = asked(play, "what_if", id=number, **edits)
    expected = seen.what_if(**edits)
    assert found["before"] == seen.target.text
    assert found["after"] == expected.after.target.text
    assert found["changed"] is expected.changed
    assert found["lost"] == pytest.approx(expected.lost, abs=1e-4)
    assert found["said"] == str(expected)
    assert np.array(found["log_probs"]) == pytest.approx(np.array(expected.log_probs), abs=1e-5)
    assert found["divergence"] == pytest.approx(expected.divergence, abs=1e-5)
    assert same(found["trace"]["target"], to_wire(expected.after)["target"])
    kept = play.kept.find(found["id"])
    assert same(found["trace"], to_wire(kept.trace, "everyday"))
    again = asked(play, "row", id=found["id"], kind="encoder", layer=0, head=0, query=1)
    assert len(again["weights"]) == len(kept.trace.source.ids)


def test_importance(play: Playground, number: str, seen: Trace) -> None:
    for step in (None, 5):
        found = asked(play, "importance", id=number, step=step)
        assert found.pop("how") == "gate gradient"
        for kind, expected in seen.importance(step).items():
            np.testing.assert_allclose(found[kind], np.abs(expected), rtol=1e-4, atol=1e-6)
    told = play.ask("importance/exact", {"id": number, "step": 5, "how": "zero"})
    assert not isinstance(told, dict | str)
    lines = list(told)
    assert [one["done"] for one in lines] == list(range(1, 41))
    assert {one["of"] for one in lines} == {40}
    assert len({one["head"] for one in lines}) == 40
    before, after = seen.what_if(ablate=[lines[0]["head"]], how="zero").log_probs[5]
    assert lines[0]["change"] == pytest.approx(after - before, abs=1e-3)
    with pytest.raises(SettingError, match="there is no step 99"):
        play.ask("importance/exact", {"id": number, "step": 99})


def test_evidence(play: Playground, number: str, seen: Trace) -> None:
    it, cat = seen.source.find("it"), seen.source.find("cat")
    found = asked(play, "evidence", id=number, kind="encoder", row=it, column=cat, words=True)
    expected = seen.evidence("encoder", it, cat, words=True)
    assert found["said"] == str(expected)
    assert [one["weight"] for one in found["heads"]] == [one.weight for one in expected.heads]
    shares = [one["share"] for one in found["value_norm"]]
    assert shares == sorted(shares, reverse=True)
    assert sorted(shares) == pytest.approx(sorted(one.share for one in expected.heads))
    assert (found["of"], found["over_half"]) == (24, expected.over_half)
    assert found["rollout"] == expected.rollout
    assert found["value_zeroing"]["change"] == pytest.approx(expected.without_value, abs=1e-4)
    assert found["ablate_top"]["head"] == str(expected.heads[0].head)
    assert found["ablate_top"]["translation"] == expected.difference.after.target.text
    assert found["agree"] is expected.agree


def test_embeddings(play: Playground) -> None:
    model = bundled().model
    found = asked(play, "embedding", side="source", id=812, place=3)
    vector = model.tables.source.weight[812].detach().numpy() * 16
    assert found["values"] == vector[:32].tolist()
    assert found["norm"] == pytest.approx(float(np.linalg.norm(vector)))
    assert len(found["neighbours"]) == 8
    assert found["position"] == {"kind": "rotary", "values": None, "theta": 10_000.0}
    assert found["sum"] is None
    tiny = playground(translator=random_model())
    found = asked(tiny, "embedding", id=9, place=3)
    assert found["position"]["kind"] == "sinusoidal"
    total = np.array(found["values"]) + np.array(found["position"]["values"])
    assert found["sum"] == pytest.approx(total.tolist(), abs=1e-5)
    with pytest.raises(SettingError, match="there is no piece 12000"):
        asked(play, "embedding", id=12_000)


def test_ranks(play: Playground, number: str, seen: Trace) -> None:
    for step, told in enumerate(seen.steps(5)):
        assert asked(play, "rank", id=number, step=step, piece=told.predicts) == {
            "piece": told.predicts,
            "rank": told.rank,
            "logp": told.log_prob,
        }
        for place, (piece, log_prob) in enumerate(told.top):
            found = asked(play, "rank", id=number, step=step, piece=piece)
            assert (found["rank"], found["logp"]) == (place, log_prob)
    assert asked(play, "rank", id=number, step=1, piece="Katze")["piece"] == "▁Katze"
    assert asked(play, "rank", id=number, step=1, piece=" Katze")["piece"] == "▁Katze"
    with pytest.raises(RefusalError, match='no piece "Katzenklo"') as refused:
        asked(play, "rank", id=number, step=1, piece="Katzenklo")
    assert refused.value.status == 422
    with pytest.raises(SettingError, match="there is no step 99"):
        asked(play, "rank", id=number, step=99, piece="Katze")


def test_the_page_of_a_trace(play: Playground, number: str) -> None:
    kept = play.kept.find(number)
    assert play.ask("export", {"id": number}) == page(to_wire(kept.trace, "everyday"))


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("row", {"kind": "cross", "layer": 0, "head": 0, "query": 0}),
        ("attribute", {"step": 0}),
        ("what_if", {"prefix": "Die"}),
        ("importance", {}),
        ("importance/exact", {}),
        ("evidence", {"kind": "cross", "row": 0, "column": 0}),
        ("rank", {"step": 0, "piece": "a"}),
        ("export", {}),
    ],
)
def test_what_is_no_longer_kept(play: Playground, name: str, request_: dict[str, Any]) -> None:
    with pytest.raises(RefusalError, match="this trace is no longer kept; ask again") as refused:
        play.ask(name, {"id": "t0", **request_})
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("name", "request_", "said"),
    [
        ("trace", {}, "text: field required"),
        ("trace", {"text": 3}, "text: input should be a valid string"),
        ("trace", {"text": "a", "beam": 0}, "beam: input should be greater than"),
        ("trace", {"text": "a", "length_penalty": float("nan")}, "length_penalty: input should be"),
        ("trace", {"text": "\ud800"}, "text: it holds half a surrogate pair"),
        ("trace", {"text": "a", "secret": "mine"}, "the body: extra inputs are not permitted"),
        ("trace", [], "the body: input should be a valid dictionary"),
        ("row", {"id": "t1", "kind": "own", "layer": 0, "head": 0, "query": 0}, "kind: input"),
        ("row", {"id": "t1", "kind": "cross", "layer": -1, "head": 0, "query": 0}, "layer: input"),
        ("what_if", {"id": "t1", "ablate": ["a"] * 65}, "ablate: list should have at most 64"),
        ("what_if", {"id": "t1", "how": "men"}, "how: input should be 'zero', 'mean' or 'uniform'"),
        ("attribute", {"id": "t1", "step": 0, "method": "x"}, "method: input should be"),
        ("importance", {"id": "t1", "step": True}, "step: input should be a valid integer"),
    ],
)
def test_what_is_not_of_the_shape(play: Playground, name: str, request_: Any, said: str) -> None:
    with pytest.raises(RefusalError) as refused:
        play.ask(name, request_)
    assert refused.value.status == 422
    assert refused.value.sentence.startswith(said)
    assert "mine" not in refused.value.sentence


# Of models


def test_models(play: Playground) -> None:
    listed = play.listed()
    [model] = listed["models"]
    assert model["name"] == "everyday"
    assert model["ways"] == [["en", "de"], ["de", "en"], ["en", "zh"], ["zh", "en"]]
    card = model["card"]
    assert (card["encoder_layers"], card["decoder_layers"], card["heads"]) == (6, 2, 4)
    assert card["parameters"] == sum(one.numel() for one in bundled().model.parameters())
    assert card["trained"] is True
    assert card["bleu"].keys() == {"en-de", "de-en", "en-zh", "zh-en"}
    assert model["atlas"] is True
    for one in model["examples"]:
        tokens = asked(play, "tokens", text=one["text"], to=one["to"])
        assert tokens["words"]


def test_a_model_that_has_learnt_nothing_says_so() -> None:
    tiny = playground(translator=random_model())
    [model] = tiny.listed()["models"]
    assert model["card"]["trained"] is False
    assert model["card"]["bleu"] is None
    assert model["atlas"] is False
    with pytest.raises(RefusalError, match=r"heed heads FOLDER -o FOLDER/heads\.json") as refused:
        tiny.atlas(None)
    assert refused.value.status == 404


def test_limits_are_the_servers() -> None:
    play = playground(ServerLimits(characters=10, beam=2))
    with pytest.raises(RefusalError, match="11 were given and 10 are allowed"):
        asked(play, "tokens", text="a" * 11, to="de")
    with pytest.raises(RefusalError, match="beam: 4 were given and 2 are allowed"):
        events(play, text="a", to="de", beam=4)
    [tree] = [one["beam"] for one in events(play, text="a", to="de") if one["event"] == "beam"]
    assert tree["size"] == 2, "not said, it is what is allowed"
    assert {one["beam"] for one in play.listed()["models"]} == {2}
