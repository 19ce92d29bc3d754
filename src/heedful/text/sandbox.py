"""Jinja programs of strangers: what they may do is listed, what they use is counted.

A program and its values come in, text comes out; `heedful.text.chat` calls it. Jinja's sandbox
keeps a program from the inside of Python, but not from filling the memory or running for ever: so
every loop, call, sum and output is charged to an allowance before it is made, as far as it could
become large, and attributes, filters and tests are those that chat templates use.
"""

__all__ = ["Program", "RefusedError"]

import functools
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.ext import LoopControlExtension
from jinja2.runtime import LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from heedful.errors import ModelError
from heedful.text.counting import Counting, Generation, OpaqueNamespace

_WORK = 300_000
"""Operations, characters and items that a program may handle, and then"""
_WORK_PER_CHARACTER = 64
"""so many for each character of the conversation."""
_SIZE = 1_000_000
"""Characters or items of one value, and then four for each character of the conversation."""
_DIGITS = 1000
"""Width of a column, spaces of an indentation, digits of a number."""
_RANGE = 10_000

_WORDS = (
    "strip lstrip rstrip split rsplit splitlines startswith endswith upper lower title capitalize "
    "replace find rfind index count join format partition rpartition removeprefix removesuffix "
    "isdigit isalpha isalnum isspace isupper islower"
)
_ATTRIBUTES: tuple[tuple[type, str], ...] = (
    (str, _WORDS),
    (dict, "items keys values get"),
    (list, "index count"),
    (tuple, "index count"),
    (
        LoopContext,
        "index index0 first last length previtem nextitem revindex revindex0 depth cycle",
    ),
)
"""What may be asked of each kind of value."""
_FILTERS = (
    "abs capitalize count d default dictsort e escape first float format indent int items last "
    "length list lower map max min reject rejectattr replace reverse round safe select selectattr "
    "sort string title trim unique upper"
)
_TESTS = (
    "boolean callable defined divisibleby eq equalto even false float ge greaterthan gt in integer "
    "iterable le lessthan lower lt mapping ne none number odd sameas sequence string true "
    "undefined upper != < <= == > >="
)


class RefusedError(TemplateError):
    """What a program did and must not."""


class Program:
    """A Jinja program; raises ModelError, naming `where` it is from, for one that is none."""

    def __init__(
        self, source: str, longest: int, where: str, now: Callable[[], datetime] = datetime.now
    ) -> None:
        self.where = where
        if len(source) > longest:
            problem = f"it has {len(source):,} characters, and {longest:,} are the most"
            raise ModelError(problem, where=where)
        self._environment = _Environment(now)
        self._lock = threading.Lock()
        self._template = self._within(lambda: self._environment.from_string(source), 0)

    def run(self, values: Mapping[str, Any], size: int) -> str:
        """Return the text; `size` are the characters of what it is about."""
        return str(self._within(lambda: self._template.render(values), size))

    def _within(self, work: Callable[[], Any], size: int) -> Any:
        """Do something with a fresh allowance; raise ModelError for all that goes wrong."""
        with self._lock:
            self._environment.allow(size)
            try:
                return work()
            except _SaidError as error:
                problem = f"the template refuses this conversation: {_short(error)}"
            except RefusedError as error:
                problem = _short(error)
            except RecursionError:
                problem = "it calls itself without end, or is nested too deeply"
            except MemoryError:
                problem = "it needs more memory than there is"
            except Exception as error:  # whatever Python raises within a stranger's program
                problem = f"it fails: {_short(error)}"
        raise ModelError(problem, where=self.where)


class _SaidError(TemplateError):
    """What a template says to refuse a conversation."""


