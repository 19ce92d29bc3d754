"""Gates of heads: gradients are what finite differences say, and what switching off costs."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from heedful.errors import SettingError
from heedful.inspect import Trace, trace
from heedful.inspect.capture import Looking, replaced
from heedful.inspect.importance import exactly, importance, log_prob_of
from heedful.inspect.names import KINDS, Head, every_head, modules
from heedful.inspect.stages import logits_of
from heedful.model_folder import LoadedModel
from heedful.model_header import Languages
from heedful.models.transformer import TransformerConfig
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.translator import Translator, load
from tests.models.test_transformer import VARIANTS

SMALL = 1e-5
TEXT, SAID = "the cat ate the fish", "die Katze aß den Fisch"


def pair(variant: str) -> Trace:
    """Return a trace by a random model of a kind."""
    torch.manual_seed(1)
    tokenizer = Tokenizer.train(lambda: [(TEXT, SAID)] * 3, BPE(vocabulary_size=280))
    shape = {"encoder_layers": 2, "decoder_layers": 2, "n_heads": 4} | VARIANTS[variant]
    config = TransformerConfig(d_model=32, d_ff=40, max_length=64, **shape)
    model = config.build(tokenizer.source_size, tokenizer.target_size).eval()
    translator = Translator(LoadedModel(model, tokenizer, Languages()), "cpu", "float32")
    return trace(translator, TEXT, SAID)


@contextmanager
def gate(seen: Trace, head: Head, value: float) -> Iterator[None]:
    """Multiply what a head hands on."""

    def look(inner: Looking) -> Looking:
        def gated(*given: object) -> torch.Tensor:
            context = inner(*given).clone()
            context[:, head.head] *= value
            return context

        return gated

    places = [
        (module, look(module.look))
        for kind, layer, module in modules(seen.model)
        if (kind, layer) == head[:2]
    ]
    with replaced(places):
        yield


def exact_log_prob(seen: Trace, step: int | None) -> float:
    """Return the log-probability of a step's piece, or of all, in float64."""
    with torch.inference_mode():
        logits = logits_of(seen.model, seen.source.ids, seen.target.ids)
    found = logits.log_softmax(-1).gather(1, torch.tensor(seen.target.ids)[:, None])[:, 0]
    return float(found.sum() if step is None else found[step])


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_are_what_small_changes_of_a_gate_do(variant: str) -> None:
    seen = pair(variant)
    seen.model.double()
    for step in (None, 0, 3):
        slopes = importance(seen, step)
        assert set(slopes) == set(KINDS)
        for head in every_head(seen.model)[::3]:
            with gate(seen, head, 1 + SMALL):
                more = exact_log_prob(seen, step)
            with gate(seen, head, 1 - SMALL):
                less = exact_log_prob(seen, step)
            slope = slopes[head.kind][head.layer, head.head]
            assert slope == pytest.approx((more - less) / (2 * SMALL), abs=1e-4, rel=1e-3)


def test_small_heads_cost_their_gradients() -> None:
    """Where the output matrix is small, closing a gate is what its gradient says, sign and all."""
    seen = pair("the paper's")
    with torch.no_grad():
        for _, _, module in modules(seen.model):
            module.output_proj.weight *= 0.01
    slopes = importance(seen)
    changes = list(exactly(seen, how="zero"))
    assert len(changes) == len(every_head(seen.model))
    told = np.array([slopes[one.kind][one.layer, one.head] for one, _ in changes])
    lost = np.array([-change for _, change in changes])
    assert np.corrcoef(told, lost)[0, 1] > 0.99
    large = np.abs(lost) > 0.2 * np.abs(lost).max()
    assert large.sum() > 3
    assert (np.sign(told[large]) == np.sign(lost[large])).all()


@pytest.fixture(scope="module")
def seen() -> Trace:
    return trace(load(precision="float32"), "The cat ate the fish because it was hungry.", to="de")


def test_what_matters_most_by_gradient_costs_most(seen: Trace) -> None:
    slopes = importance(seen)
    changes = list(exactly(seen))
    order = [abs(slopes[one.kind][one.layer, one.head]) for one, _ in changes]
    assert order == sorted(order, reverse=True)
    costs = [abs(change) for _, change in changes]
    assert np.mean(costs[:8]) > 3 * np.mean(costs[-8:])
    for head, change in changes[:4]:
        found = seen.what_if(ablate=[head])
        assert change == pytest.approx(-found.lost, abs=1e-3)


def test_of_a_step(seen: Trace) -> None:
    change = next(iter(exactly(seen, 4, "uniform")))
    before, after = seen.what_if(ablate=[change.head], how="uniform").log_probs[4]
    assert change.change == pytest.approx(after - before, abs=1e-3)
    assert log_prob_of(seen, 4) == pytest.approx(seen.steps(1)[4].log_prob, abs=1e-4)
    assert log_prob_of(seen) == pytest.approx(seen.log_prob, abs=1e-3)


def test_nothing_stays_changed(seen: Trace) -> None:
    before = log_prob_of(seen)
    seen.importance(1)
    list(exactly(seen, 1))
    assert log_prob_of(seen) == before
    assert not any("look" in vars(module) for _, _, module in modules(seen.model))
    assert all(weight.grad is None for weight in seen.model.parameters())


def test_what_there_is_not(seen: Trace) -> None:
    with pytest.raises(SettingError, match="there is no step 99"):
        seen.importance(99)
    with pytest.raises(SettingError, match='no ablation "men"'):
        next(exactly(seen, how="men"))
