"""The encoder alone, with every variant of its parts and every head."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import cross_entropy

from heedful.errors import ModelError
from heedful.models import bert
from heedful.models.bert import BERT, BERTConfig
from heedful.models.bert_heads import (
    UNASKED,
    Labels,
    MaskedWords,
    NoHead,
    Span,
    TokenLabels,
    Value,
    best_span,
)
from heedful.models.seq2seq import EncoderOnly, Memory
from heedful.nn.attention import GroupedQuery
from tests.contract.test_families import MODEL_FAMILIES, label, variants

ENTRIES = 40
TEXT = torch.tensor([[5, 9, 21, 7, 8, 2], [17, 3, 2, 0, 0, 0], [1, 1, 6, 6, 23, 0]])
MASK = torch.tensor([[True] * 6, [True] * 3 + [False] * 3, [True] * 5 + [False]])
SEGMENTS = torch.tensor([[0, 0, 0, 1, 1, 1], [0, 0, 1, 0, 0, 0], [0] * 6])
HEADS = [MaskedWords(), Labels(labels=("a", "b", "c")), Value(), TokenLabels(), Span()]
PARTS = [
    pytest.param({field: settings}, id=f"{field}-{label(settings)}")
    for field, family in MODEL_FAMILIES.items()
    if field in BERTConfig.model_fields
    for settings in variants(family)
]
PARTS += [pytest.param({"head": head}, id=head.kind) for head in HEADS]
PARTS += [pytest.param({"pooler": False, "n_segments": 3}, id="no pooler")]
part = pytest.mark.parametrize("changed", PARTS)


def model_of(changed: dict[str, Any]) -> BERT:
    """Return a model in which no bias and no gain is left at its beginning."""
    shape = {"d_model": 16, "d_ff": 24, "n_heads": 4, "n_layers": 2, "max_length": 16}
    torch.manual_seed(0)
    model = BERTConfig(**(shape | changed)).build(ENTRIES).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return model


def said(model: BERT, memory: Memory) -> torch.Tensor:
    """Return all that the model can say: the head's answer, or states and pooled state."""
    head = model.config.head
    if isinstance(head, MaskedWords):
        return torch.cat([model.project(memory.states).flatten(), model.pooled(memory).flatten()])
    if not isinstance(head, NoHead):
        both = [model.answer(memory)] + [model.pooled(memory)] * (not head.pooled)
        return torch.cat([answer.flatten() for answer in both])
    pooled = model.pooled(memory) if model.config.pooler else memory.states[:, 0]
    return torch.cat([memory.states.flatten(), pooled.flatten()])


def test_every_part_that_a_translator_chooses_is_tried() -> None:
    tried = {key for case in PARTS for key in case.values[0]}
    assert {"attention", "position", "feed_forward", "norm", "residual", "head"} <= tried


@part
def test_it_goes_through_json(changed: dict[str, Any]) -> None:
    config = model_of(changed).config
    assert BERTConfig.model_validate_json(config.model_dump_json()) == config


