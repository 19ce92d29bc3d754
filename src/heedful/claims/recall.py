"""Tasks whose answer stands far away: made, trained on, asked, and asked for their gradient.

Two tasks on made-up pieces, of which nothing but the beginning tells the answer:

    recall   Anna Rome cup · · · · · thing? person? place?   ->  cup Anna Rome
    copy     a b c d e f g h · · · · ·                       ->  a b c d e f g h

The dots are pieces that say nothing; their number is the distance. Which piece is of which kind is
to be learnt.
"""

__all__ = ["PIECES", "POSITIONS", "TASKS", "accuracy", "drawn", "run", "settings", "slopes"]

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from heedful.claims.claim import Case, Figures, Place
from heedful.claims.contestants import contestant, fitted, parameters
from heedful.claims.practice import practise
from heedful.data.batches import Batch
from heedful.models.architecture import Model, ModelConfig
from heedful.models.seq2seq import forward
from heedful.nn.position import (
    ALiBi,
    Learned,
    NoPosition,
    Position,
    Relative,
    Rotary,
    Sinusoidal,
)
from heedful.shapes import Array, Int
from heedful.text.pieces import CONTROL, START
from heedful.train.doctor import DivergedError

FACTS, COPIED, SYMBOLS, FILLERS = 3, 8, 8, 4
"""Facts of a sentence, symbols of a copy, how many kinds there are and how many pieces of each, and
of how many pieces the distance is made."""

_QUESTIONS = len(CONTROL)
_ANSWERS = _QUESTIONS + SYMBOLS
_FILLING = _ANSWERS + SYMBOLS * SYMBOLS
PIECES = _FILLING + FILLERS
"""Of the vocabulary: a question for each kind, the answers kind by kind, what says nothing."""

POSITIONS: dict[str, Position] = {
    "sinusoidal": Sinusoidal(),
    "learned": Learned(),
    "rotary": Rotary(),
    "alibi": ALiBi(),
    "relative": Relative(),
    "none": NoPosition(),
}

Ids = Int[Array, "B S"]
_MOST_ROWS, _FEWEST_ROWS = 128, 8


def _recall(random: np.random.Generator, rows: int) -> tuple[Ids, Ids, Ids]:
    """Return facts of different kinds, questions for their kinds in another order, and answers."""
    kinds = random.random((rows, SYMBOLS)).argsort(1)[:, :FACTS]
    facts = _ANSWERS + SYMBOLS * kinds + random.integers(0, SYMBOLS, (rows, FACTS))
    asked = random.random((rows, FACTS)).argsort(1)
    questions, answers = (np.take_along_axis(side, asked, 1) for side in (kinds, facts))
    return facts, _QUESTIONS + questions, answers


def _copy(random: np.random.Generator, rows: int) -> tuple[Ids, Ids, Ids]:
    """Return what is to be copied, no questions, and the copy."""
    facts = random.integers(_ANSWERS, _ANSWERS + SYMBOLS, (rows, COPIED))
    return facts, facts[:, :0], facts


TASKS: dict[str, Callable[[np.random.Generator, int], tuple[Ids, Ids, Ids]]] = {
    "recall": _recall,
    "copy": _copy,
}


def drawn(task: str, random: np.random.Generator, rows: int, distance: int) -> Batch:
    """Return a batch in which facts and questions stand so many pieces apart."""
    facts, questions, answers = TASKS[task](random, rows)
    filling = random.integers(_FILLING, PIECES, (rows, distance))
    source = torch.from_numpy(np.concatenate([facts, filling, questions], 1))
    target_out = torch.from_numpy(answers)
    start = torch.full((rows, 1), START)
    target_in = torch.cat([start, target_out[:, :-1]], 1)
    return Batch(source, target_in, target_out, source.numel(), target_out.numel())


def _rows(tokens: int, distance: int) -> int:
    return min(_MOST_ROWS, max(_FEWEST_ROWS, tokens // distance))


def settings(case: Case) -> ModelConfig:
    """Return the model of a case, with the parameters of the Transformer of its width."""
    longest = max(*case["trained"], *case["tested"]) + 2 * COPIED
    pattern, _ = contestant("Transformer", case["layers"], longest)
    wanted = parameters(pattern(case["width"]), PIECES)
    position = POSITIONS[case.get("position", "sinusoidal")]
    made = contestant(case["model"], case["layers"], longest, position)
    return fitted(*made, wanted, PIECES)


def run(case: Case, place: Place) -> Figures:
    """Train on the distances of a case, and ask at all that are to be tested."""
    config = settings(case)
    model = config.build(PIECES, PIECES).to(place.device)
    task, seed = case["task"], case["seed"]

    def draw(random: np.random.Generator) -> Batch:
        distance = int(random.choice(case["trained"]))
        return drawn(task, random, _rows(case["tokens"], distance), distance)

    before = {str(one): slopes(model, task, one, place) for one in case["tested"]}
    sizes = {"parameters": parameters(config, PIECES), "d_model": config.d_model}
    try:
        loss = practise(
            model,
            draw,
            place,
            steps=case["steps"],
            seed=seed,
            rate=case["rate"],
            batch_tokens=case["tokens"],
        )
    except DivergedError:
        if case["part"] != "rates":
            raise
        return sizes | {"loss": None}
    model.eval()
    return sizes | {
        "loss": loss,
        "accuracy": {
            str(one): accuracy(model, task, one, case["asked"], place) for one in case["tested"]
        },
        "slopes_before": before,
        "slopes_after": {str(one): slopes(model, task, one, place) for one in case["tested"]},
    }


@torch.no_grad()
def accuracy(model: Model, task: str, distance: int, asked: int, place: Place) -> float:
    """Return the share of answers that are right, of `asked` sentences not trained on."""
    random = np.random.default_rng([20170612, distance])
    right = total = 0
    while total < asked * (FACTS if task == "recall" else COPIED):
        batch = drawn(task, random, _rows(16_384, distance), distance).to(place.device)
        logits = forward(model, batch.source, batch.source_mask, batch.target_in)
        right += int((logits.argmax(-1) == batch.target_out).sum())
        total += batch.n_target
    return right / total


def slopes(model: Model, task: str, distance: int, place: Place) -> dict[str, float]:
    """Return how long gradients of the first answer's logit are, to the fact and to the end.

    Of the vectors of the source: `fact` is the one that says the answer, `last` the source's last
    piece; both are means over sentences.
    """
    random = np.random.default_rng([17061203, distance])
    batch = drawn(task, random, _FEWEST_ROWS, distance).to(place.device)
    tables: dict[str, Any] = vars(model.tables)
    vectors = model.tables.embed_source(batch.source).detach().requires_grad_()
    tables["embed_source"] = lambda _: vectors
    training = model.training
    model.train()  # fused recurrent kernels go back in training alone; there is no dropout
    try:
        with torch.enable_grad():
            logits = forward(model, batch.source, batch.source_mask, batch.target_in[:, :1])
            answers = batch.target_out[:, :1]
            found = torch.autograd.grad(logits[:, 0].gather(1, answers).sum(), vectors)[0]
    finally:
        del tables["embed_source"]
        model.train(training)
    lengths = found.norm(dim=-1)
    facts = lengths.gather(1, _place(batch)[:, None])
    return {"fact": float(facts.mean()), "last": float(lengths[:, -1].mean())}


def _place(batch: Batch) -> torch.Tensor:
    """Return where in each source the first answer stands: nothing else is like it."""
    return (batch.source == batch.target_out[:, :1]).int().argmax(1)
