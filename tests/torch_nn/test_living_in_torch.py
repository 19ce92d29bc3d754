"""What else people do with torch's modules: save, hook, subclass, replace, compile, export."""

import copy
import io
import subprocess
import sys
import types
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from heedful import torch_nn
from tests.torch_nn.cases import close, pair

PADDING = torch.tensor([[False] * 5, [False, False, True, True, True], [False] * 4 + [True]])
CAUSAL = nn.Transformer.generate_square_subsequent_mask(5)
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")


def encoder(**named: Any) -> torch_nn.TransformerEncoder:
    torch.manual_seed(0)
    layer = torch_nn.TransformerEncoderLayer(8, 2, 12, **named)
    return torch_nn.TransformerEncoder(layer, 2, nn.LayerNorm(8)).eval()


def states() -> Tensor:
    return torch.randn(5, 3, 8, generator=torch.Generator().manual_seed(1))


def test_copies_and_files() -> None:
    model = encoder()
    expected = model(states(), src_key_padding_mask=PADDING)
    assert torch.equal(copy.deepcopy(model)(states(), src_key_padding_mask=PADDING), expected)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = encoder()
    with torch.no_grad():
        other.layers[0].linear1.weight.zero_()
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(states(), src_key_padding_mask=PADDING), expected)


@pytest.mark.parametrize("place", ["", "layers.0", "layers.1.self_attn", "layers.0.linear1"])
@pytest.mark.parametrize("padding", [None, PADDING])
def test_hooks_run_and_change_nothing(place: str, padding: Tensor | None) -> None:
    model = encoder()
    expected = model(states(), src_key_padding_mask=padding)
    called: list[Any] = []
    module = model.get_submodule(place)
    handle = module.register_forward_hook(lambda *given: called.append(given[2]))
    close(model(states(), src_key_padding_mask=padding), expected)
    assert len(called) == 1
    handle.remove()
    module.register_full_backward_hook(lambda *_: called.append(None))
    model(states().requires_grad_(), src_key_padding_mask=padding).sum().backward()
    assert len(called) == 2


def test_a_hook_may_change_the_states() -> None:
    model = encoder()
    model.layers[0].register_forward_hook(lambda module, given, output: 0 * output)
    found = model(states())
    assert torch.equal(found, found[:1, :1].expand_as(found))


def test_blocks_of_a_subclass_are_used() -> None:
    class Louder(torch_nn.TransformerEncoderLayer):
        def _ff_block(self, x: Tensor) -> Tensor:
            return 2 * super()._ff_block(x)

    class TheirsLouder(nn.TransformerEncoderLayer):
        def _ff_block(self, x: Tensor) -> Tensor:
            return 2 * super()._ff_block(x)

    ours, theirs = Louder(8, 2, 12, dropout=0.0), TheirsLouder(8, 2, 12, dropout=0.0)
    theirs.load_state_dict(ours.state_dict())
    close(ours(states()), theirs(states()))
    stacks = torch_nn.TransformerEncoder(ours, 2), nn.TransformerEncoder(theirs, 2)
    close(stacks[0](states()), stacks[1](states()))


@pytest.mark.parametrize("block", ["_sa_block", "_mha_block", "_ff_block"])
def test_a_block_of_one_layer_alone_is_used(block: str) -> None:
    def louder(layer: Any, *given: Any, **named: Any) -> Tensor:
        return 2 * getattr(type(layer), block)(layer, *given, **named)

    theirs, ours = pair("Transformer", 8, 2, 2, 2, 12, 0.0)
    for model in (theirs, ours):
        layer = (model.decoder if block == "_mha_block" else model.encoder).layers[1]
        setattr(layer, block, types.MethodType(louder, layer))
    close(ours(states(), states()), theirs(states(), states()))


