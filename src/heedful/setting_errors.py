"""What pydantic says of settings, as one sentence that names the option and the fix.

The commands raise it for settings given by path, `--a.b value`.
"""

__all__ = ["plain"]

import json
import re
from typing import Any, get_args

from pydantic_core import ErrorDetails

from heedful.errors import SettingError, did_you_mean


def plain(error: ErrorDetails, data: dict[str, Any], root: Any) -> SettingError:
    """Turn pydantic's first complaint into one sentence that names the option.

    `data` was to become settings of the class `root`.
    """
    path = [str(part) for part in error["loc"]]
    option = _option(path, data) if path else None
    if error["type"] == "extra_forbidden":
        fix = did_you_mean(path[-1].replace("_", "-"), _known(path[:-1], root))
        return SettingError("there is no such setting", where=option, fix=fix)
    if error["type"] == "union_tag_invalid":
        kinds = re.findall("'([^']*)'", str(error.get("ctx", {}).get("expected_tags", "")))
        tag = str(error.get("ctx", {}).get("tag"))
        fix = did_you_mean(tag, kinds)
        return SettingError(f'there is no kind "{tag}"', where=f"{option}.kind", fix=fix)
    if error["type"] in ("model_type", "model_attributes_type", "union_tag_not_found"):
        first = next(iter(_known(path, root)), "kind")
        fix = f"give what is in it by its own path, such as {option}.{first}"
        return SettingError("this is a group of settings", where=option, fix=fix)
    message = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    given = error["input"]
    shown = (
        f", but was given {json.dumps(given, default=str)}" if not isinstance(given, dict) else ""
    )
    return SettingError(message + shown, where=option)


def _option(path: list[str], data: Any) -> str:
    """Return the option as typed: pydantic's path without the kinds it inserts."""
    names = []
    for part in path:
        if isinstance(data, dict) and part not in data and data.get("kind", _NEVER) == part:
            continue
        names.append(part)
        data = data.get(part) if isinstance(data, dict) else None
    return "--" + ".".join(names).replace("_", "-")


_NEVER = object()


def _known(path: list[str], root: Any) -> list[str]:
    """Return the settings that exist under a path."""
    here: Any = root
    for part in path:
        members = [here, *get_args(here)]
        nested = [m.model_fields[part] for m in members if part in getattr(m, "model_fields", {})]
        if nested:
            here = nested[0].annotation
            continue
        tagged = [m for m in get_args(here) if _kind_of(m) == part]
        here = tagged[0] if tagged else here
    fields = getattr(here, "model_fields", {})
    return [name.replace("_", "-") for name in fields]


def _kind_of(settings: Any) -> str | None:
    field = getattr(settings, "model_fields", {}).get("kind")
    return None if field is None else field.default
