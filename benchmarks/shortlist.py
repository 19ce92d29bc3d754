"""What a vocabulary shortlist covers, by the least probability that lists a piece.

    python benchmarks/shortlist.py [--multi30k MODEL]

Learns from Tatoeba's training part for the bundled model, and from Multi30k's for a model that was
trained on it, and measures on the test parts: of the pieces of the references, and of those that
the model chooses with its whole vocabulary (beam 4), the share that is among the candidates of
the sentence; apart for pieces inside words. Needs $HEEDFUL_DATA. Writes results/shortlist.json.
"""

import argparse
import time
from pathlib import Path
from typing import Any

from machine import data_folder, record

from heedful.decode.engine import decode
from heedful.decode.shortlist import Shortlist
from heedful.search import Beam
from heedful.text.tokenizer import Tokenizer
from heedful.train.shortlist import ALWAYS, LEAST, MOST_LISTED, learn
from heedful.translator import Translator, load

LEASTS = (2e-3, 1e-3, 5e-4, 1e-4)
Rows = list[tuple[list[int], list[int]]]


def main() -> None:
    data = data_folder(__file__)
    if data is None:
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--multi30k", help="a model trained on Multi30k, English to German")
    multi30k = parser.parse_args().multi30k
    found = {"Tatoeba, en-de and de-en": measured(load(), *tatoeba(data))}
    if multi30k:
        found["Multi30k, en-de"] = measured(load(multi30k), *captions(data))
    record("shortlist", {"always": ALWAYS, "most_listed": MOST_LISTED, "coverage": found})


def tatoeba(data: Path) -> list[list[tuple[str, str]]]:
    """Return the pairs of train and test."""
    texts = ((data / f"tatoeba_en_de/{part}.tsv").read_text("utf-8") for part in ("train", "test"))
    rows = [[line.split("\t") for line in text.strip().split("\n")] for text in texts]
    return [[(row[0], row[1]) for row in part] for part in rows]


def captions(data: Path) -> list[list[tuple[str, str]]]:
    """Return the pairs of train and test."""
    both = []
    for part in ("train", "test_2016_flickr"):
        sides = ((data / f"multi30k/{part}.{side}").read_text("utf-8") for side in ("en", "de"))
        both.append(list(zip(*(side.strip("\n").split("\n") for side in sides), strict=True)))
    return both


def coded(tokenizer: Tokenizer, pairs: list[tuple[str, str]]) -> Rows:
    """Return the rows of all directions, targets without `</s>`."""
    ways = [(0, "de"), (1, "en")] if tokenizer.languages else [(0, None)]
    rows: Rows = []
    for side, tag in ways:
        source = tokenizer.encode_source([pair[side] for pair in pairs], tag)
        target = tokenizer.encode_target([pair[1 - side] for pair in pairs])
        rows += zip(source, (ids[:-1] for ids in target), strict=True)
    return rows


def measured(
    translator: Translator, train: list[tuple[str, str]], test: list[tuple[str, str]]
) -> dict[str, Any]:
    """Return seconds of learning, and figures for every least probability."""
    tokenizer = translator.tokenizer
    rows, references = coded(tokenizer, train), coded(tokenizer, test)
    sources = [source for source, _ in references]
    found = decode(translator.model, sources, Beam(), limits=translator.limits)
    own = [(source, list(best[0].tokens)) for source, best in zip(sources, found, strict=True)]
    pieces = tokenizer.target_pieces(range(tokenizer.target_size))
    inside = [piece[0].isalpha() for piece in pieces]  # others begin with ▁ or are punctuation
    learn(rows[:1], tokenizer)  # compiles
    result: dict[str, Any] = {"rows": len(rows), "default": LEAST}
    for least in LEASTS:
        start = time.perf_counter()
        shortlist = learn(rows, tokenizer, least=least)
        seconds = time.perf_counter() - start
        result[f"{least:g}"] = {
            "candidates": shortlist.coverage(references).mean_length,
            "references": shares(shortlist, references, inside),
            "own translations": shares(shortlist, own, inside),
            "bytes": len(shortlist.to_bytes()),
            "seconds": seconds,
        }
        print(least, result[f"{least:g}"])
    return result


def shares(shortlist: Shortlist, rows: Rows, inside: list[bool]) -> dict[str, float]:
    """Return the share covered of all pieces, and of those inside words."""
    parts = [(source, [piece for piece in target if inside[piece]]) for source, target in rows]
    return {
        "all": shortlist.coverage(rows).share,
        "inside words": shortlist.coverage(parts).share,
    }


if __name__ == "__main__":
    main()
