"""The decoder alone, with every variant of its parts: what the seam promises of it."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import cross_entropy

from heedful.errors import ModelError
from heedful.models import gpt
from heedful.models.gpt import GPT, GPTConfig
from heedful.models.seq2seq import Cache, DecoderOnly
from heedful.nn.attention import GroupedQuery
from heedful.nn.position import Llama3Scaling, Rotary
from heedful.settings import Settings
from tests.contract.test_families import MODEL_FAMILIES, label, variants

ENTRIES = 40
TEXT = torch.tensor([[5, 9, 21, 7, 8, 2], [17, 3, 2, 4, 30, 11], [1, 1, 6, 6, 23, 11]])
PARTS = [
    pytest.param({field: settings}, id=f"{field}-{label(settings)}")
    for field, family in MODEL_FAMILIES.items()
    if field in GPTConfig.model_fields
    for settings in variants(family)
]
PARTS += [
    pytest.param({"tied_output": False}, id="untied"),
    pytest.param({"d_k": 6}, id="heads of their own width"),
    pytest.param({"position": Rotary(scaling=Llama3Scaling(original_length=8))}, id="stretched"),
    pytest.param({"d_k": 2, "attention": GroupedQuery(n_kv_heads=1)}, id="one key"),
]
part = pytest.mark.parametrize("changed", PARTS)


def model_of(changed: dict[str, Any]) -> GPT:
    """Return a model in which no bias and no gain is left at its beginning."""
    shape = {"d_model": 16, "d_ff": 24, "n_heads": 4, "n_layers": 2, "max_length": 16}
    torch.manual_seed(0)
    model = GPTConfig(**(shape | changed)).build(ENTRIES).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return model


def logits_of(model: GPT, text: torch.Tensor, *given: Any) -> torch.Tensor:
    return model.project(model.hidden(text, *given))


def test_every_part_that_a_translator_chooses_is_tried() -> None:
    tried = {key for case in PARTS for key in case.values[0]}
    assert {"attention", "position", "feed_forward", "norm", "residual"} <= tried


@part
def test_it_goes_through_json(changed: dict[str, Any]) -> None:
    config = model_of(changed).config
    assert GPTConfig.model_validate_json(config.model_dump_json()) == config


@part
@torch.no_grad()
def test_it_has_the_shapes_of_the_seam(changed: dict[str, Any]) -> None:
    model = model_of(changed)
    assert isinstance(model, DecoderOnly)
    assert isinstance(model.new_cache(2, 8), Cache)
    assert model.hidden(TEXT).shape == (3, 6, 16)
    logits = logits_of(model, TEXT)
    assert logits.shape == (3, 6, ENTRIES)
    assert logits.isfinite().all()
    some = torch.tensor([3, 7])
    torch.testing.assert_close(model.project(model.hidden(TEXT), some), logits[..., some])


@part
def test_it_learns_with_every_parameter(changed: dict[str, Any]) -> None:
    model = model_of(changed).train()
    logits = logits_of(model, TEXT[:, :-1])
    cross_entropy(logits.flatten(0, 1), TEXT[:, 1:].flatten()).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        # A bias of all keys alike changes no softmax.
        assert weight.grad.any() or name.endswith("key_proj.bias"), name


@part
@torch.no_grad()
def test_nobody_sees_the_future(changed: dict[str, Any]) -> None:
    model = model_of(changed)
    other = TEXT.clone()
    other[:, 3:] = 30
    before, after = logits_of(model, TEXT), logits_of(model, other)
    torch.testing.assert_close(before[:, :3], after[:, :3], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(before[:, 3:], after[:, 3:])


@part
@torch.no_grad()
def test_texts_of_any_length_go_on_in_one_cache_as_each_does_alone(
    changed: dict[str, Any],
) -> None:
    """Beginnings of 6, 2 and 4 pieces; then 1 for all, then 3, 1 and 2, then rows change places."""
    model = model_of(changed)
    whole = torch.randint(0, ENTRIES, (3, 16))
    cache = model.new_cache(3, 16)
    place = [0, 0, 0]

    def step(counts: list[int]) -> None:
        width = max(counts)
        given = torch.full((3, width), 39)  # the padding is a piece as others are
        for row, count in enumerate(counts):
            given[row, :count] = whole[row, place[row] : place[row] + count]
        found = logits_of(model, given, cache, torch.tensor(counts))
        for row, count in enumerate(counts):
            end = place[row] + count
            alone = logits_of(model, whole[row : row + 1, :end])[0, place[row] :]
            torch.testing.assert_close(found[row, :count], alone, atol=1e-5, rtol=1e-5)
            place[row] = end

    step([6, 2, 4])
    step([1, 1, 1])
    step([3, 1, 2])
    order = torch.tensor([2, 0, 2])
    cache.select(order)
    whole, place = whole[order], [place[row] for row in order.tolist()]
    whole[2, place[2] :] = torch.randint(0, ENTRIES, (16 - place[2],))
    step([1, 1, 1])
    assert cache.length.tolist() == place


def test_a_full_cache_is_said() -> None:
    model = model_of({})
    cache = model.new_cache(3, 7)
    model.hidden(TEXT, cache)
    model.hidden(TEXT[:, :1], cache)
    with pytest.raises(ValueError, match="made for 7 positions"):
        model.hidden(TEXT[:, :1], cache)


def test_a_text_beyond_the_table_of_positions_is_said() -> None:
    with pytest.raises(ModelError, match="position 18 is asked for and the model knows 16"):
        model_of({}).hidden(torch.ones(1, 18, dtype=torch.int64))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n_heads": 5}, "d_model 768 is not divisible by n_heads 5"),
        ({"attention": GroupedQuery(n_kv_heads=5)}, "n_heads 12 is not divisible by n_kv_heads 5"),
        ({"d_k": 7, "position": Rotary()}, "heads of an even width"),
        ({"n_layers": 0}, "greater than or equal to 1"),
    ],
)
def test_impossible_shapes_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GPTConfig(**changed)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("gpt2_small", 124_439_808),
        ("gpt2_medium", 354_823_168),
        ("gpt2_large", 774_030_080),
        ("gpt2_xl", 1_557_611_200),
    ],
)
def test_named_shapes_have_the_parameters_that_are_published(name: str, parameters: int) -> None:
    config: Settings = getattr(gpt, name)()
    assert isinstance(config, GPTConfig)
    with torch.device("meta"):
        model = config.build(50_257)
    assert sum(weight.numel() for weight in model.parameters()) == parameters


def test_llamas_habits() -> None:
    with torch.device("meta"):
        model = gpt.llama_like().build(50_257)
    names = [name for name, _ in model.named_parameters()]
    assert not [name for name in names if name.endswith(".bias")]
    assert "tables.output.weight" in names


def test_a_fresh_model_is_drawn_as_gpt2_was() -> None:
    torch.manual_seed(1)
    config = GPTConfig(d_model=64, d_ff=256, n_heads=4, n_layers=8)
    weights = dict(config.build(300).named_parameters())
    assert weights["tables.source.weight"].std().item() == pytest.approx(0.02, rel=0.05)
    assert weights["layers.3.attention.key_proj.weight"].std().item() == pytest.approx(
        0.02, rel=0.05
    )
    for name in ("attention.output_proj", "feed_forward.outer"):
        narrow = weights[f"layers.0.{name}.weight"].std().item()
        assert narrow == pytest.approx(0.02 / 4, rel=0.05)
    assert not any(weight.any() for name, weight in weights.items() if name.endswith(".bias"))
