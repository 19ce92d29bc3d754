"""Conversations of a run become rows of ids, of which answers are asked for; preferences pairs.

Settings and a `Script` come in; `heedful.run_chat` trains on what goes out. Nothing is cut; what is
left out is counted and said.
"""

__all__ = ["ChatRows", "chat_rows", "script_of", "with_template"]

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from heedful.config import ChatRunConfig
from heedful.conversation import Script, Taught, taught
from heedful.data.answers import AnswerStore
from heedful.data.conversations import Dialogue, read_dialogues
from heedful.data.formats.reading import ReadCounts, RowError, refuse
from heedful.errors import DataError, HeedfulError, ModelError
from heedful.model_header import Writing
from heedful.text.chat import IN_PIECES, IN_WORDS, ChatTemplate, Message
from heedful.text.pieces import CONTROL, END, START
from heedful.text.vocabulary import Vocabulary

_EACH = 20
"""Held-out rows under which a measure is luck."""


@dataclass
class ChatRows:
    """What is learnt from, and what is only measured."""

    train: AnswerStore
    dev: AnswerStore | None
    said: list[str] = field(default_factory=list)
    """What there is to tell of them."""


class _Row(NamedTuple):
    """A conversation, or the same with two answers, and what tells its prompt from others."""

    prompt: tuple[Message, ...]
    texts: tuple[Taught, ...]


def with_template(vocabulary: Vocabulary, writing: Writing) -> Writing:
    """Return how a model writes, with one of heedful's own templates where it has none.

    Raises ModelError for a model that knows no end of an answer.
    """
    if writing.template:
        return writing
    if not writing.end_ids:
        problem = "the model has no piece that ends a text, and an answer would have no end"
        raise ModelError(problem, where="--from", fix="take another model")
    names = [vocabulary.name_of(piece) for piece in (START, END)]
    if names == [CONTROL[START], CONTROL[END]] and writing.end_ids == (END,):
        return writing.model_copy(update={"template": IN_PIECES})
    end = {"eos_token": vocabulary.name_of(writing.end_ids[0])}
    return writing.model_copy(update={"template": IN_WORDS, "special": writing.special | end})


def script_of(vocabulary: Vocabulary, writing: Writing, where: str) -> Script:
    """Return how conversations are written down; raises ModelError for a template that is none."""
    template = ChatTemplate(writing.template, writing.special, where=where)
    template.prepare()
    return Script(vocabulary, template, writing.end_ids)


def chat_rows(config: ChatRunConfig, script: Script, scratch: Path) -> ChatRows:
    """Return the rows of all files.

    Raises DataError for a bad row, unless they are skipped, and where none is left.
    """
    data, said = config.data, list[str]()
    rows = _read(data.train, config, script, said)
    dev = _read(data.dev, config, script, said)
    if not data.dev and data.held_out:
        rows, dev = _held_out(rows, data.held_out, config.seed)
    if len(dev) < _EACH:
        least = "there are no held-out rows: the last weights are taken" if not dev else ""
        said.append(least or f"{len(dev)} rows are held out: their figures are luck under {_EACH}")
    return ChatRows(_stored(rows, scratch), _stored(dev, scratch) if dev else None, said)


def _read(
    paths: Sequence[str], config: ChatRunConfig, script: Script, said: list[str]
) -> list[_Row]:
    found: list[_Row] = []
    for path in paths:
        counts, most = ReadCounts(), config.training.max_pieces
        some = list(_encoded(Path(path), config, script, counts))
        fitting = [row for row in some if max(len(one.ids) for one in row.texts) <= most]
        if (skipped := counts.skipped(path)) is not None:
            said.append(skipped)
        if len(fitting) < len(some):
            left = f"{len(some) - len(fitting):,} of {len(some):,} conversations"
            said.append(f"{path}: {left} left out, longer than --training.max-pieces {most}")
        if not fitting:
            problem = "there is no conversation in it"
            if some:
                longest = min(max(len(one.ids) for one in row.texts) for row in some)
                problem = f"its shortest conversation has {longest:,} pieces and {most:,} are read"
            raise DataError(problem, where=path, fix="give another file")
        found += fitting
    return found


def _encoded(
    path: Path, config: ChatRunConfig, script: Script, counts: ReadCounts
) -> Iterator[_Row]:
    """Yield the rows of a file as ids; what a row asks of the model that it lacks is a bad row."""
    skip, preferences = config.data.skip_bad, config.objective.kind == "preference"
    for one in read_dialogues(path, preferences=preferences, skip_bad=skip, counts=counts):
        try:
            texts = tuple(taught(script, said, last=preferences) for said in _conversations(one))
        except HeedfulError as error:
            problem = RowError(error.problem, error.fix or "")
            refuse(problem, f"{path}:{one.line}", skip_bad=skip, counts=counts)
            continue
        yield _Row(one.messages[:-1], texts)


def _conversations(one: Dialogue) -> list[tuple[Message, ...]]:
    """Return the conversation and, of a preference, the same with the worse answer."""
    if one.rejected is None:
        return [one.messages]
    worse = (*one.messages[:-1], Message("assistant", one.rejected))
    return [one.messages, worse]


def _held_out(rows: list[_Row], share: float, seed: int) -> tuple[list[_Row], list[_Row]]:
    """Return what is learnt from and what is held out; the same prompt is never in both."""
    order = np.random.default_rng([seed, 0]).permutation(len(rows)).tolist()
    count = min(round(share * len(rows)), len(rows) - 1)
    apart = {rows[place].prompt for place in order[:count]}
    kept = [row for row in rows if row.prompt not in apart]
    if not kept:
        return rows, []
    return kept, [row for row in rows if row.prompt in apart]


def _stored(rows: list[_Row], scratch: Path) -> AnswerStore:
    store = AnswerStore(scratch)
    for row in rows:
        for text in row.texts:
            store.append(text.ids, text.asked)
    return store.finish()
