"""Contestants are equal in parameters, whatever their kind."""

import pytest

from heedful.claims.contestants import CONTESTANTS, TOLERANCE, contestant, fitted, parameters
from heedful.errors import SettingError

PIECES = 200


@pytest.mark.parametrize("name", CONTESTANTS)
@pytest.mark.parametrize("width", [64, 128])
def test_parameters_are_equal(name: str, width: int) -> None:
    wanted = parameters(contestant("Transformer", 2, 64)[0](width), PIECES)
    config = fitted(*contestant(name, 2, 64), wanted, PIECES)
    model = config.build(PIECES, PIECES)
    tables = {"source_position", "target_position"}
    counted = sum(
        weight.numel()
        for name, weight in model.named_parameters()
        if name.partition(".")[0] not in tables
    )
    assert counted == parameters(config, PIECES)
    assert abs(counted - wanted) <= TOLERANCE * wanted


def test_a_size_that_no_width_has_is_refused() -> None:
    with pytest.raises(SettingError, match="no transformer model has 70,000 parameters within 5%"):
        fitted(*contestant("Transformer", 2, 64), 70_000, PIECES)
