"""heedful itself: its own Trainer, model, objective, optimizer and batches, as `heed train` does.

Only checkpoints are left out: writing them is no part of the speed of a step.
"""

__all__ = ["Ours"]

import sys
import time
from pathlib import Path

import torch
from train.data import plan
from train.spec import SIZES, Task

from heedful.device import pick_device
from heedful.models.transformer import TransformerConfig
from heedful.objectives import Translation
from heedful.progress import Progress
from heedful.train.allocator import keep_freed_memory
from heedful.train.checkpoint import Checkpoints
from heedful.train.gradient import Gradients, automatic_shards
from heedful.train.log import TrainLog
from heedful.train.loop import Trainer
from heedful.train.optimizer import Adam
from heedful.train.schedule import InverseSqrt
from heedful.train.settings import TrainingConfig


class Ours:
    """heedful's loop behind the benchmark's `Runner`; its log goes into the folder."""

    def __init__(self, task: Task, folder: Path) -> None:
        size = SIZES[task.size]
        device = pick_device(task.device)
        if device.type == "cpu":
            keep_freed_memory()
        config = TransformerConfig(
            d_model=size.d_model,
            d_ff=size.d_ff,
            n_heads=size.heads,
            encoder_layers=size.layers,
            decoder_layers=size.layers,
            dropout=size.dropout,
        )
        model = config.build(size.vocabulary, size.vocabulary).to(device)
        settings = {"batch_tokens": task.settings.batch_tokens, "precision": task.precision}
        if device.type == "cuda":
            model.compile_layers()
        self.plan = plan(task, size.vocabulary)
        self.weights = sum(weight.numel() for weight in model.parameters())
        self.trainer = Trainer(
            model=model,
            gradients=Gradients(
                model=model,
                objective=Translation(label_smoothing=0.1),
                precision=task.precision,
                device=device,
                shards=automatic_shards(task.settings.batch_tokens, device),
                say=lambda line: print(line, file=sys.stderr),
            ),
            optimizer=Adam().build(model),
            schedule=InverseSqrt(),
            settings=TrainingConfig(max_steps=1, **settings),
            plan=self.plan,
            checkpoints=Checkpoints(folder / "checkpoints"),
            log=TrainLog(folder, Progress(quiet=True)),
            validate=None,
            device=device,
        )
        self.trainer.save = lambda: None

    @property
    def target_tokens(self) -> int:
        """Return the pieces trained on so far, as the loop counts them."""
        return self.trainer.state.target_tokens

    def advance(self, steps: int) -> float:
        """Train on; on a GPU return wall time, as its steps end later than they are asked for."""
        state = self.trainer.state
        goal = {"max_steps": state.step + steps}
        self.trainer.settings = self.trainer.settings.model_copy(update=goal)
        if self.trainer.device.type == "cpu":
            before = state.seconds
            self.trainer.run()
            return state.seconds - before
        torch.cuda.synchronize()
        started = time.perf_counter()
        self.trainer.run()
        torch.cuda.synchronize()
        return time.perf_counter() - started
