"""The words after `heed NAME` become the command's `Options`, or one plain sentence of refusal.

Called by `heedful.cli`; `Options` are the frozen dataclasses of `heedful.commands`, parsed and
documented by tyro. What tyro would print as a box is checked here first and raised as a
`SettingError`. Settings given by their path (`--model.d-ff 64`) are collected as a nested dict.
"""

__all__ = ["Option", "known_options", "read_options", "show_help"]

import contextlib
import dataclasses
import io
import json
import re
import types
import typing
from collections.abc import Sequence
from typing import Any

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    UnsupportedTypeAnnotationError,
)

from heedful.errors import SettingError, did_you_mean

NUMBERS: dict[Any, str] = {int: "a whole number", float: "a number"}
POSITIONAL = typing.get_args(tyro.conf.Positional[int])[1]
APPENDED = typing.get_args(tyro.conf.UseAppendAction[tuple[int, ...]])[1]


@dataclasses.dataclass(frozen=True)
class Option:
    """What may be written for one field of an `Options` class."""

    spellings: tuple[str, ...]
    """How it is written (`--input`, `-i`); empty for words that stand alone."""
    kind: Any
    """Type of one value, without `None`."""
    least: int
    """Fewest values that must follow."""
    most: int | None
    """Most values that may follow; None: as many as there are."""
    required: bool
    """True if the command cannot run without it."""


def known_options(options: type) -> list[Option]:
    """Return what an `Options` class accepts, in the order of its fields."""
    hints = typing.get_type_hints(options, include_extras=True)
    return [_option(field, hints[field.name]) for field in dataclasses.fields(options)]


def _option(field: "dataclasses.Field[Any]", hint: Any) -> Option:
    marks: tuple[Any, ...] = getattr(hint, "__metadata__", ())
    kind = _without_none(hint.__origin__ if marks else hint)
    aliases = [alias for mark in marks for alias in getattr(mark, "aliases", None) or ()]
    named = [mark.name for mark in marks if getattr(mark, "name", None)]
    name = (named or [field.name])[0].replace("_", "-")
    required = field.default is dataclasses.MISSING and (
        field.default_factory is dataclasses.MISSING
    )
    spellings = (f"--no-{name}" if field.default is True else f"--{name}", *aliases)
    if POSITIONAL in marks:
        spellings = ()
    if kind is bool:
        return Option(spellings, bool, 0, 0, required)
    if typing.get_origin(kind) is not tuple:
        return Option(spellings, kind, 1, 1, required)
    kinds = typing.get_args(kind)
    if APPENDED in marks:  # one value each time it is written
        return Option(spellings, kinds[0], 1, 1, required)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return Option(spellings, kinds[0], 0 if POSITIONAL in marks else 1, None, required)
    return Option(spellings, kinds[0], len(kinds), len(kinds), required)


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) not in (types.UnionType, typing.Union):
        return hint
    kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
    return kinds[0] if len(kinds) == 1 else hint


def read_options(
    command: str, options: type, words: Sequence[str], *, accepts_settings: bool = False
) -> tuple[Any, dict[str, Any]]:
    """Return the command's `Options` and the settings given by path.

    >>> Options = dataclasses.make_dataclass("Options", [("data", str)])
    >>> words = ["--data", "t.tsv", "--model.d-ff", "64"]
    >>> read_options("train", Options, words, accepts_settings=True)
    (Options(data='t.tsv'), {'model': {'d_ff': 64}})

    Raises SettingError, naming the option, for whatever is unknown, missing or of a wrong type.
    """
    settings: dict[str, Any] = {}
    rest = _take_settings(words, settings) if accepts_settings else list(words)
    rest = _checked(command, known_options(options), rest)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return _tyro(command, options, rest), settings
    except SystemExit as stop:
        raise SettingError(_first_paragraph(said.getvalue()), where=f"heed {command}") from stop


def show_help(command: str, options: type, examples: str) -> None:
    """Print a command's options, then real command lines that use it."""
    with contextlib.suppress(SystemExit):
        _tyro(command, options, ["--help"])
    print("Every command takes --debug too: it shows the traceback of an error.")
    print("\nExamples:")
    for line in examples.strip().split("\n"):
        print(f"  {line}".rstrip())


def _tyro(command: str, options: type, words: Sequence[str]) -> Any:
    registry = ConstructorRegistry()
    registry.primitive_rule(_value_or_none)
    return tyro.cli(
        options,
        args=list(words),
        prog=f"heed {command}",
        config=(tyro.conf.FlagCreatePairsOff,),
        registry=registry,
    )


def _value_or_none(
    info: PrimitiveTypeInfo,
) -> "PrimitiveConstructorSpec[Any] | UnsupportedTypeAnnotationError | None":
    """Show `PATH` where tyro would show `{None}|PATH`, and never read the word None as nothing."""
    kind = _without_none(info.type)
    if kind is info.type:
        return None
    spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kind, set(info.markers)))
    if isinstance(spec, UnsupportedTypeAnnotationError):
        return spec
    return dataclasses.replace(
        spec,
        is_instance=lambda value: value is None or spec.is_instance(value),
        str_from_instance=lambda value: (
            ["none"] if value is None else spec.str_from_instance(value)
        ),
    )


