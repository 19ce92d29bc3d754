"""Scores of given targets: all possible ones sum to one, and decoding agrees with them."""

import math
import random
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.decode.engine import decode
from heedful.decode.score import score
from heedful.errors import ModelError
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.norm import PreNorm
from heedful.nn.position import Rotary
from heedful.search import Beam, Greedy, Limits

START, END, ENTRIES = 1, 2, 30


def build(entries: int, **settings: object) -> Transformer:
    torch.manual_seed(7)
    config = TransformerConfig(
        d_model=16,
        d_ff=32,
        n_heads=2,
        encoder_layers=1,
        decoder_layers=2,
        max_length=40,
        **settings,
    )
    return config.build(entries, entries).eval()


@pytest.fixture(scope="module")
def model() -> Transformer:
    return build(ENTRIES)


@pytest.fixture(scope="module")
def pairs() -> list[tuple[list[int], list[int]]]:
    draw = random.Random(2)

    def side() -> list[int]:
        return [*(draw.randrange(3, ENTRIES) for _ in range(draw.randrange(0, 20))), END]

    return [(side(), side()) for _ in range(9)]


@pytest.mark.parametrize("shape", [{}, {"position": Rotary(), "residual": PreNorm()}])
def test_all_targets_together_are_certain(shape: dict[str, object]) -> None:
    """Those that end within 3 pieces, and those that have not ended by then, make 1."""
    model, most = build(5, **shape), 3
    others = [piece for piece in range(5) if piece != END]
    prefixes = [list(x) for n in range(most + 1) for x in product(others, repeat=n)]
    found = score(model, [([3, 4, 3, END], [*prefix, END]) for prefix in prefixes])
    ended = [math.exp(sum(one)) for one in found if len(one) <= most]
    going_on = [math.exp(sum(one[:-1])) for one in found if len(one) > most]
    assert len(going_on) == 4**most
    assert sum(ended) > 0.01
    assert sum(ended) + sum(going_on) == pytest.approx(1, abs=1e-5)


def test_piece_by_piece(model: Transformer, pairs: list[tuple[list[int], list[int]]]) -> None:
    """Each number is the softmax of one position of one pair alone."""
    for (source, target), found in zip(pairs, score(model, pairs), strict=True):
        ids = torch.tensor([source])
        memory = model.encode(ids, torch.ones_like(ids, dtype=torch.bool))
        for place, piece in enumerate(target):
            before = torch.tensor([[START, *target[:place]]])
            logits = model.project(model.hidden(before, memory))[0, -1]
            right = torch.log_softmax(logits.double(), -1)[piece].item()
            assert found[place] == pytest.approx(right, abs=1e-5)
        assert len(found) == len(target)


@settings(max_examples=8)
@given(st.data())
def test_neither_company_nor_order_matter(
    model: Transformer, pairs: list[tuple[list[int], list[int]]], data: st.DataObject
) -> None:
    alone = score(model, pairs, batch_tokens=1)
    order = data.draw(st.permutations(range(len(pairs))))
    chosen = order[: data.draw(st.integers(0, len(pairs)))]
    together = score(
        model, [pairs[row] for row in chosen], batch_tokens=data.draw(st.integers(1, 2000))
    )
    assert len(together) == len(chosen)
    for row, found in zip(chosen, together, strict=True):
        assert found == pytest.approx(alone[row], abs=1e-5)


@pytest.mark.parametrize("search", [Greedy(max_extra=8), Beam(beam_size=3, n_best=3, max_extra=8)])
def test_what_a_search_says(
    model: Transformer, pairs: list[tuple[list[int], list[int]]], search: Greedy | Beam
) -> None:
    sources = [source for source, _ in pairs]
    limits = Limits(START, END, forbidden=(0, START, 3), max_length=40)
    found = [
        (source, hypothesis)
        for source, many in zip(sources, decode(model, sources, search, limits=limits), strict=True)
        for hypothesis in many
    ]
    scores = score(model, [(source, [*x.tokens, END]) for source, x in found])
    for (_, hypothesis), one in zip(found, scores, strict=True):
        whole = one if hypothesis.finished else one[:-1]
        assert sum(whole) == pytest.approx(hypothesis.log_prob, abs=1e-4)


def test_many_positions(model: Transformer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits are made piece by piece."""
    pairs = [([5, END], [7] * 30 + [END])] * 9
    whole = score(model, pairs)
    monkeypatch.setattr("heedful.decode.score.PROJECTED", 7)
    for one, other in zip(whole, score(model, pairs), strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_dropout_is_off() -> None:
    model = build(ENTRIES, dropout=0.5).train()
    pairs = [([5, 6, END], [7, 8, END])]
    assert score(model, pairs) == score(model, pairs)


def test_refusals(model: Transformer) -> None:
    assert score(model, []) == []
    for pair in [([], [END]), ([END], [])]:
        with pytest.raises(ModelError, match="pair 2 has an empty side"):
            score(model, [([5, END], [END]), pair])
    broken = build(ENTRIES)
    with torch.no_grad():
        broken.tables.output.weight.fill_(torch.nan)
    with pytest.raises(ModelError, match="not a number"):
        score(broken, [([5, END], [END])])
