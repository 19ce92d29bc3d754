"""Greedy search as tutorials write it: batches as they come, every prefix computed anew."""

from pathlib import Path
from typing import Any

import torch
from decode.worker import Inputs, Translate, rows_of

from heedful.model_folder import load_model
from heedful.models.seq2seq import decode
from heedful.text.pieces import END, PAD, START


def load(model: Path, exported: Path, inputs: Inputs, options: dict[str, Any]) -> Translate:
    """Return the function that translates."""
    network = load_model(model).model

    @torch.inference_mode()
    def one(sources: list[list[int]]) -> list[list[int]]:
        length = max(map(len, sources))
        rows = torch.tensor([[*row, *[PAD] * (length - len(row))] for row in sources])
        memory = network.encode(rows, rows != PAD)
        target = torch.full((len(sources), 1), START)
        while target.shape[1] < length + 50 and not (target == END).any(dim=1).all():
            logits = decode(network, target, memory)[:, -1]
            logits[:, list(inputs.forbidden)] = -torch.inf
            target = torch.cat([target, logits.argmax(dim=-1, keepdim=True)], dim=1)
        return [[*row[1:], END][: [*row[1:], END].index(END)] for row in target.tolist()]

    def translate(sources: list[list[int]], beam: int, batch_tokens: int) -> list[list[int]]:
        count = rows_of(sources, batch_tokens)
        return [
            answer
            for at in range(0, len(sources), count)
            for answer in one(sources[at : at + count])
        ]

    return translate
