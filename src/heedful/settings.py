"""The base of every settings class: frozen, strict about names, loadable from JSON.

Settings stand beside the code they set; `heedful.config` composes those of a run.
"""

__all__ = ["Settings"]

from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator


class Settings(BaseModel):
    """Frozen settings that refuse unknown names and wrong types."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, data: Any) -> Any:
        """Leave true and false as words where pydantic would take them for 1 and 0."""
        if not isinstance(data, Mapping):
            return data
        return {
            name: str(value).lower() if isinstance(value, bool) and cls._counts(name) else value
            for name, value in data.items()
        }

    @classmethod
    def _counts(cls, name: str) -> bool:
        """Return whether a setting is a number, and cannot be true or false."""
        annotation = cls.model_fields[name].annotation if name in cls.model_fields else None
        joined = get_origin(annotation) in (Union, UnionType)
        kinds = set(get_args(annotation)) if joined else {annotation}
        return bool(kinds & {int, float}) and bool not in kinds
