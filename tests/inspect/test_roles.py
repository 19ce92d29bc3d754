"""Heads that are made to do one thing get the role of it, and no other head does."""

from collections.abc import Sequence

import numpy as np
import pytest

from heedful.inspect.heads.coreference import coreference
from heedful.inspect.heads.grammar import labelled
from heedful.inspect.heads.habits import Habit, habits, rarity_by_count, rarity_by_id
from heedful.inspect.heads.pronouns import examples
from heedful.inspect.heads.reading import maps
from heedful.inspect.heads.roles import Roles, relations, roles
from heedful.inspect.names import Head, every_head
from heedful.model_folder import LoadedModel
from heedful.text.tokenizer import Tokenizer
from tests.inspect.planted import Where, pieces_of, planted, tiny, tokenizer

PRONOUNS = examples("en")
PLAIN = labelled("en")


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return tiny(tokenizer())


def before(ids: Sequence[int]) -> list[int | None]:
    return [None, *range(len(ids) - 1)]


def last(ids: Sequence[int]) -> list[int | None]:
    return [len(ids) - 1] * len(ids)


def rarest(ids: Sequence[int]) -> list[int | None]:
    return [max(range(1, len(ids) - 1), key=lambda place: ids[place])] * len(ids)


def except_in(sentences: Sequence[list[int]], inner: Where) -> Where:
    """Return a head that looks at all alike in some sentences."""
    known = {tuple(ids) for ids in sentences}
    return lambda ids: [None] * len(ids) if tuple(ids) in known else inner(ids)


def told(tokenizer: Tokenizer, edges: Sequence[tuple]) -> Where:
    """Return a head that looks along these (sentence, from, to), at all alike elsewhere."""
    known: dict[tuple[int, ...], dict[int, int]] = {}
    for one, from_, to in edges:
        [ids] = tokenizer.encode_source([one.text], "de")
        for piece in pieces_of(tokenizer, one, from_):
            known.setdefault(tuple(ids), {})[piece] = pieces_of(tokenizer, one, to)[0]

    def where(ids: Sequence[int]) -> list[int | None]:
        places = known.get(tuple(ids), {})
        return [places.get(piece) for piece in range(len(ids))]

    return where


@pytest.fixture(scope="module")
def found(loaded: LoadedModel) -> dict[Head, Roles]:
    spelled = loaded.tokenizer
    objects = [(one, *one.edges["verb", "object"][0]) for one in PLAIN]
    antecedents = [(one, one.pronoun, one.antecedent) for one in PRONOUNS]
    where = {
        (0, 0): before,
        (0, 1): last,
        (0, 2): except_in(spelled.encode_source([one.text for one in PLAIN], "de"), rarest),
        (1, 1): told(spelled, objects),
        (1, 3): told(spelled, antecedents),
    }
    pairs = list(
        zip(
            spelled.encode_source([one.text for one in PRONOUNS[::4]], "de"),
            spelled.encode_target([one.german for one in PRONOUNS[::4]]),
            strict=True,
        )
    )
    with planted(loaded.model, where):
        seen = habits(loaded.model, pairs, (1, 1), (rarity_by_id, rarity_by_id))
        related = relations(loaded.model, spelled, PLAIN, "de")
        resolved = coreference(loaded.model, spelled, PRONOUNS, "de")
        assert resolved.chosen == Head("encoder", 1, 3)
    return {one.head: one for one in roles(seen, related, resolved)}


def test_every_head_gets_its_role_and_no_other_does(found: dict[Head, Roles]) -> None:
    wanted = {
        "encoder.0.0": ("positional",),
        "encoder.0.1": ("sink",),
        "encoder.0.2": ("rare-word",),
        "encoder.1.1": ("syntactic",),
        "encoder.1.3": ("coreference",),
    }
    of_encoder = {str(head): one.roles for head, one in found.items() if head.kind == "encoder"}
    sinks = {"encoder.0.1"}
    assert {head: given for head, given in of_encoder.items() if given} == wanted
    assert {head for head, given in of_encoder.items() if "sink" in given} == sinks
    assert not any(
        "coreference" in one.roles for one in found.values() if one.head.kind != "encoder"
    )
    assert len(found) == 8 + 4 + 4


def test_the_figures_behind_them(found: dict[Head, Roles]) -> None:
    first = found[Head("encoder", 0, 0)].habit
    assert (first.offset, first.at_offset) == (-1, 1.0)
    assert found[Head("encoder", 0, 1)].habit.specials == pytest.approx(1.0, abs=1e-4)
    assert found[Head("encoder", 0, 1)].habit.confidence == pytest.approx(0.0, abs=1e-4)
    assert found[Head("encoder", 0, 2)].habit.rare == 1.0
    assert found[Head("encoder", 0, 2)].habit.confidence == pytest.approx(1.0, abs=1e-4)
    assert found[Head("encoder", 1, 1)].relation == "verb to object"


def test_a_random_model_follows_no_pronoun(loaded: LoadedModel) -> None:
    resolved = coreference(loaded.model, loaded.tokenizer, PRONOUNS, "de")
    assert not any(resolved.is_coreference(one.head) for one in resolved.heads)


def test_habits_by_counting(loaded: LoadedModel) -> None:
    """Of all three kinds of attention, sentence by sentence and piece by piece."""
    spelled, model = loaded.tokenizer, loaded.model
    texts = [one.text for one in PRONOUNS[::60]]
    sources = spelled.encode_source(texts, "de")
    targets = spelled.encode_target([one.german for one in PRONOUNS[::60]])
    pairs = list(zip(sources, targets, strict=True))
    rare = rarity_by_count(sources), rarity_by_count(targets)
    got = {one.head: one for one in habits(model, pairs, (1, 1), rare)}
    assert list(got) == every_head(model)
    for kind in ("encoder", "decoder", "cross"):
        for place, head in enumerate(every_head(model, kind)):
            assert_habit(got[head], *counted(kind, place, pairs, model, rare))


def counted(kind: str, place: int, pairs: list, model: object, rare: tuple) -> tuple:
    offsets, special, sure, hits = [], [], [], []
    for seen in maps(model, pairs):
        source, target = pairs[seen.number]
        weights = seen.weights[kind][place]
        keys = source if kind != "decoder" else [None, *target[:-1]]
        text = [n for n in range(len(keys)) if kind == "decoder" or n < len(keys) - 1][1:]
        rows = {
            "encoder": range(1, len(source) - 1),
            "decoder": range(1, len(target)),
            "cross": range(len(target) - 1),
        }[kind]
        for row in rows:
            visible = [n for n in text if kind != "decoder" or n <= row]
            offsets.append(int(weights[row].argmax()) - row)
            special.append(1 - weights[row, text].sum())
            sure.append(weights[row, text].max())
            if len(visible) < 3:
                continue
            scores = dict(
                zip(visible, rare[kind == "decoder"]([keys[n] for n in visible]), strict=True)
            )
            best = max(visible, key=lambda n: weights[row, n])
            hits.append(scores[best] == max(scores.values()))
    return offsets, special, sure, hits


def assert_habit(got: Habit, offsets: list, special: list, sure: list, hits: list) -> None:
    assert got.pieces == len(offsets)
    assert got.at_offset == max(offsets.count(one) for one in offsets) / len(offsets)
    assert offsets.count(got.offset) / len(offsets) == got.at_offset
    assert got.specials == pytest.approx(np.mean(special), abs=1e-5)
    assert got.confidence == pytest.approx(np.mean(sure), abs=1e-5)
    assert got.rare == pytest.approx(np.mean(hits))
