"""Small random models of every variant, their vocabulary, and sources of several lengths."""

from typing import Any

import torch

from heedful.decode.engine import decode
from heedful.model_folder import LoadedModel
from heedful.model_header import Languages
from heedful.models.seq2seq import forward
from heedful.models.transformer import TransformerConfig
from heedful.search import Beam, Greedy, Hypothesis, Limits
from heedful.text.pieces import END, START
from heedful.text.tokenizer import BPE, Tokenizer
from tests.contract.test_families import MODEL_FAMILIES, of

WORDS = "the cat sat on the mat and the dog sat on the log while the rain came down"
LIMITS = Limits(START, END, (), 40)
"""Nothing is forbidden, so that both engines choose among the same pieces."""
SOURCES = [
    [5, 9, 21, 7, 8, END],
    [17, END],
    [270, 11, 44, 44, 44, 90, 261, 31, 16, 200, 201, 99, 6, END],
    [99, END],
    [33, 34, 35, END],
]
EVERY_VARIANT = [
    *(case for family in MODEL_FAMILIES.values() for case in of(family)),
]


def tokenizer_of(shared: bool = True, languages: tuple[str, ...] = ()) -> Tokenizer:
    config = BPE(vocabulary_size=280, shared=shared)
    return Tokenizer.train(lambda: [(WORDS, WORDS.upper())] * 3, config, languages)


def random_model(tokenizer: Tokenizer, **settings: Any) -> LoadedModel:
    """Return a model of 2 + 2 layers; no bias and no gain is left at its beginning."""
    shape = {"d_model": 32, "d_ff": 48, "n_heads": 4, "encoder_layers": 2, "decoder_layers": 2}
    config = TransformerConfig(**(shape | {"max_length": 40} | settings))
    torch.manual_seed(1)
    model = config.build(tokenizer.source_size, tokenizer.target_size).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return LoadedModel(model, tokenizer, Languages())


def searched(loaded: LoadedModel, search: Greedy | Beam, most: int = 20) -> list[Hypothesis]:
    """Return our best hypothesis for each of the SOURCES, at most that many pieces long."""
    limits = Limits(START, END, (), most)
    return [found[0] for found in decode(loaded.model, SOURCES, search, limits=limits)]


@torch.no_grad()
def log_probs(loaded: LoadedModel, source: list[int], target: list[int]) -> torch.Tensor:
    """Return the log-probability of each piece of a target, all of them in one pass."""
    row = torch.tensor([source])
    logits = forward(loaded.model, row, row >= 0, torch.tensor([[START, *target[:-1]]]))
    every = torch.log_softmax(logits[0], dim=-1)
    return every.gather(1, torch.tensor(target)[:, None])[:, 0]
