"""A head that is switched off is off, what it was is as before, and nothing else is touched."""

import pytest
import torch

from heedful.errors import SettingError
from heedful.inspect.ablate import Edit, ablate, edited
from heedful.inspect.capture import record
from heedful.inspect.names import modules
from heedful.models.transformer import Transformer
from tests.inspect.test_capture import SOURCE, run
from tests.models.test_transformer import VARIANTS, build


@pytest.fixture(params=list(VARIANTS))
def model(request: pytest.FixtureRequest) -> Transformer:
    return build(request.param)


def contexts(model: Transformer, kind: str, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the heads of one attention hand on [sentence, query, head, d_k], and logits."""
    kept = []
    [module] = [one for name, number, one in modules(model) if (name, number) == (kind, layer)]
    handle = module.output_proj.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    with torch.inference_mode():
        logits = run(model)
    handle.remove()
    return kept[0].unflatten(2, (model.config.n_heads, -1)), logits


def test_an_edit_that_changes_nothing_changes_nothing(model: Transformer) -> None:
    with torch.inference_mode():
        before = run(model)
        with edited(model, {(kind, layer): Edit() for kind, layer, _ in modules(model)}):
            explicit = run(model)
        assert torch.equal(run(model), before)
    torch.testing.assert_close(explicit, before, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_zero(model: Transformer, kind: str) -> None:
    """As if the rows of the output matrix that read this head were zero."""
    before, _ = contexts(model, kind, 0)
    with ablate(model, [f"{kind}.0.0"]):
        after, logits = contexts(model, kind, 0)
    assert not after[:, :, 0].any()
    torch.testing.assert_close(after[:, :, 1:], before[:, :, 1:], atol=1e-5, rtol=1e-5)
    [module] = [one for name, number, one in modules(model) if (name, number) == (kind, 0)]
    with torch.inference_mode():
        kept = module.output_proj.weight[:, : module.d_k].clone()
        module.output_proj.weight[:, : module.d_k] = 0
        expected = run(model)
        module.output_proj.weight[:, : module.d_k] = kept
    torch.testing.assert_close(logits, expected, atol=2e-5, rtol=1e-4)


def test_mean(model: Transformer) -> None:
    with torch.inference_mode(), record(model) as looks:
        run(model)
    before, _ = contexts(model, "cross", 0)
    with ablate(model, ["cross.0"], "mean", looks):
        after, _ = contexts(model, "cross", 0)
    mean = before.mean((0, 1), keepdim=True).expand_as(before)
    torch.testing.assert_close(after, mean, atol=1e-5, rtol=1e-4)


def test_uniform(model: Transformer) -> None:
    """The mean of the values that may be looked at: of the first sentence five pieces."""
    with torch.inference_mode(), record(model) as looks:
        run(model)
    with ablate(model, ["encoder.0.0"], "uniform"):
        after, _ = contexts(model, "encoder", 0)
    values = looks["encoder", 0].values()[:, 0]
    expected = torch.stack([values[0, :5].mean(0), values[1].mean(0)])
    torch.testing.assert_close(
        after[:, :, 0], expected[:, None].expand_as(after[:, :, 0]), atol=1e-5, rtol=1e-4
    )


def test_a_cut_edge_carries_nothing_and_the_rest_weighs_one() -> None:
    model = build("the paper's")
    with torch.inference_mode(), record(model) as looks:
        run(model)
    weights = looks["encoder", 0].weights()[:, 2].clone()
    weights[:, 3, 1] = 0
    weights /= weights.sum(-1, keepdim=True)
    expected = weights @ looks["encoder", 0].values()[:, 2]
    before, _ = contexts(model, "encoder", 0)
    with edited(model, {("encoder", 0): Edit(cut=((2, 3, 1),))}):
        after, _ = contexts(model, "encoder", 0)
    torch.testing.assert_close(after[:, :, 2], expected, atol=1e-5, rtol=1e-4)
    others = [0, 1, 3]
    torch.testing.assert_close(after[:, :, others], before[:, :, others], atol=1e-5, rtol=1e-4)
    with edited(model, {("encoder", 0): Edit(cut=((None, 3, 1),))}):
        every, _ = contexts(model, "encoder", 0)
    torch.testing.assert_close(every[:, 3, 2], expected[:, 3], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(every[:, 3, 0], before[:, 3, 0])


def test_cutting_all_that_a_query_sees_leaves_it_with_nothing() -> None:
    model = build("the paper's")
    edges = tuple((0, 2, key) for key in range(SOURCE.shape[1]))
    with edited(model, {("encoder", 0): Edit(cut=edges)}):
        after, logits = contexts(model, "encoder", 0)
    assert not after[:, 2, 0].any()
    assert logits.isfinite().all()


def test_a_silent_key_may_be_looked_at_and_says_nothing(model: Transformer) -> None:
    with torch.inference_mode(), record(model) as looks:
        run(model)
    look = looks["encoder", 0]
    values = look.values().clone()
    values[:, :, 1] = 0
    expected = (look.weights() @ values).transpose(1, 2)
    with edited(model, {("encoder", 0): Edit(silent=(1,))}):
        after, _ = contexts(model, "encoder", 0)
    torch.testing.assert_close(after, expected, atol=1e-5, rtol=1e-4)


def test_an_error_in_the_block_leaves_the_model_as_it_was() -> None:
    model = build("the paper's")

    def fail() -> None:
        with ablate(model, ["encoder.0", "decoder.1.3"]):
            assert sum("look" in vars(module) for _, _, module in modules(model)) == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not any("look" in vars(module) for _, _, module in modules(model))


def test_what_cannot_be_ablated() -> None:
    model = build("the paper's")
    with pytest.raises(SettingError, match="there is no layer 7"), ablate(model, ["cross.7.0"]):
        pass
    with pytest.raises(SettingError, match='"zero"'), ablate(model, ["cross.0"], "zeros"):
        pass
    with pytest.raises(SettingError, match="a pass to be taken over"):
        ablate(model, ["cross.0"], "mean").__enter__()
