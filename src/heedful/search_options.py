"""The search that options of a command ask for: `--beam 8`, or `--search.kind mbr`.

Options and settings by path come in, a search goes out; `heed translate` and `heed evaluate` ask,
and of models that write `heed generate`, `heed inspect` and the playground.
"""

__all__ = ["search_of", "writing_of"]

from typing import Any

from pydantic import ValidationError

from heedful.errors import SettingError
from heedful.search import Beam, Greedy, Sample, SearchConfig
from heedful.setting_errors import plain
from heedful.settings import Settings


class _Asked(Settings):
    """What settings by path may hold."""

    search: SearchConfig = Beam()
    """How translations are looked for."""


def search_of(
    settings: dict[str, Any],
    *,
    beam: int | None = None,
    nbest: int | None = None,
    length_penalty: float | None = None,
) -> SearchConfig:
    """Return the search; a beam of 1 is greedy search.

    Raises SettingError, naming the option, for one that is impossible, unknown, or given twice.
    """
    asked = settings.get("search", {})
    if not isinstance(asked, dict) or not settings.keys() <= {"search"}:
        return _checked(settings)
    short = {
        "beam_size": ("--beam", beam),
        "n_best": ("--nbest", nbest),
        "length_penalty": ("--length-penalty", length_penalty),
    }
    given = {name: (option, value) for name, (option, value) in short.items() if value is not None}
    _check_once(asked, given)
    whole = {"kind": "beam"} | asked | {name: value for name, (_, value) in given.items()}
    if whole["kind"] == "beam" and beam == 1 and (nbest or 1) == 1 and asked.keys() <= _SHARED:
        shared = {name: value for name, value in asked.items() if name != "kind"}
        return _checked({"search": {"kind": "greedy"} | shared})
    try:
        return _checked({"search": whole})
    except SettingError as error:
        for name, (option, _) in given.items():
            if error.where == f"--search.{name.replace('_', '-')}":
                raise error.said_of(option) from error
        raise


def writing_of(given: dict[str, Any]) -> Greedy | Sample:
    """Return how a text is gone on with: drawn if anything is given that drawing alone has, such as
    a seed, else by the likeliest pieces.

    Raises SettingError, naming the option, for one that is impossible.
    """
    asked = {"kind": "sample" if given.keys() - Greedy.model_fields.keys() else "greedy"}
    try:
        search = _checked({"search": asked | given})
    except SettingError as error:
        where = (error.where or "").replace("--search.", "--")
        fix = "leave it out for the likeliest text" if where == "--temperature" else None
        raise error.said_of(where, fix) from error
    assert isinstance(search, Greedy | Sample)
    return search


def _check_once(asked: dict[str, Any], given: dict[str, tuple[str, Any]]) -> None:
    """Raise SettingError for short options that contradict the settings or each other."""
    kind = asked.get("kind", "beam")
    for name, (option, value) in given.items():
        where = f"--search.{name.replace('_', '-')}"
        if name in asked:
            raise SettingError(f"so is {option}", where=where, fix="leave one of them out")
        if kind not in _BEAMS and not (name == "n_best" and kind == "mbr"):
            problem = f"{option} is not for the search {kind}"
            raise SettingError(problem, where="--search.kind", fix="leave one of them out")
        size = given.get("beam_size", ("", asked.get("beam_size", Beam().beam_size)))[1]
        if name == "n_best" and kind in _BEAMS and isinstance(size, int) and value > size:
            problem = f"{value} are more than the beam holds"
            raise SettingError(problem, where=option, fix=f"give --beam {value}")


_BEAMS = ("beam", "diverse")
_SHARED = {"kind", *Greedy.model_fields}


def _checked(settings: dict[str, Any]) -> SearchConfig:
    try:
        return _Asked.model_validate(settings).search
    except ValidationError as error:
        raise plain(error.errors()[0], settings, _Asked) from error