def _is_value(word: str) -> bool:
    """Tell a value (`x`, `-`, `-1.5`) from an option (`-i`, `--input`)."""
    return not word.startswith("-") or word == "-" or _is_number(word, float)


def _is_number(word: str, kind: Any) -> bool:
    try:
        kind(word)
    except ValueError:
        return False
    return True


def _take_settings(words: Sequence[str], settings: dict[str, Any]) -> list[str]:
    """Move every `--a.b-c value` before a `--` into `settings`; return the other words."""
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == "--":
            return [*rest, word, *waiting]
        name, equals, value = word.partition("=")
        if not name.startswith("--") or "." not in name:
            rest.append(word)
            continue
        if not equals:
            value = next(waiting, "--")
            if not _is_value(value):
                raise SettingError("needs a value", where=name)
        _put(settings, name, value)
    return rest


def _put(settings: dict[str, Any], name: str, value: str) -> None:
    *groups, last = name.removeprefix("--").replace("-", "_").split(".")
    place = settings
    for group in groups:
        place = place.setdefault(group, {})
        if not isinstance(place, dict):
            raise SettingError(f"{group} was given a value and a setting inside it", where=name)
    if isinstance(place.get(last), dict):
        raise SettingError(f"{last} was given a setting inside it and a value", where=name)
    try:
        place[last] = json.loads(value)
    except ValueError:
        place[last] = value


_LIKE_OPTION = re.compile(r"-[a-zA-Z]\S*|--[a-zA-Z][\w.-]*").fullmatch


def _checked(command: str, options: Sequence[Option], words: Sequence[str]) -> list[str]:
    """Return the words with those that stand alone last, behind a `--`, as tyro wants them."""
    by_spelling = {spelling: option for option in options for spelling in option.spellings}
    seen: set[int] = set()
    alone: list[str] = []
    others: list[str] = []
    at = 0
    while at < len(words):
        if words[at] == "--":
            alone += words[at + 1 :]
            break
        name, equals, value = words[at].partition("=")
        if _is_value(words[at]):
            alone.append(words[at])
            at += 1
            continue
        name = name.replace("_", "-")
        if name not in by_spelling:
            fix = did_you_mean(name, [*by_spelling, "--debug", "--help"])
            if not all(option.spellings for option in options) and not _LIKE_OPTION(name):
                fix = "a text that begins with a dash stands behind --, after all options"
            raise SettingError(f"unknown option {name}", where=f"heed {command}", fix=fix)
        option = by_spelling[name]
        seen.add(id(option))
        values = [value] if equals else _values(words[at + 1 :], option.most)
        _check_values(name, option, values)
        end = at + 1 if equals else at + 1 + len(values)
        others += words[at:end]
        at = end
    _check_alone(command, options, alone)
    for option in options:
        if option.required and option.spellings and id(option) not in seen:
            raise SettingError(f"{option.spellings[0]} is missing", where=f"heed {command}")
    return [*others, "--", *alone] if alone else others


def _values(words: Sequence[str], most: int | None) -> list[str]:
    values = []
    for word in words[:most]:
        if not _is_value(word):
            break
        values.append(word)
    return values


def _check_values(name: str, option: Option, values: Sequence[str]) -> None:
    if option.most == 0 and values:
        raise SettingError("takes no value", where=name)
    if len(values) < option.least:
        wanted = "a value" if option.least == 1 else f"{option.least} values"
        raise SettingError(f"needs {wanted}", where=name)
    for value in values:
        if option.kind in NUMBERS and not _is_number(value, option.kind):
            raise SettingError(f'"{value}" is not {NUMBERS[option.kind]}', where=name)
        if typing.get_origin(option.kind) is typing.Literal:
            choices = [str(choice) for choice in typing.get_args(option.kind)]
            if value not in choices:
                raise SettingError(f'"{value}" is not one of {", ".join(choices)}', where=name)


def _check_alone(command: str, options: Sequence[Option], alone: Sequence[str]) -> None:
    places = [option for option in options if not option.spellings]
    if any(option.most is None for option in places):
        return
    taken = sum(option.most or 0 for option in places)
    if len(alone) > taken:
        raise SettingError(
            f'the word "{alone[taken]}" belongs to no option',
            where=f"heed {command}",
            fix=f"see heed {command} --help",
        )
    if len(alone) < sum(option.least for option in places if option.required):
        raise SettingError(
            "needs one more word", where=f"heed {command}", fix=f"see heed {command} --help"
        )


def _first_paragraph(boxed: str) -> str:
    """Return what tyro's box says above its first rule, as one line.

    >>> _first_paragraph("╭─ Value error ─╮\\n│ Error parsing x │\\n│ ─── │\\n│ more │\\n╰───╯")
    'Error parsing x'
    """
    lines = [line.strip("│╭╮╰╯ ") for line in boxed.split("\n")[1:]]
    kept: list[str] = []
    for line in lines:
        if not line.strip("─"):
            break
        kept.append(line)
    return " ".join(kept) or "the options cannot be read"
