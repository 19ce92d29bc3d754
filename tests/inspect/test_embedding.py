"""What a piece is before anything is looked at."""

import numpy as np
import pytest
import torch

from heedful.errors import SettingError
from heedful.inspect.embedding import embedding
from heedful.nn.position import sinusoids
from tests.inspect.test_importance import pair


@pytest.mark.parametrize("side", ["source", "target"])
def test_vector_and_neighbours(side: str) -> None:
    seen = pair("pre-norm, rotary, grouped, SwiGLU, RMS")  # with a table for each side
    tables = seen.model.tables
    weight = (tables.source if side == "source" else tables.target).weight.detach()
    found = embedding(seen.translator, side, 7, 3)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.vector, weight[7].numpy() * np.sqrt(32), rtol=1e-6)
    cosines = torch.cosine_similarity(weight, weight[7][None])
    cosines[7] = -1
    best = cosines.topk(8)
    names = seen.tokenizer.source_pieces(best.indices.tolist())
    assert [one.piece for one in found.near] == names
    assert [one.cosine for one in found.near] == pytest.approx(best.values.tolist(), abs=1e-5)
    assert found.position is None


def test_positions_are_added_where_they_are() -> None:
    found = embedding(pair("the paper's").translator, "source", 5, 9)
    assert found.position is not None
    np.testing.assert_allclose(found.position, sinusoids(64, 32, "interleaved")[9], atol=1e-6)
    learned = pair("learned, GELU, two-way")
    found = embedding(learned.translator, "target", 5, 9)
    assert found.position is not None
    table = learned.model.target_position.table[9].detach()
    np.testing.assert_allclose(found.position, table, atol=1e-6)


def test_what_there_is_not() -> None:
    translator = pair("the paper's").translator
    with pytest.raises(SettingError, match="there is no piece 280"):
        embedding(translator, "source", 280)
    with pytest.raises(SettingError, match="there is no place 64"):
        embedding(translator, "source", 3, 64)
