"""`heed train`: from sentence pairs, or a text, to a model folder."""

__all__ = ["ACCEPTS_SETTINGS", "EXAMPLES", "Options", "run"]

import os
import shlex
import sys
import time
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from heedful.errors import HeedfulError, SettingError

if TYPE_CHECKING:
    from heedful.config import ChatRunConfig, KnownRunConfig, ReadingRunConfig, TextRunConfig
    from heedful.progress import Progress
    from heedful.run import RunResult

ACCEPTS_SETTINGS = True
_LEAD_SPEAKS = 30
"""Seconds that the other processes leave the lead to say what is wrong. Its end ends them."""

EXAMPLES = """
heed train --data my.tsv --out runs/mine
heed train --data train.en,train.de --dev val.en,val.de --from en --to de --out runs/m30k
heed train --data my.tsv --out runs/mine --resume
heed train --recipe tiny --data my.tsv --out runs/x --training.max-steps 120 --model.d-model 256
heed train --start everyday --data ours.tsv --from en --to de --mix general.tsv --out runs/ours
heed train --data de.tsv zh=zh.tsv --from en --to de --both-directions --out runs/three
heed train --data my.tsv --dev d.tsv --test t.tsv --teacher runs/big --distil --out runs/small
heed train --data my.tsv --out runs/z --batch-tokens auto --device cuda
heed train --data my.tsv --out runs/w --nproc 2 --parallel.kind fsdp
heed train --recipe gpt-char --data input.txt --out runs/shakespeare
heed train --recipe bert-classify --from minilm --data train.tsv --out runs/mood
heed train --recipe bert-words --data text.txt --out runs/words --objective.whole-words true
heed train --recipe chat --from runs/book --data talks.jsonl --out runs/talker
heed train --recipe preference --from runs/talker --data better.jsonl --out runs/liked
heed train --data my.tsv --out runs/y --model.position.kind rotary --training.max-minutes 30
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Train a translator, by --recipe gpt-char a decoder that goes on with a text, by --recipe chat
    and preference one that answers, or by --recipe bert-classify and bert-words an encoder.

    Any setting of a run can be given by its path, as --model.d-model 256.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=["-o", "--output"])]
    """The run folder to make: checkpoints, log, data report and, at the end, model/."""
    data: tuple[str, ...] = ()
    """Corpora to learn from: a.tsv, a.jsonl, a.csv, a.parquet, or a.en,a.de for two files; zh=b.tsv
    is one whose second column is Chinese, whatever --to says. For gpt-char and
    bert-words: text files; for bert-classify: tables (.tsv, .csv) with text and label; for
    chat and preference: conversations or preferences (.jsonl)."""
    dev: tuple[str, ...] = ()
    """Corpora to choose the best weights by; held out of --data if not given."""
    test: tuple[str, ...] = ()
    """Corpora kept apart for the final score; held out of --data if not given."""
    recipe: str | None = None
    """A named set of settings (see `heed recipes`); chosen by the corpus's size if not given."""
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """Language of the first column, such as en; of an encoder, chat and preference
    what --start is."""
    to: str | None = None
    """Language of the second column, such as de."""
    both_directions: bool = False
    """Learn both directions in one model; needs --from and --to."""
    columns: str | None = None
    """Which two columns hold source and target, such as 1,2; for bert-classify those of text and
    label, or text, second text and label."""
    skip_bad: bool = False
    """Drop rows that cannot be read, and count them, instead of stopping."""
    start: str | None = None
    """A model to begin with, such as everyday or runs/mine: its weights learn your corpus. For an
    encoder a folder with a BERT; for chat and preference any decoder."""
    mix: tuple[str, ...] = ()
    """With --start: other corpora; as many of their rows are learnt, against forgetting."""
    general: tuple[str, ...] = ()
    """With --start: test sets of other texts, on which the two models are compared at the end."""
    teacher: str | None = None
    """A model that translates --source-texts and --target-texts, or with --distil the corpora."""
    distil: bool = False
    """Learn the --teacher's translations of the corpora's sources, in place of those there."""
    source_texts: tuple[str, ...] = ()
    """Files of texts without a translation, of the language of --from, one a line."""
    target_texts: tuple[str, ...] = ()
    """The same of the language of --to: back-translation."""
    resume: bool = False
    """Go on with the run in --out from its newest checkpoint."""
    accept_changes: bool = False
    """With --resume: go on although the corpus, the tokenizer or the settings have changed."""
    batch_tokens: str | None = None
    """Pieces in a batch; auto: the most that memory holds."""
    nproc: int = 1
    """Processes on this machine that share the work: one a GPU, or some cores each."""
    restarts: int = 3
    """With --nproc: how often all start again from the newest checkpoint when one dies."""
    device: str | None = None
    """auto (default), cpu or cuda."""
    seed: int | None = None
    """Decides weights, order, dropout and what is held out."""
    quiet: bool = False
    """Show no progress; what is wrong is said all the same."""


