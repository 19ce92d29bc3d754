"""A trace tells what the translator did: its words, its numbers, and what would be otherwise."""

import math

import numpy as np
import pytest
import torch

from heedful.errors import DataError, SettingError
from heedful.inspect import Trace, trace
from heedful.inspect.capture import record
from heedful.inspect.names import modules
from heedful.inspect.trace import logits_of
from heedful.search import Beam
from heedful.translator import Translator, load

CAT = "The cat ate the fish because it was hungry."


@pytest.fixture(scope="module")
def translator() -> Translator:
    return load(precision="float32")


@pytest.fixture(scope="module")
def seen(translator: Translator) -> Trace:
    return trace(translator, CAT, to="de")


def test_the_translation_is_the_translators(translator: Translator, seen: Trace) -> None:
    assert [seen.target.text] == translator.translate([CAT], to="de")
    assert seen.source.tokens[0] == ">>de<<"
    assert seen.source.tokens[-1] == seen.target.tokens[-1] == "</s>"
    assert seen.source.words == [*CAT[:-1].split(), "."]
    assert not seen.forced


def test_the_int8_engine_says_what_the_weights_say() -> None:
    """The model file is int8. What is inspected is its weights multiplied out: a translation that
    the int8 engine finds is as likely to them as to the engine, which rounds states too."""
    int8 = load(precision="int8")
    texts = [CAT, "Where is the station?", "She reads a book.", "We will go home tomorrow."]
    found = []
    for text in texts:
        one = trace(int8, text, to="de")
        [[best]] = int8.search([one.source.ids], one.search)
        assert (*best.tokens, int8.tokenizer.end_id) == one.target.ids
        assert one.log_prob == pytest.approx(best.log_prob, abs=0.03 * len(one.target.ids))
        assert all(step.rank < one.search.beam_size for step in one.steps(1))
        found.append(one.beam.found[0].tokens == best.tokens)
    assert sum(found) >= len(texts) - 1


def test_probabilities_are_those_of_the_search(seen: Trace) -> None:
    best = seen.beam.found[0]
    assert (*best.tokens, seen.tokenizer.end_id) == seen.target.ids
    assert seen.log_prob == pytest.approx(best.log_prob, abs=1e-4)
    steps = seen.steps()
    assert [step.predicts for step in steps] == list(seen.target.tokens)
    assert [step.reads for step in steps] == ["<s>", *seen.target.tokens[:-1]]
    for step in steps:
        assert step.top[0][1] >= step.log_prob
        assert (step.top[step.rank][0] == step.predicts) if step.rank < len(step.top) else True
        assert sum(math.exp(value) for _, value in step.top) <= 1 + 1e-5


def test_maps_are_softmax_of_queries_and_keys(seen: Trace) -> None:
    """Written out for one head, from what the modules were given."""
    model = seen.model
    with torch.inference_mode(), record(model) as looks:
        logits_of(model, seen.source.ids, seen.target.ids)
    look = looks["cross", 1]
    query, key = look.query[0, 2].double(), look.key[0, 2].double()
    scores = (query @ key.T / math.sqrt(query.shape[1])).numpy()
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    found = seen.attention("cross", 1, 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert seen.attention("cross", 1).shape == (4, len(seen.target.ids), len(seen.source.ids))
    np.testing.assert_array_equal(seen.attention("cross", 1)[2], found)
    assert [len(axis) for axis in seen.axes("cross")] == list(found.shape)


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_words_gather_pieces(translator: Translator, kind: str) -> None:
    """A loop over pieces: the mean of rows, the sum of columns; read one row later by itself."""
    found = trace(translator, "The animal didn't sleep.", to="de")
    weights = found.attention(kind, 0, 1)
    queries = found.source if kind == "encoder" else found.target
    keys = found.target if kind == "decoder" else found.source
    shift = 1 if kind == "decoder" else 0
    by_words = found.by_words(kind, 0, 1)
    for i in range(len(queries.words)):
        rows = [place for place, row in enumerate(queries.shares) if row[i] > 0.5]
        for j in range(len(keys.words)):
            columns = [place + shift for place, row in enumerate(keys.shares) if row[j] > 0.5]
            expected = np.mean([sum(weights[row, column] for column in columns) for row in rows])
            assert by_words[i, j] == pytest.approx(expected, abs=1e-6)
    assert (by_words.sum(1) <= 1 + 1e-6).all()


def test_looks_at(seen: Trace) -> None:
    looks = seen.looks_at("it", top=3)
    assert len(looks) == 6 * 4
    best = [look.words[0][1] for look in looks]
    assert best == sorted(best, reverse=True)
    for look in looks:
        by_words = seen.by_words("encoder", look.layer, look.head)[seen.source.words.index("it")]
        order = np.argsort(-by_words)[:3]
        assert [word for word, _ in look.words] == [seen.source.words[one] for one in order]
        assert look.elsewhere == pytest.approx(1 - by_words.sum(), abs=1e-6)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("dog", 'there is no word "dog"'),
        ("te", '"te"'),
        (99, "there are 10"),
        ("the", None),
    ],
)
def test_words_that_are_not_there(seen: Trace, word: str | int, message: str | None) -> None:
    if message is None:
        assert seen.looks_at(word)
        return
    with pytest.raises(SettingError) as raised:
        seen.looks_at(word)
    assert message in str(raised.value)


def test_a_word_that_stands_twice_is_asked_for_by_its_number(translator: Translator) -> None:
    twice = trace(translator, "the dog saw the dog", to="de")
    with pytest.raises(SettingError, match=r'"dog" stands 2 times; ask by its number: 1 or 4'):
        twice.looks_at("dog")
    assert twice.looks_at(4) != twice.looks_at(1)


