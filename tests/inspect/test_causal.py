"""What a cut costs is what the model says with and without it, sentence by sentence."""

import pytest
import torch

from heedful.inspect.ablate import Edit, edited
from heedful.inspect.heads.behaviour import said
from heedful.inspect.heads.causal import causal, cut, differences, prefixes
from heedful.inspect.heads.pronouns import Example, examples
from heedful.inspect.heads.reading import source_ids
from heedful.inspect.names import Head
from heedful.inspect.trace import logits_of
from heedful.model_folder import LoadedModel
from heedful.translator import load
from tests.inspect.planted import pieces_of, planted, tiny, tokenizer

SOME = [one for one in examples("en") if one.half == "test"][::15]
TEXTS = [one.german for one in SOME]
HEAD = Head("encoder", 1, 2)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return tiny(tokenizer())


@torch.inference_mode()
def by_hand(loaded: LoadedModel, one: Example, text: str) -> float:
    """Return log p(right) - log p(wrong), of pronouns that are single pieces."""
    [source] = source_ids(loaded.tokenizer, [one], "de")
    ends = loaded.tokenizer.encode_target([f"{text} {word}" for word in (one.right, one.wrong)])
    assert ends[0][:-2] == ends[1][:-2] == loaded.tokenizer.encode_target([text])[0][:-1]
    log_probs = logits_of(loaded.model, source, ends[0])[-2].log_softmax(-1)
    return float(log_probs[ends[0][-2]] - log_probs[ends[1][-2]])


def test_differences(loaded: LoadedModel) -> None:
    found = differences(loaded.model, loaded.tokenizer, SOME, TEXTS, "de")
    wanted = [by_hand(loaded, one, text) for one, text in zip(SOME, TEXTS, strict=True)]
    assert found.tolist() == pytest.approx(wanted, abs=1e-4)


def edge(loaded: LoadedModel, one: Example, head: int | None, word: int) -> Edit:
    from_ = pieces_of(loaded.tokenizer, one, one.pronoun)
    to = pieces_of(loaded.tokenizer, one, word)
    return Edit(cut=tuple((head, query, key) for query in from_ for key in to))


def test_every_effect_is_of_its_own_edit(loaded: LoadedModel) -> None:
    """Against one sentence at a time, with edits made of pieces that are counted by hand."""
    translations = [said(one, "Nichts.") for one in SOME]
    found = causal(loaded.model, loaded.tokenizer, HEAD, SOME, translations, "de")
    assert (found.sentences, found.own) == (len(SOME), 0)
    clean = [by_hand(loaded, one, one.german) for one in SOME]
    wanted: dict[str, list[float]] = {}
    for one, before in zip(SOME, clean, strict=True):
        for name, word, sign in (("", one.antecedent, 1), ("control_", one.distractor, -1)):
            layers = {("encoder", n): edge(loaded, one, None, word) for n in range(2)}
            silent = Edit(silent=tuple(pieces_of(loaded.tokenizer, one, word)))
            edits = {
                "edge": {("encoder", 1): edge(loaded, one, 2, word)},
                "silent": {("encoder", 1): silent},
                "everywhere": layers,
            }
            for what, change in edits.items():
                with edited(loaded.model, change):
                    cost = sign * (before - by_hand(loaded, one, one.german))
                wanted.setdefault(name + what, []).append(cost)
    for name, costs in wanted.items():
        mean = sum(costs) / len(costs)
        assert getattr(found, name).value == pytest.approx(mean, abs=1e-4), name
    for name in ("edge", "silent", "everywhere"):
        beyond = getattr(found, name).value - getattr(found, f"control_{name}").value
        assert getattr(found, f"{name}_above_control").value == pytest.approx(beyond, abs=1e-6)


def test_an_edge_that_is_not_looked_along_costs_nothing(loaded: LoadedModel) -> None:
    """The head looks from everywhere at the first piece, and so not at the antecedent."""
    translations = [said(one, "Nichts.") for one in SOME]
    with planted(loaded.model, {(1, 2): lambda ids: [0] * len(ids)}):
        found = causal(loaded.model, loaded.tokenizer, HEAD, SOME, translations, "de")
    assert found.edge.value == pytest.approx(0, abs=1e-6)
    assert found.control_edge.value == pytest.approx(0, abs=1e-6)
    assert not found.matters


def test_prefixes_are_the_models_own_where_it_says_a_pronoun(loaded: LoadedModel) -> None:
    first, second = SOME[:2]
    translations = [said(first, "Das Tier trank, weil es wollte."), said(second, "Das ist alles.")]
    texts, own = prefixes(loaded.tokenizer, [first, second], translations)
    assert (texts, own) == (["Das Tier trank, weil", second.german], 1)
    loop = [said(first, "der Hund " * 50 + "weil es"), translations[0]]
    texts, own = prefixes(loaded.tokenizer, [first, second], loop)
    assert (texts, own) == ([first.german, "Das Tier trank, weil"], 1)


def test_the_edit_of_one_sentence(loaded: LoadedModel) -> None:
    found = cut(loaded.tokenizer, SOME[0], HEAD, "de")
    assert found == {("encoder", 1): edge(loaded, SOME[0], 2, SOME[0].antecedent)}


def test_pronouns_do_not_change_how_what_stands_before_is_spelled() -> None:
    """Of the bundled model, whose beginnings are its own."""
    tokenizer = load().tokenizer
    for text in TEXTS:
        [begun] = tokenizer.encode_target([text])
        for end in tokenizer.encode_target([f"{text} {word}" for word in ("er", "sie", "es")]):
            assert end[: len(begun) - 1] == begun[:-1]
