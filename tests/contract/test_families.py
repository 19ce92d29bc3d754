"""Every member of every family does what its family promises.

The members are read off the unions at the feet of the files, so that a new one is tested by being
there: add it to its union and run this. A member is tried with its defaults and with every other
value of its yes-or-no and one-of-these settings.
"""

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch.nn.utils import parameters_to_vector

from heedful.data.batches import Batch
from heedful.data.formats import FORMATS
from heedful.decode.engine import decode as search_all
from heedful.model_folder import load_model, save_model
from heedful.model_header import Languages
from heedful.models.opening import Opening
from heedful.models.seq2seq import decode, forward
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.embedding import ThreeWay
from heedful.objectives import Objective
from heedful.search import Greedy, Limits, SearchConfig
from heedful.settings import Settings
from heedful.text.tokenizer import BPE, Tokenizer, TokenizerConfig
from heedful.train.optimizer import Optimizer, load_state, state_tensors
from heedful.train.schedule import Schedule
from tests.modules import every_module

ENTRIES, PAD, D_MODEL = 40, 0, 16
SOURCE = torch.tensor([[5, 9, 21, 7, 8, 2], [17, 3, 2, 0, 0, 0]])
TARGET = torch.tensor([[1, 6, 6, 23, 11], [1, 8, 7, 0, 0]])
ANSWER = torch.tensor([[6, 6, 23, 11, 2], [8, 7, 2, 0, 0]])
WORDS = "the cat sat on the mat and the dog sat on the log while the rain came down"
PAIRS = [
    (f"the {thing} {verb} on {place}", f"der {place} {verb.upper()} über {thing}")
    for thing in ("cat", "dog", "rain", "house", "teacher", "garden")
    for verb in ("sat", "watches", "falls", "remembers")
    for place in ("monday", "the mountain", "every corner", "nothing")
]


# Finding the families


def members(family: Any) -> tuple[type[Settings], ...]:
    """Return the classes of a union such as `Annotated[A | B, ...]`, or the one class of it."""
    inner = get_args(family)[0] if get_origin(family) is Annotated else family
    if get_origin(inner) in (Union, types.UnionType):
        return tuple(get_args(inner))
    return (inner,)


def is_family(value: object) -> bool:
    if get_origin(value) is not Annotated:
        return False
    found = members(value)
    return all(isinstance(x, type) and issubclass(x, Settings) for x in found)


def families() -> dict[str, Any]:
    """Return every union of settings in the package by its name."""
    found = {}
    for module in every_module():
        found |= {name: value for name, value in vars(module).items() if is_family(value)}
    return found


FAMILIES = families()
MODEL_FAMILIES = {
    name: field.annotation if not field.metadata else Annotated[field.annotation, *field.metadata]
    for name, field in TransformerConfig.model_fields.items()
    if isinstance(field.default, Settings)
}


def choices(annotation: Any) -> tuple[Any, ...]:
    """Return the values of a yes-or-no or one-of-these setting."""
    if annotation is bool:
        return (False, True)
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def variants(family: Any) -> Iterator[Settings]:
    """Yield every member with its defaults, then with each other choice for each setting."""
    for member in members(family):
        default = member()
        yield default
        for name, field in member.model_fields.items():
            for value in choices(field.annotation):
                if value != getattr(default, name):
                    yield default.model_copy(update={name: value})


def label(settings: Settings) -> str:
    changed = settings.model_dump(exclude_defaults=True)
    return "-".join([type(settings).__name__, *(f"{k}={v}" for k, v in changed.items())])


def of(family: Any) -> list[Any]:
    return [pytest.param(settings, id=label(settings)) for settings in variants(family)]


def test_the_families_are_found() -> None:
    named = {"Position", "Norm", "Residual", "FeedForward", "Attention", "Embedding"}
    assert named <= FAMILIES.keys()
    assert {"Schedule", "Optimizer", "TokenizerConfig", "SearchConfig", "Format"} <= FAMILIES.keys()
    within = {member for family in MODEL_FAMILIES.values() for member in members(family)}
    assert within == {Opening, *(member for name in named for member in members(FAMILIES[name]))}


# What holds of all of them


