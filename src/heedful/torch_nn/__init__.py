"""PyTorch's own interface of the Transformer, faster and with eyes: change the import.

from heedful import torch_nn as nn

encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(512, 8), num_layers=6)
with nn.watch(encoder) as seen:
    encoder(torch.rand(10, 32, 512))
seen["layers.3.self_attn"].weights     # batch, heads, queries, keys

Signatures, defaults, masks, parameters and results are torch's; docs/torch-nn.md has the rest.
"""

__all__ = [
    "Look",
    "MultiheadAttention",
    "Seen",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "watch",
]

from heedful.torch_nn.attention import MultiheadAttention
from heedful.torch_nn.decoder import TransformerDecoder, TransformerDecoderLayer
from heedful.torch_nn.encoder import TransformerEncoder, TransformerEncoderLayer
from heedful.torch_nn.transformer import Transformer
from heedful.torch_nn.watching import Look, Seen, watch
