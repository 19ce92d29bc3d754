"""What the page asks is answered here: a name and a dictionary come in, an answer goes out.

An answer is a dictionary, a text (a page), or an iterator of dictionaries that are told one by one.
Nothing here knows HTTP. All answers but those of `AT_ONCE` compute with a model, which may be
changed meanwhile: whoever calls sees to it that one thread alone does so at a time.
"""

__all__ = ["AT_ONCE", "Answer", "Played", "Playground"]

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel

from heedful import __version__
from heedful.errors import SettingError
from heedful.inspect import importance as gates
from heedful.inspect import wire
from heedful.inspect.attribute import check_step
from heedful.inspect.dependence import dependence
from heedful.inspect.embedding import embedding
from heedful.inspect.evidence import Evidence, evidence
from heedful.inspect.names import Inspected
from heedful.inspect.page import page
from heedful.inspect.trace import Trace
from heedful.models.convolutional import Convolutional
from heedful.nn.position import Learned
from heedful.playground import asked as fields
from heedful.playground.cards import atlas, card, examples, heads_file, prompts
from heedful.playground.kept import Kept, Traced
from heedful.playground.refused import NamedRefusalError
from heedful.playground.tokens import tokens, tokens_of_prompt
from heedful.playground.tracing import Event, traced_events, written_events
from heedful.serve.limits import ServerLimits
from heedful.serve.refusal import RefusalError, short, shown
from heedful.serve.schemas import within
from heedful.translator import Translator
from heedful.writer import Writer

Answer = dict[str, Any] | str | Iterator[Event]

AT_ONCE = ("models", "tokens", "atlas")
"""What needs no model's thread."""

_OF_TRANSLATORS = ("to", "from_", "beam", "length_penalty")
_OF_WRITERS = ("most", "temperature", "seed")
"""Fields that one of the two kinds of models has alone."""

SHOWN = 32
"""Numbers of a vector that are told."""


@dataclass(frozen=True)
class Played:
    """A model of the playground."""

    name: str
    by: Translator | Writer
    folder: Path | None = None
    """Where it lies, if what is beside it is to be shown."""

    @property
    def ways(self) -> list[tuple[str, str]]:
        """Return which languages it translates to which: none if it goes on with texts."""
        return [] if isinstance(self.by, Writer) else self.by.ways()

    @cached_property
    def card(self) -> dict[str, Any]:
        """Return what is said of it."""
        writes = isinstance(self.by, Writer)
        named = [way for way in self.ways if all(way)]
        return {
            "name": self.name,
            "card": card(self.by, self.folder),
            "writes": writes,
            "ways": [list(way) for way in self.ways],
            "examples": prompts() if writes else examples(named),
            "atlas": heads_file(self.folder) is not None,
        }

    @cached_property
    def pieces(self) -> dict[str, int]:
        """Return the number of every piece of the target; of two that look alike the first."""
        if isinstance(self.by, Writer):
            names = self.by.vocabulary.pieces(range(self.by.model.vocabulary_size))
        else:
            names = self.by.tokenizer.target_pieces(range(self.by.tokenizer.target_size))
        found: dict[str, int] = {}
        for number, piece in enumerate(names):
            found.setdefault(piece, number)
        return found


class _Handler(NamedTuple):
    shape: type[BaseModel]
    answer: Callable[..., Answer]


