"""All that bears on one pair: a head looks from here to there, and does it matter?

A trace and a pair of pieces or words come in; how much each head gives, what zeroing and switching
off change, and one sentence that says whether these agree go out. They are never averaged.
"""

__all__ = ["MEASURABLE", "Evidence", "Given", "evidence"]

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from heedful.errors import SettingError
from heedful.inspect.ablate import Edit, ablations
from heedful.inspect.attribute import attribute, check_step
from heedful.inspect.importance import log_prob_of
from heedful.inspect.names import Head, Kind, check, modules, self_attentive
from heedful.inspect.relevance import rolled, rollout
from heedful.inspect.trace import Trace
from heedful.inspect.what_if import Difference, what_if
from heedful.nn.attention import MultiHeadAttention
from heedful.shapes import Array, Float

MEASURABLE = 0.1
"""Nats by which a log-probability must fall for something to matter: a tenth of the probability."""

HALF = 0.5
"""A head looks at what gets more than this."""


class Given(NamedTuple):
    """What one head gives to a pair."""

    head: Head
    weight: float
    share: float
    """Of the norms of what it mixes: weight times value through W^O (Kobayashi et al. 2020)."""


@dataclass(frozen=True)
class Evidence:
    """What was measured of a pair; changes are of a log-probability in nats, below 0 it falls."""

    kind: Kind
    heads: tuple[Given, ...]
    """Of every head of the kind, the largest weight first."""
    step: int | None
    """Whose log-probability is meant; None: that of all that was written."""
    rollout: float
    """The share by attention multiplied through all layers."""
    grad_x_input: float | None
    """Of the step's prediction, in nats; None without a step, or where it comes later."""
    without_value: float
    """Change when what is looked at may be looked at, and says nothing to anyone, in any layer."""
    without_head: float
    """Change when the first head hands on its mean."""
    difference: Difference
    """The translation without the first head."""

    @property
    def over_half(self) -> int:
        """Return how many heads give the pair more than half."""
        return sum(one.weight > HALF for one in self.heads)

    @property
    def signals(self) -> tuple[bool, bool, bool]:
        """Return whether a head looks there, whether the value matters, whether the head does."""
        return (
            self.over_half > 0,
            self.without_value <= -MEASURABLE,
            self.without_head <= -MEASURABLE or self.difference.changed,
        )

    @property
    def agree(self) -> bool:
        """Return whether all three say the same."""
        return len(set(self.signals)) == 1

    def __str__(self) -> str:
        best, of = self.heads[0], len(self.heads)
        what = f"the {self.difference.before.what}" if self.step is None else "the prediction"
        stays = "is another" if self.difference.changed else "stays the same"
        looked = (
            f"{self.over_half} of {of} heads give it more than half, and {best.head} most, "
            if self.over_half
            else f"None of {of} heads gives it more than half; {best.head} gives most, "
        )
        return (
            f"{looked}{best.weight:.0%}. Without what it says, {what} {_moved(self.without_value)};"
            f" without {best.head} {what} {_moved(self.without_head)}, and what is written "
            f"{stays}. {self._verdict()}"
        )

    def _verdict(self) -> str:
        if not self.agree:
            return "These do not agree: where a head looks is not by itself why the model answers."
        if self.signals[0]:
            return "All three point the same way."
        return "All three say that it matters little here."


def _moved(change: float) -> str:
    return f"{'loses' if change <= 0 else 'gains'} {abs(change):.3f} nats"


