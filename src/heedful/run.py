"""A RunConfig becomes a corpus, a tokenizer, a model and a training: the one place that does it.

`heed train` and `heed demo` call `train`; the run folder it fills is described in
docs/architecture.md.
"""

__all__ = ["RunResult", "train"]

import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch

from heedful import evaluate
from heedful.card import card
from heedful.config import RunConfig, read_config
from heedful.data.batches import BatchPlan
from heedful.data.corpus import Corpus, Split
from heedful.data.report import write_whole
from heedful.data.store import TokenStore
from heedful.decode.engine import decode
from heedful.device import pick_device
from heedful.errors import ModelError, OutputError, SettingError
from heedful.model_folder import Languages, save_model
from heedful.models.transformer import Transformer
from heedful.progress import Progress
from heedful.search import Greedy
from heedful.text.tokenizer import Tokenizer
from heedful.train.allocator import keep_freed_memory
from heedful.train.checkpoint import Checkpoint, Checkpoints
from heedful.train.finish import choose_weights
from heedful.train.gradient import Gradients, automatic_shards
from heedful.train.log import TrainLog
from heedful.train.loop import Outcome, Trainer, Validation
from heedful.train.memory import largest_batch
from heedful.train.precision import autocast, has_bf16
from heedful.translator import limits_of


class RunResult(NamedTuple):
    """What a training leaves behind; `model` is None after an interruption."""

    outcome: Outcome
    model: Path | None
    dev: Validation | None


@dataclass(frozen=True)
class _Data:
    """The corpus as ids, with the tokenizer that made them."""

    corpus: Corpus
    tokenizer: Tokenizer
    train: TokenStore
    dev: TokenStore | None


def train(
    config: RunConfig, folder: Path, progress: Progress, *, resume: bool = False
) -> RunResult:
    """Train a model into `folder`, or go on with the training that is there.

    Raises a HeedfulError for a folder in use, a broken corpus, or settings that do not fit; a new
    run that fails before its first step leaves nothing behind.
    """
    device = pick_device(config.device)
    if device.type == "cpu":
        keep_freed_memory()
    with _run_folder(folder, config, resume):
        torch.manual_seed(config.seed)
        data = _prepare_data(config, folder, progress)
        config = _sized(config, folder, data, device, progress)
        newest = _newest(Checkpoints(folder / "checkpoints"), progress) if resume else None
        trainer = _trainer(config, folder, data, device, progress, newest)
        _announce(config, data, trainer, progress)
    try:
        outcome = trainer.run()
    finally:
        trainer.log.close()
    if not outcome.finished:
        return RunResult(outcome, None, None)
    return _finish(config, folder, trainer, data, outcome, progress)


def _sized(
    config: RunConfig, folder: Path, data: _Data, device: torch.device, progress: Progress
) -> RunConfig:
    """Return the settings with the batch's size and shards resolved, in the run folder too."""
    wanted = config.training
    if device.type == "cuda" and (wanted.shards or 1) > 1:
        raise SettingError("a GPU computes a batch whole", where="--training.shards", fix="use 1")
    tokens = wanted.batch_tokens
    if tokens == "auto":
        tokens = _fitting_batch(config, data, device, progress)
        progress.say(f"batches of {tokens:,} pieces (--training.batch-tokens auto)")
    shards = wanted.shards or automatic_shards(tokens, device)
    training = wanted.model_copy(update={"batch_tokens": tokens, "shards": shards})
    if training == wanted:
        return config
    config = config.model_copy(update={"training": training})
    write_whole(folder / "config.json", config.model_dump_json(indent=2) + "\n")
    return config


def _fitting_batch(config: RunConfig, data: _Data, device: torch.device, progress: Progress) -> int:
    source, target = data.train.lengths()
    longest, pieces = int(max(source.max(), target.max())), int(target.sum())
    with torch.random.fork_rng():
        model = _model(config, data, device)
        # what a step has besides: the optimizer's moments and a second set of gradients
        besides = [torch.empty_like(weight) for _ in range(3) for weight in model.parameters()]
        trial = _gradients(config, model, device, 1, progress)
        found = largest_batch(trial, max(longest, config.training.max_pieces), pieces, device)
        del besides
    return found


def _model(config: RunConfig, data: _Data, device: torch.device) -> Transformer:
    sizes = (data.tokenizer.source_size, data.tokenizer.target_size)
    return config.model.build(*sizes).to(device)


def _gradients(
    config: RunConfig, model: Transformer, device: torch.device, shards: int, progress: Progress
) -> Gradients:
    precision = config.training.precision
    return Gradients(model, config.objective, precision, device, shards, progress.say)


