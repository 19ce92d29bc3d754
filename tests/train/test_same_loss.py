"""A short training ends where a plain loop ends, within the noise between seeds."""

from collections.abc import Callable
from statistics import mean, stdev

import pytest
import torch
from torch import nn

from heedful.data.batches import Batch
from heedful.device import has_bf16
from heedful.models.seq2seq import forward
from heedful.nn.dropout import Dropout
from heedful.train.loop import Trainer

STEPS, SEEDS = 40, (1, 2, 3)
CHANGES = {
    "training": {"max_steps": STEPS, "save_every": 1000, "log_every": 20, "shards": 2},
    "schedule": {"warmup_steps": 20},
    "model": {"dropout": 0.1},
}


def plain_loop(trainer: Trainer, monkeypatch: pytest.MonkeyPatch, bf16: bool) -> float:
    """Train as a textbook does: autocast, PyTorch's dropout, all logits, its loss, its Adam."""

    def dropout(
        self: Dropout, states: torch.Tensor, onto: torch.Tensor | None = None
    ) -> torch.Tensor:
        kept = nn.functional.dropout(states, self.rate, self.training)
        return kept if onto is None else onto + kept

    monkeypatch.setattr(Dropout, "forward", dropout)
    monkeypatch.setattr("heedful.models.transformer.lowered", lambda states: states)
    model = trainer.model.train()
    adam = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9)
    losses: list[float] = []
    batches = (portion.batches[0] for portion in trainer._portions())
    for step, batch in zip(range(1, STEPS + 1), batches, strict=False):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss, nll = losses_of(trainer, batch)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), trainer.settings.clip_norm)
        adam.param_groups[0]["lr"] = trainer.learning_rate(step)
        adam.step()
        adam.zero_grad()
        losses.append(float(nll.detach()))
    return mean(losses[-20:])


def losses_of(trainer: Trainer, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    logits = forward(trainer.model, batch.source, batch.source_mask, batch.target_in)
    pair = logits.flatten(0, 1), batch.target_out.flatten()
    plain = nn.functional.cross_entropy(*pair, ignore_index=0)
    return nn.functional.cross_entropy(*pair, ignore_index=0, label_smoothing=0.1), plain


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_short_training_ends_as_the_plain_loop_does(
    make: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    if precision == "bf16" and not has_bf16(torch.device("cpu")):
        pytest.skip("no bf16 hardware: minutes")
    changes = CHANGES | {"training": CHANGES["training"] | {"precision": precision}}
    ours = []
    for seed in SEEDS:
        trainer = make(changes | {"seed": seed})
        trainer.save = lambda: None  # type: ignore[method-assign]
        trainer.run()
        ours.append(mean(trainer.state.recent))
    theirs = [
        plain_loop(make(changes | {"seed": seed}), monkeypatch, precision == "bf16")
        for seed in SEEDS
    ]
    noise = max(stdev(ours), stdev(theirs))
    assert mean(theirs) < 5  # of ln 290 = 5.7: something was learnt
    assert abs(mean(ours) - mean(theirs)) < 2 * noise, (ours, theirs)
