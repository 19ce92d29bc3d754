"""The task of a translator: pairs of sentences, a model that reads and writes, batches, its end.

Settings and a site come in; `heedful.run` trains what goes out. Beside the weights a translator
learns a vocabulary shortlist and how good its translations are.
"""

__all__ = ["TranslationTask"]

import json
from collections.abc import Callable
from pathlib import Path

import torch

from heedful.calibration import calibrated
from heedful.card import card
from heedful.config import RunConfig
from heedful.data.batches import Align, BatchPlan
from heedful.data.bpe_dropout import BPEDropout
from heedful.data.formats import of_trees
from heedful.data.report import write_whole
from heedful.decode.shortlist import FILE as SHORTLIST
from heedful.errors import HeedfulError, SettingError
from heedful.kernels import available
from heedful.model_folder import LoadedModel, save_model
from heedful.models.architecture import Model
from heedful.models.trainable import Trainable
from heedful.objectives import Objective
from heedful.run_data import RunData, prepare, prepared
from heedful.run_task import RunResult, Site, ended, gradients
from heedful.start import Gain, first_weights, gains, languages_of, unspelled
from heedful.train import lora
from heedful.train.finish import choose_weights
from heedful.train.gradient import automatic_shards
from heedful.train.guidance import Guide
from heedful.train.loop import Outcome, Trainer, Validation
from heedful.train.memory import largest_batch
from heedful.train.settings import Gone
from heedful.train.shortlist import MOST_ROWS, learn, rows_of, summary
from heedful.train.tree_guidance import TreeGuide
from heedful.validation import validation

_FOREIGN = 0.3
"""Share of single bytes from which a vocabulary is said not to know a corpus."""

_FEW = 20
"""Rows of a dev set under which its loss means little."""


