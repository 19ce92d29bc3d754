"""torch.compile on the layers: compiled once for all lengths, with the same numbers."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from heedful.models.seq2seq import forward
from heedful.models.transformer import TransformerConfig

CONFIG = TransformerConfig(
    d_model=16, d_ff=24, n_heads=2, encoder_layers=3, decoder_layers=3, dropout=0.1
)
SHAPES = [(5, 8, 16), (3, 24, 8), (9, 16, 16), (2, 40, 32), (7, 8, 8), (4, 104, 96), (6, 32, 40)]


def batch(rows: int, source: int, target: int) -> tuple[torch.Tensor, ...]:
    """Ids of which the last columns are padding in every row but the first."""
    torch.manual_seed(rows)
    made = torch.randint(4, 30, (rows, source)), torch.randint(4, 30, (rows, target))
    for side in made:
        side[1:, -3:] = 0
    return made


@pytest.fixture
def counted() -> tuple[list[int], Callable[..., Any]]:
    """A backend for torch.compile that changes nothing and counts what it is given."""
    torch.compiler.reset()
    graphs: list[int] = []

    def backend(graph: torch.fx.GraphModule, example: list[Any]) -> Any:
        graphs.append(len(list(graph.graph.nodes)))
        return graph.forward

    return graphs, backend


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layers_are_compiled_once_for_all_lengths(
    counted: tuple[list[int], Callable[..., Any]], dtype: torch.dtype
) -> None:
    graphs, backend = counted
    model = CONFIG.build(30, 30).train()
    model.compile_layers(backend=backend)
    for shape in SHAPES:
        source, target = batch(*shape)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            forward(model, source, source != 0, target).float().sum().backward()
    # One graph for the encoder's three layers, one for the decoder's.
    assert len(graphs) == 2


@pytest.mark.filterwarnings("ignore")
def test_compiled_layers_compute_the_same(
    counted: tuple[list[int], Callable[..., Any]],
) -> None:
    _, backend = counted
    plain, compiled = CONFIG.build(30, 30).eval(), CONFIG.build(30, 30).eval()
    compiled.load_state_dict(plain.state_dict())
    compiled.compile_layers(backend=backend)
    for shape in SHAPES[:3]:
        source, target = batch(*shape)
        one, other = (forward(model, source, source != 0, target) for model in (plain, compiled))
        torch.testing.assert_close(one, other)
    assert list(compiled.state_dict()) == list(plain.state_dict())