def _short(error: Exception) -> str:
    """Return what an exception says, as a part of one line."""
    said = " ".join(str(error).split()) or type(error).__name__
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in said)[:200]


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja as transformers sets it up, with an allowance."""

    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%", "**"))

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,
            finalize=self.written,
            extensions=[Generation, LoopControlExtension],
        )
        self.left = self.most = 0
        self.globals = {
            "range": _range,
            "dict": lambda *pairs, **named: dict(*pairs, **named),
            "namespace": OpaqueNamespace,
            "raise_exception": _raise,
            "strftime_now": lambda form: _time(now(), form),
        }
        known: Mapping[str, Any] = self.filters
        tests: Mapping[str, Any] = self.tests
        self.filters = {name: self._charged(known[name], name) for name in _FILTERS.split()}
        self.filters["join"] = self._charged(self._join, "")
        self.filters["tojson"] = self._charged(self._tojson, "")
        self.tests = {name: self._charged(tests[name], "") for name in _TESTS.split()}

    def allow(self, size: int) -> None:
        """Begin anew with what a conversation of so many characters may use."""
        self.left = _WORK + _WORK_PER_CHARACTER * size
        self.most = _SIZE + 4 * size

    def spend(self, work: int) -> None:
        """Take something from the allowance; raises RefusedError when there is nothing left."""
        self.left -= work
        if self.left < 0:
            raise RefusedError("it does more than a chat template needs, and was stopped")

    def checked(self, value: Any) -> Any:
        """Return a value that a program has made, charged with its size."""
        self.spend(self._size(value))
        return value

    def _size(self, value: Any) -> int:
        size = _size(value, self.most)
        if size > self.most:
            raise RefusedError(f"it makes a value of more than {self.most:,} characters or items")
        return size

    def _foreseen(self, size: int) -> None:
        """Raise RefusedError if so much is more than a value may have, or than is left."""
        if size > min(self.most, self.left):
            raise RefusedError("it makes a value that is larger than a chat template needs")

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        counted: nodes.Template = Counting().visit(tree)
        counted.set_environment(self)
        return counted

    def written(self, value: Any) -> Any:
        """Charge what is written; called by the program for every expression that it shows."""
        return self.checked(value if isinstance(value, str | Undefined) else _text(value))

    def joined(self, *parts: Any) -> str:
        """Return `a ~ b ~ ...`."""
        return "".join(map(_text, parts))

    def same(self, value: Any) -> Any:
        """Return the value: a call, and so charged."""
        return value

    def step(self, work: int) -> None:
        """Charge once through a loop or a macro."""
        self.spend(work)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Tell whether a program may ask for an attribute."""
        if isinstance(obj, Namespace):
            return not attr.startswith("_")
        return any(isinstance(obj, kind) and attr in names.split() for kind, names in _ATTRIBUTES)

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """Refuse an attribute that is not safe."""
        raise RefusedError(f'it asks for the attribute "{attribute[:40]}", which it may not see')

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return what does `"...".format(...)` within the allowance."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        def formatted(*args: Any, **named: Any) -> str:
            self._check_format(value.__self__, "{", (args, named))
            return wrapped(*args, **named)

        return formatted

    def call(self, context: Any, obj: Any, *args: Any, **named: Any) -> Any:
        """Call something for the program."""
        bound, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        self.spend(1 + self._size(bound) + self._size(args) + self._size(named))
        if isinstance(bound, str) and name == "join":
            return self._join(args[0] if args else (), bound)
        if isinstance(bound, str):
            self._foresee(name, bound, *args, **named)
        return self.checked(super().call(context, obj, *args, **named))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute a sum, a product, ... for the program."""
        self.spend(1)
        if operator == "**":
            raise RefusedError("it computes a power, which no chat template needs")
        if operator == "*":
            numbers = isinstance(left, int | float) and isinstance(right, int | float)
            sizes = [one if isinstance(one, int) else self._size(one) for one in (left, right)]
            self._foreseen(0 if numbers else sizes[0] * sizes[1])
        if operator == "%" and isinstance(left, str):
            self._check_format(left, "%", right)
        return self.checked(super().call_binop(context, operator, left, right))

    def _charged(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Return a filter or a test that is charged."""

        @functools.wraps(function)
        def charged(*args: Any, **named: Any) -> Any:
            self.spend(1 + self._size(args) + self._size(named))
            shown = args[1:] if hasattr(function, "jinja_pass_arg") else args
            self._foresee(name, *shown, **named)
            return self.checked(function(*args, **named))

        return charged

    def _foresee(self, name: str, value: Any = None, *args: Any, **named: Any) -> None:
        """Refuse what could become much larger than what it is made from."""
        given = [*args, *named.values()]
        if name == "replace":
            old, new = (_text(one) for one in (*given, "", "")[:2])
            self._foreseen(len(_text(value)) + _text(value).count(old) * len(new))
        elif name == "format":
            self._check_format(_text(value), "%", given)
        elif name in ("indent", "round"):
            wide = max(
                (one if isinstance(one, int) else self._size(one) for one in given), default=4
            )
            if wide > _DIGITS:
                raise RefusedError(f'it asks "{name}" for more than {_DIGITS:,} places')
            self._foreseen(_text(value).count("\n") * wide)

    def _join(self, values: Iterable[Any], d: Any = "", attribute: Any = None) -> str:
        """Return the values side by side, `d` between them."""
        parts = []
        for value in values:
            part = _text(value if attribute is None else self.getitem(value, attribute))
            self.spend(1 + len(part))
            parts.append(part)
        self._foreseen(sum(map(len, parts)) + len(parts) * len(_text(d)))
        return _text(d).join(parts)

    def _tojson(
        self,
        value: Any,
        ensure_ascii: bool = False,
        indent: int | str | None = None,
        separators: Iterable[str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        """Return JSON without escapes for HTML, as transformers does."""
        ends: Any = None if separators is None else tuple(separators)
        wide = indent if isinstance(indent, int) else self._size(indent)
        if max(wide, self._size(ends)) > _DIGITS:
            raise RefusedError(f'it asks "tojson" for more than {_DIGITS:,} places')
        encoder = json.JSONEncoder(
            ensure_ascii=ensure_ascii, indent=indent, separators=ends, sort_keys=sort_keys
        )
        parts = []
        for part in encoder.iterencode(value):
            self.spend(len(part))
            parts.append(part)
        return "".join(parts)

    def _check_format(self, form: str, sign: str, given: Any) -> None:
        if "*" in form or any(int(found) > _DIGITS for found in re.findall(r"\d{1,9}", form)):
            raise RefusedError(f"it formats to more than {_DIGITS:,} places")
        if sign == "{" and re.search(r"\{[^{}]*\{", form.replace("{{", "")):
            raise RefusedError("it formats to a width that it computes")
        self._foreseen(len(form) + form.count(sign) * (_DIGITS + self._size(given)))


def _size(value: Any, most: int) -> int:
    """Return the characters and items of a value, with all that is in it, or more than `most`.

    Raises RefusedError for a namespace within another value: only so could a value hold itself.
    """
    total, waiting = 0, [value]
    while waiting and total <= most:
        one = waiting.pop()
        total += 1
        if isinstance(one, str | range):
            total += len(one)
        elif isinstance(one, int):
            total += one.bit_length() // 3
        elif isinstance(one, dict):
            waiting.extend([*one, *one.values()])
        elif isinstance(one, list | tuple):
            waiting.extend(one)
        elif isinstance(one, Namespace) and one is not value:
            raise RefusedError("it puts a namespace into another value")
    return total


def _text(value: Any) -> str:
    """Return a value as it is shown."""
    return "" if isinstance(value, Undefined) else str(value)


def _raise(message: object) -> None:
    raise _SaidError(str(message))


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > _RANGE:
        raise RefusedError(f"it counts to more than {_RANGE:,}")
    return numbers


def _time(now: datetime, form: str) -> str:
    if len(form) > 100 or re.search(r"\d", form):
        raise RefusedError("it asks for the time in a form that is none")
    return now.strftime(form)
