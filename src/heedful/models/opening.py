"""What a decoder reads before the first piece of a target, where it is not `<s>` alone.

Multilingual translators name the target language to the decoder, not to the encoder: mBART in
place of `<s>`, mBART-50, M2M100 and NLLB behind `</s>`. Everywhere else in heedful it is the first
piece of the source that names it. `Transformer` takes it from there.
"""

__all__ = ["Opening"]

import torch
from pydantic import Field

from heedful.settings import Settings
from heedful.shapes import Int, Tensor


class Opening(Settings):
    """How a target begins for the decoder; the default is the paper's `<s>`.

    >>> opening = Opening(before=(2,), tag=True)
    >>> opening.begun(opening.named(torch.tensor([[1, 7, 8]]), torch.tensor([4]))).tolist()
    [[2, 4, 7, 8]]
    """

    before: tuple[int, ...] = Field((), max_length=8)
    """Pieces that are read before all others; what they predict is not looked at."""
    tag: bool = False
    """Whether the first piece of the source is read in place of `<s>`, and not by the encoder."""

    def named(self, target_in: Int[Tensor, "R T"], tags: Int[Tensor, " R"]) -> Int[Tensor, "R T"]:
        """Return the pieces with each row's tag as the first of them."""
        named = target_in.clone()
        named[:, 0] = tags
        return named

    def begun(self, target_in: Int[Tensor, "R T"]) -> Int[Tensor, "R more"]:
        """Return the pieces with `before` in front."""
        before = target_in.new_tensor(self.before).expand(len(target_in), -1)
        return torch.cat([before, target_in], dim=1)