def evidence(
    seen: Trace,
    kind: Kind,
    row: int,
    column: int,
    *,
    words: bool = False,
    step: int | None = None,
) -> Evidence:
    """Return what there is to say of looking from a row to a column: pieces, or words of both.

    Of the decoder's attention the row is a step, and meant is that step if none is given; of the
    encoder's it is then the whole translation. Raises SettingError for a place that there is not.
    """
    model = self_attentive(seen.model, "the evidence of a look")
    check(model, kind, None)
    pair = _Pair(seen, kind, row, column, words)
    step = pair.step if step is None else step
    if step is not None:
        check_step(seen, step)
    heads = pair.heads()
    keys = pair.keys
    if kind == "decoder" and step is not None:  # what comes later is not read
        keys = tuple(key for key in keys if key <= step)
    silent = {
        (found, layer): Edit(silent=keys) for found, layer, _ in modules(model) if found == kind
    }
    before = log_prob_of(seen, step)
    difference = what_if(seen, ablate=[heads[0].head])
    lost = -difference.lost
    if step is not None and step < seen.begins:  # a piece of the prompt
        lost = log_prob_of(seen, step, ablations(seen.model, [heads[0].head], "mean", seen.looks))
        lost -= before
    elif step is not None:
        was, is_now = difference.log_probs[step - seen.begins]
        lost = is_now - was
    return Evidence(
        kind,
        heads,
        step,
        pair.rollout(),
        None if step is None else pair.gradient(step),
        log_prob_of(seen, step, silent) - before,
        lost,
        difference,
    )


class _Pair:
    """From where to where."""

    def __init__(self, seen: Trace, kind: Kind, row: int, column: int, words: bool) -> None:
        self.seen, self.kind, self.row, self.column, self.words = seen, kind, row, column, words
        self.queries, self.known = seen.sides(kind)
        counted = [len(side.spans if words else side.ids) for side in (self.queries, self.known)]
        for name, asked, there in zip(("row", "column"), (row, column), counted, strict=True):
            if not 0 <= asked < there:
                raise SettingError(f"there is no {name} {asked}", where=kind)

    @property
    def keys(self) -> tuple[int, ...]:
        """Return the pieces that are looked at."""
        if not self.words:
            return (self.column,)
        return tuple(int(place) for place in self.known.shares[:, self.column].nonzero()[0])

    @property
    def step(self) -> int | None:
        """Return the step that the row is."""
        if self.kind == "encoder":
            return None
        return int(self.queries.shares[:, self.row].argmax()) if self.words else self.row

    def of(self, shares: Float[Array, "Q M"]) -> float:
        """Return the share of the pair: mean over the row's pieces, sum over the column's."""
        if not self.words:
            return float(shares[self.row, self.column])
        return float(self.known.to_words(self.queries.of_words(shares)[self.row])[self.column])

    def heads(self) -> tuple[Given, ...]:
        found = []
        for kind, layer, module in modules(self.seen.model):
            if kind != self.kind:
                continue
            look = self.seen.looks[kind, layer]
            weights = look.weights()[0]
            assert isinstance(module, MultiHeadAttention)
            output = module.output_proj.weight.detach().float()
            out = output.reshape(len(output), module.n_heads, -1)
            told = (look.values()[0].float() @ out.permute(1, 2, 0)).norm(dim=-1)
            mixed = weights * told[:, None]
            shares = (mixed / mixed.sum(-1, keepdim=True).clamp(min=1e-30)).cpu().numpy()
            for head, row in enumerate(weights.cpu().numpy()):
                given = Given(Head(kind, layer, head), self.of(row), self.of(shares[head]))
                found.append(given)
        return tuple(sorted(found, key=lambda one: -one.weight))

    def rollout(self) -> float:
        if self.kind == "encoder":
            return self.of(rolled(self.seen.looks).cpu().numpy())
        source, target = rollout(self.seen.looks)
        return self.of(target if self.kind == "decoder" else source)

    def gradient(self, step: int) -> float | None:
        """Return what the step's prediction rests on of it, where it had been read by then."""
        found = attribute(self.seen, step)
        if self.kind != "decoder":
            scores = found.source
        else:
            scores = np.zeros(len(self.known.ids), np.float32)
            scores[: step + 1] = found.target
            if min(self.keys) > step:
                return None
        if self.words:
            return float(self.known.to_words(scores)[self.column])
        return float(scores[self.column])
