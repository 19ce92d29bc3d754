"""What must hold of every architecture behind the seam, whatever is inside.

A cache changes nothing, padding changes nothing, the future changes nothing, the other sentences of
a batch change nothing; a wide beam finds what trying everything finds; and a folder gives it back.
"""

import copy
import itertools
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.data.batches import Batch
from heedful.decode.engine import Engine
from heedful.decode.engine import decode as search_all
from heedful.errors import ModelError, SettingError
from heedful.inspect.capture import record
from heedful.model_folder import load_model, save_model
from heedful.model_header import Languages
from heedful.models.architecture import Model
from heedful.models.recurrent import Recurrent
from heedful.models.seq2seq import Cache, Memory, Seq2Seq, decode, forward
from heedful.objectives import Translation
from heedful.search import Beam, Greedy, Limits, Sample
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.train.plan import work_of
from tests.models.architectures import (
    ATTENTIVE,
    ENTRIES,
    MODELS,
    PAD,
    SHAPES,
    SOURCE,
    TARGET,
    build,
    close,
)

SOURCES = [row[row != PAD].tolist() for row in SOURCE]
LIMITS = Limits(start_id=1, end_id=2, forbidden=(0,), max_length=12)


@pytest.fixture(params=SHAPES)
def model(request: pytest.FixtureRequest) -> Model:
    return MODELS[request.param]


def read(model: Model, source: torch.Tensor = SOURCE) -> Memory:
    return model.encode(source, source != PAD)


def test_it_satisfies_the_seam(model: Model) -> None:
    assert isinstance(model, Seq2Seq)
    memory = read(model)
    assert memory.states.shape == (3, 6, 16)
    assert isinstance(model.new_cache(memory, 2, 8), Cache)
    hidden = model.hidden(TARGET, memory)
    assert hidden.shape == (3, 5, 16)
    logits = forward(model, SOURCE, SOURCE != PAD, TARGET)
    close(logits, decode(model, TARGET, memory))
    entries = torch.tensor([7, 2, 28])
    close(model.project(hidden, entries), logits[..., entries])
    chosen = torch.tensor([2, 0])
    close(model.hidden(TARGET[chosen], memory.select(chosen)), hidden[chosen])


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1, 1], [5], [2, 1, 2], [1, 4]], ids=str)
@pytest.mark.parametrize("training", [False, True], ids=["inference", "gradient"])
def test_cached_is_uncached(model: Model, sizes: list[int], training: bool) -> None:
    with torch.set_grad_enabled(training):
        memory = read(model)
        cache = model.new_cache(memory, 1, 5)
        parts = []
        for part in TARGET.split(sizes, 1):
            assert cache.length == sum(one.shape[1] for one in parts)
            parts.append(model.hidden(part, memory, cache))
        close(torch.cat(parts, 1), model.hidden(TARGET, memory))
    with pytest.raises(ValueError, match="5 positions"):
        model.hidden(TARGET[:, :1], memory, cache)


@torch.no_grad()
@settings(max_examples=4)
@given(seed=st.integers(0, 10_000))
@pytest.mark.parametrize("name", SHAPES)
def test_rows_may_be_chosen_anew_at_every_step(name: str, seed: int) -> None:
    """A cache after any selections is the cache of the prefixes that were selected."""
    model = MODELS[name]
    torch.manual_seed(seed)
    width = int(torch.randint(1, 4, ()))
    memory = read(model)
    cache = model.new_cache(memory, width, 5)
    prefixes = torch.ones(3 * width, 0, dtype=torch.int64)
    for _ in range(5):
        prefixes = torch.cat([prefixes, torch.randint(1, ENTRIES, (len(prefixes), 1))], 1)
        found = model.hidden(prefixes[:, -1:], memory, cache)[:, 0]
        sentences = memory.states.shape[0]
        owner = torch.arange(sentences).repeat_interleave(width)
        close(found, model.hidden(prefixes, memory.select(owner))[:, -1])
        staying = torch.randperm(sentences)[: int(torch.randint(1, sentences + 1, ()))].sort()[0]
        rows = (staying[:, None] * width + torch.randint(0, width, (len(staying), width))).flatten()
        cache.select(rows, staying if len(staying) < sentences else None)
        memory, prefixes = memory.select(staying), prefixes[rows]