@pytest.mark.parametrize("settings", [x for name in sorted(FAMILIES) for x in of(FAMILIES[name])])
def test_a_member_goes_through_json_by_its_kind(settings: Settings) -> None:
    (family,) = {
        name: value for name, value in FAMILIES.items() if type(settings) in members(value)
    }.values()
    adapter = TypeAdapter(family)
    data = settings.model_dump(mode="json")
    assert data["kind"] == type(settings).model_fields["kind"].default
    assert adapter.validate_python(data) == settings
    assert adapter.validate_json(settings.model_dump_json()) == settings
    assert adapter.validate_python({"kind": data["kind"]}) == type(settings)()
    with pytest.raises(ValidationError):
        adapter.validate_python(data | {"no_such_setting": 1})


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_kinds_are_distinct_and_described(name: str) -> None:
    found = members(FAMILIES[name])
    kinds = [member.model_fields["kind"].default for member in found]
    assert len(set(kinds)) == len(kinds)
    assert all(member.__doc__ for member in found)
    if len(found) > 1:
        with pytest.raises(ValidationError):
            TypeAdapter(FAMILIES[name]).validate_python({"kind": "no such kind"})


# The parts of a model


def config_with(field: str, settings: Settings) -> TransformerConfig:
    return TransformerConfig(
        d_model=D_MODEL,
        d_ff=24,
        n_heads=4,
        encoder_layers=2,
        decoder_layers=2,
        max_length=32,
        **{field: settings},
    )


def model_with(field: str, settings: Settings, entries: int = ENTRIES) -> Transformer:
    torch.manual_seed(0)
    return config_with(field, settings).build(entries, entries).eval()


PARTS = [
    pytest.param(field, settings, id=f"{field}-{label(settings)}")
    for field, family in MODEL_FAMILIES.items()
    for settings in variants(family)
]
part = pytest.mark.parametrize(("field", "settings"), PARTS)


@part
def test_a_model_with_it_goes_through_json(field: str, settings: Settings) -> None:
    config = config_with(field, settings)
    again = TransformerConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert getattr(again, field) == settings


@part
def test_a_model_with_it_has_the_shapes_of_the_seam(field: str, settings: Settings) -> None:
    model = model_with(field, settings)
    memory = model.encode(SOURCE, SOURCE != PAD)
    assert memory.states.shape == (2, 6, D_MODEL)
    assert model.hidden(TARGET, memory).shape == (2, 5, D_MODEL)
    logits = forward(model, SOURCE, SOURCE != PAD, TARGET)
    assert logits.shape == (2, 5, ENTRIES)
    assert logits.isfinite().all()


@part
def test_a_model_with_it_learns_with_every_parameter(field: str, settings: Settings) -> None:
    model = model_with(field, settings).train()
    for objective in variants(Objective):
        model.zero_grad()
        loss = objective.loss(model, Batch(SOURCE, TARGET, ANSWER, n_source=9, n_target=8))
        loss.smoothed.backward()
        for name, weight in model.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.isfinite().all(), name
            # A bias of all keys alike changes no softmax.
            assert weight.grad.any() or name.endswith("key_proj.bias"), name


@part
def test_a_model_with_it_is_built_alike_by_the_same_seed(field: str, settings: Settings) -> None:
    one, other = (parameters_to_vector(model_with(field, settings).parameters()) for _ in range(2))
    assert torch.equal(one, other)


@part
@torch.no_grad()
def test_a_model_with_it_says_the_same_with_a_cache(field: str, settings: Settings) -> None:
    model = model_with(field, settings)
    memory = model.encode(SOURCE, SOURCE != PAD)
    target = torch.randint(1, ENTRIES, (6, 5))
    every = torch.tensor([0, 0, 0, 1, 1, 1])
    expected = model.hidden(target, memory.select(every))
    cache = model.new_cache(memory, 3, 5)
    steps = [model.hidden(target[:, i : i + 1], memory, cache) for i in range(5)]
    torch.testing.assert_close(torch.cat(steps, dim=1), expected, atol=1e-5, rtol=1e-5)


@part
@torch.no_grad()
def test_a_model_with_it_ignores_padding_and_the_future(field: str, settings: Settings) -> None:
    model = model_with(field, settings)
    logits = forward(model, SOURCE, SOURCE != PAD, TARGET)
    alone = forward(model, SOURCE[1:, :3], SOURCE[1:, :3] != PAD, TARGET[1:, :3])
    torch.testing.assert_close(alone, logits[1:, :3], atol=1e-5, rtol=1e-5)
    changed = TARGET.clone()
    changed[:, 3:] = 30
    after = forward(model, SOURCE, SOURCE != PAD, changed)
    torch.testing.assert_close(after[:, :3], logits[:, :3], atol=1e-6, rtol=1e-6)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(lambda: [(WORDS, WORDS)] * 3, BPE(vocabulary_size=270))


