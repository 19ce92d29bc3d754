"""The label-smoothed loss against its definition and against PyTorch's own, with gradients."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from heedful.data.batches import Batch
from heedful.models.seq2seq import forward
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.cross_entropy import projected_cross_entropy
from heedful.nn.dropout import dropout_seed
from heedful.objectives import Loss, Translation

SMOOTHING = [0.0, 0.1, 0.37]
ENTRIES, PAD = 20, 0
SOURCE = torch.tensor([[5, 9, 17, 7, 8, 2], [17, 3, 2, 0, 0, 0]])
TARGET_IN = torch.tensor([[1, 6, 6, 13, 11], [1, 8, 7, 0, 0]])
TARGET_OUT = torch.tensor([[6, 6, 13, 11, 2], [8, 7, 2, 0, 0]])


def cross_entropy(
    logits: torch.Tensor, target: torch.Tensor, smoothing: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of these logits, where the projection is a copy."""
    return projected_cross_entropy(logits, target, torch.clone, [], smoothing)


def batch_of(source: torch.Tensor, target_in: torch.Tensor, target_out: torch.Tensor) -> Batch:
    counts = (int((side != PAD).sum()) for side in (source, target_out))
    return Batch(source, target_in, target_out, *counts)


def in_loops(logits: torch.Tensor, target: torch.Tensor, smoothing: float) -> tuple[float, float]:
    """The sums over rows of -sum_k q(k) log p(k), and of -log p(target), in plain Python."""
    smoothed = nll = 0.0
    for row, answer in zip(logits.double().tolist(), target.tolist(), strict=True):
        highest = max(row)
        total = highest + math.log(sum(math.exp(x - highest) for x in row))
        for entry, logit in enumerate(row):
            share = smoothing / len(row) + (1 - smoothing) * (entry == answer)
            smoothed -= share * (logit - total)
        nll -= row[answer] - total
    return smoothed, nll