@pytest.mark.parametrize("training", [False, True], ids=["inference", "gradient"])
def test_padding_and_the_rest_of_the_batch_change_nothing(model: Model, training: bool) -> None:
    with torch.set_grad_enabled(training):
        together = decode(model, TARGET, read(model))
        wider = torch.nn.functional.pad(SOURCE, (0, 7), value=PAD)
        close(decode(model, TARGET, read(model, wider)), together)
        longer = torch.nn.functional.pad(TARGET, (0, 4), value=PAD)
        close(decode(model, longer, read(model))[:, :5], together)
        noise = model.encode(torch.where(SOURCE != PAD, SOURCE, 11), SOURCE != PAD)
        close(decode(model, TARGET, noise), together)
        for row, source in enumerate(SOURCE):
            alone = read(model, source[source != PAD][None])
            close(decode(model, TARGET[row : row + 1], alone), together[row : row + 1])


def test_no_gradient_comes_to_padding(model: Model) -> None:
    seen: list[torch.Tensor] = []
    tables = copy.deepcopy(model)
    embed = tables.tables.embed_source

    def kept(tokens: torch.Tensor) -> torch.Tensor:
        seen.append(embed(tokens).detach().requires_grad_())
        return seen[0]

    vars(tables.tables)["embed_source"] = kept
    decode(tables, TARGET, read(tables)).square().sum().backward()
    gradient = seen[0].grad
    assert gradient is not None
    assert (gradient[SOURCE == PAD] == 0).all()
    assert (gradient[SOURCE != PAD].abs().sum(-1) > 0).all()


@torch.no_grad()
@settings(max_examples=6)
@given(place=st.integers(0, 4), piece=st.integers(1, ENTRIES - 1))
@pytest.mark.parametrize("name", SHAPES)
def test_a_later_piece_never_changes_an_earlier_output(name: str, place: int, piece: int) -> None:
    model = MODELS[name]
    memory = read(model)
    before = model.hidden(TARGET, memory)
    changed = TARGET.clone()
    changed[:, place] = piece
    after = model.hidden(changed, memory)
    close(after[:, :place], before[:, :place])
    differs = changed[:, place] != TARGET[:, place]
    assert (after[differs, place] != before[differs, place]).any(dim=-1).all()


@torch.no_grad()
def test_every_source_piece_is_seen(model: Model) -> None:
    before = model.hidden(TARGET, read(model))
    for place in range(5):
        changed = SOURCE.clone()
        changed[0, place] = 28
        after = model.hidden(TARGET, read(model, changed))
        assert (after[0] != before[0]).any(dim=-1).all()
        close(after[1:], before[1:])


@pytest.mark.parametrize("name", SHAPES)
def test_it_learns_with_every_parameter_also_in_bf16(name: str) -> None:
    model = build(name).train()
    expected = forward(model, SOURCE, SOURCE != PAD, TARGET)
    with torch.autocast("cpu", torch.bfloat16):
        logits = forward(model, SOURCE, SOURCE != PAD, TARGET)
    torch.testing.assert_close(logits.float(), expected, atol=0.1, rtol=0.1)
    batch = Batch(SOURCE, TARGET, TARGET.roll(-1, 1), n_source=14, n_target=15)
    with torch.autocast("cpu", torch.bfloat16):
        Translation().loss(model, batch).smoothed.backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name


@pytest.mark.parametrize("name", SHAPES)
@torch.no_grad()
def test_a_copy_in_bf16_is_near(name: str) -> None:
    lowered = copy.deepcopy(MODELS[name]).bfloat16()
    memory = read(lowered)
    cache = lowered.new_cache(memory, 1, 5)
    steps = torch.cat([lowered.hidden(x, memory, cache) for x in TARGET.split(1, 1)], 1)
    assert steps.dtype == torch.bfloat16
    expected = MODELS[name].hidden(TARGET, read(MODELS[name]))
    torch.testing.assert_close(steps.float(), expected, atol=0.1, rtol=0.1)


# Searching


@pytest.mark.parametrize("search", [Greedy(), Beam(), Sample(seed=3)], ids=lambda x: x.kind)
def test_a_search_finds_the_same_alone_and_together(model: Model, search: Beam) -> None:
    together = search_all(model, SOURCES, search, limits=LIMITS)
    alone = [search_all(model, [source], search, limits=LIMITS)[0] for source in SOURCES]
    for one, other in zip(together, alone, strict=True) if search.kind != "sample" else ():
        assert [x.tokens for x in one] == [x.tokens for x in other]
        assert [x.score for x in one] == pytest.approx([x.score for x in other], abs=1e-4)
    again = search_all(model, SOURCES, search, limits=LIMITS)
    assert [[x.tokens for x in one] for one in again] == [
        [x.tokens for x in one] for one in together
    ]


