"""Prompts go on: many of them at once, each of its own length, in a model without an encoder.

Lists of ids come in, what a search finds behind each goes out in their order; no text is known
here. `heedful.writer` calls it.
"""

__all__ = ["POSITIONS", "PromptStepper", "go_on", "growing", "room_for"]

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch

from heedful.decode.job import watching
from heedful.decode.sources import padded
from heedful.errors import ModelError
from heedful.models.seq2seq import DecoderOnly
from heedful.search import (
    Asked,
    Client,
    Greedy,
    Hypothesis,
    Limits,
    Sample,
    SearchConfig,
    Watch,
)
from heedful.shapes import Array, Float, Int, Tensor

POSITIONS = 4096
"""Positions that the caches of a batch have together, at most, unless one prompt needs more."""


class PromptStepper:
    """Prompts in the middle of being gone on with: a `heedful.search.Stepper`.

    All are read at once. The piece that a search begins with is not looked at, since the prompts
    are there instead. The W rows of a prompt follow each other; `room` pieces may be added.
    """

    entries: Int[Tensor, "A N"] | None = None
    attention: Float[Array, "A S"] | None = None

    def __init__(
        self,
        model: DecoderOnly,
        prompts: Sequence[Sequence[int]],
        rows_per_prompt: int,
        room: int,
        device: torch.device,
    ) -> None:
        self.model, self.device = model, device
        read, real = padded(prompts, 0, device)
        counts = real.sum(dim=1)
        self.cache = model.new_cache(len(prompts), read.shape[1] + room)
        states = model.hidden(read, self.cache, counts)
        self._read: Float[Tensor, "R D"] | None = states[torch.arange(len(counts)), counts - 1]
        if rows_per_prompt > 1:
            self.select(np.repeat(np.arange(len(prompts)), rows_per_prompt))

    def step(
        self, tokens: Int[Array, " R"], rows: Int[Array, " A"] | None = None
    ) -> Float[Tensor, "A N"]:
        """Take the newest piece of every row; return logits for the position after it."""
        hidden, self._read = self._read, None
        if hidden is None:
            hidden = self.model.hidden(self._there(tokens)[:, None], self.cache)[:, 0]
        return self.model.project(hidden if rows is None else hidden[self._there(rows)])

    def select(self, rows: Int[Array, " Q"], sentences: Int[Array, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`."""
        chosen = self._there(rows)
        self.cache.select(chosen)
        if self._read is not None:
            self._read = self._read[chosen]

    def _there(self, numbers: Int[Array, "..."]) -> Int[Tensor, "..."]:
        return torch.from_numpy(numbers).to(self.device, non_blocking=True)


@torch.inference_mode()
def go_on(
    model: DecoderOnly,
    prompts: Sequence[Sequence[int]],
    search: SearchConfig,
    limits: Limits,
    *,
    most: int,
    clients: Sequence[Client],
    watch: Watch | None = None,
) -> list[list[Hypothesis]]:
    """Return what the search finds behind every prompt, at most `most` pieces, in their order.

    `limits.max_length` is the model's context: where prompt and continuation do not fit into it,
    the continuation is shorter. `clients` wait for one prompt each; `watch` is told of each one's
    best continuation as it grows. Raises ModelError for a prompt that is empty or longer than the
    context.
    """
    model.eval()
    device = next(iter(model.parameters())).device
    rooms = [room_for(prompt, most, limits.max_length) for prompt in prompts]
    wide = search.model_copy(update={"max_extra": most, "max_length": most})
    runner = wide.build()
    found: list[list[Hypothesis]] = [[] for _ in prompts]
    for room, rows in _batches(prompts, rooms, runner.rows_per_sentence):
        asked = [Asked(prompts[row], client=clients[row]) for row in rows]
        stepper = PromptStepper(
            model, [prompts[row] for row in rows], runner.rows_per_sentence, room, device
        )
        its = Limits(limits.start_id, limits.end_id, limits.forbidden, room, limits.vocabulary_size)
        results = runner.run(stepper, asked, its, watch=watching(watch, rows))
        for row, hypotheses in zip(rows, results, strict=True):
            found[row] = hypotheses
    return found


def growing(
    model: DecoderOnly,
    prompt: Sequence[int],
    search: Greedy | Sample,
    limits: Limits,
    *,
    most: int,
    client: Client,
) -> Iterator[list[int]]:
    """Yield what is written behind one prompt after every step, the piece that ends it included.

    The model's weights are asked as they are between two steps; see `go_on`.
    """
    model.eval()
    device = next(iter(model.parameters())).device
    room = room_for(prompt, most, limits.max_length)
    runner = search.model_copy(update={"max_extra": most, "max_length": most}).build()
    its = Limits(limits.start_id, limits.end_id, limits.forbidden, room, limits.vocabulary_size)
    newest: list[int] = []

    def seen(_: int, pieces: Sequence[int]) -> None:
        newest[:] = pieces

    with torch.inference_mode():
        stepper = PromptStepper(model, [prompt], runner.rows_per_sentence, room, device)
    steps = runner.steps(stepper, [Asked(prompt, client=client)], its, seen)
    written = 0
    while True:
        with torch.inference_mode():
            going = next(steps, steps) is not steps
        if not going:
            return
        ended = len(newest) == written  # an end is not shown
        yield [*newest, limits.end_id] if ended else list(newest)
        written = len(newest)


def room_for(prompt: Sequence[int], most: int, context: int | None) -> int:
    """Return how many pieces may follow: the last of them is never read."""
    if not prompt:
        raise ModelError("there is nothing to go on with")
    if context is None:
        return most
    if len(prompt) > context:
        raise ModelError(f"the prompt has {len(prompt):,} pieces and the model reads {context:,}")
    return min(most, context - len(prompt) + 1)


def _batches(
    prompts: Sequence[Sequence[int]], rooms: Sequence[int], width: int
) -> Iterator[tuple[int, list[int]]]:
    """Yield which prompts go together, with their room, the longest first.

    Those of one batch have the same room, so that what is drawn behind a prompt does not depend on
    its company.
    """
    order = sorted(range(len(prompts)), key=lambda row: (rooms[row], -len(prompts[row])))
    for room, group in groupby(order, key=rooms.__getitem__):
        rows = list(group)
        while rows:
            columns = len(prompts[rows[0]]) + room
            some = max(POSITIONS // (columns * width), 1)
            yield room, rows[:some]
            rows = rows[some:]
