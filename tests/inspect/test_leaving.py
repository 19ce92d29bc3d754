"""An inspection that nobody waits for any more is given up at the model's next pass."""

import threading
from collections.abc import Callable

import pytest

from heedful.inspect import Trace, trace
from heedful.inspect.embedded import of_step
from heedful.inspect.importance import exactly
from heedful.inspect.leaving import LeftError, still_wanted, waited_for, waiting
from heedful.inspect.names import modules
from heedful.search import Client
from heedful.search.leaving import ANYONE
from heedful.translator import load

CAT = "The cat ate the fish because it was hungry."


@pytest.fixture(scope="module")
def seen() -> Trace:
    return trace(load(precision="float32"), CAT, to="de")


WAYS: dict[str, Callable[[Trace], object]] = {
    "a trace": lambda seen: trace(seen.translator, CAT, to="de"),
    "a trace that is given": lambda seen: trace(seen.translator, CAT, "Die Katze.", to="de"),
    "the tree": lambda seen: trace(seen.translator, CAT, to="de").beam,
    "the lens": lambda seen: seen.lens(),
    "a gradient": lambda seen: seen.attribute(2),
    "a path of gradients": lambda seen: seen.attribute(2, "integrated_gradients"),
    "occlusion": lambda seen: seen.attribute(2, "occlusion"),
    "values of zeros": lambda seen: seen.attribute(2, "value_zeroing"),
    "relevance": lambda seen: seen.attribute(2, "chefer"),
    "an edit": lambda seen: seen.what_if(ablate=["cross.0"]),
    "gates": lambda seen: seen.importance(),
    "heads one by one": lambda seen: list(exactly(seen)),
    "evidence": lambda seen: seen.evidence("cross", 1, 2),
}


@pytest.mark.parametrize("way", WAYS)
def test_who_has_left_gets_nothing(seen: Trace, way: str) -> None:
    client = Client()
    client.leave()
    with waited_for(client), pytest.raises(LeftError):
        WAYS[way](seen)
    assert not any("look" in vars(module) for _, _, module in modules(seen.model))
    assert "embed_source" not in vars(seen.model.tables)
    assert waiting() is ANYONE
    WAYS[way](seen)


@pytest.mark.parametrize("passes", [1, 2, 5])
def test_at_the_next_pass(seen: Trace, monkeypatch: pytest.MonkeyPatch, passes: int) -> None:
    client, encode, counted = Client(), seen.model.encode, []

    def counting(*given: object) -> object:
        counted.append(1)
        if len(counted) == passes:
            client.leave()
        return encode(*given)  # type: ignore[arg-type]

    monkeypatch.setitem(vars(seen.model), "encode", counting)
    with waited_for(client), pytest.raises(LeftError):
        seen.attribute(3, "value_zeroing")
    assert len(counted) == passes


def test_everybody_waits_for_their_own() -> None:
    """Each thread has its client; blocks may stand in one another."""
    outer, inner, found = Client(), Client(), []
    with waited_for(outer):
        with waited_for(inner):
            assert waiting() is inner
        assert waiting() is outer
        other = threading.Thread(target=lambda: found.append(waiting()))
        other.start()
        other.join()
        assert found == [ANYONE]
        outer.leave()
        with pytest.raises(LeftError):
            still_wanted()
    still_wanted()


@pytest.mark.parametrize("method", ["occlusion", "integrated_gradients"])
def test_long_pairs_are_computed_in_parts(
    seen: Trace, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """As many variants at once as memory is for, with the same result."""
    whole, sizes = seen.attribute(4, method), []

    def watching(model: object, given: object, step: int) -> object:
        sizes.append(given.source.shape[0] * (given.source.shape[1] + given.target.shape[1]))
        return of_step(model, given, step)  # type: ignore[arg-type]

    monkeypatch.setattr("heedful.inspect.attribute.PIECES", 240)
    monkeypatch.setattr("heedful.inspect.attribute.of_step", watching)
    found = seen.attribute(4, method)
    assert max(sizes[1 if method == "integrated_gradients" else 0 :]) <= 240
    assert found.source == pytest.approx(whole.source, abs=1e-4)
    assert found.target == pytest.approx(whole.target, abs=1e-4)
