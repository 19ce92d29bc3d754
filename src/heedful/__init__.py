"""heedful: train, run and look inside your own Transformer translator.

The public names are imported when first used: `import heedful` alone does not load torch.
"""

__version__ = "0.1.0"

__all__ = ["Care", "Glossary", "HeedfulError", "Request", "Translator", "load"]

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heedful.data.glossary import Glossary
    from heedful.errors import HeedfulError
    from heedful.translator import Care, Request, Translator, load

_HOME = {
    "Care": "heedful.translator",
    "Glossary": "heedful.data.glossary",
    "HeedfulError": "heedful.errors",
    "Request": "heedful.translator",
    "Translator": "heedful.translator",
    "load": "heedful.translator",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'heedful' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
