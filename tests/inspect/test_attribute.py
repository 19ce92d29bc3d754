"""Attributions are what their definitions say, computed another way."""

import numpy as np
import pytest
import torch

from heedful.errors import SettingError
from heedful.inspect import Trace, trace
from heedful.inspect.attribute import METHODS, attribute
from heedful.inspect.capture import record
from heedful.inspect.relevance import chefer, rollout
from heedful.inspect.trace import logits_of
from heedful.text.pieces import START
from heedful.translator import load
from tests.models.test_transformer import VARIANTS, build

CAT = "The cat ate the fish because it was hungry."


@pytest.fixture(scope="module")
def seen() -> Trace:
    return trace(load(precision="float32"), CAT, to="de")


def log_prob(seen: Trace, step: int, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The chosen piece's log-probability when vectors stand for the pieces: by hooks on tables."""
    model, given = seen.model, [source, target]
    handle = model.tables.source.register_forward_hook(
        lambda *_: given.pop(0) / model.tables.scale  # both sides share the table, source first
    )
    ids = torch.tensor([seen.source.ids])
    memory = model.encode(ids, torch.ones_like(ids, dtype=torch.bool))
    hidden = model.hidden(torch.tensor([[START, *seen.target.ids[:step]]]), memory)
    handle.remove()
    return model.project(hidden[:, step]).log_softmax(-1)[0, seen.target.ids[step]]


def embeddings(seen: Trace, step: int) -> list[torch.Tensor]:
    tables = seen.model.tables
    target = [START, *seen.target.ids[:step]]
    return [
        tables.embed_source(torch.tensor([seen.source.ids])).detach(),
        tables.embed_target(torch.tensor([target])).detach(),
    ]


@pytest.mark.parametrize("step", [0, 5, 11])
def test_gradient_times_input(seen: Trace, step: int) -> None:
    given = [side.requires_grad_() for side in embeddings(seen, step)]
    slopes = torch.autograd.grad(log_prob(seen, step, *given), given)
    found = attribute(seen, step, "grad_x_input")
    for ours, slope, side in zip((found.source, found.target), slopes, given, strict=True):
        expected = (slope * side).sum(-1)[0].detach().numpy()
        np.testing.assert_allclose(ours, expected, atol=1e-5)
    assert len(found.target) == step + 1


@pytest.mark.parametrize("step", [1, 7])
def test_integrated_gradients_share_out_the_whole_change(seen: Trace, step: int) -> None:
    found = attribute(seen, step, "integrated_gradients")
    given = embeddings(seen, step)
    mean = seen.model.tables.scale * seen.model.tables.source.weight.mean(0)
    with torch.no_grad():
        whole = log_prob(seen, step, *given)
        nothing = log_prob(seen, step, *(mean.expand_as(side) for side in given))
    change = float(whole - nothing)
    total = float(found.source.sum() + found.target.sum())
    assert found.missing == pytest.approx(change - total, abs=1e-4)
    assert abs(found.missing) <= 0.02 * max(1, abs(change))


def test_occlusion_is_what_a_vector_of_zeros_costs(seen: Trace) -> None:
    step = 8
    found = attribute(seen, step, "occlusion")
    with torch.no_grad():
        whole = log_prob(seen, step, *embeddings(seen, step))
        for side, scores in enumerate((found.source, found.target)):
            for place, score in enumerate(scores):
                given = embeddings(seen, step)
                given[side][0, place] = 0
                lost = float(whole - log_prob(seen, step, *given))
                assert score == pytest.approx(lost, abs=1e-4)
    assert seen.source.tokens[int(found.source.argmax())] == "▁hungry"


def test_value_zeroing_is_what_silence_costs(seen: Trace) -> None:
    """By hooks on the value projections, in place of edits."""
    step, model = 6, seen.model
    found = attribute(seen, step, "value_zeroing")

    def silenced(kinds: tuple[str, ...], place: int) -> float:
        def silence(_: object, __: object, output: torch.Tensor) -> torch.Tensor:
            output = output.clone()
            output[:, place] = 0
            return output

        layers = {
            "encoder": [layer.attention for layer in model.encoder],
            "decoder": [layer.attention for layer in model.decoder],
            "cross": [layer.cross_attention for layer in model.decoder],
        }
        handles = [
            module.value_proj.register_forward_hook(silence)
            for kind in kinds
            for module in layers[kind]
        ]
        with torch.no_grad():
            logits = logits_of(model, seen.source.ids, seen.target.ids[: step + 1])
        for handle in handles:
            handle.remove()
        return float(logits[step].log_softmax(-1)[seen.target.ids[step]])

    whole = seen.steps(1)[step].log_prob
    for place in (0, 6, 11):
        lost = whole - silenced(("encoder", "cross"), place)
        assert found.source[place] == pytest.approx(lost, abs=1e-3)
    for place in (0, 3, step):
        lost = whole - silenced(("decoder",), place)
        assert found.target[place] == pytest.approx(lost, abs=1e-3)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_rollout_and_relevance_for_every_transformer(variant: str) -> None:
    """Rollout by loops over paths; both have a share for each piece, and none of the future."""
    model = build(variant)
    source, target = (5, 9, 7, 3, 2), (6, 7, 8, 2)
    with torch.inference_mode(), record(model) as looks:
        logits_of(model, source, target)
    across, own = rollout(looks)
    np.testing.assert_allclose(across.sum(1) + own.sum(1), 1, atol=1e-5)
    assert not np.triu(own, 1).any()

    state = [{("s", place): 1.0} for place in range(len(source))]
    for layer in range(model.config.encoder_layers):
        state = half(state, looks["encoder", layer].weights()[0].mean(0).tolist(), state)
    steps = [{("t", place): 1.0} for place in range(len(target))]
    for layer in range(model.config.decoder_layers):
        steps = half(steps, looks["decoder", layer].weights()[0].mean(0).tolist(), steps)
        steps = half(steps, looks["cross", layer].weights()[0].mean(0).tolist(), state)
    for row, shares in enumerate(steps):
        for place in range(len(source)):
            assert across[row, place] == pytest.approx(shares.get(("s", place), 0), abs=1e-5)

    for step in range(len(target)):
        relevance, _ = chefer(
            model, lambda step=step: logits_of(model, source, target)[step, target[step]]
        )
        assert relevance.shape == (len(target), len(source))
        assert relevance.min() >= 0


def half(own: list[dict], weights: list[list[float]], others: list[dict]) -> list[dict]:
    """Half of what was there, half of what is looked at."""
    mixed = []
    for row, looks in zip(own, weights, strict=True):
        total = {name: share / 2 for name, share in row.items()}
        for weight, other in zip(looks, others, strict=False):
            for name, share in other.items():
                total[name] = total.get(name, 0) + weight * share / 2
        mixed.append(total)
    return mixed


def test_relevance_of_one_layer_each_is_the_rule_written_out() -> None:
    """With one layer of each: A-bar of the source, then rule 10, in loops."""
    torch.manual_seed(3)
    model = build("one head, no position")
    model.encoder, model.decoder = model.encoder[:1], model.decoder[:1]
    source, target = (5, 9, 7, 2), (6, 8, 2)
    step = 2

    def predicted() -> torch.Tensor:
        return logits_of(model, source, target)[step].log_softmax(-1)[target[step]]

    found, own = chefer(model, predicted)
    bars = {}
    shown = {}

    def watched(kind: str, module: torch.nn.Module) -> None:
        def look(query, memory, mask, bias, causal):
            scores = query @ memory.key.transpose(-1, -2) / query.shape[-1] ** 0.5
            if causal or mask is not None:
                scores = scores.masked_fill(
                    ~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -1e9
                )
            shown[kind] = scores.softmax(-1)
            return shown[kind] @ memory.value

        module.look = look

    watched("encoder", model.encoder[0].attention)
    watched("decoder", model.decoder[0].attention)
    watched("cross", model.decoder[0].cross_attention)
    value = predicted()
    for kind, slope in zip(shown, torch.autograd.grad(value, list(shown.values())), strict=True):
        bars[kind] = (shown[kind] * slope).clamp(min=0)[0].mean(0).detach().numpy()
    r_ss = np.eye(4) + bars["encoder"]
    r_tt = np.eye(3) + bars["decoder"]

    def normalised(matrix: np.ndarray) -> np.ndarray:
        added = matrix - np.eye(len(matrix))
        return np.eye(len(matrix)) + added / np.maximum(added.sum(1, keepdims=True), 1e-30)

    expected = normalised(r_tt).T @ bars["cross"] @ normalised(r_ss)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(own, r_tt, atol=1e-6)


def test_against_another_piece(seen: Trace) -> None:
    """What tells one piece from another is the difference of what each rests on."""
    step = 7
    [es] = [place for place, token in enumerate(seen.target.tokens) if token == "▁es"]
    assert es == step
    found = attribute(seen, step, "occlusion", against="▁sie")
    alone = attribute(seen, step, "occlusion")
    assert found.against == "▁sie"
    assert not np.allclose(found.source, alone.source)
    given = embeddings(seen, step)
    assert len(found.source) == given[0].shape[1]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_score_for_each_piece(seen: Trace, method: str) -> None:
    found = seen.attribute(4, method)
    assert found.source.shape == (len(seen.source.ids),)
    assert found.target.shape == (5,)
    assert np.isfinite(found.source).all()
    assert np.isfinite(found.target).all()
    assert found.path == ("fused" if method == "rollout" else "explicit")
    assert found.piece == seen.target.tokens[4]
    assert all(weight.grad is None for weight in seen.model.parameters())


def test_what_there_is_not(seen: Trace) -> None:
    with pytest.raises(SettingError, match='did you mean "rollout"'):
        attribute(seen, 0, "rolout")
    with pytest.raises(SettingError, match="steps 0 to 11"):
        attribute(seen, 12)
    with pytest.raises(SettingError, match="there is no piece"):
        attribute(seen, 0, against="xyzzy")
