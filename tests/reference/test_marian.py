"""The same weights as transformers' MarianMTModel give the same logits, gradients and tokens.

Marian is the paper's model with all sines before all cosines in its positions. Its swish is not
ours, so it gets our activations here.
"""

import pytest
import torch

from heedful.decode.engine import decode
from heedful.models.seq2seq import forward
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.embedding import ThreeWay, TwoWay
from heedful.nn.feedforward import GELU, ReLU
from heedful.nn.position import Sinusoidal
from heedful.search import Greedy, Limits

transformers = pytest.importorskip("transformers", reason="needs transformers (the dev group)")

PAD, START, END = 0, 1, 2
SOURCE = torch.tensor([[5, 9, 21, 7, 8, 2], [17, 3, 2, 0, 0, 0], [4, 4, 4, 4, 2, 0]])
TARGET = torch.tensor([[1, 6, 6, 23, 11], [1, 8, 0, 0, 0], [1, 12, 13, 14, 0]])
CASES = {"relu, three-way": (ReLU(), ThreeWay(), 24), "gelu, two-way": (GELU(), TwoWay(), 30)}

BLOCKS = {
    "self_attn": "attention",
    "encoder_attn": "cross_attention",
    "self_attn_layer_norm": "attention_block.norm",
    "encoder_attn_layer_norm": "cross_attention_block.norm",
    "final_layer_norm": "feed_forward_block.norm",
    "fc1": "feed_forward.inner",
    "fc2": "feed_forward.outer",
}
PROJECTIONS = {
    "q_proj": "query_proj",
    "k_proj": "key_proj",
    "v_proj": "value_proj",
    "out_proj": "output_proj",
}


def our_name(theirs: str) -> str:
    """Return the name that a parameter of Marian has with us.

    >>> our_name("model.encoder.layers.3.self_attn.q_proj.weight")
    'encoder.3.attention.query_proj.weight'
    """
    if theirs in ("model.shared.weight", "model.encoder.embed_tokens.weight"):
        return "tables.source.weight"
    if theirs == "model.decoder.embed_tokens.weight":
        return "tables.target.weight"
    _, side, _, layer, block, *rest = theirs.split(".")
    return ".".join([side, layer, BLOCKS[block], *(PROJECTIONS.get(x, x) for x in rest)])


def our_model(name: str) -> Transformer:
    """Return a random model whose norms and biases are no ones and zeros."""
    feed_forward, embedding, target_size = CASES[name]
    torch.manual_seed(2)
    config = TransformerConfig(
        d_model=32,
        d_ff=48,
        n_heads=4,
        encoder_layers=3,
        decoder_layers=2,
        dropout=0.0,
        max_length=64,
        feed_forward=feed_forward,
        position=Sinusoidal(layout="halves"),
        embedding=embedding,
    )
    model = config.build(24, target_size).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return model


def marian(name: str, model: Transformer) -> "transformers.MarianMTModel":
    """Return a Marian with the weights of our model."""
    feed_forward, embedding, target_size = CASES[name]
    reference = transformers.MarianMTModel(
        transformers.MarianConfig(
            vocab_size=24,
            decoder_vocab_size=target_size,
            share_encoder_decoder_embeddings=isinstance(embedding, ThreeWay),
            d_model=32,
            encoder_layers=3,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=48,
            decoder_ffn_dim=48,
            activation_function=feed_forward.kind,
            scale_embedding=True,
            max_position_embeddings=64,
            pad_token_id=PAD,
            bos_token_id=None,
            eos_token_id=END,
            decoder_start_token_id=START,
            forced_eos_token_id=None,
            attn_implementation="eager",
        )
    ).eval()
    ours = dict(model.named_parameters())
    with torch.no_grad():
        for theirs, weight in learned(reference).items():
            weight.copy_(ours.pop(our_name(theirs)))
    assert not ours
    return reference


def learned(reference: "transformers.MarianMTModel") -> dict[str, torch.nn.Parameter]:
    """Return Marian's parameters by name; its sinusoids are frozen ones."""
    named = reference.named_parameters()
    return {name: weight for name, weight in named if weight.requires_grad}


def learn_to_reverse(model: Transformer) -> None:
    """Train for a second, so that decoding gives different pieces and comes to an end."""
    torch.manual_seed(3)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(80):
        length = int(torch.randint(2, 7, ()))
        words = torch.randint(4, 24, (32, length))
        end, start = torch.full((32, 1), END), torch.full((32, 1), START)
        source = torch.cat([words, end], dim=1)
        answer = torch.cat([words.flip(1), end], dim=1)
        target_in = torch.cat([start, words.flip(1)], dim=1)
        logits = forward(model, source, source != PAD, target_in)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), answer.flatten()).backward()
        optimizer.step()


@pytest.mark.parametrize("name", CASES)
def test_logits_and_gradients_are_marians(name: str) -> None:
    model = our_model(name)
    reference = marian(name, model)
    logits = forward(model, SOURCE, SOURCE != PAD, TARGET)
    expected = reference(
        input_ids=SOURCE, attention_mask=SOURCE != PAD, decoder_input_ids=TARGET
    ).logits
    real = TARGET != PAD
    torch.testing.assert_close(logits[real], expected[real], atol=1e-5, rtol=1e-5)
    assert logits[real].std() > 0.5

    answer = TARGET.roll(-1, dims=1)[real]
    torch.nn.functional.cross_entropy(logits[real], answer).backward()
    torch.nn.functional.cross_entropy(expected[real], answer).backward()
    ours = dict(model.named_parameters())
    for theirs, weight in learned(reference).items():
        gradient = ours[our_name(theirs)].grad
        torch.testing.assert_close(gradient, weight.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (at > 0)) for at, name in enumerate(CASES)],
)
def test_greedy_decoding_is_marians(name: str) -> None:
    model = our_model(name)
    learn_to_reverse(model)
    reference = marian(name, model)
    sources = [[x for x in row if x != PAD] for row in SOURCE.tolist()]
    sources += [[4 + (7 * i + 3 * j) % 20 for j in range(1 + i)] + [END] for i in range(9)]
    answers = set()
    for source in sources:
        tokens = reference.generate(
            input_ids=torch.tensor([source]),
            attention_mask=torch.ones(1, len(source), dtype=torch.int64),
            num_beams=1,
            do_sample=False,
            max_new_tokens=len(source) + 10,
        )[0, 1:].tolist()
        ((hypothesis,),) = decode(
            model, [source], Greedy(max_extra=10), limits=Limits(START, END, max_length=64)
        )
        assert list(hypothesis.tokens) == (tokens[:-1] if tokens[-1] == END else tokens)
        assert hypothesis.finished == (tokens[-1] == END)
        answers.add(hypothesis.tokens)
    assert len(answers) > 4
