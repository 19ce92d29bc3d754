"""Every module says what it offers, offers what it says, and shows examples that are true."""

import doctest
import importlib
from pathlib import Path
from types import ModuleType

import pytest

import heedful

SOURCE = Path(heedful.__file__).parent.parent
MODULES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in SOURCE.rglob("*.py")
    if path.name != "__main__.py" and "heedful" in path.parts
)


@pytest.fixture(params=MODULES)
def module(request: pytest.FixtureRequest) -> ModuleType:
    try:
        return importlib.import_module(request.param)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("heedful"):
            raise
        pytest.skip(f"{error.name} is not installed here")


def test_names(module: ModuleType) -> None:
    code = Path(module.__file__ or "").read_text("utf-8")
    assert module.__doc__ or not code, f"{module.__name__} does not say what it is"
    for name in getattr(module, "__all__", []):
        assert hasattr(module, name), f"{module.__name__} lists {name} in __all__ but has none"


def test_examples(module: ModuleType) -> None:
    failed, _ = doctest.testmod(module)
    assert not failed, f"an example in {module.__name__} is not true; see the output"


def test_public_names() -> None:
    for name in heedful.__all__:
        assert getattr(heedful, name) is not None
    assert set(heedful.__all__) <= set(dir(heedful))


def test_unknown_public_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'translate_all'"):
        heedful.translate_all  # noqa: B018
