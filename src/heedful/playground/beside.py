"""The recurrent model that the tour shows beside the others: found, loaded, and seen to be one.

What a user names comes in, and what else is played; a model goes out, or none.
"""

__all__ = ["load_beside"]

from collections.abc import Mapping

from heedful.errors import ModelError, SettingError
from heedful.interop.writers import writes
from heedful.model_path import BESIDE, BUNDLED, bundled, model_path
from heedful.models.recurrent import Recurrent
from heedful.serve.starting import named
from heedful.translator import Translator, load


def load_beside(
    asked: str | None, given: Mapping[str, str], device: str = "auto"
) -> tuple[str, Translator] | None:
    """Return the name of what is asked for, and it; else the bundled one beside the bundled model.

    Raises ModelError for what holds no model or one of another kind, SettingError where another
    model is called alike.
    """
    if asked is None:
        if BUNDLED not in given.values() or BESIDE not in bundled():
            return None
        asked = BESIDE
    where = f"--beside {asked}"
    fix = "give a folder that heed train --recipe lstm made"
    if writes(asked):
        raise ModelError("this model does not translate", where=where, fix=fix)
    [name] = named([asked])
    if name in given and model_path(given[name]) != model_path(asked):
        problem = f"another model is called {name}, too"
        raise SettingError(problem, where=where, fix="copy its folder under another name")
    translator = load(asked, device)
    model = translator.model
    if not isinstance(model, Recurrent) or model.config.source_looks:
        problem = "the tour shows a recurrent model without attention here, and this is none"
        raise ModelError(problem, where=where, fix=fix)
    return name, translator
