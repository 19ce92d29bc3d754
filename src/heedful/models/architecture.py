"""The architectures that read a source and write a target: the family behind `model.kind`.

What is for one of them alone asks `as_transformer`, which refuses the others in a sentence.
"""

__all__ = ["Model", "ModelConfig", "as_transformer", "check_looks", "plain_transformer"]

from typing import Annotated, Any

from pydantic import Field

from heedful.errors import ModelError
from heedful.models.convolutional import Convolutional, ConvolutionalConfig
from heedful.models.recurrent import Recurrent, RecurrentConfig
from heedful.models.transformer import Transformer, TransformerConfig

Model = Transformer | Recurrent | Convolutional
"""One of them, as a module."""

ModelConfig = Annotated[
    TransformerConfig | RecurrentConfig | ConvolutionalConfig, Field(discriminator="kind")
]


def as_transformer(model: Any, asked: str) -> Transformer:
    """Return the model if it is a Transformer; else raise ModelError: `asked` looks inside one."""
    if isinstance(model, Transformer):
        return model
    kind = model.config.kind if isinstance(model, Model) else type(model).__name__
    raise ModelError(
        f"{asked} looks inside a Transformer, and this model is {kind}",
        fix="take a model of the kind transformer",
    )


def plain_transformer(model: Any, asked: str) -> Transformer:
    """Return the model if it is a Transformer into which pieces go as in the paper.

    Else raise ModelError: `asked` embeds them itself.
    """
    found = as_transformer(model, asked)
    config = found.config
    if not config.plain_ends:
        name = "embedding_norm" if config.embedding_norm else "opening"
        raise ModelError(
            f"{asked} knows no model.{name}, which this model has",
            fix="use the model here, or export it to huggingface",
        )
    return found


def check_looks(config: ModelConfig) -> None:
    """Raise ModelError for a model without attention to the source."""
    if not config.source_looks:
        raise ModelError(
            "this needs attention to the source, and the model has none",
            fix="take a model whose model.attention.kind is not none",
        )