@pytest.mark.parametrize("place", ["layers.0", "layers.1.self_attn", "layers.0.linear1"])
def test_what_is_compiled_by_itself_is_called(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []

    def compiled(call: Any) -> Any:
        def run(*given: Any, **named: Any) -> Any:
            called.append(given)
            return call(*given, **named)

        return run

    model = encoder()
    expected = model(states())
    monkeypatch.setattr(torch, "compile", compiled)
    model.get_submodule(place).compile()
    close(model(states()), expected)
    assert len(called) == 1


def test_replaced_modules_are_used() -> None:
    model = encoder()
    assert type(model.layers[0].linear1) is nn.Linear
    wrapped = nn.Sequential(model.layers[0].linear1, nn.Tanh())
    before = model(states())
    model.layers[0].linear1 = wrapped
    assert not torch.allclose(before, model(states()))


@pytest.mark.parametrize("training", [False, True])
def test_our_layers_in_torchs_stack_and_torchs_in_ours(training: bool) -> None:
    theirs, ours = pair("TransformerEncoderLayer", 8, 2, 12, 0.0, batch_first=True)
    x = states().transpose(0, 1).contiguous()
    for stack in (nn.TransformerEncoder, torch_nn.TransformerEncoder):
        found = [
            stack(layer, 2, enable_nested_tensor=False).train(training)(
                x, src_key_padding_mask=PADDING
            )
            for layer in (theirs, ours)
        ]
        close(*found)
    with torch.inference_mode():
        nested = nn.TransformerEncoder(ours, 2).eval()(x, src_key_padding_mask=PADDING)
        close(nested[~PADDING], found[0][~PADDING])


def test_learning_rates_of_a_gradient_penalty() -> None:
    theirs, ours = pair("TransformerEncoderLayer", 8, 2, 12, 0.0)
    slopes = []
    for layer in (theirs, ours):
        x = states().requires_grad_()
        with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
            (slope,) = torch.autograd.grad(layer(x).pow(2).sum(), x, create_graph=True)
            slopes.append(torch.autograd.grad(slope.pow(2).sum(), next(layer.parameters()))[0])
    close(*slopes)


def test_transforms_of_torch_func() -> None:
    model = encoder()
    x = states()

    def loss(parameters: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(model, parameters, (x,)).sum()

    found = torch.func.grad(loss)(dict(model.named_parameters()))
    model(x).sum().backward()
    for name, parameter in model.named_parameters():
        close(found[name], parameter.grad)


@pytest.mark.parametrize("padding", [None, PADDING])
def test_an_exported_program_gives_the_same(padding: Tensor | None) -> None:
    model = encoder()
    program = torch.export.export(model, (states(), None, padding))
    close(program.module()(states(), None, padding), model(states(), None, padding))


COMPILED = """
import torch
from torch import nn
from torch._dynamo.utils import counters
from heedful import torch_nn

torch.manual_seed(0)
padding = torch.arange(5)[None] >= torch.tensor([[5], [2], [4]])
mask = nn.Transformer.generate_square_subsequent_mask(5)
for layer in (torch_nn.TransformerEncoderLayer(8, 2, 12).eval(),
              torch_nn.TransformerEncoderLayer(8, 2, 12, 0.0, norm_first=True)):
    model = torch_nn.TransformerEncoder(layer, 2, nn.LayerNorm(8))
    model.train(layer.training)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    for given in ((), (mask,), (None, padding), (mask.isinf(), padding)):
        x = torch.randn(5, 3, 8)
        torch.testing.assert_close(compiled(x, *given), model(x, *given))

called = torch.compile(lambda x: model(x), backend="aot_eager")
before = called(x)
model.compile(backend="aot_eager", fullgraph=True)
model(x)
compilations = counters["stats"]["unique_graphs"]
with torch_nn.watch(model.layers) as inner:
    for run, prefix in ((compiled, "_orig_mod."), (model, ""), (called, "")):
        watched = compiled if prefix else model
        with torch_nn.watch(watched) as seen:
            torch.testing.assert_close(run(x), before)
        look, expected = seen[prefix + "layers.1.self_attn"], inner["1.self_attn"]
        assert look.weights.shape == (3, 2, 5, 5)
        torch.testing.assert_close(look.weights.sum(-1), torch.ones(3, 2, 5))
        assert torch.equal(look.weights, expected.weights)
last = inner["1.self_attn"]
for run in (compiled, model, called):
    torch.testing.assert_close(run(x), before)
assert inner["1.self_attn"] is last and counters["stats"]["unique_graphs"] == compilations

stack = torch_nn.TransformerEncoder(layer, 2)
expected = stack(x)
for layer in stack.layers:
    layer.compile(backend="aot_eager", fullgraph=True)
torch.testing.assert_close(stack(x), expected)
assert counters["stats"]["unique_graphs"] > compilations
"""


@pytest.mark.slow
def test_a_compiled_model_gives_the_same_in_one_graph_and_can_be_watched() -> None:
    """However it was compiled, watching compiles nothing, and what was compiled is there after it.

    In a process without the shape checks of these tests, which cannot be compiled."""
    subprocess.run([sys.executable, "-c", COMPILED], check=True)


def test_meta_tensors_pass() -> None:
    model = torch_nn.Transformer(8, 2, 1, 1, 12, device="meta")
    src, tgt = torch.zeros(5, 3, 8, device="meta"), torch.zeros(4, 3, 8, device="meta")
    assert model(src, tgt).is_meta
    mask, padding = CAUSAL.to("meta"), PADDING.to("meta")
    named = {"src_key_padding_mask": padding, "memory_key_padding_mask": padding}
    for training in (True, False):
        model.train(training)
        assert model(src, tgt, tgt_mask=mask[:4, :4], **named).is_meta
        assert model.encoder(src, mask.isinf(), padding).shape == src.shape


@pytest.mark.gpu
def test_a_recorded_graph_gives_the_same() -> None:
    model, x = encoder().cuda(), states().cuda()
    given = CAUSAL.cuda(), PADDING.cuda()
    with torch.no_grad():
        expected = model(x, *given)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            model(x, *given)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            found = model(x, *given)
        graph.replay()
    close(found, expected)