def _trainer(
    config: RunConfig,
    folder: Path,
    data: _Data,
    device: torch.device,
    progress: Progress,
    newest: Checkpoint | None,
) -> Trainer:
    """Return the training, standing at its beginning or at the newest checkpoint."""
    model = _model(config, data, device)
    on_gpu = device.type == "cuda"
    if on_gpu and config.training.compile and find_spec("triton"):
        model.compile_layers()
    tokens = config.training.sized_batch_tokens
    shards = config.training.shards or 1
    trainer = Trainer(
        model=model,
        gradients=_gradients(config, model, device, shards, progress),
        optimizer=config.optimizer.build(model),
        schedule=config.schedule,
        settings=config.training,
        plan=BatchPlan(data.train, tokens, config.seed, multiple=8 if on_gpu else 1),
        checkpoints=Checkpoints(folder / "checkpoints"),
        log=TrainLog(folder, progress, newest.step if newest else 0),
        validate=_validation(config, data, model, device),
        device=device,
    )
    if newest is not None:
        trainer.restore(newest)
    return trainer


def _newest(checkpoints: Checkpoints, progress: Progress) -> Checkpoint | None:
    """Return where to go on; None, said aloud, when a run ended before its first checkpoint."""
    if not checkpoints.begun():
        progress.say("the run has no checkpoint yet: starting from its first step")
        return None
    newest, said = checkpoints.newest()
    for line in said:
        progress.say(line)
    progress.say(f"going on from step {newest.step:,}")
    return newest


@contextmanager
def _run_folder(folder: Path, config: RunConfig, resume: bool) -> Iterator[None]:
    """Make the folder of a new run, or write its settings anew; undo the making on an error."""
    if resume:
        read_config(folder / "config.json")
    try:
        if not resume:
            _refuse_used(folder)
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "config.json", config.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise _unwritable(folder, error) from error
        yield
    except Exception:
        if not resume:
            _clear(folder, missing)
        raise


