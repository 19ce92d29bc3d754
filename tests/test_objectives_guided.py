"""The loss that guides a head: its formula, its gradient, and what of a model it moves."""

import pytest
import torch

from heedful.data.batches import Batch
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.attention import Attention, GroupedQuery, MultiHead
from heedful.objectives import Translation, alignment_loss
from heedful.train.gradient import Gradients
from tests.inspect.looking import cross_attention


def batch_of(alignment: torch.Tensor | None = None) -> Batch:
    source = torch.tensor([[5, 9, 17, 7, 8, 2], [17, 3, 2, 0, 0, 0]])
    target_in = torch.tensor([[1, 6, 6, 13, 11], [1, 8, 7, 0, 0]])
    target_out = torch.tensor([[6, 6, 13, 11, 2], [8, 7, 2, 0, 0]])
    return Batch(source, target_in, target_out, 9, 8, alignment)


def alignments() -> torch.Tensor:
    """Return random distributions over the real pieces."""
    batch = batch_of()
    drawn = torch.rand(2, 5, 6, generator=torch.manual_seed(3)) * batch.source_mask[:, None]
    return drawn / drawn.sum(-1, keepdim=True) * batch.target_mask[:, :, None]


def model_of(attention: Attention | None = None, layers: int = 2) -> Transformer:
    torch.manual_seed(0)
    config = TransformerConfig(
        d_model=16,
        d_ff=24,
        n_heads=4,
        encoder_layers=1,
        decoder_layers=layers,
        dropout=0.0,
        attention=attention or MultiHead(),
        alignment_layer=1,
    )
    return config.build(20, 20)


def test_the_gradient_of_the_alignment_loss() -> None:
    """d loss / d scores = softmax(scores) - alignment, where the alignment sums to 1."""
    scores = torch.randn(2, 5, 6, dtype=torch.float64, requires_grad=True)
    known = alignments().double()
    loss = alignment_loss(scores, known)
    (gradient,) = torch.autograd.grad(loss, scores)
    expected = (scores.softmax(-1) - known) * known.sum(-1, keepdim=True)
    torch.testing.assert_close(gradient, expected.detach())
    assert torch.autograd.gradcheck(lambda x: alignment_loss(x, known), (scores,))


@pytest.mark.parametrize("attention", [MultiHead(), GroupedQuery(n_kv_heads=2)])
def test_the_loss_is_that_of_translation_and_of_one_head(attention: Attention) -> None:
    """The head's weights as hooks see them, sentence by sentence without padding."""
    model, known = model_of(attention), alignments()
    guided = Translation(guided_alignment=0.3).loss(model, batch_of(known))
    plain = Translation().loss(model, batch_of())
    expected = torch.zeros(())
    for row, (n_source, n_target) in enumerate([(6, 5), (3, 3)]):
        source = batch_of().source[row : row + 1, :n_source]
        target_in = batch_of().target_in[row : row + 1, :n_target]
        head = cross_attention(model, source, target_in)[1][0, 0]
        expected = expected - (known[row, :n_target, :n_source] * head.log()).sum()
    torch.testing.assert_close(guided.smoothed - plain.smoothed, 0.3 * expected)
    torch.testing.assert_close(guided.nll, plain.nll)
    assert guided.tokens == plain.tokens


def test_only_that_head_is_guided() -> None:
    """Of queries and keys, the second loss moves those of the first head of its layer alone."""
    model, known = model_of(layers=3), alignments()

    def gradients(objective: Translation) -> dict[str, torch.Tensor]:
        model.zero_grad()
        objective.loss(model, batch_of(known)).smoothed.backward()
        return {name: weight.grad.clone() for name, weight in model.named_parameters()}

    guided, plain = gradients(Translation(guided_alignment=1)), gradients(Translation())
    moved = {name: (guided[name] - plain[name]).abs().amax(-1) for name in guided}
    head = moved["decoder.1.cross_attention.query_proj.weight"]
    assert head[:4].min() > 1e-6 > head[4:].max()
    after = ("decoder.2", "decoder.1.feed_forward", "decoder.1.cross_attention.value_proj")
    assert all(change.max() < 1e-6 for name, change in moved.items() if name.startswith(after))
    assert moved["decoder.0.attention.query_proj.weight"].max() > 1e-6
    assert moved["encoder.0.attention.query_proj.weight"].max() > 1e-6


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_shards_add_up(precision: str) -> None:
    """A batch that is divided keeps each sentence's alignment, also where columns fall away."""
    objective, known = Translation(guided_alignment=0.5), alignments()
    found = []
    for shards in (1, 2):
        model = model_of()
        gradients = Gradients(model, objective, precision, torch.device("cpu"), shards, print)
        loss = gradients.add(batch_of(known), 8)
        found.append((loss, *(weight.grad for weight in model.parameters())))
    tolerance = (
        {"rtol": 1e-4, "atol": 1e-6} if precision == "float32" else {"rtol": 0.1, "atol": 0.02}
    )
    torch.testing.assert_close(*found, **tolerance)


def test_a_batch_that_is_divided_has_no_padding_left() -> None:
    known = alignments()
    one, other = batch_of(known).split(2)
    assert torch.equal(one.alignment, known[:1])
    assert torch.equal(other.alignment, known[1:, :3, :3])
    assert torch.equal(other.to("cpu").alignment, known[1:, :3, :3])
