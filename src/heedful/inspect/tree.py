"""The tree that a beam search grew: what it kept, what it dropped, and what ended.

A model seen as a step is watched while any search drives it; the search itself is not touched.
Log-probabilities are natural logarithms, a node's score is what the search ranks finished ones by.
"""

__all__ = ["Beam", "Node", "grown"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from heedful.inspect.searching import search_model
from heedful.models.architecture import Model
from heedful.search import Asked, Hypothesis, Limits, Stepper
from heedful.search import Beam as BeamConfig
from heedful.search.scoring import length_penalty
from heedful.shapes import Array, Float, Int, Tensor

State = Literal["kept", "dropped", "ended"]


@dataclass(frozen=True)
class Node:
    """A beginning of a translation that the search looked at."""

    number: int
    parent: int | None
    """The node that it continues; None: `<s>`."""
    step: int
    """Pieces so far, from 1."""
    piece: int
    token: str
    log_prob: float
    """Of this piece after its parent."""
    total: float
    """Of the whole beginning."""
    score: float
    """`total` divided by the length penalty."""
    rank: int
    """Its place, from 0, among all continuations of this step by `total`."""
    state: State


@dataclass(frozen=True)
class Beam:
    """A search's tree and what it found, best first."""

    beam_size: int
    length_penalty: float
    nodes: tuple[Node, ...]
    found: tuple[Hypothesis, ...]

    def path(self, number: int) -> list[Node]:
        """Return the nodes from the first piece to this one."""
        path = [self.nodes[number]]
        while (parent := path[-1].parent) is not None:
            path.append(self.nodes[parent])
        return path[::-1]

    def leaf(self, hypothesis: Hypothesis, end_id: int) -> Node | None:
        """Return the node at which a hypothesis ended; None where it was cut off."""
        pieces = (*hypothesis.tokens, *([end_id] if hypothesis.finished else []))
        for node in self.nodes:
            alike = node.step == len(pieces) and node.piece == pieces[-1]
            if alike and tuple(one.piece for one in self.path(node.number)) == pieces:
                return node
        return None


_Path = tuple[int, ...]

Seen = dict[_Path, list[tuple[int, float]]]
"""The likeliest pieces after each beginning that was gone on with."""

Name = Callable[[Sequence[int]], list[str]]
"""Pieces become what the eye sees of them."""


class _Watched(Stepper):
    """Hands on what a stepper is asked, and keeps the best continuations of every row."""

    def __init__(self, inner: Stepper, shown: int, forbidden: Sequence[int], seen: "Seen") -> None:
        self.inner, self.shown, self.seen = inner, shown, seen
        self.forbidden = torch.tensor(forbidden, dtype=torch.int64)
        self.paths: list[_Path] = []
        self.last: dict[_Path, Float[Tensor, " N"]] = {}
        """Of the last step."""

    @property
    def entries(self) -> Int[Tensor, "A N"] | None:
        return self.inner.entries

    @property
    def attention(self) -> Float[Array, "A S"] | None:
        return self.inner.attention

    def step(
        self, tokens: Int[Array, " R"], rows: Int[Array, " A"] | None = None
    ) -> Float[Tensor, "A N"]:
        if self.paths:
            pairs = list(zip(self.paths, tokens.tolist(), strict=True))
            for path, piece in pairs:
                self._add(path, piece)
            self.paths = [(*path, piece) for path, piece in pairs]
        else:
            self.paths = [() for _ in tokens]
        logits = self.inner.step(tokens, rows)
        asked = range(len(tokens)) if rows is None else rows.tolist()
        log_probs = logits.float().log_softmax(-1)
        log_probs[:, self.forbidden.to(log_probs.device)] = -torch.inf
        self.last = {self.paths[row]: own for row, own in zip(asked, log_probs, strict=True)}
        best = log_probs.topk(min(self.shown, log_probs.shape[1]))
        for row, values, pieces in zip(
            asked, best.values.tolist(), best.indices.tolist(), strict=True
        ):
            self.seen.setdefault(self.paths[row], list(zip(pieces, values, strict=True)))
        return logits

    def _add(self, path: _Path, piece: int) -> None:
        """Show what was gone on with, though it is not among the best: a wish can ask for it."""
        if path in self.last and all(piece != known for known, _ in self.seen[path]):
            self.seen[path].append((piece, float(self.last[path][piece])))

    def select(self, rows: Int[Array, " Q"], sentences: Int[Array, " C"] | None = None) -> None:
        self.paths = [self.paths[row] for row in rows.tolist()]
        self.inner.select(rows, sentences)


def grown(
    model: Model,
    asked: Asked,
    search: BeamConfig,
    limits: Limits,
    name: Name,
    shown: int,
) -> Beam:
    """Search and return the tree; of each row `shown` continuations, `name` writes the pieces."""
    every = search.model_copy(update={"n_best": search.beam_size})
    seen: Seen = {}
    found = search_model(
        *(model, asked, every, limits),
        watched=lambda stepper: _Watched(stepper, shown, limits.forbidden, seen),
    )
    nodes = _nodes(seen, found, every, limits, name)
    return Beam(search.beam_size, search.length_penalty, tuple(nodes), tuple(found))


def _nodes(
    seen: Seen,
    found: Sequence[Hypothesis],
    search: BeamConfig,
    limits: Limits,
    name: Name,
) -> list[Node]:
    """Return the nodes step by step, the likeliest of a step first."""
    ended = {(*one.tokens, limits.end_id) for one in found if one.finished}
    cut = {one.tokens for one in found if not one.finished}
    nodes: list[Node] = []
    numbers: dict[_Path, tuple[int | None, float]] = {(): (None, 0.0)}
    for step in range(max((len(path) for path in seen), default=-1) + 1):
        grew = []
        for path, continuations in seen.items():
            if len(path) == step:
                parent, total = numbers[path]
                for piece, log_prob in continuations:
                    grew.append(((*path, piece), parent, log_prob, total + log_prob))
        grew.sort(key=lambda one: -one[3])
        names = name([path[-1] for path, *_ in grew])
        for rank, (path, parent, log_prob, total) in enumerate(grew):
            state: State = "ended" if path in ended else "dropped"
            if path in seen or path in cut:
                state = "kept"
            numbers[path] = (len(nodes), total)
            penalty = length_penalty(len(path), search.length_penalty)
            nodes.append(
                Node(
                    *(len(nodes), parent, len(path), path[-1], names[rank]),
                    *(log_prob, total, total / penalty, rank, state),
                )
            )
    return nodes
