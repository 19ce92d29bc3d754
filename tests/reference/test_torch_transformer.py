"""The same weights as torch.nn.Transformer give the same states and the same gradients.

torch ends both stacks with a norm, also in post-norm; the paper does not. Our `final_norm` says
which; torch's are taken off for the paper's. torch's masks are True where nobody may look.
"""

import math

import pytest
import torch
from torch import nn

from heedful.data.batches import Batch
from heedful.decode.score import score
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.feedforward import GELU, ReLU
from heedful.nn.norm import PostNorm, PreNorm
from heedful.objectives import Translation
from heedful.train.gradient import Gradients

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")

CPU = torch.device("cpu")
ENTRIES, D_MODEL, PAD = 30, 32, 0
CASES = {
    "post-norm as in torch": (PostNorm(final_norm=True), ReLU()),
    "post-norm as in the paper": (PostNorm(), ReLU()),
    "pre-norm": (PreNorm(), ReLU()),
    "pre-norm without a final norm": (PreNorm(final_norm=False), ReLU()),
    "post-norm with GELU": (PostNorm(final_norm=True), GELU()),
}
SOURCE = torch.tensor([[5, 9, 21, 7, 8, 2], [17, 3, 2, 0, 0, 0], [4, 4, 4, 4, 2, 0]])
TARGET = torch.tensor([[1, 6, 6, 29, 11], [1, 8, 0, 0, 0], [1, 12, 13, 14, 0]])


def build(name: str) -> tuple[Transformer, nn.Transformer]:
    """Return our model and torch's of the same shape, both with weights of their own."""
    residual, feed_forward = CASES[name]
    torch.manual_seed(0)
    config = TransformerConfig(
        d_model=D_MODEL,
        d_ff=48,
        n_heads=4,
        encoder_layers=3,
        decoder_layers=2,
        max_length=16,
        residual=residual,
        feed_forward=feed_forward,
    )
    reference = nn.Transformer(
        D_MODEL,
        nhead=4,
        num_encoder_layers=3,
        num_decoder_layers=2,
        dim_feedforward=48,
        activation=feed_forward.kind,
        norm_first=isinstance(residual, PreNorm),
        batch_first=True,
    )
    if not residual.final_norm:
        reference.encoder.norm = reference.decoder.norm = None
    return config.build(ENTRIES, ENTRIES).eval(), reference.eval()


def partners(model: Transformer, reference: nn.Transformer) -> list[tuple[nn.Module, nn.Module]]:
    """Return which of our modules is which of torch's."""
    found: list[tuple[nn.Module, nn.Module]] = []
    for ours, theirs in zip(model.encoder, reference.encoder.layers, strict=True):
        found += [
            (ours.attention, theirs.self_attn),
            (ours.attention_block.norm, theirs.norm1),
            (ours.feed_forward_block.norm, theirs.norm2),
        ]
    for ours, theirs in zip(model.decoder, reference.decoder.layers, strict=True):
        found += [
            (ours.attention, theirs.self_attn),
            (ours.attention_block.norm, theirs.norm1),
            (ours.cross_attention, theirs.multihead_attn),
            (ours.cross_attention_block.norm, theirs.norm2),
            (ours.feed_forward_block.norm, theirs.norm3),
        ]
    layers = [
        *zip(model.encoder, reference.encoder.layers, strict=True),
        *zip(model.decoder, reference.decoder.layers, strict=True),
    ]
    for ours, theirs in layers:
        found.append((ours.feed_forward.inner, theirs.linear1))
        found.append((ours.feed_forward.outer, theirs.linear2))
    if reference.encoder.norm is not None:
        found.append((model.encoder_norm, reference.encoder.norm))
        found.append((model.decoder_norm, reference.decoder.norm))
    return found


def names(ours: nn.Module, theirs: nn.Module) -> list[tuple[list[nn.Parameter], nn.Parameter]]:
    """Return parameters of ours that, one under the other, are one of torch's."""
    if not isinstance(theirs, nn.MultiheadAttention):
        return [([ours.weight], theirs.weight), ([ours.bias], theirs.bias)]
    stacked = (ours.query_proj, ours.key_proj, ours.value_proj)
    return [
        ([x.weight for x in stacked], theirs.in_proj_weight),
        ([x.bias for x in stacked], theirs.in_proj_bias),
        ([ours.output_proj.weight], theirs.out_proj.weight),
        ([ours.output_proj.bias], theirs.out_proj.bias),
    ]


def with_the_same_weights(
    model: Transformer, reference: nn.Transformer
) -> list[tuple[list[nn.Parameter], nn.Parameter]]:
    """Draw weights for both, and return which parameters are which."""
    pairs = [pair for both in partners(model, reference) for pair in names(*both)]
    with torch.no_grad():
        for parts, whole in pairs:
            for part in parts:
                part.add_(torch.randn_like(part) * 0.1)  # no norm of ones, no bias of zeros
            whole.copy_(torch.cat(list(parts)))
    return pairs


