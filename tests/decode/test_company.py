"""Texts that come and go while others are written are what each is alone, chosen as each asks."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.decode.company import SPARE, Company, Manner, Member
from heedful.decode.prompted import go_on
from heedful.errors import ModelError
from heedful.models.gpt import GPT
from heedful.nn.cache import RaggedCache
from heedful.search import Client, Greedy, Limits, Sample
from heedful.search.sample import random_numbers
from tests.decode.test_prompted import CONTEXT, MODELS
from tests.decode.test_prompted import PROMPTS as ALL
from tests.models.test_gpt import ENTRIES, model_of

FORBIDDEN = (0, 1)
MOST = 4
PROMPTS = [prompt for prompt in ALL if len(prompt) + MOST <= CONTEXT]


def member(prompt: Sequence[int], manner: Manner, at: int = 0, room: int = MOST) -> Member:
    search = manner.search
    drawn = random_numbers(search, prompt, room)[at] if isinstance(search, Sample) else np.zeros(0)
    return Member(prompt, manner, drawn)


def write(model: GPT, *members: Member, most: int = MOST) -> list[list[int]]:
    """Return what they write together."""
    company = Company(model, FORBIDDEN)
    company.advance(members)
    for _ in range(most - 1):
        company.advance()
    return [one.pieces for one in members]


def alone(model: GPT, prompt: list[int], search: Greedy | Sample) -> list[int]:
    """Return what `go_on` finds, for a model that knows no end."""
    limits = Limits(0, -1, FORBIDDEN, CONTEXT, ENTRIES)
    [[found]] = go_on(model, [prompt], search, limits, most=MOST, clients=[Client()])
    return list(found.tokens)


@st.composite
def comings(draw: st.DrawFn) -> list[tuple[int, int, int, bool]]:
    """Draw for each prompt when it comes, how long it stays, and how it is written."""
    one = st.tuples(st.integers(0, 6), st.integers(1, MOST), st.integers(0, 3), st.booleans())
    return draw(st.lists(one, min_size=len(PROMPTS), max_size=len(PROMPTS)))


MANNERS = [
    Manner(),
    Manner(Sample(seed=3)),
    Manner(Sample(seed=5, temperature=0.7)),
    Manner(Sample(seed=5, top_p=0.6), likeliest=2),
]


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=3)
@given(plan=comings())
def test_who_comes_and_goes_changes_nobodys_text(
    name: str, plan: list[tuple[int, int, int, bool]]
) -> None:
    """In whatever company, and also where a text is left and gone on with two steps later."""
    model = model_of(MODELS[name])
    company = Company(model, FORBIDDEN)
    members = [member(prompt, MANNERS[one[2]]) for prompt, one in zip(PROMPTS, plan, strict=True)]
    back: dict[int, int] = {}
    for step in range(7 + MOST + 2):
        coming = [n for n, one in enumerate(plan) if step in (one[0], back.get(n))]
        gone = [one for one in company.members if len(one.pieces) == MOST]
        for n, (_, stays, _, leaves) in enumerate(plan):
            if leaves and n not in back and len(members[n].pieces) == stays < MOST:
                gone.append(members[n])
                back[n] = step + 2
        company.advance([members[n] for n in coming], gone)
    for one in members:
        assert one.pieces == alone(model, list(one.prompt), one.manner.search)
        assert len(one.scored) == (MOST if one.manner.likeliest is not None else 0)


def test_texts_that_outgrow_their_caches_go_on() -> None:
    model = model_of({"max_length": 3 * SPARE})
    prompt, count = [5, 9, 21], 2 * SPARE
    limits = Limits(0, -1, FORBIDDEN, 3 * SPARE, ENTRIES)
    [[found]] = go_on(model, [prompt], Greedy(), limits, most=count, clients=[Client()])
    [pieces] = write(model, member(prompt, Manner()), most=count)
    assert pieces == list(found.tokens)


@torch.no_grad()
def logits_of(model: GPT, text: list[int]) -> torch.Tensor:
    return model.eval().project(model.hidden(torch.tensor([text])))[0, -1]


@pytest.mark.parametrize(
    "given", [{"frequency": 0.7}, {"presence": 1.5}, {"bias": ((7, 5.0), (9, -100.0))}]
)
def test_penalties_and_biases_are_added_to_the_logits(given: dict[str, Any]) -> None:
    """OpenAI's formula: logit - count * frequency - (count > 0) * presence + bias."""
    model, manner = model_of({}), Manner(**given)
    [pieces] = write(model, member([5, 9], manner), most=10)
    for at in range(10):
        logits, before = logits_of(model, [5, 9, *pieces[:at]]), Counter(pieces[:at])
        for piece in range(ENTRIES):
            times = before[piece]
            logits[piece] -= times * manner.frequency + (times > 0) * manner.presence
        for piece, amount in manner.bias:
            logits[piece] += amount
        logits[list(FORBIDDEN)] = -torch.inf
        assert pieces[at] == int(logits.argmax())
    assert pieces != write(model, member([5, 9], Manner()), most=10)[0]


def test_what_is_told_is_what_the_model_thought_before_any_change() -> None:
    model = model_of({})
    manner = Manner(Sample(seed=4, temperature=2.0), bias=((7, 3.0),), likeliest=3)
    one = member([5, 9], manner)
    write(model, one, member([4] * 5, Manner()))
    for at, scored in enumerate(one.scored):
        expected = logits_of(model, [5, 9, *one.pieces[:at]]).log_softmax(0)
        assert scored.piece == one.pieces[at]
        assert scored.log_prob == pytest.approx(float(expected[scored.piece]), abs=1e-5)
        expected[list(FORBIDDEN)] = -torch.inf
        values, ids = expected.topk(3)
        assert [piece for piece, _ in scored.likeliest] == ids.tolist()
        assert [value for _, value in scored.likeliest] == pytest.approx(values.tolist(), abs=1e-5)


def test_logits_that_are_no_numbers_are_refused() -> None:
    model = model_of({})
    with torch.no_grad():
        model.norm.weight.fill_(torch.nan)
    with pytest.raises(ModelError):
        write(model, member([5], Manner()))


def test_a_cache_takes_no_more_columns_along_than_are_needed() -> None:
    model = model_of({})
    cache = model.new_cache(2, 12)
    with torch.no_grad():
        model.hidden(torch.tensor([[5] * 12, [7] * 12]), cache, torch.tensor([12, 3]))
        short = cache.regrouped(torch.tensor([1]), RaggedCache(2, 0, 0, torch.device("cpu")), 4)
    assert (short.columns, short.max_length, short.length.tolist()) == (3, 7, [3])
    assert all(kept is not None and kept.key.shape[2] == 7 for kept in short.buffers)
