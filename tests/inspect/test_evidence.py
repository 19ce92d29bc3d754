"""Evidence of a pair: what each measure says by itself, and a sentence that does not mix them."""

import numpy as np
import pytest
import torch

from heedful.errors import SettingError
from heedful.inspect import Trace, trace
from heedful.inspect.evidence import MEASURABLE, Evidence, Given, evidence
from heedful.inspect.names import Head, Kind, modules
from heedful.inspect.relevance import rolled, rollout
from heedful.inspect.stages import logits_of
from heedful.inspect.what_if import Difference
from heedful.translator import load

CAT = "The cat ate the fish because it was hungry."


@pytest.fixture(scope="module")
def seen() -> Trace:
    return trace(load(precision="float32"), CAT, to="de")


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
@pytest.mark.parametrize("words", [False, True])
def test_weights_of_all_heads(seen: Trace, kind: Kind, words: bool) -> None:
    row, column = 4, 1
    found = evidence(seen, kind, row, column, words=words)
    assert len(found.heads) == seen.n_layers(kind) * 4
    assert [one.weight for one in found.heads] == sorted(
        (one.weight for one in found.heads), reverse=True
    )
    for one in found.heads:
        _, layer, head = one.head
        every = seen.by_words if words else seen.attention
        assert one.weight == pytest.approx(float(every(kind, layer, head)[row, column]), abs=1e-6)
    assert found.over_half == sum(one.weight > 0.5 for one in found.heads)


def test_shares_are_of_the_norms_of_what_is_mixed(seen: Trace) -> None:
    """By the output projection itself, one key and one head at a time."""
    row, column, layer, head = 3, 2, 1, 2
    [module] = [one for kind, n, one in modules(seen.model) if (kind, n) == ("cross", layer)]
    look = seen.looks["cross", layer]
    norms = []
    for key in range(look.key.shape[2]):
        alone = torch.zeros_like(look.query[:, :, :1])
        alone[:, head, 0] = look.weights()[0, head, row, key] * look.values()[0, head, key]
        with torch.no_grad():
            told = module.joined(alone) - module.joined(torch.zeros_like(alone))
        norms.append(float(told.norm()))
    [one] = [
        one
        for one in evidence(seen, "cross", row, column).heads
        if one.head == ("cross", layer, head)
    ]
    assert one.share == pytest.approx(norms[column] / sum(norms), abs=1e-4)


def test_rollout_and_gradient(seen: Trace) -> None:
    source, target = rollout(seen.looks)
    assert evidence(seen, "cross", 5, 3).rollout == pytest.approx(float(source[5, 3]))
    assert evidence(seen, "decoder", 5, 3).rollout == pytest.approx(float(target[5, 3]))
    own = rolled(seen.looks)
    assert evidence(seen, "encoder", 5, 3).rollout == pytest.approx(float(own[5, 3]))
    np.testing.assert_allclose(own.sum(1).numpy(), 1, atol=1e-5)
    assert evidence(seen, "encoder", 5, 3).grad_x_input is None
    scores = seen.attribute(6)
    told = evidence(seen, "encoder", 5, 3, step=6).grad_x_input
    assert told == pytest.approx(float(scores.source[3]), abs=1e-6)
    told = evidence(seen, "decoder", 7, 2, step=6).grad_x_input
    assert told == pytest.approx(float(scores.target[2]), abs=1e-6)
    later = evidence(seen, "decoder", 9, 8, step=6)  # not yet read
    assert later.grad_x_input is None
    assert later.without_value == pytest.approx(0, abs=1e-4)


def test_a_row_of_the_decoder_is_its_step(seen: Trace) -> None:
    assert evidence(seen, "cross", 5, 1).step == 5
    word = seen.target.find("Fisch")
    step = int(seen.target.shares[:, word].argmax())
    assert evidence(seen, "cross", word, 1, words=True).step == step
    assert evidence(seen, "cross", 5, 1, step=2).step == 2
    assert evidence(seen, "encoder", 5, 1).step is None


@pytest.mark.parametrize("step", [None, 7])
def test_without_the_value_and_without_the_head(seen: Trace, step: int | None) -> None:
    word = seen.source.find("hungry")
    found = evidence(seen, "cross", 0, word, words=True, step=step)
    places = seen.source.shares[:, word].nonzero()[0].tolist()

    def silence(_: object, __: object, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        output[:, places] = 0
        return output

    handles = [
        module.value_proj.register_forward_hook(silence)
        for kind, _, module in modules(seen.model)
        if kind == "cross"
    ]
    with torch.no_grad():
        silent = logits_of(seen.model, seen.source.ids, seen.target.ids).log_softmax(-1)
    for handle in handles:
        handle.remove()
    own = torch.tensor(seen.target.ids)[:, None]
    lost = (silent.gather(1, own) - seen.log_probs.gather(1, own))[:, 0]
    step = found.step
    assert step is not None
    assert found.without_value == pytest.approx(float(lost[step]), abs=1e-3)
    before, after = seen.what_if(ablate=[found.heads[0].head]).log_probs[step]
    assert found.without_head == pytest.approx(after - before, abs=1e-4)


@pytest.mark.parametrize(
    ("weight", "value", "head", "changed", "agree", "said"),
    [
        (0.8, -1.5, -0.7, False, True, "All three point the same way."),
        (0.8, -1.5, -0.0, True, True, "All three point the same way."),
        (0.8, -0.01, -0.01, False, False, "These do not agree"),
        (0.2, -1.5, -0.01, False, False, "These do not agree"),
        (0.2, 0.01, 0.3, False, True, "All three say that it matters little here."),
        (0.8, -MEASURABLE, -MEASURABLE, False, True, "All three point"),
    ],
)
def test_signals_are_compared_and_not_averaged(
    seen: Trace, weight: float, value: float, head: float, changed: bool, agree: bool, said: str
) -> None:
    after = trace(seen.translator, CAT, "Die Katze.", to="de") if changed else seen
    found = Evidence(
        "encoder",
        (Given(Head("encoder", 4, 3), weight, weight),),
        *(3, 0.1, None, value, head),
        Difference(seen, after, (), ()),
    )
    assert found.agree is agree
    assert said in str(found)
    assert "encoder.4.3" in str(found)


def test_the_sentence(seen: Trace) -> None:
    found = evidence(seen, "cross", 8, 9)
    assert f"{found.heads[0].weight:.0%}" in str(found)
    assert f"{abs(found.without_value):.3f} nats" in str(found)
    assert f"of {len(found.heads)} heads" in str(found)


def test_what_there_is_not(seen: Trace) -> None:
    with pytest.raises(SettingError, match="there is no row 99"):
        evidence(seen, "encoder", 99, 0)
    with pytest.raises(SettingError, match="there is no column 10"):
        evidence(seen, "encoder", 0, 10, words=True)
    with pytest.raises(SettingError, match="there is no step 99"):
        evidence(seen, "encoder", 0, 0, step=99)
