"""The plan against real models, formulas written out here, and the paper's own figures."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.data.batches import Batch
from heedful.models.transformer import TransformerConfig
from heedful.recipes import paper_base, paper_big
from heedful.train.plan import PAPER, Work, days, measure, memory, speed, work_of

SMALL = TransformerConfig(
    d_model=64, d_ff=96, n_heads=4, encoder_layers=2, decoder_layers=3, max_length=64
)


@pytest.mark.parametrize("length", [7, 30])
def test_operations_are_those_of_the_products(length: int) -> None:
    """Six for every weight of a matrix that a piece passes, and those of attention."""
    d, ff, vocabulary = 64, 96, 500
    encoder = 4 * d * d + 2 * d * ff
    decoder = 8 * d * d + 2 * d * ff
    matrices = 2 * encoder + 3 * decoder + vocabulary * d
    attention = (2 + 3 + 3) * 2 * 2 * length * d  # scores and mixtures, 2 operations a product
    found = work_of(SMALL, vocabulary, length)
    assert found.flops == pytest.approx(6 * matrices + 3 * attention)


def test_weights_are_those_of_the_model() -> None:
    model = SMALL.build(500, 500)
    found = work_of(SMALL, 500, 10)
    assert found.weights == sum(weight.numel() for weight in model.parameters())
    layers = [sum(w.numel() for w in layer.parameters()) for layer in model.decoder]
    assert found.layer_weights == max(layers)
    assert found.embedding_weights == 500 * 64


def test_activations_are_those_that_are_kept() -> None:
    """Against the tensors that autograd holds on a CPU after a real way forward in bf16."""
    torch.manual_seed(1)
    model = SMALL.build(500, 500).train()
    ids = torch.randint(4, 500, (8, 30))
    batch = Batch(ids, ids, ids, 240, 240)
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16),
    ):
        hidden = model.hidden(batch.target_in, model.encode(batch.source, batch.source_mask))
    weights_in_bf16 = 2 * (work_of(SMALL, 500, 30).weights - 500 * 64)
    held = sum(tensor.untyped_storage().nbytes() for tensor in kept.values()) - weights_in_bf16
    assert hidden.requires_grad
    assert work_of(SMALL, 500, 30).activation_bytes * 240 == pytest.approx(held, rel=0.3)


def test_the_papers_estimates() -> None:
    """Table 2: 3.3e18 and 2.3e19; what the models themselves compute is less."""
    assert f"{PAPER['paper-base'].flops:.1e}" == "3.3e+18"
    assert f"{PAPER['paper-big'].flops:.1e}" == "2.3e+19"
    for config, used in ((paper_base(), 0.29), (paper_big(), 0.42)):
        work = work_of(config.model, 37_000, 30)
        flops = work.flops * config.training.max_steps * config.training.sized_batch_tokens
        assert flops / PAPER[config.recipe].flops == pytest.approx(used, abs=0.01)


WORK = Work(63_000_000, 4_000_000, 19_000_000, 3.8e8, 2.2e5)
RATES = {"flops_per_second": 4e14, "link": 4.5e11, "network": 5e10}


def test_memory_by_part() -> None:
    """16 bytes a weight beside the bf16 copy, for DDP; FSDP divides what it does not gather."""
    ddp = memory(WORK, 37_000, 1000, 8, "ddp")
    assert ddp["weights"] + ddp["gradients"] + ddp["optimizer"] == 63_000_000 * 18
    assert (ddp["activations"], ddp["logits"]) == (2.2e8, 1000 * 37_000 * 10)
    fsdp = memory(WORK, 37_000, 1000, 8, "fsdp")
    assert fsdp["optimizer"] == 63_000_000
    assert fsdp["weights"] == 63_000_000 * 4 / 8 + 19_000_000 * 4 + 23_000_000 * 2
    assert memory(WORK, 37_000, 1000, 1, "fsdp") == memory(WORK, 37_000, 1000, 1, "ddp")


def test_one_gpu_by_hand() -> None:
    found = speed(WORK, 1000, 1, "ddp", **RATES)
    assert found == (pytest.approx(9.5e-4), 0.0, pytest.approx(1000 / 9.5e-4))
    assert days(86_400e6, 1e6) == 1.0


def test_bytes_between_gpus_by_hand() -> None:
    """DDP passes 8 a weight; FSDP 4 of gradients and 4 of weights, layers twice, in bf16."""
    for kind in ("ddp", "fsdp"):
        found = speed(WORK, 1000, 8, kind, **RATES)
        assert found.communicate == pytest.approx(7 / 8 * 8 * 63_000_000 / 4.5e11)


@given(st.integers(1, 4096), st.integers(1, 4096), st.sampled_from(["ddp", "fsdp"]))
def test_more_gpus_are_faster_but_not_in_proportion(one: int, more: int, kind: str) -> None:
    """Within a node, and among nodes."""
    few, many = sorted((one, one + more))
    slow = speed(WORK, 8192, few, kind, **RATES).tokens_per_second
    fast = speed(WORK, 8192, many, kind, **RATES).tokens_per_second
    assert fast <= slow * many / few * (1 + 1e-9)
    if (few <= 8) == (many <= 8):
        assert fast > slow


def test_measured_on_this_machine() -> None:
    found = measure(SMALL, 500, 10, 200, torch.device("cpu"))
    assert 0 < found.step < found.peak
