"""A small parser that has learnt six sentences by heart."""

from functools import cache
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence

from heedful.model_folder import save_model
from heedful.model_header import Languages
from heedful.models.seq2seq import forward
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.embedding import TwoWay
from heedful.nn.norm import PreNorm
from heedful.text.linear_trees import linearised
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.text.trees import Tree, read_trees

TREES = """\
(TOP (S (NP (DT The) (NN cat)) (VP (VBD sat)) (. .)))
(TOP (S (NP (DT A) (NN dog)) (VP (VBD saw) (NP (DT the) (NN cat))) (. .)))
(TOP (S (NP (PRP I)) (VP (MD ca) (RB n't) (VP (VB sing))) (. .)))
(TOP (S (NP (PRP She)) (VP (VBD said) (, ,) (`` ``) (S (VP (VB Go))) ('' '')) (. .)))
(TOP (FRAG (NP (NN Rain)) (. !)))
(TOP (S (NP (NP (DT The) (NN end)) (PP (IN of) (NP (PRP it)))) (VP (VBD came)) (. .)))
"""


def learnt() -> list[Tree]:
    """Return the trees."""
    found = [tree for _, tree in read_trees(enumerate(TREES.splitlines(), start=1))]
    return [tree for tree in found if isinstance(tree, Tree)]


def make_parser(folder: Path) -> Path:
    """Write the model's folder."""
    model, tokenizer = _trained()
    save_model(folder, model, tokenizer, Languages())
    return folder


@cache
def _trained() -> tuple[Transformer, Tokenizer]:
    torch.manual_seed(1)
    pairs = [(" ".join(tree.words), linearised(tree)) for tree in learnt()]
    settings = BPE(vocabulary_size=400, exact=False, shared=False, words="spaces")
    tokenizer = Tokenizer.train(lambda: iter(pairs * 2), settings)
    config = TransformerConfig(
        d_model=64,
        d_ff=128,
        n_heads=4,
        encoder_layers=1,
        decoder_layers=1,
        dropout=0,
        max_length=64,
        residual=PreNorm(),
        embedding=TwoWay(),
    )
    model = config.build(tokenizer.source_size, tokenizer.target_size)
    source = _padded(tokenizer.encode_source([words for words, _ in pairs]))
    target = _padded([[1, *ids] for ids in tokenizer.encode_target([tree for _, tree in pairs])])
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(60):
        logits = forward(model, source, source > 0, target[:, :-1])
        answer = target[:, 1:].flatten()
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), answer, ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, tokenizer


def _padded(rows: list[list[int]]) -> torch.Tensor:
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
