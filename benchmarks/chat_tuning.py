"""How ChatGPT was made, in small: pre-training, fine-tuning, preferences; each step is measured.

    python benchmarks/chat_tuning.py              # 3 seeds, about 5 minutes on two cores

A decoder of 0.6 M weights reads sentences such as "Of 3 8 5 1 the largest is 8." Then it shall
answer questions it has never read, in a form it has never read: "The answer is (8)!"

1. before: the pre-trained model, asked in the form of a conversation
2. form only: fine-tuned on conversations whose answers are those of other questions
3. SFT: fine-tuned on conversations of which half the answers name a wrong one of the numbers, as
   people's do; 4. SFT + DPO: then on pairs of a right and a wrong answer. Both with all weights,
   and as LoRA's additions of rank 16

Counted on 240 questions that are in no data, not even in what it read at first: answers of exactly
that form, and right ones among all, drawn at temperature 1 as a chat draws them, and the likeliest
ones. Needs no data. Writes results/chat_tuning.json and .md; with fewer seeds only prints them.
"""

import argparse
import itertools
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from machine import RESULTS, record

SEEDS = (1, 2, 3)
HELD_OUT, TALKS, PAIRS = 240, 1000, 2000
FORM = re.compile(r"The answer is \((\d)\)!")
BEFORE, FORM_ONLY = "before", "form only (shuffled answers)"
SFT, DPO = "SFT", "SFT + DPO"
LORA_SFT, LORA_DPO = "SFT, LoRA", "SFT + DPO, LoRA"
STAGES = (BEFORE, FORM_ONLY, SFT, DPO, LORA_SFT, LORA_DPO)
RANK = 16
SHAPE = {"d_model": 128, "d_ff": 512, "n_layers": 3}
READING = {"max_steps": 1500, "batch_windows": 32}


class Question(NamedTuple):
    """Four digits, and which of them is asked for."""

    digits: tuple[int, ...]
    which: str

    @property
    def asked(self) -> str:
        return f"Of {' '.join(map(str, self.digits))} the {self.which}?"

    @property
    def right(self) -> int:
        return max(self.digits) if self.which == "largest" else min(self.digits)

    def wrong(self, lots: random.Random) -> int:
        return lots.choice([digit for digit in self.digits if digit != self.right])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.one is not None:
        print(json.dumps(one(options.one, options.threads)))
        return
    runs = [measured(seed, options.threads) for seed in options.seeds]
    table = markdown(runs, options.threads)
    print(table)
    if options.seeds == list(SEEDS):
        record("chat_tuning", {"threads": options.threads, "held_out": HELD_OUT, "runs": runs})
        (RESULTS / "chat_tuning.md").write_text(table, "utf-8")


def measured(seed: int, threads: int) -> dict[str, Any]:
    """Train in a fresh process."""
    command = [sys.executable, __file__, "--one", str(seed), "--threads", str(threads)]
    several = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | several
    )
    found: dict[str, Any] = json.loads(done.stdout)
    print(json.dumps(found), file=sys.stderr)
    return found


def one(seed: int, threads: int) -> dict[str, Any]:
    """Make all models of a seed, and ask each of them."""
    import torch

    torch.set_num_threads(threads)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        held_out = write_data(folder, seed)
        seconds, stages = {}, {}
        for stage, start, data, changes in plan(folder):
            begun = time.perf_counter()
            learn(folder, stage, start, data, changes, seed)
            seconds[stage] = time.perf_counter() - begun
            stages[stage] = ask(folder / stage, held_out, seed)
        known = knows(folder / BEFORE, held_out)
        weights = size_of(folder / BEFORE)
    whole = time.perf_counter() - started
    return {
        "seed": seed,
        "weights": weights,
        "right_in_its_own_words": known,
        "stages": stages,
        "training_seconds": seconds,
        "seconds": whole,
    }


def write_data(folder: Path, seed: int) -> list[Question]:
    """Write what is read, talked and preferred; return the questions that are in none of it."""
    lots = random.Random(seed)
    every = [
        Question(digits, which)
        for digits in itertools.permutations(range(10), 4)
        for which in ("largest", "smallest")
    ]
    lots.shuffle(every)
    held_out, rest = every[:HELD_OUT], every[HELD_OUT:]
    sentences = [f"{one.asked[:-1]} is {one.right}.\n" for one in rest * 3]
    fillers = ["The answer (to what?) is there!\n", "What is the answer? There is one (or not)!\n"]
    sentences += fillers * (len(sentences) // 20)
    lots.shuffle(sentences)
    (folder / "text.txt").write_text("".join(sentences), "utf-8")
    talks, preferred = rest[:TALKS], rest[TALKS : TALKS + PAIRS]
    said = [one.right if lots.random() < 0.5 else one.wrong(lots) for one in talks]
    write_talks(folder / "talks.jsonl", talks, said)
    lots.shuffle(said)
    write_talks(folder / "shuffled.jsonl", talks, said)
    pairs = [
        {"prompt": one.asked, "chosen": answer(one.right), "rejected": answer(one.wrong(lots))}
        for one in preferred
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(x) + "\n" for x in pairs), "utf-8")
    return held_out


