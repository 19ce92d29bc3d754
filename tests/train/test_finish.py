"""The weights that a training ends with: those that do best on the dev set, and they are named."""

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch

from heedful.errors import ModelError
from heedful.train.finish import choose_weights
from heedful.train.loop import Trainer, Validation

STEPS = [2, 4, 6, 8, 10]


@pytest.fixture
def ended(
    make: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Trainer, dict[int, torch.Tensor]]]:
    """Return what makes a training that has saved steps 2 to 10, and their weights.

    `likes` are steps: the dev loss of weights is their distance from the average of those.
    """
    monkeypatch.setattr(os, "fsync", lambda _: None)

    def end(
        likes: list[int] | None = None, best: int = 0, average_last: int = 5
    ) -> tuple[Trainer, dict[int, torch.Tensor]]:
        training = {"max_steps": 10, "save_every": 2, "average_last": 5}
        trainer = make({"training": training})
        trainer.run()
        assert trainer.checkpoints.steps() == STEPS
        weights = {step: flat(trainer.checkpoints.load(step).model) for step in STEPS}
        trainer.settings = trainer.settings.model_copy(update={"average_last": average_last})
        trainer.state.best_step = best

        def validate() -> Validation:
            wanted = torch.stack([weights[step] for step in likes or []]).mean(0)
            distance = float((flat(dict(trainer.model.named_parameters())) - wanted).norm())
            return Validation(distance, 1.0, None)

        trainer.validate = validate if likes else None
        return trainer, weights

    return end


def flat(weights: dict[str, Any]) -> torch.Tensor:
    return torch.cat([weights[name].detach().flatten() for name in sorted(weights)])


@pytest.mark.parametrize(
    ("likes", "said"),
    [
        (STEPS, "the average of 5 checkpoints (steps 2 to 10)"),
        ([8, 10], "the average of 2 checkpoints (steps 8 to 10)"),
        ([10], "those of step 10"),
        ([4], "those of step 4"),
    ],
)
def test_the_best_on_the_dev_set(ended: Any, likes: list[int], said: str) -> None:
    """All averages compete, the shorter ones too, and the best step (here: 4)."""
    trainer, weights = ended(likes, best=4)
    named, dev = choose_weights(trainer)
    assert named == said
    assert dev is not None
    assert dev.loss == pytest.approx(0, abs=1e-5)
    expected = torch.stack([weights[step] for step in likes]).mean(0)
    found = flat(dict(trainer.model.named_parameters()))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_without_a_dev_set(ended: Any) -> None:
    """The paper's way: the mean of the last ones."""
    trainer, weights = ended(average_last=3)
    assert choose_weights(trainer) == ("the average of 3 checkpoints (steps 6 to 10)", None)
    expected = (weights[6] + weights[8] + weights[10]) / 3
    found = flat(dict(trainer.model.named_parameters()))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_damaged_ones_are_left_out_and_counted(ended: Any, capsys: Any) -> None:
    """And named, be it a quiet training."""
    trainer, _ = ended(STEPS, best=4)
    for step in (4, 6):
        (trainer.checkpoints.path(step) / "state.json").unlink()
    capsys.readouterr()
    named, _ = choose_weights(trainer)
    said = capsys.readouterr().err
    for step in (4, 6):
        path = trainer.checkpoints.path(step)
        assert f"{path}: the checkpoint is damaged; left out\n" in said
    assert named == (
        "the average of 3 checkpoints (steps 2 to 10), 2 damaged ones left out, "
        "the checkpoint of the best step 4 is damaged"
    )


def test_all_damaged(ended: Any) -> None:
    trainer, _ = ended(STEPS)
    for step in STEPS:
        (trainer.checkpoints.path(step) / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no whole checkpoint is left to average"):
        choose_weights(trainer)