class TranslationTask:
    """Learns to translate; satisfies `heedful.run_task.Task`."""

    data: RunData

    def __init__(self, config: RunConfig, site: Site) -> None:
        self.config = config
        self.site = site

    @property
    def objective(self) -> Objective:
        """What is minimised."""
        return self.config.objective

    def prepare(self, *, accept_changes: bool) -> None:
        """Examine the corpus, learn the tokenizer, build the token stores."""
        folder, progress = self.site.folder, self.site.progress
        self.data = prepare(self.config, folder, progress, accept_changes=accept_changes)

    def find(self) -> None:
        """Open what another process has prepared."""
        self.data = prepared(self.config, self.site.folder)

    def size(self, gone: Gone) -> None:
        """Resolve the batch's size, its shards and the alignment layer."""
        config, site = self.config, self.site
        wanted, size = config.training, site.processes.size
        rows = len(self.data.train)
        if size > rows:
            raise SettingError(
                f"{size} processes are more than the {rows} sentences of the corpus",
                where="--nproc",
                fix="use fewer",
            )
        tokens = self._batch_tokens()
        shards = wanted.shards
        if size == 1:
            shards = shards or automatic_shards(tokens, site.device)
        training = wanted.model_copy(update={"batch_tokens": tokens, "shards": shards})
        shape = config.model
        if config.objective.guided_alignment and shape.alignment_layer is None:
            # the second to last; of two layers, the first would still be far from the output
            place = shape.source_looks - (2 if shape.source_looks > 2 else 1)
            shape = shape.model_copy(update={"alignment_layer": place})
        self.config = config.model_copy(update={"training": training, "model": shape})

    def _batch_tokens(self) -> int:
        """Return the lead's number of pieces in a batch.

        Of a run that torchrun starts again the lead knows it, where other machines are told `auto`.
        """
        site, wanted = self.site, self.config.training.batch_tokens
        tokens = 0 if wanted == "auto" else wanted
        if wanted == "auto" and site.processes.lead:
            # of a CPU's memory all processes have one share
            each = 1 if site.device.type == "cpu" else site.processes.size
            tokens = each * self._fitting_batch()
            site.progress.say(f"batches of {tokens:,} pieces (--training.batch-tokens auto)")
        return int(site.processes.of_lead(tokens)[0])

    def _fitting_batch(self) -> int:
        config = self.config
        source, target = self.data.train.lengths()
        longest, pieces = int(max(source.max(), target.max())), int(target.sum())
        with torch.random.fork_rng():
            model = self.model()
            # what a step has besides: the optimizer's moments and a second set of gradients
            copies = 3 + (config.training.moving_average is not None)
            besides = [
                torch.empty_like(weight) for _ in range(copies) for weight in model.parameters()
            ]
            trial = gradients(self, model, shards=1)
            longest = max(longest, config.training.max_pieces)
            found = largest_batch(trial, longest, pieces, self.site.device)
            del besides
        return found

    def model(self) -> Model:
        """Return the model on its device, with LoRA's additions if there are any."""
        tokenizer, rank = self.data.tokenizer, self.config.training.lora_rank
        model = self.config.model.build(tokenizer.source_size, tokenizer.target_size)
        if rank:
            lora.add(model, rank)
        return model.to(self.site.device)

    def begin(self, model: Trainable) -> None:
        """Give it the weights of the model that the training begins with."""
        assert isinstance(model, Model)
        if self.config.start:
            first_weights(self.config, model)

    def plan(self) -> BatchPlan:
        """Return where batches come from."""
        return BatchPlan(
            self.data.train,
            self.config.training.sized_batch_tokens,
            self.config.seed,
            multiple=8 if self.site.device.type == "cuda" else 1,
            align=self._guide(),
            respell=self._dropout(),
        )

    def validation(self, model: Trainable) -> Callable[[], Validation] | None:
        """Return what measures a model on the dev set; None without one."""
        assert isinstance(model, Model)
        data = self.data
        return validation(self.config, data.dev, data.tokenizer, model, self.site.device)

    def _guide(self) -> Align | None:
        """Return what attention is guided by; None where it is not."""
        if not self.config.objective.guided_alignment:
            return None
        data = self.config.data
        kinds = {of_trees(spec) for spec in (*data.train, *data.mix)}
        if kinds == {True} and not data.both_directions:
            return TreeGuide.of(self.data.tokenizer)
        if True in kinds:
            self.site.progress.warn(
                "not all that is learnt are words and their trees: what attention is guided by is "
                "learnt from the rows, and does not know which word of a tree comes next"
            )
        _require_numba("--objective.guided-alignment")
        rows = min(len(self.data.train), MOST_ROWS)
        self.site.progress.say(f"learning from {rows:,} rows what attention is guided by")
        return Guide.learn(rows_of(self.data.train), self.data.tokenizer)

    def _dropout(self) -> BPEDropout | None:
        """Return what spells words in other ways; None where they stay as they are."""
        settings = self.config.training
        if not settings.bpe_dropout:
            return None
        _require_numba("--training.bpe-dropout")
        return BPEDropout(
            self.data.tokenizer, settings.bpe_dropout, self.config.seed, settings.max_pieces
        )

    def learns_from(self) -> str:
        """Say how many rows and pieces an epoch has."""
        pieces = int(self.data.train.lengths()[1].sum())
        return f"{len(self.data.train):,} rows, {pieces:,} target pieces an epoch"

    def warn(self) -> None:
        """Say where the vocabulary does not know the corpus, or there is too little of it."""
        config, data, progress = self.config, self.data, self.site.progress
        if config.start and (share := unspelled(data.train, data.tokenizer)) > _FOREIGN:
            progress.warn(
                f"{100 * share:.0f} % of the corpus's pieces are single bytes: the vocabulary of "
                f"{config.start} does not know its script, and a model made anew will be better"
            )
        if data.dev is not None and len(data.dev) < _FEW:
            progress.say(
                f"the dev set has {len(data.dev)} of {_FEW} rows that it should have: which "
                "weights are best is luck; give more pairs, or --dev and --test"
            )
        if len(data.train) == 1:
            progress.say("the corpus is one sentence: the model can only learn it by heart")

    def finish(self, trainer: Trainer, outcome: Outcome) -> RunResult:
        """Average the last checkpoints, keep the better of that and the best, save the model."""
        config, data, folder = self.config, self.data, self.site.folder
        said, dev = choose_weights(trainer)
        assert isinstance(trainer.model, Model)
        lora.merged(trainer.model)
        languages = languages_of(config, folder)
        after = LoadedModel(trainer.model.eval(), data.tokenizer, languages)
        found = self._gains(after) if config.start else []
        added, notes = self._shortlist()
        notes = [*map(str, found), *notes]
        text = card(config, trainer.state, outcome, said, dev, notes)
        model = folder / "model"
        save_model(model, trainer.model, data.tokenizer, languages, card=text, added=added)
        notes += self._calibrated(after, model)
        write_whole(model / "README.md", card(config, trainer.state, outcome, said, dev, notes))
        ended(self.site, outcome, said)
        return RunResult(outcome, model, dev)

    def _calibrated(self, loaded: LoadedModel, model: Path) -> list[str]:
        """Learn how good the model's translations are, add that to it, and say it."""
        known, said = calibrated(self.config, self.site.folder, loaded, self.site.device)
        if known.targets:
            known.save(model)
        for line in said:
            self.site.progress.say(line)
        return said

    def _gains(self, after: LoadedModel) -> list[Gain]:
        """Measure and say what has been gained; the model is not lost where that fails."""
        try:
            found = gains(self.config, self.site.folder, after, self.site.device)
        except HeedfulError as error:
            self.site.progress.warn(f"what was gained is not measured: {error}")
            return []
        for gain in found:
            self.site.progress.say(str(gain))
        gained = json.dumps([gain._asdict() for gain in found], indent=1)
        write_whole(self.site.folder / "gains.json", gained + "\n")
        return found

    def _shortlist(self) -> tuple[dict[str, bytes], list[str]]:
        """Learn the vocabulary shortlist: the file for the model folder, and what it covers."""
        if self.config.start:
            self.site.progress.say(
                "no vocabulary shortlist is learnt from texts of one kind: heed shortlist learns "
                "one from any"
            )
            return {}, []
        if not available():
            self.site.progress.say("no vocabulary shortlist is learnt: numba is not installed")
            return {}, []
        rows = min(len(self.data.train), MOST_ROWS)
        self.site.progress.say(f"learning the vocabulary shortlist from {rows:,} rows")
        shortlist = learn(rows_of(self.data.train), self.data.tokenizer)
        covered = summary(shortlist, self.data.dev, "dev set")
        said = f"vocabulary shortlist: {covered}"
        self.site.progress.say(said)
        return {SHORTLIST: shortlist.to_bytes()}, [said]


def _require_numba(where: str) -> None:
    if not available():
        raise SettingError("it needs numba", where=where, fix="install numba, or give 0")
