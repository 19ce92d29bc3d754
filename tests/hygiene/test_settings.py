"""Every setting says what it is: `heed recipes` and the documents show these sentences."""

import pytest

from heedful.settings import Settings
from tests.modules import every_module


def every_settings_class() -> list[type[Settings]]:
    """Return all classes derived from Settings in the package, private ones left out."""
    assert all(every_module())
    waiting, classes = [Settings], []
    while waiting:
        parent = waiting.pop()
        for child in parent.__subclasses__():
            waiting.append(child)
            if child.__module__.startswith("heedful.") and not child.__name__.startswith("_"):
                classes.append(child)
    return classes


def test_every_setting_is_described() -> None:
    classes = every_settings_class()
    assert classes
    bare = [
        f"{settings.__module__}.{settings.__name__}.{name}"
        for settings in classes
        for name, field in settings.model_fields.items()
        if name != "kind" and not field.description
    ]
    assert bare == []


def test_every_settings_class_is_described() -> None:
    bare = [settings.__name__ for settings in every_settings_class() if not settings.__doc__]
    assert bare == []


def test_settings_are_frozen_and_strict() -> None:
    for settings in every_settings_class():
        assert settings.model_config.get("frozen"), settings
        assert settings.model_config.get("extra") == "forbid", settings


def test_unknown_setting_is_refused() -> None:
    class Width(Settings):
        d_model: int = 8

    with pytest.raises(ValueError, match="d_modle"):
        Width.model_validate({"d_modle": 4})
