"""What `watch` shows against torch's own weights, and that watching changes nothing."""

from typing import Any

import pytest
import torch
from torch import nn

from heedful import torch_nn
from heedful.errors import DataError, SettingError
from tests.torch_nn.cases import close, pair

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")

PADDING = torch.tensor([[False] * 5, [False, False, True, True, True], [False, True] * 2 + [False]])
CAUSAL = nn.Transformer.generate_square_subsequent_mask(5)


def weights_of_torch(model: nn.Module, call: Any) -> dict[str, torch.Tensor]:
    """Return what torch's attentions give when each is asked for its weights."""
    found: dict[str, torch.Tensor] = {}
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, nn.MultiheadAttention):

            def ask(module: Any, given: Any, named: Any) -> Any:
                return given, named | {"need_weights": True, "average_attn_weights": False}

            def keep(module: Any, given: Any, output: Any, name: str = name) -> None:
                found[name] = output[1]

            handles.append(module.register_forward_pre_hook(ask, with_kwargs=True))
            handles.append(module.register_forward_hook(keep))
    call(model)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_weights_are_torchs(batch_first: bool, training: bool) -> None:
    torch.manual_seed(0)
    theirs, ours = pair("Transformer", 8, 2, 2, 2, 12, 0.0, batch_first=batch_first)
    shape = (3, 5, 8) if batch_first else (5, 3, 8)
    src, tgt = torch.randn(2, *shape)

    def call(model: nn.Module) -> torch.Tensor:
        return model.train(training)(src, tgt, src_mask=CAUSAL, memory_key_padding_mask=PADDING)

    expected = weights_of_torch(theirs, call)
    plain = call(ours)
    with torch_nn.watch(ours) as seen:
        watched = call(ours)
    assert torch.equal(plain, watched)
    assert list(seen) == list(expected)
    for name, weights in expected.items():
        close(weights, seen[name].weights)
        close(weights[:, 1], seen[name].head(1))
    assert not any("look" in vars(module) for module in ours.modules())


def test_padding_that_is_left_out_has_no_weights() -> None:
    torch.manual_seed(0)
    layer = torch_nn.TransformerEncoderLayer(8, 2, 12)
    model = torch_nn.TransformerEncoder(layer, 2).eval()
    whole = torch_nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    src = torch.randn(5, 3, 8)
    with torch_nn.watch(model) as seen, torch_nn.watch(whole) as all_seen:
        model(src, src_key_padding_mask=PADDING)
        whole(src, src_key_padding_mask=PADDING)
    real = ~PADDING[:, None, :, None].expand(3, 2, 5, 5)
    for name in seen:
        found = seen[name].weights
        close(found[real], all_seen[name].weights[real])
        assert found[~real].abs().max() == 0


def test_names_heads_and_passes() -> None:
    torch.manual_seed(0)
    model = torch_nn.TransformerEncoder(torch_nn.TransformerEncoderLayer(8, 2, 12), 1)
    with torch_nn.watch(model) as seen:
        assert len(seen) == 0
        with pytest.raises(DataError, match=r"layers\.0\.self_attn has not run"):
            seen["layers.0.self_attn"]
        assert seen.get("layers.0.self_attn") is None
        model(torch.randn(5, 3, 8))
        with torch_nn.watch(model) as inner:
            model(torch.randn(4, 1, 8))
        assert inner["layers.0.self_attn"].weights.shape == (1, 2, 4, 4)
    assert seen["layers.0.self_attn"].weights.shape == (1, 2, 4, 4)
    assert "layers.7.self_attn" not in seen
    assert seen.get("layers.7.self_attn", "none") == "none"
    assert seen.get("layers.0.self_attn") is seen["layers.0.self_attn"]
    with pytest.raises(DataError, match=r'did you mean "layers\.0\.self_attn"'):
        seen["layers.0.self_atn"]
    with pytest.raises(DataError, match="no head 2; heads are 0 to 1"):
        seen["layers.0.self_attn"].head(2)
    with (
        pytest.raises(SettingError, match=r"no attention of heedful\.torch_nn"),
        torch_nn.watch(nn.Linear(2, 2)),
    ):
        pass


def test_a_table_of_a_head() -> None:
    model = torch_nn.MultiheadAttention(4, 2, batch_first=True)
    with torch.no_grad():
        model.in_proj_weight.zero_()
    x = torch.randn(1, 2, 4)
    with torch_nn.watch(model) as seen:
        model(x, x, x, attn_mask=torch.tensor([[False, True], [False, False]]))
    look = seen[""]
    assert look.table(0) == "     0    1\n0  100    .\n1   50   50"
    named = look.table(1, queries=["the", "cat"], keys=["the", "cat"])
    assert named == "     the  cat\nthe  100    .\ncat   50   50"
    with pytest.raises(DataError, match="no sentence 1; sentences are 0 to 0"):
        look.table(0, sentence=1)
