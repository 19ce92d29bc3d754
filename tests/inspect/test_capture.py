"""What is seen is what the model did, for every kind of Transformer, and seeing changes nothing."""

import pytest
import torch

from heedful.errors import ModelError, SettingError
from heedful.inspect.capture import Look, record
from heedful.inspect.names import KINDS, Head, check, every_head, modules, parse
from heedful.models.transformer import Transformer
from heedful.nn.mask import padding_mask
from tests.models.test_transformer import PAD, VARIANTS, build

SOURCE = torch.tensor([[5, 9, 7, 3, 2, 0, 0], [8, 4, 6, 11, 12, 13, 2]])
TARGET = torch.tensor([[1, 6, 7, 8, 9], [1, 4, 5, 10, 28]])


def run(model: Transformer) -> torch.Tensor:
    memory = model.encode(SOURCE, padding_mask(SOURCE, PAD))
    return model.project(model.hidden(TARGET, memory))


@pytest.fixture(params=list(VARIANTS))
def model(request: pytest.FixtureRequest) -> Transformer:
    return build(request.param)


def test_recording_changes_nothing_to_the_bit(model: Transformer) -> None:
    with torch.inference_mode():
        before = run(model)
        with record(model):
            during = run(model)
        after = run(model)
    assert torch.equal(before, during)
    assert torch.equal(before, after)
    assert not any("look" in vars(module) for _, _, module in modules(model))


def test_weights_times_values_are_what_the_module_gave(model: Transformer) -> None:
    """Through the output projection, to what the fused kernel made of it."""
    outputs = {}
    handles = [
        module.register_forward_hook(
            lambda _, __, output, place=(kind, layer): outputs.__setitem__(place, output)
        )
        for kind, layer, module in modules(model)
    ]
    with torch.inference_mode(), record(model) as looks:
        run(model)
    for handle in handles:
        handle.remove()
    assert set(looks) == set(outputs)
    assert len(looks) == model.config.encoder_layers + 2 * model.config.decoder_layers
    for kind, layer, module in modules(model):
        look = looks[kind, layer]
        context = look.context().transpose(1, 2).flatten(2)
        torch.testing.assert_close(
            module.output_proj(context), outputs[kind, layer], atol=2e-5, rtol=0
        )


def test_rows_sum_to_one_and_masked_cells_are_nothing(model: Transformer) -> None:
    with torch.inference_mode(), record(model) as looks:
        run(model)
    for (kind, _), look in looks.items():
        weights = look.weights()
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
        if kind == "decoder":
            assert not weights.triu(1).any()
        else:
            assert not weights[0, ..., 5:].any()  # padding
        for head in range(model.config.n_heads):
            torch.testing.assert_close(look.weights(head)[:, 0], weights[:, head])


def test_the_cached_decoder_looks_at_the_same(model: Transformer) -> None:
    """A pass over the whole target shows what decoding piece by piece had looked at."""
    with torch.inference_mode():
        with record(model) as whole:
            run(model)
        memory = model.encode(SOURCE, padding_mask(SOURCE, PAD))
        cache = model.new_cache(memory, 1, TARGET.shape[1])
        for place in range(TARGET.shape[1]):
            with record(model) as step:
                model.hidden(TARGET[:, place : place + 1], memory, cache)
            for name, look in step.items():
                known = whole[name].weights()[:, :, place]
                found = look.weights()[:, :, 0]
                torch.testing.assert_close(found, known[..., : found.shape[-1]], atol=1e-5, rtol=0)


def test_the_explicit_path_gives_what_the_fused_one_gives(model: Transformer) -> None:
    """Where gradients are asked for, attention is computed in the open."""
    with torch.inference_mode():
        fused = run(model)
    torch.testing.assert_close(run(model).detach(), fused, atol=2e-5, rtol=1e-5)


def test_bf16_is_near() -> None:
    model = build("pre-norm, rotary, grouped, SwiGLU, RMS").bfloat16()
    outputs = []
    layer = model.encoder[0].attention
    handle = layer.register_forward_hook(lambda _, __, output: outputs.append(output))
    with torch.inference_mode(), record(model) as looks:
        run(model)
    handle.remove()
    look = looks["encoder", 0]
    assert look.weights().dtype == torch.float32
    context = look.context().bfloat16().transpose(1, 2).flatten(2)
    torch.testing.assert_close(layer.output_proj(context), outputs[0], atol=2e-2, rtol=2e-2)


def test_a_query_with_nothing_to_look_at_is_refused() -> None:
    side = torch.zeros(1, 1, 2, 4)
    mask = torch.tensor([[[[True, False], [False, False]]]])
    with pytest.raises(ModelError, match="may look at nothing"):
        Look(side, side, side, mask, None).weights()


def test_a_model_in_training_mode_is_refused() -> None:
    model = build("the paper's").train()
    with pytest.raises(SettingError, match="training mode"), record(model):
        pass


def test_recordings_may_stand_in_each_other() -> None:
    model = build("the paper's")
    with torch.inference_mode(), record(model) as outer:
        with record(model) as inner:
            run(model)
        assert all("look" in vars(module) for _, _, module in modules(model))
    for place, look in inner.items():
        assert torch.equal(look.weights(), outer[place].weights())
    assert not any("look" in vars(module) for _, _, module in modules(model))


def test_names_of_heads() -> None:
    model = build("deep encoder, shallow decoder")
    assert parse(model, "encoder.3.2") == [Head("encoder", 3, 2)]
    assert parse(model, "cross.0") == [Head("cross", 0, head) for head in range(4)]
    assert parse(model, Head("decoder", 0, 1)) == [Head("decoder", 0, 1)]
    assert len(every_head(model)) == 4 * (4 + 1 + 1)
    assert {str(head) for kind in KINDS for head in every_head(model, kind)} == {
        str(head) for head in every_head(model)
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("encoder.4.0", "encoder: there is no layer 4; its layers are 0 to 3"),
        ("cross.1", "cross: there is no layer 1; its only layer is 0"),
        ("decoder.0.4", "decoder: there is no head 4; its heads are 0 to 3"),
        ("encodr.0.0", 'did you mean "encoder"'),
        ("encoder", "write kind.layer.head"),
        ("encoder.-1.0", "write kind.layer.head"),
        ("encoder.0.0.0", "write kind.layer.head"),
        ("", "write kind.layer.head"),
    ],
)
def test_a_head_that_is_not_there_names_those_that_are(name: str, message: str) -> None:
    with pytest.raises(SettingError) as raised:
        parse(build("deep encoder, shallow decoder"), name)
    assert message in str(raised.value)
    check(build("deep encoder, shallow decoder"), "encoder", 3, 3)
