"""The models that one loop trains: each has a `config` with `d_model`."""

__all__ = ["Trainable"]

from heedful.models.architecture import Model
from heedful.models.bert import BERT
from heedful.models.gpt import GPT

Trainable = Model | GPT | BERT
