"""What a model thought of answers before it was trained: computed once, kept beside the run.

A model and pairs of answers come in, their log-probabilities go out; so no second model is in
memory while the first one is trained. `heedful.run_chat` calls it.
"""

__all__ = ["kept_reference", "reference_of"]

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from heedful.data.answers import AnswerStore
from heedful.models.gpt import GPT
from heedful.objectives import answer_log_probs
from heedful.output import write_whole
from heedful.shapes import Float, Tensor
from heedful.train.precision import Precision, autocast

_AT_ONCE = 8192
"""Pieces that are measured at a time, padding counted."""


def reference_of(
    model: GPT, store: AnswerStore, precision: Precision, device: torch.device
) -> Float[Tensor, "N 2"]:
    """Return the log-probability of both answers of each pair, in nats."""
    model.eval()
    found = torch.zeros(len(store))
    order = np.argsort(-store.lengths, kind="stable")
    at = 0
    while at < len(order):
        rows = order[at : at + max(1, _AT_ONCE // int(store.lengths[order[at]]))]
        with torch.inference_mode(), autocast(precision, device):
            each = answer_log_probs(model, store.texts(rows).to(device))
        found[torch.from_numpy(rows)] = each.float().cpu()
        at += len(rows)
    return found.view(-1, 2)


def kept_reference(
    path: Path, fingerprint: str, compute: Callable[[], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Return what the file holds if it is of the same pairs; else compute and keep it."""
    try:
        with safe_open(path, "pt") as file:
            if file.metadata() == {"fingerprint": fingerprint}:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        pass
    found = compute()
    write_whole(path, save(found, {"fingerprint": fingerprint}))
    return found