@part
@torch.no_grad()
def test_padding_and_company_change_nothing(changed: dict[str, Any]) -> None:
    model = model_of(changed)
    assert isinstance(model, EncoderOnly)
    together = model.encode(TEXT, MASK, SEGMENTS)
    assert together.states.shape == (3, 6, 16)
    for row, length in enumerate(MASK.sum(1).tolist()):
        alone = [x[row : row + 1, :length] for x in (TEXT, MASK, SEGMENTS)]
        own = Memory(together.states[row : row + 1, :length], alone[1])
        expected = model.encode(*alone)
        torch.testing.assert_close(own.states, expected.states, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(said(model, own), said(model, expected), atol=1e-5, rtol=1e-5)


@part
def test_it_learns_with_every_parameter(changed: dict[str, Any]) -> None:
    model = model_of(changed).train()
    memory = model.encode(TEXT, MASK, SEGMENTS)
    said(model, memory).square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        # A bias of all keys alike changes no softmax.
        assert weight.grad.any() or name.endswith("key_proj.bias"), name


@torch.no_grad()
def test_both_directions_and_both_texts_are_seen() -> None:
    model = model_of({})
    before = model.encode(TEXT, MASK, SEGMENTS).states[0, 0]
    other = TEXT.clone()
    other[0, 5] = 30
    assert not torch.allclose(model.encode(other, MASK, SEGMENTS).states[0, 0], before)
    assert not torch.allclose(model.encode(TEXT, MASK).states[0, 0], before)
    none = model.encode(TEXT, MASK, torch.zeros_like(TEXT)).states
    torch.testing.assert_close(model.encode(TEXT, MASK).states, none)


@torch.no_grad()
def test_logits_of_some_entries_are_those_of_all() -> None:
    model = model_of({"head": MaskedWords()})
    states = model.encode(TEXT, MASK).states
    some = torch.tensor([3, 7])
    torch.testing.assert_close(model.project(states, some), model.project(states)[..., some])


def test_a_head_that_is_not_there_is_said() -> None:
    plain, words = model_of({"pooler": False}), model_of({"head": MaskedWords()})
    memory = plain.encode(TEXT, MASK)
    with pytest.raises(ModelError, match="no head that answers"):
        plain.answer(memory)
    with pytest.raises(ModelError, match="no head that answers"):
        words.answer(words.encode(TEXT, MASK))
    with pytest.raises(ModelError, match="no head for masked words"):
        plain.project(memory.states)
    with pytest.raises(ModelError, match="no pooler"):
        plain.pooled(memory)


def test_a_text_beyond_the_table_of_positions_is_said() -> None:
    model, ids = model_of({}), torch.ones(1, 17, dtype=torch.int64)
    with pytest.raises(ModelError, match="position 17 is asked for and the model knows 16"):
        model.encode(ids, ids.bool())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n_heads": 5}, "d_model 768 is not divisible by n_heads 5"),
        ({"attention": GroupedQuery(n_kv_heads=5)}, "n_heads 12 is not divisible by n_kv_heads 5"),
        ({"head": Value(), "pooler": False}, "a head of the kind value needs pooler true"),
        ({"head": {"kind": "labels", "labels": ("a",)}}, "two labels at least"),
        ({"head": {"kind": "labels", "labels": ("a", "a")}}, "two labels have the same name"),
    ],
)
def test_impossible_shapes_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        BERTConfig(**changed)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("bert_base", 109_482_240),
        ("bert_large", 335_141_888),
        ("minilm", 22_713_216),
        ("bert_mini", 11_170_560),
        ("bert_tiny", 4_385_920),
    ],
)
def test_named_shapes_have_the_parameters_that_are_published(name: str, parameters: int) -> None:
    with torch.device("meta"):
        model = getattr(bert, name)().build(30_522)
    assert sum(weight.numel() for weight in model.parameters()) == parameters


# The losses of heads


def test_losses_are_sums_over_what_is_asked() -> None:
    torch.manual_seed(3)
    answers = torch.randn(4, 5, 3)
    labels = torch.tensor([[0, 1, 2, UNASKED, 1]] * 4)
    head = TokenLabels(labels=("a", "b", "c"))
    by_hand = -sum(
        answers[row, place].log_softmax(0)[int(labels[row, place])]
        for row in range(4)
        for place in (0, 1, 2, 4)
    )
    torch.testing.assert_close(head.loss(answers, labels), by_hand)
    numbers = torch.randn(4)
    expected = ((answers[:, 0, :1] - numbers[:, None]) ** 2).sum()
    torch.testing.assert_close(Value().loss(answers[:, 0, :1], numbers), expected)
    whole = Labels(labels=("a", "b", "c")).loss(answers[:, 0], torch.tensor([0, 1, 2, 0]))
    every = cross_entropy(answers[:, 0], torch.tensor([0, 1, 2, 0]), reduction="sum")
    torch.testing.assert_close(whole, every)


def test_the_best_span_is_the_best_of_all() -> None:
    torch.manual_seed(5)
    for _ in range(20):
        answers, allowed = torch.randn(7, 2), torch.rand(7) < 0.8
        allowed[2] = True
        every = {
            (a, b): float(answers[a, 0] + answers[b, 1])
            for a in range(7)
            for b in range(a, min(7, a + 3))
            if allowed[a] and allowed[b]
        }
        begin, end, score = best_span(answers, 3, allowed)
        assert (begin, end) == max(every, key=every.__getitem__)
        assert score == pytest.approx(every[begin, end], abs=1e-6)