def reference_states(
    reference: nn.Transformer, table: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return torch's encoder and decoder states, from embeddings made by the paper's formula."""
    position = torch.tensor(
        [
            [
                (math.cos if i % 2 else math.sin)(place / 10_000 ** (2 * (i // 2) / D_MODEL))
                for i in range(D_MODEL)
            ]
            for place in range(16)
        ]
    )
    source = table[SOURCE] * math.sqrt(D_MODEL) + position[: SOURCE.shape[1]]
    target = table[TARGET] * math.sqrt(D_MODEL) + position[: TARGET.shape[1]]
    length = TARGET.shape[1]
    memory = reference.encoder(source, src_key_padding_mask=SOURCE == PAD)
    states = reference.decoder(
        target,
        memory,
        tgt_mask=torch.ones(length, length).triu(1).bool(),
        tgt_key_padding_mask=TARGET == PAD,
        memory_key_padding_mask=SOURCE == PAD,
    )
    return memory, states


@pytest.mark.parametrize("name", CASES)
def test_states_and_gradients_are_torchs(name: str) -> None:
    model, reference = build(name)
    pairs = with_the_same_weights(model, reference)
    covered = {id(part) for parts, _ in pairs for part in parts}
    assert covered == {id(x) for x in model.parameters()} - {id(model.tables.source.weight)}
    assert {id(whole) for _, whole in pairs} == {id(x) for x in reference.parameters()}

    table = model.tables.source.weight.detach().clone().requires_grad_()
    expected_memory, expected_states = reference_states(reference, table)
    memory = model.encode(SOURCE, SOURCE != PAD)
    states = model.hidden(TARGET, memory)
    real_source, real_target = SOURCE != PAD, TARGET != PAD
    close(memory.states[real_source], expected_memory[real_source])
    close(states[real_target], expected_states[real_target])

    direction = torch.randn_like(states[real_target])
    (states[real_target] * direction).mean().backward()
    (expected_states[real_target] * direction).mean().backward()
    close(model.tables.source.weight.grad, table.grad)
    for parts, whole in pairs:
        close(torch.cat([part.grad for part in parts]), whole.grad)
        assert whole.grad.abs().max() > 1e-4


def close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def test_torch_ends_a_post_norm_stack_with_a_norm() -> None:
    _, reference = build("post-norm as in torch")
    assert reference.encoder.norm is not None
    assert reference.decoder.norm is not None


@pytest.mark.parametrize("name", CASES)
def test_scores_are_torchs(name: str) -> None:
    """Teacher forcing: torch's states, projected by the shared table, at the true next pieces."""
    model, reference = build(name)
    with_the_same_weights(model, reference)
    table = model.tables.source.weight.detach()
    logits = reference_states(reference, table)[1].detach() @ table.T
    expected = logits.log_softmax(-1).gather(-1, ANSWER[:, :, None])[:, :, 0]
    pairs = [
        (source[source != PAD].tolist(), answer[answer != PAD].tolist())
        for source, answer in zip(SOURCE, ANSWER, strict=True)
    ]
    for found, row, (_, target) in zip(score(model, pairs), expected, pairs, strict=True):
        close(torch.tensor(found), row[: len(target)])


# A whole training step: shards, kernels and the fused loss against autograd of the plain loss

ANSWER = torch.tensor([[6, 6, 29, 11, 2], [8, 2, 0, 0, 0], [12, 13, 14, 2, 0]])
BATCH = Batch(SOURCE, TARGET, ANSWER, n_source=14, n_target=11)


def step_of_ours(model: Transformer, precision: str, shards: int) -> list[torch.Tensor]:
    """Return the gradients of an update, in the order of the parameters."""
    objective = Translation(label_smoothing=0.1)
    gradients = Gradients(model, objective, precision, CPU, shards, say=lambda _: None)  # type: ignore[arg-type]
    model.zero_grad(set_to_none=True)
    gradients.add(BATCH, BATCH.n_target)
    found = [weight.grad for weight in model.parameters()]
    assert all(gradient is not None for gradient in found)
    return found  # type: ignore[return-value]


def step_of_torch(
    model: Transformer, reference: nn.Transformer, *, bf16: bool
) -> list[torch.Tensor]:
    """Return the gradients of the same, of torch's own layers and loss, under autocast."""
    table = model.tables.source.weight.detach().clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits = nn.functional.linear(reference_states(reference, table)[1], table)
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1),
            BATCH.target_out.flatten(),
            ignore_index=PAD,
            label_smoothing=0.1,
        )
    reference.zero_grad(set_to_none=True)
    loss.backward()
    of = {id(model.tables.source.weight): table.grad}
    for pair in partners(model, reference):
        for parts, whole in names(*pair):
            rows = [part.shape[0] for part in parts]
            of |= {id(part): grad for part, grad in zip(parts, whole.grad.split(rows), strict=True)}
    return [of[id(weight)] for weight in model.parameters()]


@pytest.fixture
def alike() -> tuple[Transformer, nn.Transformer]:
    """Return our model and torch's with the same weights, dropout off."""
    model, reference = build("post-norm as in the paper")
    with torch.no_grad():
        for pair in partners(model, reference):
            for parts, whole in names(*pair):
                whole.copy_(torch.cat(list(parts)))
    return model, reference


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_the_gradients_of_a_step_are_torchs(
    alike: tuple[Transformer, nn.Transformer], shards: int
) -> None:
    expected = step_of_torch(*alike, bf16=False)
    for found, wanted in zip(step_of_ours(alike[0], "float32", shards), expected, strict=True):
        close(found, wanted)


@pytest.mark.parametrize("shards", [1, 2])
def test_a_step_in_bf16_is_as_near_as_torchs_own(
    alike: tuple[Transformer, nn.Transformer], shards: int
) -> None:
    """Distance from the float32 gradient, all weights together, against autocast's distance."""

    def together(gradients: list[torch.Tensor]) -> torch.Tensor:
        return torch.cat([gradient.flatten() for gradient in gradients])

    exact = together(step_of_torch(*alike, bf16=False))
    theirs = (together(step_of_torch(*alike, bf16=True)) - exact).norm() / exact.norm()
    ours = (together(step_of_ours(alike[0], "bf16", shards)) - exact).norm() / exact.norm()
    assert 1e-4 < theirs < 0.05
    assert ours < 1.5 * theirs