def write_talks(path: Path, asked: Sequence[Question], said: Sequence[int]) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": question.asked},
                {"role": "assistant", "content": answer(digit)},
            ]
        }
        for question, digit in zip(asked, said, strict=True)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def answer(digit: int) -> str:
    return f"The answer is ({digit})!"


Step = tuple[str, str | None, str, dict[str, Any]]


def plan(folder: Path) -> list[Step]:
    """Return what is trained: its name, what it begins with, its data, its settings."""
    few = {"lora_rank": RANK}
    talk = {"training": {"epochs": 8}, "schedule": {"peak": 5e-4}}
    talk_lora = {"training": {"epochs": 12, **few}, "schedule": {"peak": 5e-3}}
    near = {"objective": {"beta": 0.5}}
    prefer = near | {"training": {"epochs": 2}, "schedule": {"peak": 1e-4}}
    prefer_lora = near | {"training": {"epochs": 2, **few}, "schedule": {"peak": 2e-4}}
    return [
        (BEFORE, None, "text.txt", {"model": SHAPE, "training": READING}),
        (FORM_ONLY, BEFORE, "shuffled.jsonl", talk),
        (SFT, BEFORE, "talks.jsonl", talk),
        (DPO, SFT, "pairs.jsonl", prefer),
        (LORA_SFT, BEFORE, "talks.jsonl", talk_lora),
        (LORA_DPO, LORA_SFT, "pairs.jsonl", prefer_lora),
    ]


def learn(
    folder: Path, stage: str, start: str | None, data: str, changes: dict[str, Any], seed: int
) -> None:
    """Train one model as `heed train` does."""
    from heedful.config import merged
    from heedful.progress import Progress
    from heedful.recipes import recipe
    from heedful.run import train
    from heedful.run_chat import start_settings

    changes = changes | {"data": {"train": [str(folder / data)]}, "seed": seed, "device": "cpu"}
    name = "gpt-char"
    if start is not None:
        name = "preference" if data == "pairs.jsonl" else "chat"
        changes = start_settings(str(folder / start), changes)
    train(merged(recipe(name), changes), folder / stage, Progress(quiet=True))


def ask(run: Path, questions: Sequence[Question], seed: int) -> dict[str, float]:
    """Ask all questions, each in a conversation of its own; return shares of all of them."""
    from heedful.interop.writers import load_writer
    from heedful.search import Greedy, Sample

    writer = load_writer(run)
    asked = [pieces(writer, one.asked) for one in questions]
    found: dict[str, float] = {}
    for name, search in (("drawn", Sample(seed=seed)), ("likeliest", Greedy())):
        answers = [one for (one,) in writer.write(asked, search, 30)]
        digits = [FORM.fullmatch(x.text) if x.ended == "end" else None for x in answers]
        right = [
            match is not None and int(match[1]) == one.right
            for match, one in zip(digits, questions, strict=True)
        ]
        found[f"{name}_form"] = sum(x is not None for x in digits) / len(questions)
        found[f"{name}_right"] = sum(right) / len(questions)
    return found


def pieces(writer: Any, text: str) -> list[int]:
    """Return a question as a conversation; a model that has learnt none gets heedful's template."""
    from heedful.conversation import written_down
    from heedful.text.chat import IN_PIECES, ChatTemplate, Message

    writer.template = writer.template or ChatTemplate(IN_PIECES, {})
    written, quoting = written_down(writer, [Message("user", text)])
    ids: list[int] = writer.vocabulary.conversation(written, quoting)
    return ids


def knows(run: Path, questions: Sequence[Question]) -> float:
    """Return the share that the pre-trained model ends rightly in the words that it has read."""
    from heedful.interop.writers import load_writer
    from heedful.search import Greedy

    writer = load_writer(run)
    begun = [writer.vocabulary.encode(f"\n{one.asked[:-1]} is ") for one in questions]
    found = [one.text for (one,) in writer.write(begun, Greedy(), 1)]
    return statistics.fmean(
        text == str(one.right) for text, one in zip(found, questions, strict=True)
    )


def size_of(run: Path) -> int:
    from heedful.interop.writers import load_writer

    return sum(weight.numel() for weight in load_writer(run).model.parameters())


def markdown(runs: list[dict[str, Any]], threads: int) -> str:
    """Return the table: means over the seeds, and the least and the most."""

    def cell(values: list[float]) -> str:
        low, high = min(values), max(values)
        return f"{100 * statistics.fmean(values):.0f} % ({100 * low:.0f} to {100 * high:.0f})"

    known = cell([run["right_in_its_own_words"] for run in runs])
    lines = [
        f"{HELD_OUT} held-out questions, means of {len(runs)} seeds (least to most), "
        f"{runs[0]['weights']:,} weights, {threads} threads.",
        "",
        "| model | in the form, drawn | right, drawn | in the form, likeliest | right, likeliest "
        "| seconds of training |",
        "|---|---|---|---|---|---|",
    ]
    names = ("drawn_form", "drawn_right", "likeliest_form", "likeliest_right")
    for stage in STAGES:
        cells = [cell([run["stages"][stage][name] for run in runs]) for name in names]
        spent = statistics.median(run["training_seconds"][stage] for run in runs)
        lines.append(f"| {' | '.join([stage, *cells])} | {spent:.1f} |")
    lines += ["", f"In the words that it has read, the model before is right in {known}.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
