"""What tests see of a model's attention to the source."""

import torch

from heedful.inspect.capture import record
from heedful.models.transformer import Transformer


def cross_attention(
    model: Transformer, source: torch.Tensor, target_in: torch.Tensor
) -> list[torch.Tensor]:
    """Return the weights of each decoder layer [sentence, head, query, key], sources not padded."""
    training = model.training
    model.eval()
    with torch.inference_mode(), record(model) as looks:
        memory = model.encode(source, torch.ones_like(source, dtype=torch.bool))
        model.hidden(target_in, memory)
    model.train(training)
    return [look.weights() for (kind, _), look in looks.items() if kind == "cross"]