@part
def test_a_model_with_it_is_the_same_from_disk(
    field: str, settings: Settings, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = model_with(field, settings, tokenizer.source_size)
    save_model(tmp_path / "model", model, tokenizer, Languages())
    loaded = load_model(tmp_path / "model").model
    assert loaded.config == model.config
    expected = forward(model, SOURCE, SOURCE != PAD, TARGET)
    assert torch.equal(forward(loaded, SOURCE, SOURCE != PAD, TARGET), expected)


@part
def test_a_model_with_it_translates(field: str, settings: Settings) -> None:
    model = model_with(field, settings)
    sources = [[5, 9, 21, 2], [17, 2], [4, 4, 4, 4, 4, 2]]
    limits = Limits(1, 2, max_length=32)
    together = search_all(model, sources, Greedy(max_extra=5), limits=limits)
    apart = [search_all(model, [x], Greedy(max_extra=5), limits=limits)[0] for x in sources]
    assert [x[0].tokens for x in together] == [x[0].tokens for x in apart]


# Search


@pytest.mark.parametrize("search", of(SearchConfig))
def test_a_search_answers_every_source_in_order(search: Any) -> None:
    model = model_with("embedding", ThreeWay())
    sources = [[5, 9, 21, 2], [17, 2], [4, 4, 4, 4, 4, 2], [5, 9, 21, 2]]
    quick = search.model_copy(update={"max_extra": 3})
    found = search_all(model, sources, quick, limits=Limits(1, 2, max_length=32))
    count = getattr(search, "count", 1)
    assert [len(x) for x in found] == [count] * 4
    assert found[0] == found[3]
    for source, (best, *_) in zip(sources, found, strict=True):
        assert len(best.tokens) <= len(source) + 3
        pieces = [*best.tokens, 2] if best.finished else list(best.tokens)
        memory = model.encode(torch.tensor([source]), torch.ones(1, len(source)).bool())
        with torch.no_grad():
            logits = decode(model, torch.tensor([[1, *pieces[:-1]]]), memory)[0]
        log_probs = logits.log_softmax(dim=-1)[range(len(pieces)), pieces]
        assert best.log_prob == pytest.approx(log_probs.sum().item(), abs=1e-4)


# Training


@pytest.mark.parametrize("schedule", of(Schedule))
def test_a_schedule_rises_then_falls_and_is_never_negative(schedule: Any) -> None:
    rates = [schedule.rate(step, 512, 2000) for step in range(1, 2001)]
    assert min(rates) > 0
    top = rates.index(max(rates))
    rising, falling = rates[: top + 1], rates[top:]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert schedule.rate(1, 512, 1) >= 0


@pytest.mark.parametrize("settings", of(Optimizer))
def test_an_optimizer_goes_down_and_goes_on_from_its_state(settings: Any) -> None:
    model = model_with("embedding", ThreeWay())
    optimizer = settings.build(model)
    assert all(group["lr"] == 0 for group in optimizer.param_groups)

    def step(model: Transformer, optimizer: torch.optim.Optimizer) -> float:
        for group in optimizer.param_groups:
            group["lr"] = 1e-3
        optimizer.zero_grad()
        logits = forward(model, SOURCE, SOURCE != PAD, TARGET)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ANSWER.flatten())
        loss.backward()
        optimizer.step()
        return loss.item()

    losses = [step(model, optimizer) for _ in range(5)]
    assert losses == sorted(losses, reverse=True)

    copy = model_with("embedding", ThreeWay())
    copy.load_state_dict(model.state_dict())
    other = settings.build(copy)
    state = state_tensors(optimizer, model)
    load_state(other, copy, {name: tensor.clone() for name, tensor in state.items()})
    for _ in range(3):
        step(model, optimizer)
        step(copy, other)
    ours, theirs = (parameters_to_vector(x.parameters()) for x in (model, copy))
    assert torch.equal(ours, theirs)


# Text and data


@pytest.mark.parametrize("settings", of(TokenizerConfig))
def test_a_tokenizer_gives_back_what_it_was_given(settings: Any, tmp_path: Path) -> None:
    small = settings.model_copy(update={"vocabulary_size": 270})
    tokenizer = Tokenizer.train(lambda: PAIRS, small)
    texts = [WORDS, " two  spaces ", "猫 und </s>", ""]
    assert tokenizer.decode_target(tokenizer.encode_target(texts)) == texts
    assert tokenizer.shared == settings.shared
    assert max(map(max, tokenizer.encode_source(texts))) < tokenizer.source_size == 270
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.encode_source(texts) == tokenizer.encode_source(texts)


def test_formats_do_not_claim_the_same_ending() -> None:
    assert set(FORMATS) == set(members(FAMILIES["Format"]))
    endings = [ending for member in FORMATS for ending in member.extensions]
    assert len(set(endings)) == len(endings)
