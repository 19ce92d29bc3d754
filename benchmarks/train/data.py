"""The sentences: Multi30k as a token store, built once for all workers, or synthetic ones.

A task's `data` and `work` come in, a `BatchPlan` goes out; every worker calls `plan`.
"""

__all__ = ["SEED", "SyntheticStore", "batches_from", "plan", "prepare"]

import os
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from train.spec import Task

from heedful.data.batches import BatchPlan
from heedful.data.store import TokenStore
from heedful.progress import Progress
from heedful.text.tokenizer import BPE, Tokenizer

SEED = 20170612
VOCABULARY = 8_000
MAX_TOKENS = 256
SYNTHETIC_PAIRS = 200_000


class SyntheticStore(TokenStore):
    """Random ids in sentences as long as WMT's English-German ones: 28 and 29 pieces on average.

    Lengths are log-normal, ids follow Zipf's law; the same in every process.
    """

    def __init__(self, vocabulary: int, pairs: int = SYNTHETIC_PAIRS) -> None:
        random = np.random.default_rng(SEED)
        source = random.lognormal(np.log(24), 0.55, pairs)
        target = source * random.lognormal(0.03, 0.18, pairs)
        ends = [np.cumsum(np.clip(side, 3, 200).astype(np.int64)) for side in (source, target)]
        share = 1 / np.arange(1, vocabulary - 3)
        drawn = np.searchsorted(
            np.cumsum(share / share.sum()), random.random(max(int(side[-1]) for side in ends))
        )
        ids = (np.minimum(drawn, vocabulary - 5) + 4).astype(np.uint16)
        sides = zip(("source", "target"), ends, strict=True)
        columns = {name: (_ended(ids, at), np.concatenate([[0], at])) for name, at in sides}
        meta = {"fingerprint": "synthetic", "max_tokens": 200, "too_long": 0}
        super().__init__(Path(), meta, columns)


def _ended(ids: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return as many ids as there are, with </s> at every end."""
    found = ids[: ends[-1]].copy()
    found[ends - 1] = Tokenizer.end_id
    return found


def prepare(work: Path) -> None:
    """Learn a joint BPE of 8,000 pieces from Multi30k and tokenise it, unless that is done."""
    folder = Path(os.environ["HEEDFUL_DATA"]) / "multi30k"
    sides = [(folder / f"train.{side}").read_text("utf-8").split("\n") for side in ("en", "de")]
    pairs = [pair for pair in zip(*sides, strict=True) if all(pair)]
    work.mkdir(parents=True, exist_ok=True)
    path = work / "tokenizer.json"
    if not path.exists():
        Tokenizer.train(lambda: pairs, BPE(vocabulary_size=VOCABULARY)).save(path)
    tokenizer = Tokenizer.load(path)
    directions: Sequence[tuple[int, str | None]] = [(0, None)]
    quiet = Progress(quiet=True)
    TokenStore.build(
        work / "store", pairs, tokenizer, directions, MAX_TOKENS, quiet, fingerprint="multi30k"
    )


def plan(task: Task, vocabulary: int) -> BatchPlan:
    """Return the batches of a task: the same for everybody with the same `batch_tokens`."""
    if task.data == "synthetic":
        store = SyntheticStore(vocabulary)
    else:
        store = TokenStore.open(Path(task.work) / "store")
    return BatchPlan(store, task.settings.batch_tokens, SEED)


def batches_from(batches: BatchPlan, start: int) -> Iterator[np.ndarray]:
    """Yield the rows of one batch after another, epoch after epoch, from batch `start` on."""
    for epoch in count():
        rows = batches.epoch(epoch)
        yield from rows[start:]
        start = max(0, start - len(rows))
