"""The task of a decoder alone: running text, a GPT, windows, its end.

Settings and a site come in; `heedful.run` trains what goes out.
"""

__all__ = ["TextTask"]

from collections.abc import Callable

import torch

from heedful.card import text_card
from heedful.config import TextRunConfig
from heedful.data.evenly import evenly
from heedful.data.stream import Stream
from heedful.data.text_batches import WindowPlan, every_window
from heedful.decoder_folder import save_decoder
from heedful.errors import SettingError
from heedful.models.gpt import GPT
from heedful.models.trainable import Trainable
from heedful.objectives import TextObjective
from heedful.run_task import RunResult, Site, ended, mean_loss
from heedful.text_data import RunText, prepare_text, prepared_text
from heedful.train.finish import choose_weights
from heedful.train.gradient import automatic_shards
from heedful.train.loop import Outcome, Trainer, Validation
from heedful.train.precision import autocast
from heedful.train.settings import Gone

_AT_ONCE = 4096
"""Pieces that are measured at a time, at least a window."""


class TextTask:
    """Learns to go on with a text; satisfies `heedful.run_task.Task`."""

    data: RunText

    def __init__(self, config: TextRunConfig, site: Site) -> None:
        self.config = config
        self.site = site

    @property
    def objective(self) -> TextObjective:
        """What is minimised."""
        return self.config.objective

    def prepare(self, *, accept_changes: bool) -> None:
        """Survey the text, learn its vocabulary, build the streams."""
        folder, progress = self.site.folder, self.site.progress
        self.data = prepare_text(self.config, folder, progress, accept_changes=accept_changes)

    def find(self) -> None:
        """Open what another process has prepared."""
        self.data = prepared_text(self.site.folder)

    def size(self, gone: Gone) -> None:
        """Resolve the shards of a batch."""
        training, processes = self.config.training, self.site.processes.size
        if processes > training.batch_windows:
            raise SettingError(
                f"{processes} processes are more than the {training.batch_windows} windows of a "
                "batch",
                where="--nproc",
                fix="use fewer, or a larger --training.batch-windows",
            )
        if processes == 1 and training.shards is None:
            pieces = training.batch_windows * self.config.model.max_length
            shards = min(automatic_shards(pieces, self.site.device), training.batch_windows)
            sized = training.model_copy(update={"shards": shards})
            self.config = self.config.model_copy(update={"training": sized})

    def model(self) -> GPT:
        """Return the model on its device, freshly initialised."""
        return self.config.model.build(self.data.vocabulary.size).to(self.site.device)

    def begin(self, model: Trainable) -> None:
        """Leave it as it is: a text is learnt from the beginning."""

    def plan(self) -> WindowPlan:
        """Return where batches come from."""
        config = self.config
        window, windows = config.model.max_length, config.training.batch_windows
        return WindowPlan(self.data.train, window, windows, config.seed)

    def validation(self, model: Trainable) -> Callable[[], Validation]:
        """Return what measures a model on some windows of the dev text."""
        return self._measure(model, self.config.training.validation_windows)

    def _measure(self, model: Trainable, most: int) -> Callable[[], Validation]:
        """Return what measures a model on so many windows of the dev text, 0 all of them."""
        assert isinstance(model, GPT)
        config, device, window = self.config, self.site.device, self.config.model.max_length
        places = every_window(len(self.data.dev), window)
        some = places[evenly(len(places), most or len(places))]
        rows = max(1, _AT_ONCE // window)
        plan = WindowPlan(self.data.dev, window, rows, 0)
        batches = [plan.batch(some[at : at + rows]) for at in range(0, len(some), rows)]

        def measured() -> Validation:
            model.eval()
            with torch.inference_mode(), autocast(config.training.precision, device):
                losses = [config.objective.loss(model, batch.to(device)) for batch in batches]
            return mean_loss(losses)

        return measured

    def learns_from(self) -> str:
        """Say how many pieces an epoch has."""
        training, window = self.config.training, self.config.model.max_length
        return (
            f"{_amount(self.data.train)} to learn from, {_amount(self.data.dev)} held out, "
            f"batches of {training.batch_windows:,} windows of {window:,}"
        )

    def warn(self) -> None:
        """Nothing is wrong with a text that has come so far."""

    def finish(self, trainer: Trainer, outcome: Outcome) -> RunResult:
        """Choose the weights, measure them on all of the dev text, and save the model."""
        said, _ = choose_weights(trainer)
        assert isinstance(trainer.model, GPT)
        dev = self._measure(trainer.model, 0)()
        model = self.site.folder / "model"
        card = text_card(self.config, trainer.state, outcome, said, dev, len(self.data.dev))
        save_decoder(model, trainer.model, self.data.vocabulary, card=card)
        ended(self.site, outcome, said)
        self.site.progress.say(
            f"loss on all of the dev text: {dev.loss:.4f} nats a piece, perplexity "
            f"{dev.perplexity:.3f}"
        )
        return RunResult(outcome, model, dev)


def _amount(stream: Stream) -> str:
    return f"{len(stream):,} pieces"
