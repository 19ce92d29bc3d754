"""The heads of a model, measured: what each is for, and whether any follows "it" to its noun.

A translator and a way to translate come in, a `Report` goes out; `heed heads` prints it. Layers and
heads are counted from 0.
"""

__all__ = ["LONGEST", "SENTENCES", "Report", "Texts", "Toured", "measure"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from heedful.errors import DataError
from heedful.inspect.ablate import Edits
from heedful.inspect.heads.behaviour import Behaviour, Said, behaviour, said
from heedful.inspect.heads.causal import Causal, causal, cut, differences, prefixes
from heedful.inspect.heads.coreference import Coreference, coreference, pronoun_rows
from heedful.inspect.heads.grammar import labelled
from heedful.inspect.heads.habits import Habit, Rarity, habits, rarity_by_count, rarity_by_id
from heedful.inspect.heads.pronouns import Example, examples, tour
from heedful.inspect.heads.reading import Pair
from heedful.inspect.heads.roles import Relation, Roles, relations, roles
from heedful.inspect.heads.verdict import Verdict, verdict
from heedful.inspect.names import Head, every_head
from heedful.models.architecture import as_transformer, check_looks
from heedful.models.transformer import Transformer
from heedful.search import Greedy
from heedful.shapes import Array, Float
from heedful.translator import Translator

SENTENCES = 500
"""Sentences of a corpus that heads are measured on, evenly spread, at most."""
LONGEST = 100
"""Pieces of a sentence or a translation that heads are measured on, at most."""

_TEMPLATES = ("en", "zh")
"""Languages that there are templates of."""


class Texts(NamedTuple):
    """A corpus: pieces are counted in all of it, heads are measured on some of its sources."""

    name: str
    sources: Sequence[str]
    targets: Sequence[str]
    chosen: Sequence[int]
    """The rows whose sources are read."""


class Toured(NamedTuple):
    """What the model does with a sentence that everyone is shown."""

    text: str
    translation: str
    antecedent: str
    pronoun: str | None
    """The German pronoun in the translation; None where there is none, or the target is another."""
    right: str | None
    looks_at: str
    """The content word that the chosen head gives most to."""
    weight: float
    """What share it gets."""
    on_antecedent: float
    most_of: Head
    """The encoder head that gives most to the antecedent."""
    most: float
    other: str
    """The other noun."""
    other_most_of: Head
    """The encoder head that gives most to the other noun."""
    other_most: float
    cut: float | None
    """What cutting the edge to the antecedent costs the right pronoun, in nats."""


@dataclass(frozen=True)
class Report:
    """All that was measured."""

    model: str
    way: tuple[str, str]
    """Source and target language; empty where nobody said."""
    sentences: int
    measured_on: str
    """Which sentences positions, rare words, specials and confidence were measured on."""
    rarity: str
    """What tells that a piece is rare."""
    roles: tuple[Roles, ...]
    relations: tuple[Relation, ...] = ()
    coreference: Coreference | None = None
    """None, as all that follows: there are no templates of the source language."""
    behaviour: Behaviour | None = None
    """None, as `causal`: the target language does not show which noun is meant."""
    causal: Causal | None = None
    verdict: Verdict | None = None
    tour: tuple[Toured, ...] = ()
    left_out: int = 0
    """Sentences of the corpus that are too long."""
    cut_off: int = 0
    """Translations of which only the first pieces were read, for they did not end."""
    kind: str = "transformer"
    """The model's; of another than a Transformer, attention to the source is all there is."""


def measure(
    translator: Translator,
    tag: str | None,
    way: tuple[str, str],
    texts: Texts | None = None,
    name: str = "",
) -> Report:
    """Measure every head; `tag` is the target language that the model is asked for.

    Of a model that is no Transformer its attention to the source is measured: it has no other.
    Without texts the model reads the templates, of which there are English and Chinese ones. Raises
    DataError where there is nothing to read, or the model writes nothing for any of it, ModelError
    for a model without attention.
    """
    check_looks(translator.model.config)
    asked = _Asked(translator, tag, way)
    templates = examples(way[0]) if way[0] in _TEMPLATES else []
    if not templates and texts is None:
        language = f'"{way[0]}"' if way[0] else "a language that nobody named"
        raise DataError(
            f"the model reads {language}, of which there are no sentences here",
            where="--data",
            fix="give a corpus of its language pair",
        )
    translations = asked.translated([one.text for one in templates])
    if texts is None:
        sources = [one.text for one in templates]
        targets = translations
    else:
        sources = asked.short([texts.sources[row] for row in texts.chosen])
        targets = asked.translated(sources)
    if not sources:
        raise DataError(
            f"no sentence has at most {asked.longest} pieces",
            where="--data",
            fix="give one sentence a row",
        )
    if not any(targets):
        raise DataError(
            f"the model writes nothing for any of {len(sources):,} sentences",
            where=name,
            fix="train it for longer, or give other sentences by --data",
        )
    pairs, cut_off = asked.pairs(sources, targets)
    report = Report(
        name,
        way,
        len(pairs),
        "the templates" if texts is None else texts.name,
        "number in the vocabulary" if texts is None else f"count in {texts.name}",
        tuple(roles(asked.habits(pairs, texts), (), None)),
        left_out=0 if texts is None else len(texts.chosen) - len(sources),
        cut_off=cut_off,
        kind=translator.model.config.kind,
    )
    if not templates or not isinstance(translator.model, Transformer):
        return report
    return _with_templates(report, asked, templates, translations)


def _with_templates(
    report: Report, asked: "_Asked", templates: Sequence[Example], translations: Sequence[str]
) -> Report:
    """Add what only sentences tell of which the words are known."""
    model, tokenizer = asked.model, asked.translator.tokenizer
    related = relations(model, tokenizer, labelled(asked.way[0]), asked.tag)
    resolved = coreference(model, tokenizer, templates, asked.tag)
    behaved = caused = None
    if asked.decides:
        pronouns = [said(*one) for one in zip(templates, translations, strict=True)]
        apart = asked.differences(templates, pronouns)
        behaved = behaviour(templates, pronouns, apart.tolist())
        test = [place for place, one in enumerate(templates) if one.half == "test"]
        caused = causal(
            model,
            tokenizer,
            resolved.chosen,
            [templates[place] for place in test],
            [pronouns[place] for place in test],
            asked.tag,
        )
    return replace(
        report,
        roles=tuple(roles([one.habit for one in report.roles], related, resolved)),
        relations=tuple(related),
        coreference=resolved,
        behaviour=behaved,
        causal=caused,
        verdict=verdict(resolved, caused, behaved, asked.way),
        tour=tuple(asked.toured(resolved.chosen)),
    )


class _Asked(NamedTuple):
    """A model and what it is asked for."""

    translator: Translator
    tag: str | None
    way: tuple[str, str]

    @property
    def model(self) -> Transformer:
        """Return the model; raises ModelError for one without heads."""
        return as_transformer(self.translator.model, "a measure of heads")

    @property
    def decides(self) -> bool:
        """Return whether the output shows which noun was meant."""
        return self.way == ("en", "de")

    def translated(self, texts: Sequence[str]) -> list[str]:
        return self.translator.translate(texts, self.tag, search=Greedy())

    @property
    def longest(self) -> int:
        """Return how many pieces of a side are read at most."""
        return min(LONGEST, self.translator.model.config.max_length)

    def short(self, sources: Sequence[str]) -> list[str]:
        """Return the sentences that can be read whole."""
        ids = self.translator.tokenizer.encode_source(sources, self.tag)
        return [one for one, row in zip(sources, ids, strict=True) if len(row) <= self.longest]

    def pairs(self, sources: Sequence[str], targets: Sequence[str]) -> tuple[list[Pair], int]:
        """Return the ids of sentences and translations, and how many of these were cut off."""
        tokenizer = self.translator.tokenizer
        whole = tokenizer.encode_target(targets)
        ids = [row if len(row) <= self.longest else row[: self.longest] for row in whole]
        read = tokenizer.encode_source(sources, self.tag)
        long = sum(len(row) > self.longest for row in whole)
        return list(zip(read, ids, strict=True)), long

    def habits(self, pairs: Sequence[Pair], texts: Texts | None) -> list[Habit]:
        tokenizer = self.translator.tokenizer
        rarities: tuple[Rarity, Rarity] = (rarity_by_id, rarity_by_id)
        if texts is not None:
            rarities = (
                rarity_by_count(tokenizer.encode_source(texts.sources, self.tag)),
                rarity_by_count(tokenizer.encode_target(texts.targets)),
            )
        return habits(self.translator.model, pairs, tokenizer.around, rarities)

    def differences(
        self,
        sentences: Sequence[Example],
        pronouns: Sequence[Said],
        edits: Mapping[int, Edits] | None = None,
    ) -> Float[Array, " sentences"]:
        """Return log p(right pronoun) - log p(wrong one) of each sentence."""
        model, tokenizer = self.model, self.translator.tokenizer
        begun, _ = prefixes(tokenizer, sentences, pronouns)
        return differences(model, tokenizer, sentences, begun, self.tag, edits)

    def toured(self, head: Head) -> list[Toured]:
        """Return what the model and one head do with the sentences that everyone is shown."""
        sentences = tour(self.way[0])
        model, tokenizer = self.model, self.translator.tokenizer
        heads = every_head(model, "encoder")
        every = pronoun_rows(model, tokenizer, sentences, self.tag)
        outputs = self.translated([one.text for one in sentences])
        pronouns = [said(*one) for one in zip(sentences, outputs, strict=True)]
        costs: list[float | None] = [None] * len(sentences)
        if self.decides:
            edits = {n: cut(tokenizer, one, head, self.tag) for n, one in enumerate(sentences)}
            lost = self.differences(sentences, pronouns) - self.differences(
                sentences, pronouns, edits
            )
            costs = list(lost.tolist())
        found = []
        for one, rows, output, cost in zip(sentences, every, pronouns, costs, strict=True):
            row, to_it, to_other = (
                rows[heads.index(head)],
                rows[:, one.antecedent],
                rows[:, one.distractor],
            )
            best = int(np.where(one.content, row[: len(one.words)], -1.0).argmax())
            found.append(
                Toured(
                    one.text,
                    output.text,
                    one.words[one.antecedent],
                    output.pronoun if self.decides else None,
                    one.right if self.decides else None,
                    one.words[best],
                    float(row[best]),
                    float(row[one.antecedent]),
                    heads[int(to_it.argmax())],
                    float(to_it.max()),
                    one.words[one.distractor],
                    heads[int(to_other.argmax())],
                    float(to_other.max()),
                    cost,
                )
            )
        return found
