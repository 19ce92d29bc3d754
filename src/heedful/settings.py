"""The base of every settings class: frozen, strict about names, loadable from JSON.

Settings stand beside the code they set; `heedful.config` composes those of a run.
"""

__all__ = ["Settings"]

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen settings that refuse unknown names and wrong types."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )
