"""One run, whole: `RunConfig` composes the settings that stand beside the code they set.

A recipe makes one, the command line changes it by path (`--training.max-steps 120`), the run
folder keeps it as `config.json`. `RunConfig` is of a translator, `TextRunConfig` of a decoder that
learns running text, `ChatRunConfig` of one that learns to answer, `ReadingRunConfig` of an encoder;
what all have is `AnyRunConfig`.
"""

__all__ = [
    "AnyRunConfig",
    "ChatRunConfig",
    "KnownRunConfig",
    "ReadingRunConfig",
    "RunConfig",
    "TextRunConfig",
    "merged",
    "read_config",
]

import json
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from heedful.data.conversations import ChatData
from heedful.data.corpus import DataConfig
from heedful.data.examples import ReadingData
from heedful.data.running_text import TextData
from heedful.errors import SettingError
from heedful.models.architecture import ModelConfig
from heedful.models.bert import BERTConfig
from heedful.models.gpt import GPTConfig
from heedful.models.transformer import TransformerConfig
from heedful.nn.embedding import OneInput, ThreeWay
from heedful.objectives import (
    Answers,
    Causal,
    Chat,
    ChatObjective,
    EncoderObjective,
    MaskedLM,
    Objective,
    TextObjective,
    Translation,
)
from heedful.search import Beam, SearchConfig
from heedful.setting_errors import plain
from heedful.settings import Settings
from heedful.text.tokenizer import BPE, TokenizerConfig
from heedful.text.train_tokenizer import Characters, TextTokenizerConfig
from heedful.text.wordpiece import WordPieceConfig
from heedful.train.optimizer import Adam, AdamW, Muon, Optimizer
from heedful.train.parallel import DDP, Parallel
from heedful.train.schedule import Cosine, InverseSqrt, Linear, Schedule
from heedful.train.settings import (
    ChatTraining,
    LoopConfig,
    RowTraining,
    TextTraining,
    TrainingConfig,
)


class AnyRunConfig(Settings):
    """What the settings of every run have."""

    recipe: str = ""
    """The recipe that these settings started from."""
    seed: int = Field(1, ge=0, lt=2**31)
    """Decides the initial weights, the order of the data, dropout and what is held out."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU if there is one."""
    optimizer: Optimizer = Adam()
    """How weights follow gradients."""
    schedule: Schedule = InverseSqrt()
    """The learning rate."""
    parallel: Parallel = DDP()
    """How several processes share the work; nothing to one alone."""
    training: LoopConfig = LoopConfig()
    """Length, portions and care of the training."""

    @model_validator(mode="after")
    def _has_whole_matrices(self) -> "AnyRunConfig":
        if isinstance(self.optimizer, Muon) and self.parallel.divides_weights:
            raise ValueError("--optimizer.kind muon needs whole matrices: give --parallel.kind ddp")
        return self


