"""How likely given translations are: the model reads them instead of making them.

Pairs of ids come in, natural log-probabilities of every target piece go out, by teacher forcing:
each piece is predicted from the source and the true pieces before it. `heed score` calls it.
"""

__all__ = ["score"]

from collections.abc import Sequence

import torch

from heedful.decode.engine import BATCH_TOKENS
from heedful.decode.waiting import batches
from heedful.errors import ModelError
from heedful.models.seq2seq import Seq2Seq
from heedful.search.best import no_number
from heedful.shapes import Float, Int, Tensor
from heedful.text.pieces import PAD, START

Pair = tuple[Sequence[int], Sequence[int]]
"""Ids of a source and of a target, both with their `</s>`."""

PROJECTED = 1024
"""Positions whose logits exist at a time: 130 MB for 32,000 entries."""


def score(
    model: Seq2Seq,
    pairs: Sequence[Pair],
    device: torch.device | str = "cpu",
    batch_tokens: int = BATCH_TOKENS,
    *,
    start_id: int = START,
) -> list[list[float]]:
    """Return log p(y_t | y_<t, x) in nats for every target piece, in the order of the pairs.

    Their sum is the log-probability of a translation. Pairs of like lengths go together, at most
    `batch_tokens` pieces of the longer side, padding counted; that changes a number by no more
    than rounding. Switches the model's dropout off. Raises ModelError for an empty side, and for
    output that is not a number.
    """
    for number, (source, target) in enumerate(pairs, start=1):
        if not source or not target:
            raise ModelError(f"pair {number} has an empty side", fix="leave it out")
    model.eval()
    found: list[list[float]] = [[] for _ in pairs]
    longer = [max(len(source), len(target)) for source, target in pairs]
    for rows in batches(longer, 1, batch_tokens):
        scores = _batch([pairs[row] for row in rows], model, torch.device(device), start_id)
        for row, one in zip(rows, scores, strict=True):
            found[row] = one
    return found


@torch.inference_mode()
def _batch(
    pairs: list[Pair], model: Seq2Seq, device: torch.device, start_id: int
) -> list[list[float]]:
    """Return the log-probabilities of some pairs at once."""
    sources, targets = zip(*pairs, strict=True)
    lengths = torch.tensor([len(source) for source in sources], device=device)
    source = _padded(sources, device)
    mask = torch.arange(source.shape[1], device=device) < lengths[:, None]
    target_in = _padded([[start_id, *target[:-1]] for target in targets], device)
    hidden = model.hidden(target_in, model.encode(source, mask))
    real = [len(target) for target in targets]
    states = torch.cat([row[:length] for row, length in zip(hidden, real, strict=True)])
    answers = torch.tensor([number for target in targets for number in target], device=device)
    pieces = zip(torch.split(states, PROJECTED), torch.split(answers, PROJECTED), strict=True)
    log_probs = torch.cat([_of_answers(model.project(some), right) for some, right in pieces])
    if log_probs.isnan().any():
        raise no_number()
    return [row.tolist() for row in torch.split(log_probs.cpu(), real)]


def _of_answers(logits: Float[Tensor, "P N"], answers: Int[Tensor, " P"]) -> Float[Tensor, " P"]:
    """Return the log-probability of the right entry at each of P positions."""
    scores = logits.float()
    right = scores.gather(1, answers[:, None]).squeeze(1)
    return right - scores.logsumexp(dim=1)


def _padded(rows: Sequence[Sequence[int]], device: torch.device) -> Int[Tensor, "B L"]:
    """Return the ids, padded to the longest row of L."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows], device=device)
