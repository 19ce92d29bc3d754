"""A trace of an edited model is of the edited model in all that it is asked."""

import numpy as np
import pytest
import torch

from heedful.inspect import Trace, ablate, trace
from heedful.inspect.ablate import Edit, ablations, edited, merged
from heedful.inspect.names import modules
from heedful.inspect.stages import logits_of
from heedful.inspect.wire import to_wire
from heedful.translator import Translator, load

CAT = "The cat ate the fish because it was hungry."
HEADS = ["encoder.3", "cross.1.0", "decoder.0.2"]


@pytest.fixture(scope="module")
def translator() -> Translator:
    return load(precision="float32")


@pytest.fixture(scope="module")
def before(translator: Translator) -> Trace:
    return trace(translator, CAT, to="de")


@pytest.fixture(scope="module", params=["zero", "mean", "uniform"])
def after(request: pytest.FixtureRequest, before: Trace) -> Trace:
    return before.what_if(ablate=HEADS, how=request.param).after


def test_steps_lens_and_tree_are_the_edited_models(after: Trace) -> None:
    for said, step in zip(after.lens(3)[-1], after.steps(3), strict=True):
        assert said.log_prob == pytest.approx(step.log_prob, abs=1e-4)
    best = after.beam.found[0]
    assert (*best.tokens, after.tokenizer.end_id) == after.target.ids
    assert after.log_prob == pytest.approx(best.log_prob, abs=1e-3)
    assert not any("look" in vars(module) for _, _, module in modules(after.model))


def test_what_rests_on_what_is_the_edited_models(before: Trace, after: Trace) -> None:
    """The same methods, asked of a plain trace of the same pair while edits are in the model."""
    plain = trace(before.translator, CAT, after.target.text, to="de")
    assert plain.target.ids == after.target.ids
    for method in ("grad_x_input", "occlusion"):
        found = after.attribute(3, method)
        with edited(after.model, after.edits):
            expected = plain.attribute(3, method)
        np.testing.assert_allclose(found.source, expected.source, atol=1e-4)
        assert np.abs(found.source - plain.attribute(3, method).source).max() > 1e-3


def test_chefer_and_value_zeroing_keep_the_edits(before: Trace) -> None:
    """A head that hands on nothing gets no gradient: as if its output matrix were zero."""
    after = before.what_if(ablate=HEADS, how="zero").after
    places = {"encoder": 3, "cross": 1, "decoder": 0}
    kept = {}
    heads = {"encoder": range(4), "cross": [0], "decoder": [2]}
    for kind, layer, module in modules(after.model):
        if places[kind] == layer:
            kept[module] = module.output_proj.weight.detach().clone()
    plain = trace(after.translator, CAT, after.target.text, to="de")
    try:
        with torch.no_grad():
            for kind, layer, module in modules(after.model):
                if places[kind] == layer:
                    for head in heads[kind]:
                        columns = slice(head * module.d_k, (head + 1) * module.d_k)
                        module.output_proj.weight[:, columns] = 0
        expected = {name: plain.attribute(4, name) for name in ("chefer", "value_zeroing")}
        slopes = plain.importance(4)
    finally:
        with torch.no_grad():
            for module, weight in kept.items():
                module.output_proj.weight.copy_(weight)
    for name, one in expected.items():
        np.testing.assert_allclose(after.attribute(4, name).source, one.source, atol=1e-4)
    for kind, found in after.importance(4).items():
        np.testing.assert_allclose(found, slopes[kind], atol=1e-4)
    assert not after.importance(4)["encoder"][3].any()


def test_edits_come_on_top(before: Trace, after: Trace) -> None:
    twice = after.what_if(ablate=["encoder.0.1"], how="zero").after
    edits = merged(after.edits, ablations(after.model, ["encoder.0.1"]))
    assert twice.edits.keys() == edits.keys()
    with torch.inference_mode(), edited(after.model, edits):
        expected = logits_of(after.model, twice.source.ids, twice.target.ids).log_softmax(-1)
    torch.testing.assert_close(twice.log_probs, expected, atol=1e-4, rtol=1e-4)
    assert before.edits == {}


def test_merged_edits() -> None:
    one = {("encoder", 0): Edit(zero=(1,), silent=(4,)), ("cross", 1): Edit(uniform=(0,))}
    other = {("encoder", 0): Edit(cut=((None, 1, 2),), silent=(5,)), ("decoder", 1): Edit()}
    found = merged(one, other)
    assert found["encoder", 0] == Edit(zero=(1,), cut=((None, 1, 2),), silent=(4, 5))
    assert found["cross", 1] == one["cross", 1]
    assert found["decoder", 1] == Edit()


@pytest.mark.parametrize("prefix", ["Der Kater", "Eine K", "Die ", "猫"])
def test_the_tree_begins_as_it_was_asked_to(before: Trace, prefix: str) -> None:
    after = before.what_if(prefix=prefix).after
    tree = after.beam
    assert (*tree.found[0].tokens, after.tokenizer.end_id) == after.target.ids
    for one in tree.found:
        leaf = tree.leaf(one, after.tokenizer.end_id)
        assert leaf is not None
        assert leaf.total == pytest.approx(one.log_prob, abs=1e-3)
    saved = to_wire(after)
    assert saved["target"]["text"].startswith(prefix)
    assert [one["node"] for one in saved["beam"]["found"]].count(None) == 0


def test_a_block_without_heads_is_another_thing(before: Trace) -> None:
    """A trace of the whole model, asked inside a block of edits, is computed with those edits."""
    with ablate(before.model, ["cross.1"], "zero"):
        inside = before.importance(2)
    assert not inside["cross"][1].any()
    assert before.importance(2)["cross"][1].any()
