"""The one legend of tensor shapes, in the paper's letters; every signature uses it.

    B  sentences in a batch        R  rows decoded at once: sentences times beam
    S  source length               T  target length
    Q  query length                M  key (memory) length: attention knows no sides
    D  d_model                     F  d_ff
    H  heads                       G  key-value heads (grouped-query attention)
    K  d_k = d_v, width of a head  N  vocabulary entries
    W  beam size                   L  labels, or numbers, that a head answers with

A name with `#` may also be 1 (broadcast). Checked at run time in every test (jaxtyping and
beartype, switched on in pyproject.toml), never in production.
"""

__all__ = ["Array", "Bool", "Float", "Int", "Shaped", "Tensor"]

from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray as Array
from torch import Tensor