class RunConfig(AnyRunConfig):
    """The settings of a translator's training; the defaults are the paper's base model."""

    recipe: str = "paper-base"
    """The recipe that these settings started from."""
    start: str = ""
    """A model whose weights, shape and tokenizer the training begins with; none: it begins anew."""
    data: DataConfig = DataConfig()
    """The corpus."""
    tokenizer: TokenizerConfig = BPE()
    """How text becomes pieces."""
    model: ModelConfig = TransformerConfig()
    """The model's shape."""
    objective: Objective = Translation()
    """What is minimised."""
    training: TrainingConfig = TrainingConfig()
    """Length, portions and care of the training."""
    search: SearchConfig = Beam()
    """How the finished model is tested."""

    @model_validator(mode="after")
    def _fits(self) -> "RunConfig":
        embedding = self.model.embedding
        if not self.tokenizer.shared and isinstance(embedding, ThreeWay | OneInput):
            raise ValueError(
                "--tokenizer.shared false needs --model.embedding.kind two_way or untied: "
                f"{embedding.kind} makes one matrix of both vocabularies"
            )
        two = {self.data.source_language, self.data.target_language} - {""}
        if self.data.both_directions and len(two) < 2:
            raise ValueError("--both-directions needs two languages: give --from en --to de")
        if not self.tokenizer.shared and self.data.both_directions:
            raise ValueError("--data.both-directions needs --tokenizer.shared true")
        guided = self.objective.guided_alignment or self.start
        if self.model.alignment_layer is not None and not guided:
            raise ValueError(
                "--model.alignment-layer learns nothing without --objective.guided-alignment 0.05"
            )
        if self.training.max_pieces > self.model.max_length:
            raise ValueError(
                f"--training.max-pieces {self.training.max_pieces} is more than the "
                f"--model.max-length {self.model.max_length} that the model can hold"
            )
        return self

    @model_validator(mode="after")
    def _suits_the_architecture(self) -> "RunConfig":
        if self.objective.guided_alignment and not self.model.source_looks:
            raise ValueError(
                "--objective.guided-alignment guides attention: give a --model.attention.kind "
                "other than none"
            )
        if isinstance(self.model, TransformerConfig):
            return self
        if self.training.lora_rank:
            raise ValueError("--training.lora-rank is for --model.kind transformer alone")
        if self.parallel.divides_weights:
            raise ValueError(
                f"the layers of --model.kind {self.model.kind} are not divided: give "
                "--parallel.kind ddp"
            )
        return self

    @model_validator(mode="after")
    def _is_possible(self) -> "RunConfig":
        for name in ("mix", "general"):
            if getattr(self.data, name) and not self.start:
                raise ValueError(f"--{name} is for a model that is taught more: give --start too")
        if self.training.lora_rank and not self.start:
            raise ValueError("--training.lora-rank adds to a model: give --start too")
        if self.training.lora_rank:
            _require_lora(self)
        if self.training.bpe_dropout and self.tokenizer.kind != "bpe":
            raise ValueError("--training.bpe-dropout needs --tokenizer.kind bpe")
        if self.training.bpe_dropout and self.training.batch_tokens == "auto":
            raise ValueError(
                "--training.bpe-dropout makes batches longer than auto knows: give a number"
            )
        if self.objective.r_drop and not self.model.dropout:
            raise ValueError("--objective.r-drop compares two dropouts: give --model.dropout 0.1")
        return self


class TextRunConfig(AnyRunConfig):
    """The settings of a decoder's training on running text; the defaults are GPT-2's smallest."""

    recipe: str = "gpt-char"
    """The recipe that these settings started from."""
    data: TextData = TextData()
    """The text."""
    tokenizer: TextTokenizerConfig = Characters()
    """How text becomes pieces."""
    model: GPTConfig = GPTConfig()
    """The model's shape; its context is the length of what it learns at a time."""
    objective: TextObjective = Causal()
    """What is minimised."""
    optimizer: Optimizer = AdamW()
    """How weights follow gradients."""
    schedule: Schedule = Cosine()
    """The learning rate."""
    training: TextTraining = TextTraining()
    """Length, portions and care of the training."""


class ReadingRunConfig(AnyRunConfig):
    """The settings of an encoder's training; the defaults are those of the smaller BERT."""

    recipe: str = "bert-classify"
    """The recipe that these settings started from."""
    start: str = ""
    """An encoder whose weights, shape and vocabulary the training begins with; none: it begins
    anew."""
    data: ReadingData = ReadingData()
    """The examples, or the text."""
    tokenizer: WordPieceConfig = WordPieceConfig()
    """How text becomes pieces, where no model to begin with brings a vocabulary."""
    model: BERTConfig = BERTConfig()
    """The model's shape; what it answers follows from the data."""
    vocabulary_size: int | None = Field(None, ge=1)
    """Pieces that the model knows; none: as many as the vocabulary has."""
    objective: EncoderObjective = Answers()
    """What is minimised."""
    optimizer: Optimizer = AdamW(beta2=0.999, eps=1e-8)
    """How weights follow gradients."""
    schedule: Schedule = Linear(peak=5e-5)
    """The learning rate."""
    training: RowTraining = RowTraining()
    """Length, portions and care of the training."""

    @model_validator(mode="after")
    def _fits(self) -> "ReadingRunConfig":
        if self.training.max_pieces > self.model.max_length:
            raise ValueError(
                f"--training.max-pieces {self.training.max_pieces} is more than the "
                f"{self.model.max_length} pieces that the model can hold"
            )
        of_tables = ("columns", "numbers", "skip_bad")
        named = next((name for name in of_tables if getattr(self.data, name)), None)
        if named and isinstance(self.objective, MaskedLM):
            option = f"--data.{named}".replace("_", "-")
            raise ValueError(f"{option} is for tables, and masked words are of texts: leave it out")
        return self


