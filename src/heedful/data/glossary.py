"""A glossary: terms and how they are to be translated.

A file of `source<TAB>target` lines comes in, the terms that a text holds go out. The translator
asks for their translations, the checks of `heed evaluate` count how many were used.
"""

__all__ = ["Glossary", "Term"]

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from heedful.data.formats.reading import ReadCounts, RowError, lines, text_of
from heedful.errors import DataError, SettingError
from heedful.text.scripts import UNSPACED, WORD

_START = re.compile(rf"[{UNSPACED}]|{WORD}++|\S")
_EDGE = re.compile(WORD)


class Term(NamedTuple):
    """A term of a glossary."""

    source: str
    targets: tuple[str, ...]
    """The translation, and other forms of it that will do as well."""

    def times_in(self, translation: str) -> int:
        """Count how often one of its targets stands in a translation, found as terms are.

        >>> Term("disk", ("Platte", "Platten")).times_in("Platten und eine Platte, Plattenspieler")
        2
        """
        forms = Glossary(Term(form, ()) for form in self.targets)
        return len(forms.terms(translation))


class Glossary:
    """Terms, found in a text in time that does not depend on how many there are.

    >>> glossary = Glossary([Term("hard disk", ("Festplatte",)), Term("disk", ("Platte",))])
    >>> [term.source for term in glossary.terms("Hard disk or disk, no diskette")]
    ['hard disk', 'disk']
    """

    def __init__(self, terms: Iterable[Term]) -> None:
        """Take terms of which neither the source nor a target is empty.

        Raises SettingError for a source that comes again with other targets.
        """
        self._terms: dict[str, Term] = {}
        found: dict[str, set[int]] = {}
        for term in terms:
            key = _key(term.source)
            if self._terms.setdefault(key, term).targets != term.targets:
                problem = f'the term "{term.source}" is given twice, with two translations'
                raise SettingError(problem, fix="give it once, with both as forms")
            first = _START.match(_folded(term.source))
            found.setdefault(first[0] if first else "", set()).add(len(key))
        self._lengths = {first: sorted(sizes, reverse=True) for first, sizes in found.items()}

    def __len__(self) -> int:
        return len(self._terms)

    def __iter__(self) -> Iterator[Term]:
        return iter(self._terms.values())

    @classmethod
    def load(cls, path: Path) -> "Glossary":
        """Read lines of `source<TAB>target`, or `source<TAB>target|another form|...`.

        Blank lines and those that begin with # are passed over, spaces around the parts dropped. A
        source may come again with the same targets. Raises DataError with file and line for any
        other line, and for a file without a term.
        """
        terms: dict[str, tuple[Term, int]] = {}
        for number, raw in lines(path, ReadCounts()):
            where = f"{path}:{number}"
            try:
                text = text_of(raw)
            except RowError as error:
                raise DataError(error.problem, where=where, fix=error.fix or None) from None
            if not text.strip() or text.startswith("#"):
                continue
            term = _term(text, where)
            before, line = terms.setdefault(_key(term.source), (term, number))
            if before.targets != term.targets:
                problem = f'"{term.source}" has another target than in line {line}'
                fix = "join them in one line: a<TAB>b|c"
                raise DataError(problem, where=where, fix=fix)
        if not terms:
            raise DataError("holds no term", where=str(path), fix="write a<TAB>b, a term a line")
        return cls(term for term, _ in terms.values())

    def terms(self, text: str) -> list[Term]:
        """Return the terms in a text, from left to right, at each place the longest.

        They do not overlap, and stand between the borders of words; those of scripts without spaces
        stand anywhere. Capitals count in terms that have one after the first letter (NASA, New
        York). Found as written only: no plural, no other form.
        """
        return [term for term, _, _ in self.places(text)]

    def places(self, text: str) -> Iterator[tuple[Term, int, int]]:
        """Yield the terms of `terms` and where in the text each begins and ends."""
        folded = _folded(text)
        at = 0
        for start in _START.finditer(folded):
            if start.start() < at:
                continue
            for length in self._lengths.get(start[0], ()):
                place, end = start.start(), start.start() + length
                term = self._terms.get(text[place:end]) or self._terms.get(folded[place:end])
                if term is not None and end <= len(text) and not _cuts(text, place, end):
                    yield term, place, end
                    at = end
                    break


def _term(text: str, where: str) -> Term:
    """Read one line; raises DataError for one that is no term."""
    fields = text.split("\t")
    if len(fields) != 2:
        number = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        problem = f"the line has {number}, 2 are needed"
        raise DataError(problem, where=where, fix="write source<TAB>target")
    source, target = (field.strip() for field in fields)
    if not source or not target:
        what = "source" if not source else "target"
        raise DataError(f"the {what} is empty", where=where, fix="write source<TAB>target")
    targets = tuple(form.strip() for form in target.split("|"))
    if not all(targets):
        problem = f'one of the forms in "{target}" is empty'
        raise DataError(problem, where=where, fix="write one between every two |")
    return Term(source, targets)


def _key(term: str) -> str:
    """Return the term if its capitals count, else in small letters.

    >>> [_key(term) for term in ("Disk", "NASA", "New York", "hard disk")]
    ['disk', 'NASA', 'New York', 'hard disk']
    """
    return term if any(letter.isupper() for letter in term[1:]) else _folded(term)


def _folded(text: str) -> str:
    """Return the text in small letters, as long as it was: İ has no single small letter."""
    small = text.lower()
    if len(small) == len(text):
        return small
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _cuts(text: str, start: int, end: int) -> bool:
    """Tell whether a word goes on beyond the start or the end of a part of the text."""
    return _joined(text[start - 1 : start + 1] if start else "") or _joined(text[end - 1 : end + 1])


def _joined(two: str) -> bool:
    return len(two) == 2 and all(map(_EDGE.fullmatch, two))