def run(options: Options, settings: dict[str, Any]) -> int:
    """Train or go on; returns 130 when interrupted, after saving."""
    if options.accept_changes and not options.resume:
        raise SettingError(
            "a new run has nothing to accept", where="--accept-changes", fix="add --resume"
        )
    if options.nproc != 1 and "TORCHELASTIC_RUN_ID" not in os.environ:
        return _launch(options)
    from heedful.train.processes import LostProcessError

    lead = os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK", "0") == "0"
    try:
        result = _trained(options, settings, lead)
    except KeyboardInterrupt:
        print(f"heed: interrupted{_go_on(options)}", file=sys.stderr)
        return 130
    except HeedfulError as error:
        if lead or f"process {os.environ['RANK']}" in str(error):
            raise
        time.sleep(_LEAD_SPEAKS)  # the lead says the same; who ends before it would end it
        return 2
    except LostProcessError as error:
        print(f"heed: {error}", file=sys.stderr)
        return 1  # torchrun then starts all again
    if not result.outcome.finished:
        if lead:
            saved = f"step {result.outcome.step:,} is saved"
            print(f"heed: interrupted, {saved}{_go_on(options)}", file=sys.stderr)
        return 130
    if result.model is not None:
        print(result.model)
    return 0


def _trained(options: Options, settings: dict[str, Any], lead: bool) -> "RunResult":
    """Train in this process."""
    from heedful.progress import Progress
    from heedful.run import train
    from heedful.run_folder import begun_by_same

    progress = Progress(quiet=options.quiet or not lead)
    changes = _changes(options, settings)
    again = "TORCHELASTIC_RUN_ID" in os.environ and begun_by_same(options.out)
    resume = options.resume or (again and (options.out / "config.json").exists())
    config = _resumed(options, changes) if resume else _begun(options, changes, progress)
    accept = options.accept_changes
    return train(config, options.out, progress, resume=resume, accept_changes=accept)


def _go_on(options: Options) -> str:
    """Say how to go on with the run; nothing where there is none yet."""
    if not (options.out / "config.json").exists():
        return ""
    several = f" --nproc {options.nproc}" if options.nproc > 1 else ""
    command = f"heed train --out {shlex.quote(str(options.out))}{several}"
    return f"; go on with: {command} --resume"


def _launch(options: Options) -> int:
    """Start the processes, each with the words of this one."""
    if options.nproc < 1:
        raise SettingError(f"{options.nproc} is too few", where="--nproc", fix="give 1 or more")
    if options.restarts < 0:
        raise SettingError(
            f"{options.restarts} is too few", where="--restarts", fix="give 0 or more"
        )
    from heedful.train.launch import launch

    given = sys.argv[1:]
    at = given.index("train")
    words = [*given[:at], *given[at + 1 :]]  # --debug may stand before the command
    return launch(words, options.nproc, options.restarts)


