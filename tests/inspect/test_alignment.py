"""The attention that is shown is the attention that the model used, and words are put together
rightly."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.errors import DataError, SettingError
from heedful.inspect.alignment import align
from heedful.nn.attention import Attention, GroupedQuery, MultiHead, MultiHeadAttention
from heedful.text.spans import words
from heedful.text.tokenizer import BPE, Tokenizer
from tests.decode.test_alignment import model_of
from tests.inspect.looking import cross_attention

PAIRS = [
    ("The cat sleeps in Boston.", "Die Katze schläft in Boston."),
    ("The cat's mouse sleeps, too.", "Auch die Maus der Katze schläft."),
    ("猫 sleeps", "猫 schläft"),
] * 5


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(lambda: PAIRS, BPE(vocabulary_size=300), ["de"])


@pytest.mark.parametrize("attention", [MultiHead(), GroupedQuery(n_kv_heads=2)])
def test_weights_explain_the_output_of_the_module(
    tokenizer: Tokenizer, attention: Attention
) -> None:
    """Weights times values, through the output projection, is what the fused kernel returned."""
    model = model_of(tokenizer, attention).eval()
    source, target_in = torch.randint(4, 300, (2, 7)), torch.randint(4, 300, (2, 5))
    outputs: list[torch.Tensor] = []
    values: list[torch.Tensor] = []

    def record(module: MultiHeadAttention, inputs: tuple, output: torch.Tensor) -> None:
        values.append(inputs[1].value)
        outputs.append(output)

    handles = [layer.cross_attention.register_forward_hook(record) for layer in model.decoder]
    weights = cross_attention(model, source, target_in)
    for handle in handles:
        handle.remove()
    assert len(weights) == len(outputs) == 3
    for layer, weight, value, output in zip(model.decoder, weights, values, outputs, strict=True):
        assert weight.shape == (2, 4, 5, 7)
        torch.testing.assert_close(weight.sum(-1), torch.ones(2, 4, 5))
        each_head = value.repeat_interleave(4 // value.shape[1], dim=1)
        context = (weight @ each_head).transpose(1, 2).flatten(2)
        torch.testing.assert_close(layer.cross_attention.output_proj(context), output)


def test_the_model_is_left_as_it_was(tokenizer: Tokenizer) -> None:
    model = model_of(tokenizer)
    assert model.training
    before = {name: set(vars(module)) for name, module in model.named_modules()}
    align(model, tokenizer, "The cat", "Die Katze", to="de")
    assert model.training
    assert before == {name: set(vars(module)) for name, module in model.named_modules()}
    assert not any(module._forward_pre_hooks for module in model.modules())


def in_pieces(tokenizer: Tokenizer, text: str, words: list[str]) -> list[list[int]]:
    """Return which pieces spell each word, for words of which none shares a piece."""
    ids = tokenizer.encode_target([text])[0][:-1]
    rows, spelled, rest = [[]], "", list(words)
    for index, _ in enumerate(ids):
        rows[-1].append(index)
        spelled = tokenizer.decode_target([ids[: index + 1]])[0]
        if spelled.replace(" ", "").endswith("".join(words[: len(rows)])) and rest:
            rest.pop(0)
            rows.append([])
    assert rows.pop() == []
    return rows


@pytest.mark.parametrize("layer", [0, 1, -1])
def test_words_gather_their_pieces(tokenizer: Tokenizer, layer: int) -> None:
    """A loop over words and pieces, written out, finds the same."""
    model = model_of(tokenizer)
    source, target = "The cat sleeps in Bonn, 猫.", "Die Katze schläft in Bonn, 猫."
    source_words = ["The", "cat", "sleeps", "in", "Bonn", ",", "猫", "."]
    target_words = ["Die", "Katze", "schläft", "in", "Bonn", ",", "猫", "."]
    (source_ids,), (target_ids,) = (
        tokenizer.encode_source([source], to="de"),
        tokenizer.encode_target([target]),
    )
    weights = cross_attention(
        model, torch.tensor([source_ids]), torch.tensor([[tokenizer.start_id, *target_ids[:-1]]])
    )
    mean = weights[layer][0].mean(0)
    rows = align(model, tokenizer, source, target, to="de", layer=layer)
    assert [row.word for row in rows] == target_words
    of_target = in_pieces(tokenizer, target, target_words)
    of_source = in_pieces(tokenizer, source, source_words)
    for row, mine in zip(rows, of_target, strict=True):
        looked = []
        for theirs in of_source:
            # the source has the language tag before its pieces
            shares = [sum(float(mean[i, j + 1]) for j in theirs) for i in mine]
            looked.append(sum(shares) / len(shares))
        best = max(range(len(looked)), key=looked.__getitem__)
        assert row.source_word == source_words[best]
        assert row.weight == pytest.approx(looked[best], abs=1e-6)


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_any_text_can_be_aligned(tokenizer: Tokenizer, text: str) -> None:
    model = model_of(tokenizer)
    rows = align(model, tokenizer, text, text, to="de")
    names = [span.word for span in words(text)]
    assert [row.word for row in rows] == names
    assert all(row.source_word in names and 0 < row.weight <= 1 + 1e-6 for row in rows)


def test_what_cannot_be_aligned(tokenizer: Tokenizer) -> None:
    model = model_of(tokenizer)
    with pytest.raises(DataError, match="no source word"):
        align(model, tokenizer, "  ", "Katze", to="de")
    with pytest.raises(SettingError, match="3 decoder layers"):
        align(model, tokenizer, "cat", "Katze", to="de", layer=3)
    assert align(model, tokenizer, "cat", "", to="de") == []
