"""Does what a head looks at matter? The pronoun's probabilities with edges cut and words silenced.

Pronoun templates, their translations and a head come in; how log p(right) - log p(wrong) changes
goes out, with what the same at the other noun costs that noun's pronoun (ContraPro's contrast,
Mueller et al. 2018; value zeroing, Mohebbi et al. 2023). A model that reads the gender of both
nouns and does not know which is meant loses as much at either: what counts is how much more the
antecedent costs.
"""

__all__ = ["Causal", "causal", "cut", "differences", "prefixes"]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from heedful.decode.score import score
from heedful.inspect.ablate import Edit, Edits, edited
from heedful.inspect.heads.behaviour import Said
from heedful.inspect.heads.intervals import Estimate, estimate
from heedful.inspect.heads.pronouns import Example
from heedful.inspect.heads.reading import head_means, shares_of, source_ids
from heedful.inspect.names import Head, Kind
from heedful.models.transformer import Transformer
from heedful.shapes import Array, Float
from heedful.text.tokenizer import Tokenizer

LONGEST = 40
"""Pieces before the pronoun in a translation that is still taken for one; templates have 20."""


@dataclass(frozen=True)
class Causal:
    """What changes in nats when the head, or what it looks at, is taken away.

    Effects are the clean difference less the edited one: above 0, what was taken away had helped.
    """

    head: Head
    sentences: int
    own: int
    """In so many the model's own translation comes before the pronoun, in the others a template."""
    clean: Estimate
    """log p(right) - log p(wrong) as the model is."""
    ablated: Estimate
    """Effect of the head's output being its mean."""
    edge: Estimate
    """Effect of the head not looking from the pronoun at the antecedent."""
    silent: Estimate
    """Effect of the antecedent's value being 0 for all heads of the layer."""
    everywhere: Estimate
    """Effect of no encoder head of any layer looking from the pronoun at the antecedent."""
    control_edge: Estimate
    """What the same as `edge`, done at the other noun, costs that noun's pronoun."""
    control_silent: Estimate
    control_everywhere: Estimate
    edge_above_control: Estimate
    """What the antecedent's pronoun loses beyond that."""
    silent_above_control: Estimate
    everywhere_above_control: Estimate

    @property
    def matters(self) -> bool:
        """Return whether the antecedent matters more than the other noun, beyond doubt."""
        helped = (
            (self.edge, self.edge_above_control),
            (self.silent, self.silent_above_control),
        )
        return any(effect.low > 0 and above.low > 0 for effect, above in helped)