def _changes(options: Options, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the fixed options as settings, with those given by path laid over them."""
    data = _given(options)
    if isinstance(settings.get("data", {}), dict):
        settings = settings | {"data": data | settings.get("data", {})}
    if options.batch_tokens is not None and isinstance(settings.get("training", {}), dict):
        tokens = options.batch_tokens
        size = {"batch_tokens": int(tokens) if tokens.isdecimal() else tokens}
        settings = settings | {"training": size | settings.get("training", {})}
    top = {"seed": options.seed, "device": options.device, "start": options.start}
    return {name: value for name, value in top.items() if value is not None} | settings


def _given(options: Options) -> dict[str, Any]:
    """Return the fixed options that are of the data and were given, by the names of settings."""
    given = {
        "train": list(options.data) or None,
        "dev": list(options.dev) or None,
        "test": list(options.test) or None,
        "mix": list(options.mix) or None,
        "general": list(options.general) or None,
        "teacher": options.teacher,
        "distil": options.distil or None,
        "source_texts": list(options.source_texts) or None,
        "target_texts": list(options.target_texts) or None,
        "source_language": options.from_,
        "target_language": options.to,
        "both_directions": options.both_directions or None,
        "columns": options.columns.split(",") if options.columns else None,
        "skip_bad": options.skip_bad or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _begun(options: Options, changes: dict[str, Any], progress: "Progress") -> "KnownRunConfig":
    """Return the settings of a new run: the recipe, and what was asked for on top of it."""
    from heedful.config import (
        ChatRunConfig,
        ReadingRunConfig,
        RunConfig,
        TextRunConfig,
        merged,
    )
    from heedful.recipes import recipe, recipe_for, recipe_of

    if (named := options.recipe or recipe_of(changes)) is not None:
        begun = recipe(named)
        if isinstance(begun, ChatRunConfig):
            return _chat_begun(options, begun, changes)
        if isinstance(begun, TextRunConfig):
            return _text_begun(options, begun, changes)
        if isinstance(begun, ReadingRunConfig):
            return _reading_begun(options, begun, changes)
    asked = merged(RunConfig(), {"data": changes["data"], "start": options.start or ""})
    if not asked.data.train:
        raise SettingError("there is nothing to learn from", where="--data", fix="give --data FILE")
    name = options.recipe
    if options.start is not None:
        from heedful.start import settings_of

        return merged(recipe(name or "tune"), settings_of(options.start, changes))
    if name is None:
        from heedful.data.corpus import count_rows

        rows = count_rows(asked.data)
        name = recipe_for(rows)
        progress.say(f"{rows:,} rows: taking the recipe {name} (choose with --recipe)")
    return merged(recipe(name), _exact_if_asked(changes))


_OF_CHAT = ("train", "dev", "skip_bad", "source_language")
"""What of the data's options is for conversations too; --from names the model to begin with."""


def _chat_begun(
    options: Options, begun: "ChatRunConfig", changes: dict[str, Any]
) -> "ChatRunConfig":
    """Return the settings of a new run on conversations or preferences."""
    from heedful.config import merged
    from heedful.run_chat import start_settings

    _refuse(options, _OF_CHAT, f"--recipe {begun.recipe} learns to answer", _ROWS)
    changes = _with_start(options, changes)
    if not changes.get("start"):
        problem = "answers are learnt by a model that can write"
        raise SettingError(problem, where="--from", fix="give --from MODEL to begin with")
    return merged(begun, start_settings(changes["start"], changes))


_ROWS = "--training.batch-rows"


def _refuse(
    options: Options,
    known: tuple[str, ...],
    why: str,
    size: str,
    others: tuple[str, ...] = ("batch_tokens",),
) -> None:
    """Raise SettingError for an option that only pairs of sentences have."""
    of_pairs = [name for name in _given(options) if name not in known]
    of_pairs += [name for name in others if getattr(options, name) is not None]
    if of_pairs:
        instead = f", or give {size}" if of_pairs[0] == "batch_tokens" else ""
        raise SettingError(
            f"it is for pairs of sentences, and {why}",
            where=_PAIR_OPTIONS.get(of_pairs[0], "--" + of_pairs[0].replace("_", "-")),
            fix=f"leave it out{instead}",
        )


_OF_TEXT = ("train", "dev")
"""What of the data's options is for running text too."""


def _text_begun(
    options: Options, begun: "TextRunConfig", changes: dict[str, Any]
) -> "TextRunConfig":
    """Return the settings of a new run on running text."""
    from heedful.config import merged

    why = f"--recipe {begun.recipe} learns running text"
    _refuse(options, _OF_TEXT, why, "--training.batch-windows", ("start", "batch_tokens"))
    return merged(begun, changes)


_OF_READING = ("train", "dev", "columns", "skip_bad", "source_language")
"""What of the data's options is for an encoder too; --from names the model to begin with."""


def _reading_begun(
    options: Options, begun: "ReadingRunConfig", changes: dict[str, Any]
) -> "ReadingRunConfig":
    """Return the settings of a new run of an encoder."""
    from heedful.config import merged
    from heedful.run_reading import start_settings

    _refuse(options, _OF_READING, f"--recipe {begun.recipe} makes an encoder", _ROWS)
    changes = _with_start(options, changes)
    if changes.get("start"):
        changes = start_settings(changes["start"], changes)
    return merged(begun, changes)


def _with_start(options: Options, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the changes of a run whose --from names the model to begin with."""
    if options.start and options.from_:
        raise SettingError("--start and --from both name a model", fix="leave one of them out")
    data = dict(changes.get("data", {}))
    data.pop("source_language", None)
    start = options.start or options.from_
    return changes | {"data": data} | ({"start": start} if start else {})


_PAIR_OPTIONS = {"source_language": "--from", "target_language": "--to"}


def _exact_if_asked(changes: dict[str, Any]) -> dict[str, Any]:
    """Hold a vocabulary size that was asked for; a recipe's own shrinks to what a corpus gives."""
    tokenizer = changes.get("tokenizer")
    if isinstance(tokenizer, dict) and "vocabulary_size" in tokenizer:
        return changes | {"tokenizer": {"exact": True} | tokenizer}
    return changes


_FIXED_ON_RESUME = (
    "tokenizer",
    "start",
    "seed",
    "data",
    "model",
    "objective",
    "optimizer",
    "training.batch_tokens",
    "training.batch_rows",
    "training.batch_windows",
    "training.max_pieces",
    "training.bpe_dropout",
    "training.lora_rank",
    "training.moving_average",
)


def _resumed(options: Options, changes: dict[str, Any]) -> "KnownRunConfig":
    """Return the run's own settings; only how long, how fast and where it runs may be changed.

    With `--accept-changes` all but the tokenizer's may, as far as the checkpoint fits them.
    """
    from heedful.config import ChatRunConfig, ReadingRunConfig, merged, read_config
    from heedful.recipes import recipe

    old = read_config(options.out / "config.json")
    if isinstance(old, ReadingRunConfig | ChatRunConfig):
        changes = _with_start(options, changes)
    training = changes.get("training")
    if isinstance(training, dict) and training.get("batch_tokens") == "auto":
        training["batch_tokens"] = _at(old, "training.batch_tokens")  # what auto found is kept
    new = merged(old, changes)
    changed = [name for name in _FIXED_ON_RESUME if _at(new, name) != _at(old, name)]
    if options.recipe and recipe(options.recipe).recipe != old.recipe:
        changed.append("recipe")
    if changed and (changed[0] == "tokenizer" or not options.accept_changes):
        accept = "accept it by --accept-changes, " if "tokenizer" not in changed else ""
        raise SettingError(
            f"a resumed run cannot change --{changed[0].replace('_', '-')}",
            where=str(options.out),
            fix=f"leave it out, {accept}or start a new run with another --out",
        )
    return new


def _at(config: Any, path: str) -> Any:
    """Return the setting of that path, None where a run has no such setting."""
    return reduce(lambda group, name: getattr(group, name, None), path.split("."), config)
