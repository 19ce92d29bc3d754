"""Parameters of OpenAI's API that are not followed: refused by name, or without any effect.

A request's fields come in before they are checked, those that are known go out.
"""

__all__ = ["HARMLESS", "REFUSED", "known"]

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from heedful.serve.refusal import RefusalError, shown

HARMLESS = (
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "user",
)
"""They change no answer, and are not looked at."""


class Refused(NamedTuple):
    """Why a parameter is refused, and the values that ask for nothing."""

    reason: str
    nothing: tuple[Any, ...] = ()


REFUSED: dict[str, Refused] = {
    "audio": Refused("nothing is spoken here"),
    "best_of": Refused("texts are not chosen among more than are returned", (1,)),
    "function_call": Refused("functions are not called here", ("none", "auto")),
    "functions": Refused("functions are not called here", ([],)),
    "modalities": Refused("text is all that is written here", (["text"],)),
    "moderation": Refused("texts are not moderated here"),
    "prediction": Refused("predicted outputs are not used here"),
    "reasoning_effort": Refused("how long a model thinks is not set here", ("none",)),
    "store": Refused("nothing that is sent or written is kept here", (False,)),
    "suffix": Refused("texts are not filled in, they only go on", ("",)),
    "tool_choice": Refused("tools are not called here", ("none", "auto")),
    "tools": Refused("tools are not called here", ([],)),
    "verbosity": Refused("how much a model says is not set here", ("medium",)),
    "web_search_options": Refused("nothing is searched in the web"),
}
"""They would change the answer."""


def known(given: Mapping[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """Return what is given of the fields; null is as not given.

    Raises RefusalError, naming the parameter, for one that is not followed, and for one that is
    none of OpenAI's.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or (name in HARMLESS and name not in fields):
            continue
        if name in fields:
            found[name] = value
            continue
        if name not in REFUSED:
            sentence = f"there is no parameter {shown(name)} here"
            raise RefusalError(400, sentence, param=name[:40], code="unknown_parameter")
        reason, nothing = REFUSED[name]
        if not any(value == one and type(value) is type(one) for one in nothing):
            sentence = f"{name} is not supported: {reason}"
            raise RefusalError(400, sentence, param=name, code="unsupported_parameter")
    return found