@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 6),
    entries=st.integers(2, 9),
    smoothing=st.floats(0, 0.99),
    spread=st.sampled_from([0.1, 1.0, 30.0]),
)
def test_the_loss_is_its_definition(
    seed: int, rows: int, entries: int, smoothing: float, spread: float
) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(rows, entries) * spread
    target = torch.randint(0, entries, (rows,))
    smoothed, nll = cross_entropy(logits, target, smoothing)
    expected, expected_nll = in_loops(logits, target, smoothing)
    assert smoothed.item() == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert nll.item() == pytest.approx(expected_nll, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("smoothing", SMOOTHING)
def test_loss_and_gradient_are_pytorchs_in_double_precision(smoothing: float) -> None:
    torch.manual_seed(0)
    logits = torch.randn(50, 30, requires_grad=True)
    target = torch.randint(0, 30, (50,))
    smoothed, nll = cross_entropy(logits, target, smoothing)
    (gradient,) = torch.autograd.grad(smoothed, logits)

    exact = logits.detach().double().requires_grad_()
    expected = F.cross_entropy(exact, target, label_smoothing=smoothing, reduction="sum")
    (expected_gradient,) = torch.autograd.grad(expected, exact)
    torch.testing.assert_close(smoothed.double(), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient.double(), expected_gradient, rtol=1e-4, atol=1e-6)
    plain = F.cross_entropy(exact, target, reduction="sum")
    torch.testing.assert_close(nll.double(), plain.detach(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("smoothing", SMOOTHING)
def test_the_likelihood_has_no_gradient(smoothing: float) -> None:
    logits = torch.randn(4, 6, requires_grad=True)
    smoothed, nll = cross_entropy(logits, torch.tensor([1, 2, 3, 0]), smoothing)
    assert smoothed.requires_grad
    assert not nll.requires_grad


def test_the_best_prediction_is_the_smoothed_one() -> None:
    # The loss is least where p = q: its gradient is p - q.
    q = torch.full((1, 5), 0.1 / 5)
    q[0, 3] += 0.9
    logits = q.log().requires_grad_()
    smoothed, _ = cross_entropy(logits, torch.tensor([3]), 0.1)
    (gradient,) = torch.autograd.grad(smoothed, logits)
    torch.testing.assert_close(gradient, torch.zeros(1, 5), atol=1e-7, rtol=0)
    entropy = -(q * q.log()).sum()
    torch.testing.assert_close(smoothed.detach(), entropy)


def test_bf16_logits_are_summed_in_float32() -> None:
    torch.manual_seed(1)
    logits = torch.randn(300, 40).bfloat16()
    target = torch.randint(0, 40, (300,))
    smoothed, nll = cross_entropy(logits, target, 0.1)
    assert smoothed.dtype == nll.dtype == torch.float32
    expected, expected_nll = in_loops(logits, target, 0.1)
    assert smoothed.item() == pytest.approx(expected, rel=1e-5)
    assert nll.item() == pytest.approx(expected_nll, rel=1e-5)


@pytest.fixture(scope="module")
def model() -> Transformer:
    torch.manual_seed(2)
    config = TransformerConfig(
        d_model=16, d_ff=24, n_heads=2, encoder_layers=1, decoder_layers=1, dropout=0.0
    )
    return config.build(ENTRIES, ENTRIES)


@pytest.mark.parametrize("smoothing", SMOOTHING)
def test_the_loss_of_a_batch_is_the_sum_over_its_real_pieces(
    model: Transformer, smoothing: float
) -> None:
    objective = Translation(label_smoothing=smoothing)
    loss = objective.loss(model, batch_of(SOURCE, TARGET_IN, TARGET_OUT))
    model.zero_grad()
    loss.smoothed.backward()
    ours = [weight.grad.clone() for weight in model.parameters()]

    logits = forward(model, SOURCE, SOURCE != PAD, TARGET_IN).flatten(0, 1)
    answers = TARGET_OUT.flatten()
    expected = F.cross_entropy(
        logits, answers, ignore_index=PAD, label_smoothing=smoothing, reduction="sum"
    )
    model.zero_grad()
    expected.backward()
    torch.testing.assert_close(loss.smoothed, expected)
    for gradient, weight in zip(ours, model.parameters(), strict=True):
        torch.testing.assert_close(gradient, weight.grad, atol=1e-5, rtol=1e-4)
    assert loss.tokens == 8
    nll = F.cross_entropy(logits, answers, ignore_index=PAD, reduction="sum")
    torch.testing.assert_close(loss.nll, nll.detach())


def test_padding_is_ignored_and_sentences_add_up(model: Transformer) -> None:
    objective = Translation()

    def loss_of(source: torch.Tensor, target_in: torch.Tensor, target_out: torch.Tensor) -> Loss:
        return objective.loss(model, batch_of(source, target_in, target_out))

    together = loss_of(SOURCE, TARGET_IN, TARGET_OUT)
    padded = loss_of(*(F.pad(x, (0, 4), value=PAD) for x in (SOURCE, TARGET_IN, TARGET_OUT)))
    first = loss_of(SOURCE[:1], TARGET_IN[:1], TARGET_OUT[:1])
    second = loss_of(SOURCE[1:, :3], TARGET_IN[1:, :3], TARGET_OUT[1:, :3])
    assert together.tokens == padded.tokens == first.tokens + second.tokens
    for index in range(2):
        torch.testing.assert_close(together[index], padded[index])
        torch.testing.assert_close(together[index], first[index] + second[index])


@given(smoothing=st.one_of(st.floats(max_value=-1e-9), st.floats(min_value=1), st.just(math.nan)))
def test_a_share_outside_0_to_1_is_refused(smoothing: float) -> None:
    with pytest.raises(ValueError, match="label_smoothing"):
        Translation(label_smoothing=smoothing)


@pytest.mark.parametrize("guided", [0.0, 0.3])
def test_r_drop_is_its_definition(guided: float) -> None:
    """Two passes with masks of their own, and how far apart they are, with all gradients."""
    torch.manual_seed(2)
    shape = {"d_model": 16, "d_ff": 24, "n_heads": 2, "encoder_layers": 1, "decoder_layers": 1}
    layer = 0 if guided else None
    model = TransformerConfig(**shape, dropout=0.3, alignment_layer=layer).build(ENTRIES, ENTRIES)
    batch = batch_of(SOURCE, TARGET_IN, TARGET_OUT)
    if guided:
        alignment = torch.rand(2, 5, 6).softmax(-1) * (TARGET_OUT != PAD)[:, :, None]
        batch = replace(batch, alignment=alignment)
    objective = Translation(r_drop=5, guided_alignment=guided)
    with dropout_seed(7):
        found = objective.loss(model, batch)
    ours = torch.autograd.grad(found.smoothed, list(model.parameters()))

    with dropout_seed(7):
        plain = Translation(guided_alignment=guided).loss(model, batch.twice())
    with dropout_seed(7):
        both = batch.twice()
        states = model.hidden(both.target_in, model.encode(both.source, both.source_mask))
    log_p, log_q = model.project(states[both.target_mask]).log_softmax(-1).chunk(2)
    assert not torch.allclose(log_p, log_q)
    apart = sum(
        F.kl_div(one, other, reduction="sum", log_target=True)
        for one, other in ((log_p, log_q), (log_q, log_p))
    )
    expected = (plain.smoothed + 5 * apart / 2) / 2
    torch.testing.assert_close(found.smoothed, expected)
    torch.testing.assert_close(found.nll, plain.nll / 2)
    assert found.tokens == batch.n_target
    theirs = torch.autograd.grad(expected, list(model.parameters()))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_r_drop_is_of_training_alone(model: Transformer) -> None:
    """Without dropout the passes agree; what is not trained makes one."""
    batch = batch_of(SOURCE, TARGET_IN, TARGET_OUT)
    twice = Translation(r_drop=5).loss(model, batch)
    torch.testing.assert_close(twice.smoothed, Translation().loss(model, batch).smoothed)
    model.eval()
    try:
        once = Translation(r_drop=5).loss(model, batch)
    finally:
        model.train()
    torch.testing.assert_close(once, Translation().loss(model, batch))
