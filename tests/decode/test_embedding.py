"""Vectors are the mean of the states that a loop computes, whatever they are computed with."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.decode import embedding
from heedful.decode.embedding import mean_of_decoder, mean_of_encoder
from heedful.errors import DataError
from heedful.models.opening import Opening
from heedful.models.transformer import Transformer, TransformerConfig
from tests.models.test_gpt import model_of

TEXTS = st.lists(st.lists(st.integers(2, 30), min_size=1, max_size=9), min_size=1, max_size=7)


def translator() -> Transformer:
    torch.manual_seed(3)
    config = TransformerConfig(d_model=16, d_ff=32, n_heads=2, encoder_layers=2, decoder_layers=1)
    return config.build(40, 40).eval()


def unit(states: torch.Tensor) -> np.ndarray:  # type: ignore[type-arg]
    mean = states.mean(dim=0)
    return (mean / mean.norm()).numpy()  # type: ignore[no-any-return]


@settings(max_examples=20)
@given(TEXTS)
def test_of_a_decoder(texts: list[list[int]]) -> None:
    model = model_of({}).eval()
    found = mean_of_decoder(model, texts)
    with torch.no_grad():
        for one, text in zip(found, texts, strict=True):
            np.testing.assert_allclose(one, unit(model.hidden(torch.tensor([text]))[0]), atol=1e-6)


@settings(max_examples=20)
@given(TEXTS)
def test_of_an_encoder(texts: list[list[int]]) -> None:
    model = translator()
    found = mean_of_encoder(model, texts, 0)
    with torch.no_grad():
        for one, text in zip(found, texts, strict=True):
            ids = torch.tensor([text])
            states = model.encode(ids, torch.ones_like(ids, dtype=torch.bool)).states[0]
            np.testing.assert_allclose(one, unit(states), atol=1e-6)


def test_a_tag_that_the_encoder_skips_is_not_counted() -> None:
    torch.manual_seed(4)
    opening = Opening(before=(2,), tag=True)
    shape = {"d_model": 16, "d_ff": 32, "n_heads": 2, "encoder_layers": 2, "decoder_layers": 1}
    model = TransformerConfig(**shape, opening=opening).build(40, 40).eval()
    plain = TransformerConfig(**shape).build(40, 40).eval()
    plain.load_state_dict(model.state_dict())
    texts = [[4, 9, 8, 7], [5, 9, 8, 7], [6, 30]]
    found = mean_of_encoder(model, texts, 0)
    expected = mean_of_encoder(plain, [text[1:] for text in texts], 0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(DataError, match="tag alone"):
        mean_of_encoder(model, [[4, 9], [4]], 0)


def test_many_texts_are_read_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of({})
    texts = [[5] * (1 + number % 7) for number in range(30)]
    whole = mean_of_decoder(model, texts)
    monkeypatch.setattr(embedding, "AT_A_TIME", 8)
    np.testing.assert_allclose(mean_of_decoder(model, texts), whole, atol=1e-6)
