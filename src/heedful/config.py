"""One run, whole: `RunConfig` composes the settings that stand beside the code they set.

A recipe makes one, the command line changes it by path (`--training.max-steps 120`), the run
folder keeps it as `config.json`.
"""

__all__ = ["RunConfig", "merged", "read_config"]

import json
import re
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from heedful.data.corpus import DataConfig
from heedful.errors import SettingError, did_you_mean
from heedful.models.transformer import TransformerConfig
from heedful.nn.embedding import ThreeWay
from heedful.objectives import Objective, Translation
from heedful.search import Beam, SearchConfig
from heedful.settings import Settings
from heedful.text.tokenizer import BPE, TokenizerConfig
from heedful.train.optimizer import Adam, Optimizer
from heedful.train.parallel import DDP, Parallel
from heedful.train.schedule import InverseSqrt, Schedule
from heedful.train.settings import TrainingConfig


class RunConfig(Settings):
    """The settings of a training run; the defaults are the paper's base model."""

    recipe: str = "paper-base"
    """The recipe that these settings started from."""
    seed: int = Field(1, ge=0, lt=2**31)
    """Decides the initial weights, the order of the data, dropout and what is held out."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU if there is one."""
    data: DataConfig = DataConfig()
    """The corpus."""
    tokenizer: TokenizerConfig = BPE()
    """How text becomes pieces."""
    model: TransformerConfig = TransformerConfig()
    """The model's shape."""
    objective: Objective = Translation()
    """What is minimised."""
    optimizer: Optimizer = Adam()
    """How weights follow gradients."""
    schedule: Schedule = InverseSqrt()
    """The learning rate."""
    parallel: Parallel = DDP()
    """How several processes share the work; nothing to one alone."""
    training: TrainingConfig = TrainingConfig()
    """Length, portions and care of the training."""
    search: SearchConfig = Beam()
    """How the finished model is tested."""

    @model_validator(mode="after")
    def _fits(self) -> "RunConfig":
        if not self.tokenizer.shared and isinstance(self.model.embedding, ThreeWay):
            raise ValueError(
                "--tokenizer.shared false needs --model.embedding.kind two_way or untied: "
                "three_way makes one matrix of both vocabularies"
            )
        two = {self.data.source_language, self.data.target_language} - {""}
        if self.data.both_directions and len(two) < 2:
            raise ValueError("--both-directions needs two languages: give --from en --to de")
        if not self.tokenizer.shared and self.data.both_directions:
            raise ValueError("--data.both-directions needs --tokenizer.shared true")
        if self.model.alignment_layer is not None and not self.objective.guided_alignment:
            raise ValueError(
                "--model.alignment-layer learns nothing without --objective.guided-alignment 0.05"
            )
        if self.training.max_pieces > self.model.max_length:
            raise ValueError(
                f"--training.max-pieces {self.training.max_pieces} is more than the "
                f"--model.max-length {self.model.max_length} that the model can hold"
            )
        return self


def merged(config: RunConfig, changes: dict[str, Any]) -> RunConfig:
    """Return the config with nested `changes` laid over it, validated.

    A new `kind` starts from that kind's defaults. Raises SettingError naming the option, with the
    nearest known name.

    >>> merged(RunConfig(), {"model": {"d_model": 256}}).model.d_model
    256
    """
    data = _overlay(config.model_dump(mode="json"), changes)
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        raise _plain(error.errors()[0], data) from error


def read_config(path: Path) -> RunConfig:
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
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        plain = _plain(error.errors()[0], data)
        where = f"{path}: {plain.where}" if plain.where else str(path)
        raise SettingError(plain.problem, where=where, fix=plain.fix) from error


def _overlay(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    if "kind" in changes and changes["kind"] != base.get("kind"):
        base = {}
    result = dict(base)
    for name, value in changes.items():
        old = result.get(name)
        nested = isinstance(old, dict) and isinstance(value, dict)
        result[name] = _overlay(old, value) if nested else value  # type: ignore[arg-type]
    return result


def _plain(error: ErrorDetails, data: dict[str, Any]) -> SettingError:
    """Turn pydantic's first complaint into one sentence that names the option."""
    path = [str(part) for part in error["loc"]]
    option = _option(path, data) if path else None
    if error["type"] == "extra_forbidden":
        fix = did_you_mean(path[-1].replace("_", "-"), _known(path[:-1], data))
        return SettingError("there is no such setting", where=option, fix=fix)
    if error["type"] == "union_tag_invalid":
        kinds = re.findall("'([^']*)'", str(error.get("ctx", {}).get("expected_tags", "")))
        tag = str(error.get("ctx", {}).get("tag"))
        fix = did_you_mean(tag, kinds)
        return SettingError(f'there is no kind "{tag}"', where=f"{option}.kind", fix=fix)
    if error["type"] in ("model_type", "model_attributes_type", "union_tag_not_found"):
        first = next(iter(_known(path, data)), "kind")
        fix = f"give what is in it by its own path, such as {option}.{first}"
        return SettingError("this is a group of settings", where=option, fix=fix)
    message = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    given = error["input"]
    shown = (
        f", but was given {json.dumps(given, default=str)}" if not isinstance(given, dict) else ""
    )
    return SettingError(message + shown, where=option)


def _option(path: list[str], data: Any) -> str:
    """Return the option as typed: pydantic's path without the kinds it inserts."""
    names = []
    for part in path:
        if isinstance(data, dict) and part not in data and data.get("kind", _NEVER) == part:
            continue
        names.append(part)
        data = data.get(part) if isinstance(data, dict) else None
    return "--" + ".".join(names).replace("_", "-")


_NEVER = object()


def _known(path: list[str], data: Any) -> list[str]:
    """Return the settings that exist under a path."""
    here: Any = RunConfig
    for part in path:
        members = [here, *get_args(here)]
        nested = [m.model_fields[part] for m in members if part in getattr(m, "model_fields", {})]
        if nested:
            here = nested[0].annotation
            continue
        tagged = [m for m in get_args(here) if _kind_of(m) == part]
        here = tagged[0] if tagged else here
    fields = getattr(here, "model_fields", {})
    return [name.replace("_", "-") for name in fields]


def _kind_of(settings: Any) -> str | None:
    field = getattr(settings, "model_fields", {}).get("kind")
    return None if field is None else field.default
