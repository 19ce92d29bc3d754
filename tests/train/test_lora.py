"""LoRA against its definition: nothing at first, additions of low rank later, plain in the end."""

import pytest
import torch

from heedful.models.seq2seq import forward
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.objectives import Translation
from heedful.train import lora
from heedful.train.gradient import Gradients
from heedful.train.optimizer import Adam
from tests.test_objectives import PAD, SOURCE, TARGET_IN, TARGET_OUT, batch_of

RANK = 3


def made() -> Transformer:
    torch.manual_seed(4)
    shape = {"d_model": 16, "d_ff": 24, "n_heads": 2, "encoder_layers": 1, "decoder_layers": 2}
    return TransformerConfig(**shape, dropout=0.0).build(20, 20)


def logits(model: Transformer) -> torch.Tensor:
    with torch.no_grad():
        return forward(model, SOURCE, SOURCE != PAD, TARGET_IN)


@pytest.mark.parametrize("shards", [1, 2])
def test_a_training_changes_what_it_should(shards: int) -> None:
    model, before = made(), made()
    lora.add(model, RANK)
    assert torch.equal(logits(model), logits(before))
    learnt = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert len(learnt) == 2 * (6 + 2 * 10)
    optimizer = Adam().build(model)
    batch = batch_of(SOURCE, TARGET_IN, TARGET_OUT)
    said: list[str] = []
    gradients = Gradients(model, Translation(), "float32", torch.device("cpu"), shards, said.append)
    losses = []
    for _ in range(5):
        losses.append(float(gradients.add(batch, batch.n_target)[0]))
        optimizer.param_groups[0]["lr"] = 0.02
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0]

    with_additions = logits(model)
    lora.merged(model)
    torch.testing.assert_close(logits(model), with_additions)
    old = dict(before.named_parameters())
    assert {name for name, _ in model.named_parameters()} == set(old)
    for name, weight in model.named_parameters():
        assert weight.requires_grad
        moved = (weight - old[name]).detach()
        linear = name.startswith(("encoder.", "decoder.")) and weight.ndim == 2
        if not linear:
            assert not moved.any(), name
            continue
        values = torch.linalg.svdvals(moved)
        assert values[0] > 1e-3, name
        assert (values[RANK:] < 1e-5 * values[0] + 1e-6).all(), name


def test_a_rank_beyond_a_matrix_is_its_own() -> None:
    model = made()
    lora.add(model, 1000)
    assert max(x.shape[1] for name, x in model.named_parameters() if name.endswith("0.b")) == 16
