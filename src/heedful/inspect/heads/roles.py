"""What each head is for, as far as that can be measured: roles, with the rule that gives each.

Habits on plain sentences, relations in sentences of known grammar and what happens at pronouns come
in; the roles of every head go out, several or none (Voita et al. 2019, sections 5.2 and 5.3).
"""

__all__ = ["ROLES", "Relation", "Role", "Roles", "relations", "roles"]

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from heedful.inspect.heads.coreference import Coreference, untrained
from heedful.inspect.heads.grammar import RELATIONS, Labelled
from heedful.inspect.heads.habits import Habit
from heedful.inspect.heads.pronouns import MARKS
from heedful.inspect.heads.reading import maps, shares_of, source_ids, to_words
from heedful.inspect.names import Head, every_head
from heedful.models.transformer import Transformer
from heedful.shapes import Array, Float
from heedful.text.tokenizer import Tokenizer

Role = Literal["positional", "syntactic", "rare-word", "coreference", "sink"]
"""Most at one offset for 90 % of the pieces; 10 points above the best offset for a relation; most
at the rarest piece for half of them and 10 points above the best offset; 10 points above every
place at pronouns; more than half of the mass on specials."""

ROLES: tuple[Role, ...] = get_args(Role)

_POSITIONAL, _ABOVE, _RARE, _SINK = 0.90, 0.10, 0.50, 0.50


@dataclass(frozen=True)
class Relation:
    """How well one relation is found."""

    name: str
    """Such as `verb to subject`."""
    count: int
    offset: int
    by_offset: float
    """How often the best fixed offset, of words, finds it."""
    heads: dict[Head, float]
    """How often each encoder head does: of all words but the marks and itself it gets most."""
    untrained: float | None = None
    """How often the best head of a model with random weights does."""

    @property
    def best(self) -> Head:
        """Return the head that finds it most often."""
        return max(self.heads, key=self.heads.__getitem__)


@dataclass(frozen=True)
class Roles:
    """What one head is for, and the figures behind it."""

    habit: Habit
    roles: tuple[Role, ...]
    """In the order of `ROLES`; empty: none that is known."""
    relation: str | None
    """The relation that it exceeds the best offset at by most, if by 10 points."""

    @property
    def head(self) -> Head:
        """Return which head it is."""
        return self.habit.head


def relations(
    model: Transformer, tokenizer: Tokenizer, sentences: Sequence[Labelled], to: str | None
) -> list[Relation]:
    """Return how well each relation is found by encoder heads and by the best offset.

    Beside it stands the best head of a model of the same shape that has learnt nothing.
    """
    found = _found(model, tokenizer, sentences, to)
    by_chance = _found(untrained(model, tokenizer), tokenizer, sentences, to)
    return [
        replace(one, untrained=chance.heads[chance.best])
        for one, chance in zip(found, by_chance, strict=True)
    ]


def _found(
    model: Transformer, tokenizer: Tokenizer, sentences: Sequence[Labelled], to: str | None
) -> list[Relation]:
    heads = every_head(model, "encoder")
    hits = {name: np.zeros(len(heads)) for name in RELATIONS}
    offsets: dict[tuple[str, str], Counter[int]] = {name: Counter() for name in RELATIONS}
    ids = source_ids(tokenizer, sentences, to)
    for seen in maps(model, [(one, ()) for one in ids]):
        one = sentences[seen.number]
        by_words = to_words(seen.weights["encoder"], shares_of(tokenizer, one, ids[seen.number]))
        looked = _without(by_words, one).argmax(2)
        for name, edges in one.edges.items():
            offsets[name].update(there - here for here, there in edges)
            for here, there in edges:
                hits[name] += looked[:, here] == there
    return [
        _relation(name, offsets[name], hits[name], heads) for name in RELATIONS if offsets[name]
    ]


def _without(
    by_words: Float[Array, "heads words words"], sentence: Labelled
) -> Float[Array, "heads words words"]:
    """Return the map without marks and without what words give themselves."""
    kept = 1.0 - np.eye(len(sentence.words))
    kept[:, [word in MARKS for word in sentence.words]] = 0
    kept_map: Float[Array, "heads words words"] = by_words * kept
    return kept_map


def _relation(
    name: tuple[str, str], offsets: "Counter[int]", hits: Float[Array, " heads"], heads: list[Head]
) -> Relation:
    count = offsets.total()
    [(offset, often)] = offsets.most_common(1)
    shares = dict(zip(heads, (hits / count).tolist(), strict=True))
    return Relation(" to ".join(name), count, offset, often / count, shares)


def roles(
    habits: Sequence[Habit], found: Sequence[Relation], coreference: Coreference | None
) -> list[Roles]:
    """Return the roles of every head, in the order of its habits."""
    every = []
    for habit in habits:
        relation = _exceeding(habit.head, found)
        rules: Mapping[Role, bool] = {
            "positional": habit.at_offset >= _POSITIONAL,
            "syntactic": relation is not None,
            "rare-word": habit.rare >= max(_RARE, habit.rare_by_offset + _ABOVE),
            "coreference": habit.head.kind == "encoder"
            and coreference is not None
            and coreference.is_coreference(habit.head),
            "sink": habit.specials > _SINK,
        }
        every.append(Roles(habit, tuple(role for role in ROLES if rules[role]), relation))
    return every


def _exceeding(head: Head, found: Sequence[Relation]) -> str | None:
    """Return the relation that a head finds 10 points more often than the best offset does."""
    above = {one.name: one.heads.get(head, 0.0) - one.by_offset for one in found}
    best = max(above, key=above.__getitem__, default=None)
    return best if best is not None and above[best] >= _ABOVE - 1e-9 else None
