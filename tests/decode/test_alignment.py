"""Links are read off the weights that the model used, alike in any company and in any order."""

import numpy as np
import pytest
import torch

from heedful.decode.alignment import Link, WordAttention, pharaoh, word_attention, word_links
from heedful.errors import DataError, SettingError
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.attention import Attention, GroupedQuery, MultiHead
from heedful.text.spans import spaced_words, words
from heedful.text.tokenizer import BPE, Tokenizer
from tests.inspect.looking import cross_attention

PAIRS = [
    ("The cat sleeps in Boston.", "Die Katze schläft."),
    ("猫 sleeps", "猫 schläft, und zwar die Katze in Boston"),
    ("The cat's mouse sleeps, too.", "Auch die Maus der Katze schläft."),
    ("", "Katze"),
    ("cat", ""),
    ("mouse", "Maus"),
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(lambda: PAIRS * 5, BPE(vocabulary_size=300), ["de"])


def model_of(
    tokenizer: Tokenizer, attention: Attention | None = None, alignment_layer: int | None = None
) -> Transformer:
    torch.manual_seed(0)
    config = TransformerConfig(
        d_model=32,
        d_ff=16,
        n_heads=4,
        encoder_layers=1,
        decoder_layers=3,
        max_length=64,
        attention=attention or MultiHead(),
        alignment_layer=alignment_layer,
    )
    model = config.build(tokenizer.source_size, tokenizer.target_size)
    with torch.no_grad():  # sharp, so that the rows differ
        for layer in model.decoder:
            layer.cross_attention.query_proj.weight.mul_(6)
    return model


@pytest.mark.parametrize("attention", [MultiHead(), GroupedQuery(n_kv_heads=2)])
@pytest.mark.parametrize("layer", [0, 2])
def test_scores_are_those_that_the_module_used(
    tokenizer: Tokenizer, attention: Attention, layer: int
) -> None:
    """The weights that hooks on the modules see, and the states that the decoder gives anyway."""
    model = model_of(tokenizer, attention).eval()
    source, target_in = torch.randint(4, 300, (2, 7)), torch.randint(4, 300, (2, 5))
    memory = model.encode(source, torch.ones_like(source, dtype=torch.bool))
    hidden, scores = model.hidden_and_scores(target_in, memory, layer, 3)
    torch.testing.assert_close(hidden, model.hidden(target_in, memory))
    expected = cross_attention(model, source, target_in)[layer][:, :3]
    torch.testing.assert_close(scores.softmax(-1), expected)


@pytest.mark.parametrize("alignment_layer", [None, 1])
@pytest.mark.parametrize("batch_tokens", [1, 60, 10_000])
def test_pairs_together_are_as_each_alone(
    tokenizer: Tokenizer, alignment_layer: int | None, batch_tokens: int
) -> None:
    model = model_of(tokenizer, alignment_layer=alignment_layer)
    together = word_attention(model, tokenizer, PAIRS, to="de", batch_tokens=batch_tokens)
    for pair, found in zip(PAIRS, together, strict=True):
        (alone,) = word_attention(model, tokenizer, [pair], to="de")
        assert (found.source, found.target) == (words(pair[0]), words(pair[1]))
        np.testing.assert_allclose(found.weights, alone.weights, atol=1e-6)
        np.testing.assert_allclose(found.elsewhere, alone.elsewhere, atol=1e-6)
        np.testing.assert_allclose(found.weights.sum(1) + found.elsewhere, 1, atol=1e-6)


def test_a_model_that_was_taught_is_read_where_it_was(tokenizer: Tokenizer) -> None:
    taught = model_of(tokenizer, alignment_layer=1)
    (found,) = word_attention(taught, tokenizer, [("cat", "Katze")], to="de")
    source, target = tokenizer.encode_source(["cat"], to="de"), tokenizer.encode_target(["Katze"])
    target_in = torch.tensor([[tokenizer.start_id, *target[0][:-1]]])
    head = cross_attention(taught, torch.tensor(source), target_in)[1][0, 0]
    expected = head[: len(target[0]) - 1, [0, -1]].sum(1).mean()
    assert found.elsewhere.tolist() == pytest.approx([float(expected)], abs=1e-6)
    (mean,) = word_attention(taught, tokenizer, [("cat", "Katze")], to="de", layer=1)
    assert mean.elsewhere.tolist() != pytest.approx([float(expected)], abs=1e-3)


def test_a_link_goes_to_the_largest_share() -> None:
    weights = np.array([[0.1, 0.6, 0.2], [0.3, 0.2, 0.1], [0.1, 0.1, 0.2]])
    attention = WordAttention(words("a b c"), words("x y z"), weights, 1 - weights.sum(1))
    assert attention.links() == [Link(0, 1), Link(1, 0)]  # z looks mostly elsewhere
    assert pharaoh(attention.links()) == "0-1 1-0"


def test_links_of_words_as_split_counts_them(tokenizer: Tokenizer) -> None:
    model = model_of(tokenizer)
    source, target = "The cat, it sleeps.", "Die Katze, sie schläft."
    ((*links,),) = word_links(model, tokenizer, [(source, target)], to="de", split=spaced_words)
    assert links == sorted(links)
    assert {link.target for link in links} <= set(range(4))
    assert {link.source for link in links} <= set(range(4))


def test_texts_without_words(tokenizer: Tokenizer) -> None:
    model = model_of(tokenizer)
    assert (
        word_links(model, tokenizer, [("", "Katze"), ("cat", " "), ("", "")], to="de") == [[]] * 3
    )
    assert word_links(model, tokenizer, [], to="de") == []


def test_what_cannot_be_read(tokenizer: Tokenizer) -> None:
    model = model_of(tokenizer)
    with pytest.raises(DataError, match="pieces is longer than the 64 that the model can read"):
        word_links(model, tokenizer, [("cat", "Katze"), ("cat", "Katze " * 70)], to="de")
    with pytest.raises(SettingError, match="3 decoder layers"):
        word_attention(model, tokenizer, [("cat", "Katze")], to="de", layer=-4)
