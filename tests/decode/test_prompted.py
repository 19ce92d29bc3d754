"""Prompts of any lengths go on together as each does alone, and as a loop without a cache says."""

from typing import Any

import pytest
import torch

from heedful.decode import prompted
from heedful.decode.prompted import go_on
from heedful.errors import ModelError
from heedful.models.gpt import GPT
from heedful.nn.attention import GroupedQuery
from heedful.nn.norm import RMSNorm
from heedful.nn.position import ALiBi, Rotary
from heedful.search import Client, Greedy, Hypothesis, Limits, Sample, SearchConfig
from tests.models.test_gpt import ENTRIES, model_of

END, CONTEXT = 2, 16
LIMITS = Limits(0, END, (0, 1), CONTEXT, ENTRIES)
PROMPTS = [[5, 9, 21, 7], [17], [4] * 12, [5, 9], [8, 30, 33, 21, 6, 11, 12], [1] * 16, [17]]
MODELS: dict[str, dict[str, Any]] = {
    "gpt2": {},
    "llama": {
        "position": Rotary(),
        "attention": GroupedQuery(n_kv_heads=2, bias=False),
        "norm": RMSNorm(),
    },
    "alibi": {"position": ALiBi(), "max_length": CONTEXT},
}


def run(
    model: GPT,
    prompts: list[list[int]],
    search: SearchConfig,
    most: int = 6,
    limits: Limits = LIMITS,
    **given: Any,
) -> list[list[Hypothesis]]:
    clients = [Client() for _ in prompts]
    return go_on(model, prompts, search, limits, most=most, **{"clients": clients, **given})


@torch.no_grad()
def slowly(model: GPT, prompt: list[int], most: int) -> list[int]:
    """Return the likeliest continuation, the whole text read anew for every piece."""
    text = list(prompt)
    while len(text) < min(len(prompt) + most, CONTEXT + 1):
        logits = model.project(model.hidden(torch.tensor([text])))[0, -1]
        logits[[0, 1]] = -torch.inf
        text.append(int(logits.argmax()))
        if text[-1] == END:
            text.pop()
            break
    return text[len(prompt) :]


@pytest.mark.parametrize("name", MODELS)
def test_the_likeliest_text_is_that_of_a_loop_without_a_cache(name: str) -> None:
    model = model_of(MODELS[name])
    found = run(model, PROMPTS, Greedy())
    for prompt, (one,) in zip(PROMPTS, found, strict=True):
        assert list(one.tokens) == slowly(model, prompt, 6)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "search", [Greedy(repetition_penalty=1.3), Sample(seed=5), Sample(count=3, top_p=0.9)]
)
def test_company_changes_nothing(
    name: str, search: SearchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(MODELS[name])
    together = run(model, PROMPTS, search)
    assert [len(row) for row in together] == [search.returned] * len(PROMPTS)
    for prompt, found in zip(PROMPTS, together, strict=True):
        ((*alone,),) = run(model, [prompt], search)
        assert [one.tokens for one in alone] == [one.tokens for one in found]
    assert [one.tokens for one in together[1]] == [one.tokens for one in together[6]]
    monkeypatch.setattr(prompted, "POSITIONS", 1)
    apart = run(model, PROMPTS, search)
    assert [[one.tokens for one in row] for row in apart] == [
        [one.tokens for one in row] for row in together
    ]


def test_what_is_written_fits_into_the_context() -> None:
    """The last piece is never read: behind 16 of 16 pieces there is room for one."""
    never_ending = Limits(0, -1, (), CONTEXT, ENTRIES)
    found = run(model_of({}), PROMPTS, Greedy(), most=30, limits=never_ending)
    assert [len(one.tokens) for (one,) in found] == [13, 16, 5, 15, 10, 1, 16]
    assert not any(one.finished for (one,) in found)


def test_whoever_leaves_gets_nothing_and_the_others_theirs() -> None:
    model, clients = model_of({}), [Client(), Client()]
    never_ending = Limits(0, -1, (), CONTEXT, ENTRIES)
    seen: list[int] = []

    def watch(row: int, pieces: Any) -> None:
        seen.append(row)
        if row == 0 and len(pieces) == 2:
            clients[0].leave()

    found = run(model, [[5, 9], [8]], Greedy(), limits=never_ending, clients=clients, watch=watch)
    assert found[0] == []
    ((alone,),) = run(model, [[8]], Greedy(), limits=never_ending)
    assert [one.tokens for one in found[1]] == [alone.tokens]
    assert seen.count(0) == 2


@pytest.mark.parametrize(
    ("prompt", "said"),
    [([], "nothing to go on with"), ([4] * 17, "has 17 pieces and the model reads 16")],
)
def test_prompts_that_cannot_be_read(prompt: list[int], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        run(model_of({}), [[5], prompt], Greedy())
