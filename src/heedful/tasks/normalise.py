"""`python -m heedful.tasks.normalise --out FOLDER`: written forms and their normal forms, as a TSV.

A seed comes in; `train.tsv`, `dev.tsv` and two tests go out. What is held out is a value with all
its forms (`test.tsv`: known forms of values never seen) and a form with all its values
(`test-forms.tsv`: forms never seen, of values never seen). The rules where a form is ambiguous
stand in docs/your-own-task.md.
"""

__all__ = ["draw", "main", "make"]

import argparse
import random
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from heedful.errors import SettingError
from heedful.tasks.corpus import Pair, command, share_of, write_corpus
from heedful.tasks.written import FORMS, HELD_OUT_FORMS, KINDS, write

ROWS, N_TEST = 60_000, 2000
"""Rows to learn from, and of each test."""

_HELD_OUT = 0.1
"""Share of the values that training never sees, half of them for dev."""

_ALWAYS = ("00:00", "12:00")
"""Values that have a word of their own, which can only be learnt from them."""

_TRIES = 500
"""Values that are drawn for a form before another form is."""

_SMALL_LETTERS = 0.1
"""Share of the rows in which nobody cared for capitals."""


def draw(
    chance: random.Random, forms: Mapping[str, Sequence[str]], low: float, high: float, seed: int
) -> tuple[str, str]:
    """Draw a written form of a value whose share lies from `low` to `high`, and its normal form.

    Kinds are equally likely, and so are their forms, but for those that suit hardly a value.
    """
    name = chance.choice(tuple(forms))
    kind = KINDS[name]
    while True:
        pattern = chance.choice(forms[name])
        for _ in range(_TRIES):
            value = kind.draw(chance)
            normal = kind.normal(value)
            if low <= (1.0 if normal in _ALWAYS else share_of(normal, seed)) <= high:
                text = write(pattern, kind.fields(value))
                if text is not None and (forms is FORMS or text not in _trained(name, value)):
                    return _styled(chance, text, normal), normal


def _trained(name: str, value: Any) -> set[str | None]:
    """Return how the forms that are trained on write a value: some held out write a few alike."""
    fields = KINDS[name].fields(value)
    return {write(pattern, fields) for pattern in FORMS[name]}


def _styled(chance: random.Random, text: str, normal: str) -> str:
    """Return the text, now and then in small letters; units and currencies keep theirs."""
    careless = chance.random() < _SMALL_LETTERS and not normal[-1].isalpha()
    return text.lower() if careless else text


def make(rows: int, seed: int, n_test: int) -> dict[str, list[Pair]]:
    """Return the parts of the corpus, each by a chance of its own: tests stay when rows grow.

    No row stands twice in a part.
    """
    middle = _HELD_OUT / 2
    plan = {
        "train": (FORMS, rows, _HELD_OUT, 1.0),
        "dev": (FORMS, n_test // 2, middle, _HELD_OUT),
        "test": (FORMS, n_test, 0.0, middle),
        "test-forms": (HELD_OUT_FORMS, n_test, 0.0, middle),
    }
    parts = {}
    for name, (forms, many, low, high) in plan.items():
        chance = random.Random(f"{seed} {name}")
        found: dict[Pair, None] = {}
        while len(found) < many:
            found[draw(chance, forms, low, high, seed)] = None
        parts[name] = list(found)
    return parts


def main(words: Sequence[str] | None = None) -> int:
    """Write the files that the words ask for."""
    parser = argparse.ArgumentParser(
        prog="python -m heedful.tasks.normalise",
        description="Write dates, times, numbers, measures and money with their normal forms.",
    )
    parser.add_argument("--rows", type=int, default=ROWS, help="rows to learn from")
    return command(parser, _written, words)


def _written(options: argparse.Namespace) -> list[str]:
    if options.rows < 1:
        raise SettingError(f"{options.rows} is less than 1", where="--rows", fix="give 1 or more")
    return write_corpus(options.out, make(options.rows, options.seed, N_TEST))


if __name__ == "__main__":
    sys.exit(main())
