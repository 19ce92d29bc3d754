"""The gradient of sharded batches: of the whole, whatever the threads, and out of memory."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from heedful.data.batches import Batch
from heedful.errors import SettingError
from heedful.models.recurrent import RecurrentConfig
from heedful.objectives import Loss
from heedful.train.gradient import Gradients, automatic_shards
from heedful.train.loop import Trainer

Make = Callable[..., Trainer]
CPU = torch.device("cpu")
STILL = {"model": {"dropout": 0.0}}


def flat(model: nn.Module) -> torch.Tensor:
    """Return all gradients as one vector, and forget them."""
    found = [w.grad.flatten() for w in model.parameters() if w.grad is not None]
    model.zero_grad(set_to_none=True)
    return torch.cat(found)


def first_batch(trainer: Trainer) -> Batch:
    return trainer.plan.batch(trainer.plan.epoch(0)[0])


@pytest.mark.parametrize("shards", [2, 3, 7, 1000])
def test_shards_add_up_to_the_whole(make: Make, shards: int) -> None:
    trainer = make(STILL)
    batch = first_batch(trainer)
    whole_loss = trainer.gradients.add(batch, batch.n_target)
    whole = flat(trainer.model)
    trainer.gradients.shards = shards
    loss = trainer.gradients.add(batch, batch.n_target)
    torch.testing.assert_close(flat(trainer.model), whole, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(loss, whole_loss)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_same_bits_on_any_number_of_cores(make: Make, dropout: float) -> None:
    """Three shards on three threads of one core each, and the same three one after another."""
    trainer = make({"model": {"dropout": dropout}, "training": {"shards": 3}})
    batch = first_batch(trainer)

    def gradient() -> torch.Tensor:
        torch.manual_seed(3)
        trainer.gradients.add(batch, batch.n_target)
        return flat(trainer.model)

    expected = gradient()
    assert all(torch.equal(gradient(), expected) for _ in range(3))

    def in_turn(work: list[tuple[Batch, int]], tokens: int) -> Any:
        return [trainer.gradients._shard(*one, tokens) for one in reversed(work)][::-1]

    trainer.gradients._side_by_side = in_turn  # type: ignore[method-assign]
    assert torch.equal(gradient(), expected)


def test_shards_have_masks_of_their_own(make: Make) -> None:
    """The same sentence twice: with one mask for both, the shards' losses would be the same."""
    trainer = make({"model": {"dropout": 0.5}, "training": {"shards": 2}})
    gradients = trainer.gradients
    row = int(trainer.plan.epoch(0)[0][0])
    losses: list[float] = []
    shard = gradients._shard

    def noting(batch: Batch, seed: int, tokens: int) -> Any:
        found = shard(batch, seed, tokens)
        losses.append(float(found[1][0]))
        return found

    gradients._shard = noting  # type: ignore[method-assign]
    gradients.add(trainer.plan.batch([row, row]), 1)
    assert len(losses) == 2
    assert losses[0] != losses[1]
    same = [float(shard(trainer.plan.batch([row]), 1, 1)[1][0]) for _ in range(2)]
    assert same[0] == same[1]


def test_the_number_of_threads_is_left_as_it_was(make: Make) -> None:
    torch.set_num_threads(2)
    trainer = make({"training": {"shards": 2}})
    batch = first_batch(trainer)
    trainer.gradients.add(batch, batch.n_target)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("rows", "cores"), [(1, 4), (2, 2), (4, 1), (8, 1)])
