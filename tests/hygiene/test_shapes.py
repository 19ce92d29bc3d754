"""Shapes in signatures are checked while the tests run: what this suite rests on."""

import jaxtyping
import pytest
import torch

from heedful.nn.attention import attend
from heedful.nn.mask import padding_mask


def test_a_wrong_shape_is_refused() -> None:
    query = torch.zeros(1, 2, 3, 4)
    key = torch.zeros(1, 2, 5, 4)
    with pytest.raises(jaxtyping.TypeCheckError):
        attend(query, key, torch.zeros(1, 2, 6, 4))
    with pytest.raises(jaxtyping.TypeCheckError):
        attend(query, key, key, torch.zeros(1, 1, 3, 5))


def test_a_wrong_type_is_refused() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        padding_mask(torch.zeros(2, 3), 0)
