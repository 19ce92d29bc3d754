"""The models that one loop trains: each has a `config` with `d_model`, and `every_layer`."""

__all__ = ["Trainable"]

from heedful.models.bert import BERT
from heedful.models.gpt import GPT
from heedful.models.transformer import Transformer

Trainable = Transformer | GPT | BERT
