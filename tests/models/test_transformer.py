"""The Transformer by what must hold of it: size, initialisation, dropout, and four invariances.

A cache changes nothing, padding changes nothing, the future changes nothing, and the other
sentences of a batch change nothing.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from heedful.models.seq2seq import Cache, Memory, Seq2Seq, decode, forward
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.attention import GroupedQuery
from heedful.nn.dropout import Dropout
from heedful.nn.embedding import TwoWay, Untied
from heedful.nn.feedforward import GELU, SwiGLU
from heedful.nn.norm import LayerNorm, PostNorm, PreNorm, RMSNorm
from heedful.nn.position import ALiBi, Learned, NoPosition, Relative, Rotary, Sinusoidal
from heedful.recipes import paper_base, paper_big

ENTRIES, PAD = 29, 0

# Combinations; every member alone is in tests/contract/test_families.py.
VARIANTS: dict[str, dict[str, object]] = {
    "the paper's": {},
    "pre-norm, rotary, grouped, SwiGLU, RMS": {
        "residual": PreNorm(),
        "position": Rotary(),
        "attention": GroupedQuery(n_kv_heads=2),
        "feed_forward": SwiGLU(),
        "norm": RMSNorm(),
        "embedding": Untied(),
    },
    "ALiBi, multi-query": {"position": ALiBi(), "attention": GroupedQuery(n_kv_heads=1)},
    "Shaw, grouped, pre-norm": {
        "position": Relative(max_distance=3),
        "attention": GroupedQuery(n_kv_heads=2),
        "residual": PreNorm(),
    },
    "learned, GELU, two-way": {
        "position": Learned(),
        "feed_forward": GELU(),
        "embedding": TwoWay(),
        "residual": PostNorm(final_norm=True),
    },
    "deep encoder, shallow decoder": {"encoder_layers": 4, "decoder_layers": 1},
    "shallow encoder, deep decoder": {"encoder_layers": 1, "decoder_layers": 3},
    "one head, no position": {"n_heads": 1, "position": NoPosition()},
}


def build(name: str, dropout: float = 0.0) -> Transformer:
    torch.manual_seed(0)
    shape = {"encoder_layers": 2, "decoder_layers": 2, "n_heads": 4} | VARIANTS[name]
    config = TransformerConfig(d_model=32, d_ff=40, max_length=24, dropout=dropout, **shape)
    return config.build(ENTRIES, ENTRIES).eval()


MODELS = {name: build(name) for name in VARIANTS}
"""Never changed by a test."""

SOURCE = torch.tensor([[5, 9, 21, 7, 8, 2], [17, 3, 2, 0, 0, 0], [4, 4, 4, 4, 2, 0]])
TARGET = torch.tensor([[1, 6, 6, 23, 11], [1, 8, 7, 4, 9], [1, 12, 13, 14, 3]])


@pytest.fixture(params=VARIANTS)
def model(request: pytest.FixtureRequest) -> Transformer:
    return MODELS[request.param]


def close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def read(model: Transformer, source: torch.Tensor = SOURCE) -> Memory:
    return model.encode(source, source != PAD)


# Size and start


@pytest.mark.parametrize(
    ("config", "millions"), [(paper_base().model, 63.1), (paper_big().model, 214.2)]
)
def test_the_papers_models_have_the_papers_size(config: TransformerConfig, millions: float) -> None:
    with torch.device("meta"):
        model = config.build(37_000, 37_000)
    count = sum(weight.numel() for weight in model.parameters())
    d, f = config.d_model, config.d_ff
    attention, feed_forward, norm = 4 * (d * d + d), 2 * d * f + d + f, 2 * d
    encoder_layer = attention + feed_forward + 2 * norm
    decoder_layer = 2 * attention + feed_forward + 3 * norm
    assert count == 37_000 * d + 6 * encoder_layer + 6 * decoder_layer
    assert round(count / 1e6, 1) == millions


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"embedding": Untied()}, 2 * ENTRIES * 512),
        ({"embedding": TwoWay()}, ENTRIES * 512),
        ({"position": Learned()}, 2 * 1024 * 512),
        ({"residual": PreNorm()}, 2 * 2 * 512),
        ({"norm": RMSNorm()}, -30 * 512),
        # 18 attentions lose 6 of 8 key heads and 6 of 8 value heads of 64.
        ({"attention": GroupedQuery(n_kv_heads=2)}, -18 * 2 * (6 * 64) * (512 + 1)),
        ({"feed_forward": SwiGLU()}, 12 * (512 * 2048 - 2048 - 512)),
        ({"position": Rotary()}, 0),
        ({"position": Relative(max_distance=16)}, 12 * 33 * 64),
    ],
    ids=lambda change: next(iter(change.values())).kind if isinstance(change, dict) else "",
)
def test_a_variant_costs_what_it_should(change: dict[str, object], difference: int) -> None:
    with torch.device("meta"):
        plain, changed = (
            TransformerConfig(**shape).build(ENTRIES, ENTRIES) for shape in ({}, change)
        )
    counts = [sum(weight.numel() for weight in x.parameters()) for x in (plain, changed)]
    assert counts[1] - counts[0] == difference


def test_matrices_start_xavier_uniform_and_biases_zero() -> None:
    torch.manual_seed(1)
    config = TransformerConfig(d_model=128, d_ff=512, n_heads=4, encoder_layers=2, decoder_layers=2)
    linears = [x for x in config.build(50, 50).modules() if isinstance(x, nn.Linear)]
    assert len(linears) == 2 * (4 + 2) + 2 * (8 + 2)
    for layer in linears:
        bound = math.sqrt(6 / (layer.in_features + layer.out_features))
        assert layer.weight.abs().max() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)
        assert (layer.bias == 0).all()
    firsts = {layer.weight[0, 0].item() for layer in linears}
    assert len(firsts) == len(linears)  # none is a copy of another


def test_embeddings_start_with_variance_1_once_scaled() -> None:
    torch.manual_seed(2)
    tables = TransformerConfig(d_model=256, n_heads=4).build(2000, 2000).tables
    assert tables.source.weight is tables.target.weight is tables.output.weight
    assert tables.source.weight.var().item() == pytest.approx(1 / 256, rel=0.02)
    embedded = tables.embed_source(torch.arange(2000)[None])
    torch.testing.assert_close(embedded[0], tables.source.weight * 16)


def test_the_seed_decides_the_start() -> None:
    config = TransformerConfig(d_model=16, n_heads=2, d_ff=16, encoder_layers=1, decoder_layers=1)
    starts = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        starts.append(nn.utils.parameters_to_vector(config.build(9, 9).parameters()))
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"d_model": 30, "n_heads": 4}, "d_model 30 is not divisible by n_heads 4"),
        ({"attention": GroupedQuery(n_kv_heads=3)}, "not divisible by n_kv_heads 3"),
        ({"attention": GroupedQuery(n_kv_heads=16)}, "not divisible by n_kv_heads 16"),
        ({"d_model": 24, "n_heads": 8, "position": Rotary()}, "even"),
    ],
)
def test_impossible_settings_are_refused(shape: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformerConfig(**shape)


# The seam


def test_the_model_satisfies_the_seam(model: Transformer) -> None:
    assert isinstance(model, Seq2Seq)
    memory = read(model)
    assert isinstance(model.new_cache(memory, 2, 8), Cache)
    assert memory.states.shape == (3, 6, 32)
    hidden = model.hidden(TARGET, memory)
    assert hidden.shape == (3, 5, 32)
    logits = forward(model, SOURCE, SOURCE != PAD, TARGET)
    assert logits.shape == (3, 5, ENTRIES)
    close(logits, decode(model, TARGET, memory))
    close(logits, model.project(hidden))
    entries = torch.tensor([7, 2, 28])
    close(model.project(hidden, entries), logits[..., entries])
    chosen = memory.select(torch.tensor([2, 0]))
    close(model.hidden(TARGET[[2, 0]], chosen), hidden[[2, 0]])


def step_by_step(
    model: Transformer, target: torch.Tensor, memory: Memory, width: int, sizes: list[int]
) -> torch.Tensor:
    """Return the states of `target`, fed to a cache in portions of these sizes."""
    cache = model.new_cache(memory, width, target.shape[1])
    parts, done = [], 0
    for size in sizes:
        assert cache.length == done
        parts.append(model.hidden(target[:, done : done + size], memory, cache))
        done += size
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1, 1], [5], [2, 1, 2], [1, 4]], ids=str)
@pytest.mark.parametrize("training", [False, True], ids=["inference", "gradient"])
def test_cached_is_uncached(model: Transformer, sizes: list[int], training: bool) -> None:
    with torch.set_grad_enabled(training):
        memory = read(model)
        expected = model.hidden(TARGET, memory)
        close(step_by_step(model, TARGET, memory, 1, sizes), expected)


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1, 1], [2, 3]], ids=str)
@torch.no_grad()
def test_the_rows_of_a_beam_share_their_sentence(model: Transformer, sizes: list[int]) -> None:
    torch.manual_seed(3)
    target = torch.randint(1, ENTRIES, (6, 5))
    memory = read(model)
    copied = memory.select(torch.tensor([0, 0, 1, 1, 2, 2]))
    expected = model.hidden(target, copied)
    close(step_by_step(model, target, memory, 2, sizes), expected)


@torch.no_grad()
@settings(max_examples=4)
@given(seed=st.integers(0, 10_000))
@pytest.mark.parametrize("name", VARIANTS)
def test_rows_may_be_chosen_anew_at_every_step(name: str, seed: int) -> None:
    """A cache after any selections is the cache of the prefixes that were selected."""
    model = MODELS[name]
    torch.manual_seed(seed)
    width = int(torch.randint(1, 4, ()))
    memory = read(model)
    cache = model.new_cache(memory, width, 6)
    prefixes = torch.ones(3 * width, 0, dtype=torch.int64)
    for _ in range(6):
        pieces = torch.randint(1, ENTRIES, (len(prefixes), 1))
        prefixes = torch.cat([prefixes, pieces], dim=1)
        found = model.hidden(pieces, memory, cache)[:, 0]
        sentences = memory.states.shape[0]
        owner = torch.arange(sentences).repeat_interleave(width)
        close(found, model.hidden(prefixes, memory.select(owner))[:, -1])

        staying = torch.randperm(sentences)[: int(torch.randint(1, sentences + 1, ()))].sort()[0]
        within = torch.randint(0, width, (len(staying), width))
        rows = (staying[:, None] * width + within).flatten()
        leaves = len(staying) < sentences
        cache.select(rows, staying if leaves else None)
        memory = memory.select(staying)
        prefixes = prefixes[rows]


@torch.no_grad()
def test_selecting_before_the_first_step_works() -> None:
    model = MODELS["the paper's"]
    memory = read(model)
    cache = model.new_cache(memory, 1, 4)
    keep = torch.tensor([2, 0])
    cache.select(keep, keep)
    found = model.hidden(TARGET[keep, :1], memory.select(keep), cache)
    close(found, model.hidden(TARGET[:, :1], memory)[keep])


def test_a_cache_holds_no_more_than_it_was_made_for() -> None:
    model = MODELS["ALiBi, multi-query"]
    memory = read(model)
    cache = model.new_cache(memory, 1, 2)
    model.hidden(TARGET[:, :2], memory, cache)
    with pytest.raises(ValueError, match="2 positions"):
        model.hidden(TARGET[:, 2:3], memory, cache)
    with pytest.raises(ValueError, match="2 positions"):
        model.hidden(TARGET[:, :3], memory, model.new_cache(memory, 1, 2))


# What changes nothing


@pytest.mark.parametrize("training", [False, True], ids=["inference", "gradient"])
def test_padding_changes_nothing(model: Transformer, training: bool) -> None:
    with torch.set_grad_enabled(training):
        together = decode(model, TARGET, read(model))
        wider = torch.nn.functional.pad(SOURCE, (0, 7), value=PAD)
        close(decode(model, TARGET, read(model, wider)), together)
        longer = torch.nn.functional.pad(TARGET, (0, 4), value=PAD)
        close(decode(model, longer, read(model))[:, :5], together)
        for row, source in enumerate(SOURCE):
            alone = source[source != PAD][None]
            close(decode(model, TARGET[row : row + 1], read(model, alone)), together[row : row + 1])


@torch.no_grad()
def test_what_stands_in_the_padding_changes_nothing(model: Transformer) -> None:
    mask = SOURCE != PAD
    noise = torch.where(mask, SOURCE, 11)
    expected = model.encode(SOURCE, mask)
    actual = model.encode(noise, mask)
    close(actual.states[mask], expected.states[mask])
    close(model.hidden(TARGET, actual), model.hidden(TARGET, expected))


@torch.no_grad()
@settings(max_examples=10)
@given(place=st.integers(0, 4), piece=st.integers(1, ENTRIES - 1))
@pytest.mark.parametrize("name", VARIANTS)
def test_a_later_piece_never_changes_an_earlier_output(name: str, place: int, piece: int) -> None:
    model = MODELS[name]
    memory = read(model)
    before = model.hidden(TARGET, memory)
    changed = TARGET.clone()
    changed[:, place] = piece
    after = model.hidden(changed, memory)
    assert torch.equal(after[:, :place], before[:, :place])
    differs = changed[:, place] != TARGET[:, place]
    assert (after[differs, place] != before[differs, place]).any(dim=-1).all()


def test_no_gradient_flows_from_an_output_to_a_later_input(model: Transformer) -> None:
    embedded: list[torch.Tensor] = []

    def keep(_: nn.Module, __: object, output: torch.Tensor) -> None:
        output.retain_grad()
        embedded.append(output)

    handle = model.target_position.register_forward_hook(keep)
    try:
        hidden = model.hidden(TARGET, read(model))
        (hidden[:, 2] * torch.arange(32)).sum().backward()  # all norms sum to zero
    finally:
        handle.remove()
        model.zero_grad()
    gradient = embedded[0].grad
    assert gradient is not None
    assert (gradient[:, 3:] == 0).all()
    assert (gradient[:, :3].abs().sum(dim=-1) > 0).all()


@torch.no_grad()
def test_every_source_piece_is_seen_by_every_output(model: Transformer) -> None:
    before = model.hidden(TARGET, read(model))
    for place in range(5):
        changed = SOURCE.clone()
        changed[0, place] = 28
        after = model.hidden(TARGET, read(model, changed))
        assert (after[0] != before[0]).any(dim=-1).all()
        close(after[1:], before[1:])


@torch.no_grad()
def test_order_is_told_apart_unless_nothing_tells_it(model: Transformer) -> None:
    source = torch.tensor([[5, 9, 21, 7, 8, 2]])
    turned = source[:, [4, 3, 2, 1, 0, 5]]
    one, other = (read(model, x).states[0, 5] for x in (source, turned))
    same = torch.allclose(one, other, atol=1e-5)
    assert same == isinstance(model.config.position, NoPosition)


# Dropout (section 5.4)


def test_dropout_is_on_sublayers_and_inputs_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[int, ...]] = []

    def count(
        self: Dropout, states: torch.Tensor, onto: torch.Tensor | None = None
    ) -> torch.Tensor:
        calls.append(tuple(states.shape))
        return states if onto is None else onto + states

    model = build("the paper's", dropout=0.5).train()
    assert not any(isinstance(x, nn.Dropout) for x in model.modules())
    monkeypatch.setattr(Dropout, "forward", count)
    trained = forward(model, SOURCE, SOURCE != PAD, TARGET)
    # The source, 2 sublayers in 2 layers; the target, 3 sublayers in 2 layers.
    assert calls == [(3, 6, 32)] * (1 + 2 * 2) + [(3, 5, 32)] * (1 + 3 * 2)
    assert torch.equal(trained, forward(model.eval(), SOURCE, SOURCE != PAD, TARGET))


def test_sublayers_are_dropped_before_they_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build("the paper's").train()
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.bias)  # so that a sublayer makes something of nothing

    def all_dropped(
        self: Dropout, states: torch.Tensor, onto: torch.Tensor | None = None
    ) -> torch.Tensor:
        return torch.zeros_like(states) if onto is None else onto

    monkeypatch.setattr(Dropout, "forward", all_dropped)
    assert (read(model).states == 0).all()  # nothing is left, not even the residual: norm(0) = 0
    model.dropout = nn.Identity()
    states = model.source_position(model.tables.embed_source(SOURCE), 0)
    for _ in range(4):
        states = nn.functional.layer_norm(states, (32,))
    close(read(model).states, states)


def test_dropout_changes_training_and_not_evaluation() -> None:
    model = build("the paper's", dropout=0.3)
    evaluated = [read(model).states for _ in range(2)]
    assert torch.equal(*evaluated)
    model.train()
    trained = [read(model).states for _ in range(2)]
    assert not torch.equal(*trained)


# Types of number


@pytest.mark.parametrize("name", VARIANTS)
def test_double_precision_agrees(name: str) -> None:
    single, double = MODELS[name], build(name).double()
    one = forward(single, SOURCE, SOURCE != PAD, TARGET)
    other = forward(double, SOURCE, SOURCE != PAD, TARGET)
    assert other.dtype == torch.float64
    close(one.double(), other)


@pytest.mark.parametrize("name", VARIANTS)
def test_bf16_training_step_is_finite_and_near(name: str) -> None:
    model = build(name)
    with torch.autocast("cpu", torch.bfloat16):
        logits = forward(model, SOURCE, SOURCE != PAD, TARGET)
    expected = forward(model, SOURCE, SOURCE != PAD, TARGET)
    torch.testing.assert_close(logits.float(), expected, atol=0.15, rtol=0.1)
    logits.float().square().mean().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@torch.no_grad()
def test_pre_norm_bounds_the_sum_with_a_final_norm() -> None:
    model = build("Shaw, grouped, pre-norm")
    states = read(model).states
    assert isinstance(model.encoder_norm, nn.LayerNorm)
    close(states, LayerNorm().build(32)(states))
    assert isinstance(MODELS["the paper's"].encoder_norm, nn.Identity)


@torch.no_grad()
def test_sinusoids_are_added_after_scaling() -> None:
    # Section 3.4 and 3.5: sqrt(d_model) E[x] + PE.
    model = MODELS["the paper's"]
    seen: list[torch.Tensor] = []
    handle = model.encoder[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        read(model)
    finally:
        handle.remove()
    position = Sinusoidal().on_input(32, 24)(torch.zeros(1, 6, 32), 0)
    close(seen[0], model.tables.source.weight[SOURCE] * math.sqrt(32) + position)
