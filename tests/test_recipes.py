"""The named experiments: each is whole, buildable, and offered by `heed recipes`."""

import json

import pytest
import torch

from heedful.cli import main
from heedful.config import ChatRunConfig, ReadingRunConfig, RunConfig, TextRunConfig
from heedful.errors import SettingError
from heedful.recipes import RECIPES, recipe, recipe_for


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_is_whole(name: str) -> None:
    """It bears its name, is valid, and its model is built (on no device, so without memory)."""
    config = recipe(name)
    assert config.recipe == name
    assert recipe(name.replace("-", "_")) == config
    assert type(config).model_validate(config.model_dump()) == config
    assert (RECIPES[name].__doc__ or "").strip()
    with torch.device("meta"):
        model: torch.nn.Module
        if isinstance(config, TextRunConfig | ChatRunConfig):
            model = config.model.build(69)
        elif isinstance(config, ReadingRunConfig):
            model = config.model.build(config.tokenizer.vocabulary_size)
            assert config.training.max_pieces <= config.model.max_length
        else:
            pieces = config.tokenizer.vocabulary_size
            model = config.model.build(pieces, pieces)
            assert config.training.max_pieces <= config.model.max_length
    assert sum(weight.numel() for weight in model.parameters()) > 100_000


@pytest.mark.parametrize(
    ("name", "layers", "d_model", "d_ff", "heads", "dropout", "steps", "averaged"),
    [
        ("paper-base", 6, 512, 2048, 8, 0.1, 100_000, 5),
        ("paper-big", 6, 1024, 4096, 16, 0.3, 300_000, 20),
    ],
)
def test_the_papers_two_rows(
    name: str,
    layers: int,
    d_model: int,
    d_ff: int,
    heads: int,
    dropout: float,
    steps: int,
    averaged: int,
) -> None:
    """Table 3 and sections 5 and 6.1."""
    config = recipe(name)
    assert isinstance(config, RunConfig)
    model = config.model
    assert (model.encoder_layers, model.decoder_layers) == (layers, layers)
    assert (model.d_model, model.d_ff, model.n_heads) == (d_model, d_ff, heads)
    assert (model.dropout, config.training.max_steps) == (dropout, steps)
    assert config.training.average_last == averaged
    assert config.training.batch_tokens == 25_000
    assert config.objective.label_smoothing == 0.1
    assert (config.search.beam_size, config.search.length_penalty) == (4, 0.6)  # type: ignore[union-attr]
    kinds = {
        "attention": "multi_head",
        "position": "sinusoidal",
        "feed_forward": "relu",
        "norm": "layer_norm",
        "residual": "post_norm",
        "embedding": "three_way",
    }
    assert {family: getattr(model, family).kind for family in kinds} == kinds
    assert (config.optimizer.kind, config.schedule.kind) == ("adam", "inverse_sqrt")
    assert config.schedule.warmup_steps == 4000


@pytest.mark.parametrize(
    ("pairs", "name"),
    [
        (0, "tiny"),
        (999, "tiny"),
        (1000, "low-resource"),
        (49_999, "low-resource"),
        (50_000, "small"),
        (999_999, "small"),
        (1_000_000, "paper-base"),
        (10**9, "paper-base"),
    ],
)
def test_recipe_by_size(pairs: int, name: str) -> None:
    assert recipe_for(pairs) == name
    assert name in RECIPES


def test_unknown_recipe() -> None:
    with pytest.raises(SettingError) as caught:
        recipe("papr-base")
    assert str(caught.value) == (
        '--recipe: there is no recipe "papr-base"; did you mean "paper-base"?'
    )


def test_list_of_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(RECIPES)
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize("name", RECIPES)
def test_one_recipe_as_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", name]) == 0
    config = recipe(name)
    assert type(config).model_validate(json.loads(capsys.readouterr().out)) == config


def test_the_text_recipe_is_nanogpts() -> None:
    """Its README's setting for a CPU: 804,096 weights for 65 characters, of which 8,192 are its
    learned positions; four more pieces here."""
    config = recipe("gpt-char")
    assert isinstance(config, TextRunConfig)
    model = config.model.build(65 + 4)
    assert sum(weight.numel() for weight in model.parameters()) == 804_096 - 64 * 128 + 4 * 128
    assert not any(name.endswith("bias") for name, _ in model.named_parameters())
    rates = [config.schedule.rate(step, 128, 2000) for step in (1, 100, 101, 2000)]
    assert rates == pytest.approx([1e-3 / 101, 100e-3 / 101, 1e-3, 1e-4], rel=1e-5)


def test_recipes_refuses_what_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "smal"]) == 2
    assert capsys.readouterr() == (
        "",
        'heed: --recipe: there is no recipe "smal"; did you mean "small"?\n',
    )


@pytest.mark.parametrize("name", ["lstm", "lstm-attention", "gru-attention", "gnmt", "conv-s2s"])
def test_what_the_transformer_replaced_has_the_size_of_small(name: str) -> None:
    counts = []
    for config in (recipe("small"), recipe(name)):
        with torch.device("meta"):
            model = config.model.build(8000, 8000)
        counts.append(sum(weight.numel() for weight in model.parameters()))
    assert counts[1] == pytest.approx(counts[0], rel=0.05)
    changed = recipe(name).model_copy(update={"recipe": "small", "model": recipe("small").model})
    assert changed == recipe("small")