def _refuse_used(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError("this is a file, a run needs a folder", where=str(folder), fix=_ELSEWHERE)
    if folder.exists() and any(folder.iterdir()):
        raise OutputError(
            "the folder is not empty",
            where=str(folder),
            fix="go on with the run that is there by --resume, or choose another --out",
        )


_ELSEWHERE = "choose another --out"


def _unwritable(folder: Path, error: OSError) -> OutputError:
    problem = f"the run folder cannot be made ({error.strerror})"
    return OutputError(problem, where=str(folder), fix=_ELSEWHERE)


def _clear(folder: Path, missing: list[Path]) -> None:
    """Empty the folder of a run that never began, and remove the folders that were made for it."""
    for entry in list(folder.iterdir()) if folder.is_dir() else []:
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    with suppress(OSError):
        for path in missing:
            path.rmdir()


def _prepare_data(config: RunConfig, folder: Path, progress: Progress) -> _Data:
    """Examine the corpus, train the tokenizer and build the token stores, each only once."""
    corpus = Corpus.examine(config.data, seed=config.seed, progress=progress)
    progress.say(corpus.report.summary())
    tokenizer = _tokenizer(config, folder, corpus, progress)
    _check_inputs(folder, corpus, tokenizer)
    corpus.report.save(folder)
    for split in ("dev", "test"):
        _write_held_out(folder / f"{split}.jsonl", corpus, split)
    stores = {
        split: TokenStore.build(
            folder / "store" / split,
            corpus.pairs(split),
            tokenizer,
            _directions(config),
            config.training.max_pieces,
            progress,
            fingerprint=f"{split} {corpus.fingerprint()}",
            total=corpus.size(split),
        )
        for split in ("train", "dev")
        if corpus.size(split)
    }
    return _Data(corpus, tokenizer, stores["train"], stores.get("dev"))


def _check_inputs(folder: Path, corpus: Corpus, tokenizer: Tokenizer) -> None:
    """Refuse to go on with a corpus or a tokenizer that is not the one the run began with."""
    path = folder / "corpus.json"
    now = {"fingerprint": corpus.fingerprint(), "tokenizer": tokenizer.fingerprint()}
    if not path.exists():
        write_whole(path, json.dumps(now) + "\n")
        return
    try:
        then = json.loads(path.read_text("utf-8"))
        changed = [name for name in now if then.get(name, now[name]) != now[name]]
    except (ValueError, AttributeError) as error:
        fix = "start a new run with another --out"
        raise ModelError("the file is damaged", where=str(path), fix=fix) from error
    if changed:
        what = "corpus" if "fingerprint" in changed else "tokenizer"
        raise SettingError(
            f"the {what} has changed since this run began",
            where=str(folder),
            fix="restore the files, or start a new run with another --out",
        )


def _tokenizer(config: RunConfig, folder: Path, corpus: Corpus, progress: Progress) -> Tokenizer:
    path = folder / "tokenizer.json"
    if path.exists():
        return Tokenizer.load(path)
    progress.say(f"learning {config.tokenizer.vocabulary_size:,} pieces")
    data = config.data
    languages = (data.source_language, data.target_language) if data.both_directions else ()
    tokenizer = Tokenizer.train(lambda: corpus.pairs("train"), config.tokenizer, languages)
    if tokenizer.target_size < config.tokenizer.vocabulary_size:
        progress.say(f"the corpus gives {tokenizer.target_size:,}")
    tokenizer.save(path)
    return tokenizer


def _directions(config: RunConfig) -> list[tuple[int, str | None]]:
    """Return which side is the source, with the tag of the target language."""
    data = config.data
    if not data.both_directions:
        return [(0, None)]
    return [(0, data.target_language), (1, data.source_language)]


def _write_held_out(path: Path, corpus: Corpus, split: Split) -> None:
    """Keep the dev or test pairs beside the model, for `heed evaluate`."""
    if corpus.size(split) == 0 or path.exists():
        return
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        for source, target in corpus.pairs(split):
            pair = {"source": source, "target": target}
            file.write(json.dumps(pair, ensure_ascii=False) + "\n")
    fresh.replace(path)


def _validation(
    config: RunConfig, data: _Data, model: Transformer, device: torch.device
) -> Callable[[], Validation] | None:
    """Return what measures the model on the dev set; None without a dev set."""
    store = data.dev
    if store is None:
        return None
    tokens = max(config.training.sized_batch_tokens, config.training.max_pieces)
    plan = BatchPlan(store, tokens, 0)
    batches = [plan.batch(rows) for rows in plan.epoch(0)]

    def validate() -> Validation:
        model.eval()
        with torch.compiler.set_stance("force_eager"):  # a search has too many shapes to compile
            return measured()

    def measured() -> Validation:
        with torch.inference_mode(), autocast(config.training.precision, device):
            losses = [config.objective.loss(model, batch.to(device)) for batch in batches]
        mean = sum(float(loss.nll) for loss in losses) / sum(loss.tokens for loss in losses)
        bleu = _dev_bleu(config, data.tokenizer, model, store, device)
        return Validation(mean, math.exp(min(mean, 100.0)), bleu)

    return validate


def _dev_bleu(
    config: RunConfig,
    tokenizer: Tokenizer,
    model: Transformer,
    store: TokenStore,
    device: torch.device,
) -> float | None:
    """Return sacreBLEU of greedy translations of evenly spread rows of the dev set."""
    count = min(config.training.bleu_sentences, len(store))
    if count == 0:
        return None
    rows = [index * len(store) // count for index in range(count)]
    sources = [store.source(row).tolist() for row in rows]
    limits = limits_of(tokenizer, model.config.max_length)
    found = decode(model, sources, Greedy(), limits=limits, device=device)
    hypotheses = tokenizer.decode_target([best[0].tokens for best in found])
    references = tokenizer.decode_target([store.target(row).tolist() for row in rows])
    language = config.data.target_language
    scores = evaluate.score(hypotheses, references, language=language, resamples=0)
    return scores.bleu.value


def _announce(config: RunConfig, data: _Data, trainer: Trainer, progress: Progress) -> None:
    weights = sum(weight.numel() for weight in trainer.model.parameters())
    pieces = int(data.train.lengths()[1].sum())
    shards = trainer.gradients.shards
    progress.say(
        f"recipe {config.recipe}: {weights / 1e6:.1f} M weights, {len(data.train):,} rows, "
        f"{pieces:,} target pieces an epoch, on {trainer.device}"
        + (f", {shards} shards of a batch at a time" if shards > 1 else "")
    )
    if len(data.train) == 1:
        progress.say("the corpus is one sentence: the model can only learn it by heart")
    if config.training.precision == "bf16" and not has_bf16(trainer.device):
        progress.say("this machine has no bf16 hardware: --training.precision float32 is faster")


def _finish(
    config: RunConfig,
    folder: Path,
    trainer: Trainer,
    data: _Data,
    outcome: Outcome,
    progress: Progress,
) -> RunResult:
    """Average the last checkpoints, keep the better of that and the best one, save the model."""
    said, dev = choose_weights(trainer)
    languages = Languages(
        source=config.data.source_language,
        target=config.data.target_language,
        both_directions=config.data.both_directions,
    )
    text = card(config, trainer.state, outcome, said, dev)
    save_model(folder / "model", trainer.model, data.tokenizer, languages, card=text)
    progress.say(f"training ended: {outcome.reason}; the weights are {said}")
    return RunResult(outcome, folder / "model", dev)
