"""Pairs of a task become the files of a corpus, and words on the command line what to write.

The modules of the two tasks call it; `train.tsv`, `dev.tsv` and tests lie in a folder afterwards.
"""

__all__ = ["Pair", "command", "share_of", "write_corpus"]

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from heedful.errors import HeedfulError, OutputError, SettingError
from heedful.output import unwritable, write_whole

Pair = tuple[str, str]
"""What is read and what is to be written."""


def share_of(text: str, seed: int) -> float:
    """Return a number from 0 to 1 that text and seed decide, the same on every machine.

    What is held out is so held out from every file: a text has one share.

    >>> share_of("03:15", 1) == share_of("03:15", 1) != share_of("03:15", 2)
    True
    """
    digest = sha256(f"{seed}\t{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def write_corpus(folder: Path, parts: Mapping[str, Sequence[Pair]]) -> list[str]:
    """Write a part as `NAME.tsv`, and return a line for the eye of each.

    Raises OutputError where that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    said = []
    for name, pairs in parts.items():
        path = folder / f"{name}.tsv"
        if path.is_dir():
            raise OutputError("this is a folder", where=str(path))
        text = "".join(f"{source}\t{target}\n" for source, target in pairs)
        write_whole(path, text.encode())
        said.append(f"{path}: {len(pairs):,} rows")
    return said


def command(
    parser: argparse.ArgumentParser,
    make: Callable[[argparse.Namespace], list[str]],
    words: Sequence[str] | None,
) -> int:
    """Read the words, let `make` write the files, and print what it says; return the exit code."""
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where to write")
    parser.add_argument("--seed", type=int, default=1, help="decides what is drawn and held out")
    options = parser.parse_args(words)
    try:
        if options.seed < 0:
            raise SettingError(
                f"{options.seed} is less than 0", where="--seed", fix="give 0 or more"
            )
        print("\n".join(make(options)))
    except HeedfulError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