class Playground:
    """Some models, and the traces that were made of them; maybe one more for the tour alone."""

    def __init__(
        self,
        models: Sequence[Played],
        limits: ServerLimits,
        kept: Kept | None = None,
        beside: Played | None = None,
    ) -> None:
        self.limits, self.kept = limits, Kept() if kept is None else kept
        self.shown, self.beside = tuple(models), beside
        self.models = {one.name: one for one in models}
        if beside is not None:
            self.models.setdefault(beside.name, beside)
        self._handlers = {
            "tokens": _Handler(fields.TokensAsked, self._tokens),
            "dependence": _Handler(fields.DependenceAsked, self._dependence),
            "trace": _Handler(fields.TraceAsked, self._trace),
            "row": _Handler(fields.RowAsked, self._row),
            "attribute": _Handler(fields.AttributeAsked, self._attribute),
            "what_if": _Handler(fields.WhatIfAsked, self._what_if),
            "importance": _Handler(fields.ImportanceAsked, self._importance),
            "importance/exact": _Handler(fields.ExactAsked, self._exact),
            "evidence": _Handler(fields.EvidenceAsked, self._evidence),
            "embedding": _Handler(fields.EmbeddingAsked, self._embedding),
            "rank": _Handler(fields.RankAsked, self._rank),
            "export": _Handler(fields.ExportAsked, self._export),
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Return what can be asked, beside `models` and `atlas`."""
        return tuple(self._handlers)

    def check(self, name: str, request: Any) -> BaseModel:
        """Return a request whose fields are right; raises RefusalError for another."""
        return fields.checked(self._handlers[name].shape, request)

    def model_of(self, asked: BaseModel) -> Played:
        """Return the model that a request is about; raises RefusalError if there is none."""
        if isinstance(number := getattr(asked, "id", None), str):
            return self.models[self.kept.find(number).model]
        return self._find(getattr(asked, "model", None))

    def answer(self, name: str, asked: BaseModel) -> Answer:
        """Return the answer to a checked request; raises RefusalError and HeedfulErrors."""
        return self._handlers[name].answer(asked)

    def ask(self, name: str, request: dict[str, Any]) -> Answer:
        """Return the answer to a request, whoever asks; raises as `check` and `answer` do."""
        return self.answer(name, self.check(name, request))

    # Of models

    def listed(self) -> dict[str, Any]:
        """Return all models, and what stands beside them in the tour."""
        return {
            "models": [one.card | {"beam": self.limits.beam} for one in self.shown],
            "beside": None if self.beside is None else self.beside.card,
            "version": __version__,
        }

    def atlas(self, name: str | None) -> dict[str, Any]:
        """Return what each head of a model is for; raises RefusalError if nobody measured it."""
        found = self._find(name)
        return atlas(found.name, found.by.model, found.folder)

    def _find(self, name: str | None) -> Played:
        found = self.models.get(name) if name else self.shown[0]
        if found is None:
            known = ", ".join(self.models)
            sentence = f"there is no model {shown(name or '')} here; known: {known}"
            raise NamedRefusalError(404, "model", sentence, name=short(name or ""), known=known)
        return found

    def _tokens(self, asked: fields.TokensAsked) -> dict[str, Any]:
        by = self._find(asked.model).by
        self._check_length(asked.text)
        if isinstance(by, Writer):
            _check_unused(asked, _OF_TRANSLATORS, by)
            return tokens_of_prompt(by, asked.text)
        return tokens(by, asked.text, by.target(asked.to, asked.from_))

    def _dependence(self, asked: fields.DependenceAsked) -> dict[str, Any]:
        by = self._find(asked.model).by
        self._check_length(asked.text)
        if isinstance(by, Writer):
            raise RefusalError(422, "the model goes on with texts, and translates none")
        found = dependence(by, asked.text, to=asked.to, from_=asked.from_)
        return {
            "translation": found.translation,
            "ended": found.ended,
            "words": found.source.words,
            "lost": found.lost.tolist(),
            "shares": found.shares.tolist(),
            "handed": found.handed,
            "steps": {"reading": found.reading, "writing": found.writing},
        }

    def _embedding(self, asked: fields.EmbeddingAsked) -> dict[str, Any]:
        by = self._find(asked.model).by
        found = embedding(by, asked.side, asked.id, asked.place)
        added = found.position
        scheme = _position(by.model)
        return {
            "s": found.piece,
            "norm": float(np.linalg.norm(found.vector)),
            "values": found.vector[:SHOWN].tolist(),
            "neighbours": [{"s": one.piece, "cosine": one.cosine} for one in found.near],
            "position": {
                "kind": getattr(scheme, "kind", "none"),
                "values": None if added is None else added[:SHOWN].tolist(),
                "theta": getattr(scheme, "theta", None),
            },
            "sum": None if added is None else (found.vector + added)[:SHOWN].tolist(),
        }

    # Traces

    def _trace(self, asked: fields.TraceAsked) -> Iterator[Event]:
        model = self._find(asked.model)
        self._check_length(asked.text)
        self._check_length(asked.target or "", "the target")
        within("beam", asked.beam or 1, self.limits.beam)
        by = model.by
        if isinstance(by, Writer):
            _check_unused(asked, _OF_TRANSLATORS, by)
            return written_events(model.name, by, asked, self.kept)
        _check_unused(asked, _OF_WRITERS, by)
        to = by.target(asked.to, asked.from_)
        beam = asked.beam or self.limits.usual_beam
        return traced_events(model.name, by, asked, to, beam, self.kept)

    def _check_length(self, text: str, what: str = "the text") -> None:
        most = self.limits.characters
        if len(text) > most:
            sentence = (
                f"characters of {what}: {len(text):,} were given and {most:,} are allowed; give "
                "one sentence at a time"
            )
            raise NamedRefusalError(413, "characters", sentence, n=len(text), most=most)

    def _seen(self, number: str) -> Trace:
        return self.kept.find(number).trace

    def _row(self, asked: fields.RowAsked) -> dict[str, Any]:
        seen = self._seen(asked.id)
        weights = seen.attention(asked.kind, asked.layer, asked.head)
        if asked.query >= len(weights):
            raise SettingError(f"there is no query {asked.query}")
        found = {"weights": weights[asked.query].tolist()}
        if asked.key is None:
            return found
        if asked.key >= weights.shape[1]:
            raise SettingError(f"there is no key {asked.key}")
        look = seen.looks[asked.kind, asked.layer]
        query, key = look.query[0, asked.head, asked.query], look.keys()[0, asked.head, asked.key]
        scores = look.scores(asked.head)[0, 0, asked.query]
        vectors = {"query": query.tolist(), "key": key.tolist()}
        return found | {"scores": scores.tolist(), "vectors": vectors}

    def _attribute(self, asked: fields.AttributeAsked) -> dict[str, Any]:
        found = self._seen(asked.id).attribute(asked.step, asked.method, asked.against)
        return {
            "method": found.method,
            "step": found.step,
            "piece": found.piece,
            "against": found.against,
            "source": found.source.tolist(),
            "target": found.target.tolist(),
            "path": found.path,
            "missing": found.missing,
        }

    def _rank(self, asked: fields.RankAsked) -> dict[str, Any]:
        model, seen = self.model_of(asked), self._seen(asked.id)
        check_step(seen, asked.step)
        wanted = asked.piece.replace(" ", "▁")
        log_probs = seen.log_probs[asked.step]
        known = [one for one in (wanted, f"▁{wanted}") if one in model.pieces]
        if not known:
            sentence = f"the tokenizer has no piece {shown(asked.piece)}"
            raise NamedRefusalError(422, "piece", sentence, piece=short(asked.piece))
        piece = max(known, key=lambda one: float(log_probs[model.pieces[one]]))
        own = log_probs[model.pieces[piece]]
        return {"piece": piece, "rank": int((log_probs > own).sum()), "logp": float(own)}

    def _export(self, asked: fields.ExportAsked) -> str:
        found = self.kept.find(asked.id)
        return page(wire.to_wire(found.trace, found.model))

    # What matters

    def _what_if(self, asked: fields.WhatIfAsked) -> dict[str, Any]:
        kept = self.kept.find(asked.id)
        found = kept.trace.what_if(
            ablate=asked.ablate, how=asked.how, replace=asked.replace, prefix=asked.prefix
        )
        saved = wire.to_wire(found.after, kept.model)
        number = self.kept.name()
        self.kept.keep(number, Traced(kept.model, found.after))
        return {
            "before": found.before.target.text,
            "after": found.after.target.text,
            "changed": found.changed,
            "lost": found.lost,
            "begins": found.before.begins,
            "log_probs": [list(pair) for pair in found.log_probs],
            "divergence": list(found.divergence),
            "said": str(found),
            "id": number,
            "trace": saved,
        }

    def _importance(self, asked: fields.ImportanceAsked) -> dict[str, Any]:
        slopes = gates.importance(self._seen(asked.id), asked.step)
        found: dict[str, Any] = {kind: np.abs(some).tolist() for kind, some in slopes.items()}
        return found | {"how": "gate gradient"}

    def _exact(self, asked: fields.ExactAsked) -> Iterator[Event]:
        seen = self._seen(asked.id)
        if asked.step is not None:
            check_step(seen, asked.step)
        return self._one_by_one(seen, asked)

    def _one_by_one(self, seen: Trace, asked: fields.ExactAsked) -> Iterator[Event]:
        of = sum(len(seen.looks[place].query[0]) for place in seen.looks)
        for done, one in enumerate(gates.exactly(seen, asked.step, asked.how), start=1):
            yield {"head": str(one.head), "change": one.change, "done": done, "of": of}

    def _evidence(self, asked: fields.EvidenceAsked) -> dict[str, Any]:
        seen = self._seen(asked.id)
        place = (asked.kind, asked.row, asked.column)
        return _told(evidence(seen, *place, words=asked.words, step=asked.step))


def _position(model: Inspected) -> Any:
    """Return how a model knows places; convolutions learn theirs, recurrent layers need none."""
    if isinstance(model, Convolutional):
        return Learned()
    return getattr(model.config, "position", None)


def _check_unused(asked: BaseModel, names: Sequence[str], by: Translator | Writer) -> None:
    """Raise RefusalError for a field that means nothing to the model."""
    for name in names:
        if name in asked.model_fields_set and getattr(asked, name) not in (None, ""):
            what = "goes on with texts" if isinstance(by, Writer) else "translates"
            raise RefusalError(422, f"{name.rstrip('_')}: the model {what}, and has no use for it")


def _told(found: Evidence) -> dict[str, Any]:
    after = found.difference.after.target.text
    return {
        "heads": [
            {"layer": one.head.layer, "head": one.head.head, "weight": one.weight}
            for one in found.heads
        ],
        "over_half": found.over_half,
        "of": len(found.heads),
        "step": found.step,
        "rollout": found.rollout,
        "value_norm": [
            {"layer": one.head.layer, "head": one.head.head, "share": one.share}
            for one in sorted(found.heads, key=lambda one: -one.share)
        ],
        "grad_x_input": found.grad_x_input,
        "value_zeroing": {"change": found.without_value},
        "ablate_top": {
            "head": str(found.heads[0].head),
            "change": found.without_head,
            "translation": after,
            "changed": found.difference.changed,
        },
        "signals": list(found.signals),
        "agree": found.agree,
        "said": str(found),
    }
