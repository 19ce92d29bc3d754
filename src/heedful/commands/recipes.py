"""`heed recipes`: the named experiments, a line each, or one of them whole."""

__all__ = ["EXAMPLES", "Options", "run"]

from dataclasses import dataclass
from typing import Annotated

import tyro

EXAMPLES = """
heed recipes
heed recipes small
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """List the recipes that `heed train --recipe` knows, or print all settings of one as JSON."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """A recipe to print whole."""


def run(options: Options) -> int:
    """Print to standard output."""
    from heedful.recipes import RECIPES, recipe

    if options.name is not None:
        print(recipe(options.name).model_dump_json(indent=2))
        return 0
    for name, make in RECIPES.items():
        print(f"{name:19}{(make.__doc__ or '').strip().splitlines()[0]}")
    return 0