def test_a_given_target_is_looked_at(translator: Translator) -> None:
    given = trace(translator, CAT, "Der Hund schläft.", to="de")
    assert given.forced
    assert given.target.text == "Der Hund schläft."
    assert given.log_prob < -20
    assert given.beam.found[0].tokens != given.target.ids[:-1]


def test_chinese(translator: Translator) -> None:
    found = trace(translator, "猫吃鱼,因为它饿了。", to="en")
    assert found.source.words == list("猫吃鱼,因为它饿了。")
    assert "cat" in found.target.text.lower()
    look = found.looks_at("它")[0]
    assert 0 < look.words[0][1] <= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is nothing to look at"),
        (" \n", "there is nothing to look at"),
        ("word " * 600, "more than the 512"),
        ("a" * 100_000, "more than the 512"),
    ],
)
def test_texts_that_cannot_be_looked_into(translator: Translator, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        trace(translator, text, to="de")


def test_a_target_that_is_too_long(translator: Translator) -> None:
    with pytest.raises(DataError, match=r"target: .* more than the 512"):
        trace(translator, CAT, "wort " * 600, to="de")


def test_a_model_in_training_mode_is_refused(translator: Translator) -> None:
    translator.model.train()
    try:
        with pytest.raises(SettingError, match="training mode"):
            trace(translator, CAT, "Die Katze.", to="de")
    finally:
        translator.model.eval()


def test_what_if_a_word_is_another(seen: Trace) -> None:
    found = seen.what_if(replace={"hungry": "tasty"})
    assert found.after.source.text == CAT.replace("hungry", "tasty")
    assert (
        found.after.target.text == seen.translator.translate([found.after.source.text], to="de")[0]
    )
    assert found.changed
    with torch.no_grad():
        exact = logits_of(seen.model, found.after.source.ids, seen.target.ids).log_softmax(-1)
    for place, (before, after) in enumerate(found.log_probs):
        assert before == pytest.approx(seen.steps(1)[place].log_prob)
        assert after == pytest.approx(float(exact[place, seen.target.ids[place]]), abs=1e-4)
    assert found.lost == pytest.approx(sum(one - other for one, other in found.log_probs))
    assert min(found.divergence) > -1e-6


@pytest.mark.parametrize("how", ["zero", "mean", "uniform"])
def test_what_if_heads_are_gone(seen: Trace, how: str) -> None:
    found = seen.what_if(ablate=["cross.0", "cross.1"], how=how)
    assert found.lost > 1
    assert not any("look" in vars(module) for _, _, module in modules(seen.model))
    assert "loses" in str(found)


def test_what_if_it_began_otherwise(seen: Trace) -> None:
    found = seen.what_if(prefix="Der Fisch")
    assert found.after.target.text.startswith("Der Fisch")
    assert found.lost == pytest.approx(0, abs=1e-4)  # of the first translation nothing changes


def test_what_if_nothing(seen: Trace) -> None:
    with pytest.raises(SettingError, match="nothing is changed"):
        seen.what_if()
    with pytest.raises(SettingError, match='no word "dog"'):
        seen.what_if(replace={"dog": "cat"})
    with pytest.raises(SettingError, match="there is no layer 6"):
        seen.what_if(ablate=["encoder.6.0"])


def test_the_lens_ends_in_what_is_said(seen: Trace) -> None:
    layers = seen.lens(top=3)
    assert len(layers) == seen.model.config.decoder_layers
    for said, step in zip(layers[-1], seen.steps(3), strict=True):
        assert said.log_prob == pytest.approx(step.log_prob, abs=1e-4)
        assert [piece for piece, _ in said.top] == [piece for piece, _ in step.top]
    assert any(
        first.top[0][0] != last.top[0][0] for first, last in zip(layers[0], layers[-1], strict=True)
    )


def test_the_tree_holds_what_the_search_kept(translator: Translator, seen: Trace) -> None:
    """Every hypothesis is a path of it, and no continuation that was kept was worse than one that
    was dropped."""
    tree = seen.beam
    assert len(tree.found) == tree.beam_size == 4
    [[best]] = translator.search([seen.source.ids], Beam())
    assert tree.found[0].tokens == best.tokens
    for one in tree.found:
        leaf = tree.leaf(one, seen.tokenizer.end_id)
        assert leaf is not None
        path = tree.path(leaf.number)
        assert tuple(node.piece for node in path) == (*one.tokens, seen.tokenizer.end_id)
        assert leaf.state == "ended"
        assert leaf.total == pytest.approx(one.log_prob, abs=1e-4)
        assert leaf.score == pytest.approx(one.score, abs=1e-4)
        assert sum(node.log_prob for node in path) == pytest.approx(leaf.total, abs=1e-4)
    for node in tree.nodes:
        assert node.parent is None or tree.nodes[node.parent].state == "kept"
    last = max(node.step for node in tree.nodes)
    for step in range(1, last):  # at the last the search may stop with some still open
        now = [node for node in tree.nodes if node.step == step]
        kept = [node.total for node in now if node.state != "dropped"]
        dropped = [node.total for node in now if node.state == "dropped"]
        assert len(kept) <= 4
        assert not dropped or not kept or min(kept) >= max(dropped) - 1e-5
        assert [node.rank for node in now] == list(range(len(now)))


def test_a_beam_of_one_is_a_chain(translator: Translator) -> None:
    found = trace(translator, CAT, to="de", beam=1)
    kept = [node for node in found.beam.nodes if node.state != "dropped"]
    assert [node.piece for node in kept] == list(found.target.ids)