class ChatRunConfig(AnyRunConfig):
    """The settings of a decoder's training on conversations, or on preferences."""

    recipe: str = "chat"
    """The recipe that these settings started from."""
    start: str = ""
    """The decoder whose weights, shape and vocabulary the training begins with."""
    data: ChatData = ChatData()
    """The conversations, or the preferences."""
    model: GPTConfig = GPTConfig()
    """The shape of the model that it begins with; only its dropout can be another."""
    vocabulary_size: int = Field(0, ge=0)
    """Pieces that it knows."""
    objective: ChatObjective = Chat()
    """What is minimised."""
    optimizer: Optimizer = AdamW(beta2=0.999, eps=1e-8, weight_decay=0.0)
    """How weights follow gradients."""
    schedule: Schedule = Linear(peak=5e-5)
    """The learning rate."""
    training: ChatTraining = ChatTraining()
    """Length, portions and care of the training."""

    @model_validator(mode="after")
    def _fits(self) -> "ChatRunConfig":
        if self.training.lora_rank:
            _require_lora(self)
        if self.training.max_pieces > self.model.max_length:
            raise ValueError(
                f"--training.max-pieces {self.training.max_pieces} is more than the "
                f"{self.model.max_length} pieces that the model can read"
            )
        return self


def _require_lora(config: AnyRunConfig) -> None:
    """Raise ValueError for settings that LoRA's additions cannot be learnt with."""
    if isinstance(config.optimizer, Muon):
        raise ValueError("--training.lora-rank is for --optimizer.kind adam or adamw")
    if config.parallel.divides_weights:
        raise ValueError("--training.lora-rank needs --parallel.kind ddp")


KnownRunConfig = RunConfig | TextRunConfig | ReadingRunConfig | ChatRunConfig

Config = TypeVar("Config", bound=AnyRunConfig)


def merged(config: Config, changes: dict[str, Any]) -> Config:
    """Return the config with nested `changes` laid over it, validated.

    A new `kind` starts from that kind's defaults. Raises SettingError naming the option, with the
    nearest known name.

    >>> merged(RunConfig(), {"model": {"d_model": 256}}).model.d_model
    256
    """
    base = config.model_dump(mode="json")
    data = _overlay(base, _without_share(base, changes))
    kind = type(config)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise plain(error.errors()[0], data, kind) from error


def read_config(path: Path) -> KnownRunConfig:
    """Read the `config.json` of a run folder; raises SettingError for anything unknown in it."""
    if not path.is_file():
        fix = "leave out --resume to start one"
        raise SettingError("there is no run to resume", where=str(path.parent), fix=fix)
    try:
        data = json.loads(path.read_text("utf-8"))
        if not isinstance(data, dict):
            raise ValueError("no settings but a " + type(data).__name__)
    except (OSError, ValueError, RecursionError) as error:
        raise SettingError(
            "the run's settings cannot be read", where=str(path), fix="start a new run with --out"
        ) from error
    kind = _kind_of(data)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        said = plain(error.errors()[0], data, kind)
        where = f"{path}: {said.where}" if said.where else str(path)
        raise SettingError(said.problem, where=where, fix=said.fix) from error


def _kind_of(data: dict[str, Any]) -> type[KnownRunConfig]:
    """Return which kind of training these are the settings of."""
    model = data.get("model")
    kind = model.get("kind") if isinstance(model, dict) else None
    if kind == "gpt":
        return ChatRunConfig if "start" in data else TextRunConfig
    return ReadingRunConfig if kind == "bert" else RunConfig


def _without_share(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Let steps of warm-up that are asked for take the place of a recipe's share of all steps."""
    schedule, training = (changes.get(name, {}) for name in ("schedule", "training"))
    if not isinstance(schedule, dict) or "warmup_steps" not in schedule:
        return changes
    if not isinstance(training, dict) or base["training"].get("warmup_share") is None:
        return changes
    return changes | {"training": {"warmup_share": None} | training}


def _overlay(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    if "kind" in changes and changes["kind"] != base.get("kind"):
        base = {}
    result = dict(base)
    for name, value in changes.items():
        old = result.get(name)
        nested = isinstance(old, dict) and isinstance(value, dict)
        result[name] = _overlay(old, value) if nested else value  # type: ignore[arg-type]
    return result