_Layer = tuple[Kind, int]
_Places = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""The pieces of the pronoun, of the antecedent and of the other noun."""


def prefixes(
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    translations: Sequence[Said],
    longest: int = LONGEST,
) -> tuple[list[str], int]:
    """Return what stands before each pronoun, and in how many it is the model's own translation.

    Where it says no pronoun, or has not come to it after `longest` pieces, a template stands there.
    """
    begun = tokenizer.encode_target([one.before for one in translations])
    own = [
        one.pronoun is not None and len(ids) <= longest
        for one, ids in zip(translations, begun, strict=True)
    ]
    texts = [
        one.before if mine else example.german
        for example, one, mine in zip(examples, translations, own, strict=True)
    ]
    return texts, sum(own)


def differences(
    model: Transformer,
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    texts: Sequence[str],
    to: str | None,
    edits: Mapping[int, Edits] | None = None,
) -> Float[Array, " examples"]:
    """Return log p(right pronoun) - log p(wrong one) behind each text, in nats.

    `edits` hold what is changed for a sentence; those of one and the same object go together.
    """
    sources = source_ids(tokenizer, examples, to)
    begun = tokenizer.encode_target(list(texts))
    ends = [
        tokenizer.encode_target([f"{text} {pronoun}" for pronoun in (one.right, one.wrong)])
        for text, one in zip(texts, examples, strict=True)
    ]
    found = np.zeros(len(examples))
    for places in _alike(edits or {}, len(examples)):
        rows = [(sources[place], end) for place in places for end in ends[place]]
        with edited(model, (edits or {}).get(places[0], {})):
            scored = iter(score(model, rows, next(model.parameters()).device))
        for place in places:
            start = len(begun[place]) - 1
            found[place] = sum(next(scored)[start:-1]) - sum(next(scored)[start:-1])
    return found


def _alike(edits: Mapping[int, Edits], count: int) -> list[list[int]]:
    """Return which sentences can be read together: those with one and the same edit."""
    groups: dict[int, list[int]] = {}
    for place in range(count):
        groups.setdefault(id(edits[place]) if place in edits else 0, []).append(place)
    return list(groups.values())


def causal(
    model: Transformer,
    tokenizer: Tokenizer,
    head: Head,
    examples: Sequence[Example],
    translations: Sequence[Said],
    to: str | None,
) -> Causal:
    """Return what this encoder head's look from the pronoun is worth in these sentences."""
    texts, own = prefixes(tokenizer, examples, translations)
    sources = source_ids(tokenizer, examples, to)
    places = [_places(tokenizer, one, ids) for one, ids in zip(examples, sources, strict=True)]
    layer: _Layer = ("encoder", head.layer)
    layers: list[_Layer] = [("encoder", number) for number in range(model.config.encoder_layers)]
    mean: Edits = {layer: Edit(mean={head.head: head_means(model, sources, head)})}

    def effect(make: Callable[[_Places], Edits]) -> Float[Array, " examples"]:
        made = {one: make(one) for one in set(places)}
        edits = {number: made[one] for number, one in enumerate(places)}
        lost: Float[Array, " examples"] = clean - differences(
            model, tokenizer, examples, texts, to, edits
        )
        return lost

    def at_noun(noun: Literal[1, 2]) -> tuple[Float[Array, " examples"], ...]:
        """Return the effects of what is done at the antecedent or at the other noun."""
        return (
            effect(lambda one: {layer: _cut(head.head, one[0], one[noun])}),
            effect(lambda one: {layer: Edit(silent=one[noun])}),
            effect(lambda one: dict.fromkeys(layers, _cut(None, one[0], one[noun]))),
        )

    clean = differences(model, tokenizer, examples, texts, to)
    effects = {"ablated": effect(lambda _: mean)}
    names = ("edge", "silent", "everywhere")
    for name, own_noun, other in zip(names, at_noun(1), at_noun(2), strict=True):
        effects[name], effects[f"control_{name}"] = own_noun, -other
        effects[f"{name}_above_control"] = own_noun + other
    groups = [one.unit for one in examples]
    measured = {name: estimate(effect, groups) for name, effect in effects.items()}
    return Causal(head, len(examples), own, estimate(clean, groups), **measured)


def _cut(head: int | None, queries: Sequence[int], keys: Sequence[int]) -> Edit:
    return Edit(cut=tuple((head, query, key) for query in queries for key in keys))


def cut(tokenizer: Tokenizer, example: Example, head: Head, to: str | None) -> Edits:
    """Return the edit that keeps a head from looking from the pronoun at the antecedent."""
    [ids] = source_ids(tokenizer, [example], to)
    pronoun, antecedent, _ = _places(tokenizer, example, ids)
    return {("encoder", head.layer): _cut(head.head, pronoun, antecedent)}


def _places(tokenizer: Tokenizer, example: Example, ids: Sequence[int]) -> _Places:
    """Return which pieces spell the three words; a piece belongs to the word that it mostly is."""
    shares = shares_of(tokenizer, example, ids)
    pronoun, antecedent, distractor = (
        tuple(int(piece) for piece in np.flatnonzero(shares[:, word] >= 0.5))
        for word in (example.pronoun, example.antecedent, example.distractor)
    )
    return pronoun, antecedent, distractor