@torch.no_grad()
def test_a_wide_beam_is_as_good_as_trying_everything(model: Model) -> None:
    letters, longest = (2, 5, 6, 7), 3
    forbidden = tuple(set(range(ENTRIES)) - set(letters))
    limits = Limits(start_id=1, end_id=2, forbidden=forbidden, max_length=12)
    beam = Beam(beam_size=64, length_penalty=0.0, max_length=longest)
    memory = read(model, SOURCE[:1])
    best = -torch.inf
    for length in range(1, longest + 1):
        for body in itertools.product(letters[1:], repeat=length - 1):
            written = torch.tensor([[1, *body, 2]])
            log_probs = decode(model, written[:, :-1], memory).log_softmax(-1)
            score = float(log_probs.gather(2, written[:, 1:, None]).sum())
            best = max(best, score)
    [[found]] = search_all(model, SOURCES[:1], beam, limits=limits)
    assert found.log_prob == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("name", ATTENTIVE)
@torch.no_grad()
def test_the_scores_are_those_that_it_looks_by(name: str) -> None:
    """The softmax of what `hidden_and_scores` tells is what the recorder sees, cached or not."""
    model, memory = MODELS[name], read(MODELS[name])
    heads, last = model.config.n_heads, model.config.source_looks - 1
    hidden, scores = model.hidden_and_scores(TARGET, memory, last, heads)
    close(hidden, model.hidden(TARGET, memory))
    with record(model) as looks:
        model.hidden(TARGET, memory)
    weights = scores.softmax(-1)
    close(looks["cross", last].weights(), weights)
    assert (weights[(SOURCE == PAD)[:, None, None].expand_as(weights)] == 0).all()
    cache = model.new_cache(memory, 2, 5)
    twice = TARGET.repeat_interleave(2, 0)
    parts = [model.hidden_and_scores(x, memory, last, heads, cache)[1] for x in twice.split(1, 1)]
    close(torch.cat(parts, 2), scores.repeat_interleave(2, 0))


@pytest.mark.parametrize("name", SHAPES)
def test_a_coverage_penalty_needs_attention(name: str) -> None:
    search = Beam(coverage_penalty=0.2)
    if name in ATTENTIVE:
        assert len(search_all(MODELS[name], SOURCES, search, limits=LIMITS)) == 3
    else:
        with pytest.raises(ModelError, match="needs attention to the source"):
            search_all(MODELS[name], SOURCES, search, limits=LIMITS)


@pytest.mark.parametrize("name", SHAPES)
def test_int8_is_for_transformers(name: str) -> None:
    if name == "Transformer":
        Engine(MODELS[name], precision="int8")
        return
    with pytest.raises(SettingError, match="int8 is not for a model of the kind"):
        Engine(MODELS[name], precision="int8")


# On disk


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    words = "the cat sat on the mat and the dog sat on the log"
    return Tokenizer.train(lambda: [(words, words)] * 3, BPE(vocabulary_size=270))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int8], ids=str)
@pytest.mark.parametrize("name", SHAPES)
def test_a_folder_gives_it_back(
    name: str, dtype: torch.dtype, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    model = SHAPES[name].build(tokenizer.source_size, tokenizer.target_size).eval()
    save_model(tmp_path / "model", model, tokenizer, Languages(), dtype=dtype)
    loaded = load_model(tmp_path / "model").model
    assert loaded.config == model.config
    exact = dtype == torch.float32
    for (key, old), new in zip(model.named_parameters(), loaded.parameters(), strict=True):
        torch.testing.assert_close(new, old, atol=0 if exact else 0.05, rtol=0, msg=key)
    with torch.no_grad():
        expected = forward(model, SOURCE, SOURCE != PAD, TARGET)
        found = forward(loaded, SOURCE, SOURCE != PAD, TARGET)
    torch.testing.assert_close(found, expected, atol=1e-6 if exact else 1.0, rtol=0)


def test_its_work_can_be_planned(model: Model) -> None:
    work = work_of(model.config, 50, 6)
    assert work.weights == sum(x.numel() for x in model.config.build(50, 50).parameters())
    layers = [sum(x.numel() for x in layer.parameters()) for layer in model.encoder]
    matrices = 2 * sum(layers)  # a multiplication and an addition, forward, of the encoder alone
    assert work.flops > 2 * matrices
    assert isinstance(model, Recurrent) or work.activation_bytes > 0