def test_no_core_is_left_without_work(make: Make, rows: int, cores: int) -> None:
    """A batch of one sentence has all cores, one of as many as there are shards a core for each."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        trainer = make(STILL | {"training": {"shards": 4}})
        gradients, seen = trainer.gradients, []
        shard = gradients._shard

        def noting(batch: Batch, seed: int, tokens: int) -> Any:
            seen.append(torch.get_num_threads())
            return shard(batch, seed, tokens)

        gradients._shard = noting  # type: ignore[method-assign]
        row = int(trainer.plan.epoch(0)[0][0])
        gradients.add(trainer.plan.batch([row] * rows), 1)
    finally:
        torch.set_num_threads(before)
    assert seen == [cores] * min(rows, 4)


class Limited:
    """The objective in a memory that holds so many positions, and counts what it was given."""

    def __init__(self, objective: Any, positions: int, error: Callable[[], Exception]) -> None:
        self.objective, self.positions, self.error = objective, positions, error
        self.seen: list[int] = []

    def loss(self, model: Any, batch: Batch) -> Loss:
        self.seen.append(batch.source.numel())
        if batch.source.numel() > self.positions:
            raise self.error()
        loss: Loss = self.objective.loss(model, batch)
        return loss


ERRORS = {
    "cuda": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB"),
    "cpu": lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ..."),
    "python": MemoryError,
}


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("shards", [1, 2])
def test_out_of_memory_is_split_counted_and_said(make: Make, kind: str, shards: int) -> None:
    said: list[str] = []
    trainer = make(STILL | {"training": {"shards": shards}})
    gradients = trainer.gradients
    gradients.say = said.append
    batch = first_batch(trainer)
    gradients.add(batch, batch.n_target)
    expected = flat(trainer.model)
    positions = batch.source.numel() // 3
    gradients.objective = Limited(gradients.objective, positions, ERRORS[kind])  # type: ignore
    loss = gradients.add(batch, batch.n_target)
    torch.testing.assert_close(flat(trainer.model), expected, rtol=1e-4, atol=1e-7)
    assert loss.isfinite().all()
    assert gradients.out_of_memory == 1
    assert len(said) == (2 if shards == 1 else 1)
    assert said[-1].startswith(f"out of memory: a batch of {batch.rows} sentences is done in 4 ")
    gradients.add(batch, batch.n_target)
    assert gradients.out_of_memory == 2


def test_a_sentence_that_does_not_fit_alone(make: Make) -> None:
    trainer = make(STILL)
    batch = first_batch(trainer)
    objective = Limited(trainer.gradients.objective, 1, MemoryError)
    trainer.gradients.objective = objective  # type: ignore[assignment]
    with pytest.raises(SettingError, match=r"a sentence of \d+ pieces does not fit") as caught:
        trainer.gradients.add(batch, batch.n_target)
    assert "\n" not in str(caught.value)
    assert all(weight.grad is None for weight in trainer.model.parameters())


@pytest.mark.parametrize("shards", [1, 2])
def test_other_errors_pass(make: Make, shards: int) -> None:
    trainer = make({"training": {"shards": shards}})
    wrong = Limited(trainer.gradients.objective, 0, lambda: RuntimeError("shapes do not match"))
    trainer.gradients.objective = wrong  # type: ignore[assignment]
    batch = first_batch(trainer)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        trainer.gradients.add(batch, batch.n_target)
    assert trainer.gradients.out_of_memory == 0


def test_how_many_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert automatic_shards(25_000, CPU) == 8
    assert automatic_shards(2_000, CPU) == 4
    assert automatic_shards(100, CPU) == 1
    assert automatic_shards(25_000, torch.device("cuda")) == 1


def test_a_frozen_weight_gets_no_gradient(make: Make) -> None:
    trainer = make(STILL)
    frozen: nn.Parameter = next(trainer.model.parameters())
    frozen.requires_grad_(False)
    gradients = Gradients(
        trainer.model, trainer.gradients.objective, "float32", CPU, 2, lambda _: None
    )
    batch = first_batch(trainer)
    gradients.add(batch, batch.n_target)
    assert frozen.grad is None
    assert sum(w.grad is not None for w in trainer.model.parameters()) > 10


def test_a_gradient_lies_as_its_weight_does(make: Make) -> None:
    """A slice does not, and the fused optimizer of a GPU refuses it."""
    trainer = make(STILL)
    batch = first_batch(trainer)
    pieces = 1 + max(
        int(batch.source.max()), int(batch.target_in.max()), int(batch.target_out.max())
    )
    model = RecurrentConfig(d_model=16, max_length=256, dropout=0.0).build(pieces, pieces)
    gradients = Gradients(model, trainer.gradients.objective, "float32", CPU, 1, lambda _: None)
    gradients.add(batch, batch.n_target)
    for weight in model.parameters():
        assert weight.grad is not None
        assert weight.grad.stride() == weight.stride()
