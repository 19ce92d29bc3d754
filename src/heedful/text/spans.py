"""Words of a text, as people or as other programs count them, and which pieces spell them.

A text comes in, words with their places go out; pieces and words come in, the share that each has
in the other goes out. `heedful.decode.alignment` calls it.
"""

__all__ = ["Span", "piece_edges", "piece_shares", "shares", "spaced_words", "words"]

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.text.subword_pieces import GOES_ON

_SCRIPTS_WITHOUT_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_SCRIPTS_WITHOUT_SPACES}]|[^\W{_SCRIPTS_WITHOUT_SPACES}]+(?:['’-]\w+)*|\S")
_SPACED = re.compile(r"\S+")
_UNKNOWN = "<unk>"
_PART = re.compile(r"<0x[89A-F][0-9A-F]>|.", re.DOTALL)


class Span(NamedTuple):
    """A word and the bytes of the UTF-8 text that it covers."""

    word: str
    start: int
    end: int


def words(text: str) -> list[Span]:
    """Split a text into words, punctuation marks and, where no spaces part words, characters.

    >>> [span.word for span in words("Don't go, 猫!")]
    ["Don't", 'go', ',', '猫', '!']
    """
    return _found(_WORD, text)


def spaced_words(text: str) -> list[Span]:
    """Split a text at white space, as word aligners and their scorers do.

    >>> spaced_words("Don't go, 猫!")[1:]
    [Span(word='go,', start=6, end=9), Span(word='猫!', start=10, end=14)]
    """
    return _found(_SPACED, text)


def _found(pattern: "re.Pattern[str]", text: str) -> list[Span]:
    spans: list[Span] = []
    place = end = 0
    for found in pattern.finditer(text):
        start = end + len(text[place : found.start()].encode())
        place, end = found.end(), start + len(found[0].encode())
        spans.append(Span(found[0], start, end))
    return spans


def piece_shares(
    pieces: Sequence[str], text: str, spans: Sequence[Span], skip: int = 0, last: int = 1
) -> NDArray[np.float64]:
    """Return which share of each piece's bytes (rows) lies in each word or the space before it.

    The first `skip` pieces (language tags) and the `last` ones (`</s>`) belong to no word.

    >>> piece_shares(["▁The", "▁ca", "t", "</s>"], "The cat", words("The cat")).tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 0.0]]
    """
    end = len(pieces) - last
    edges = piece_edges(pieces[skip:end], text)
    found = np.zeros((len(pieces), len(spans)))
    found[skip:end] = shares(list(pairwise(edges)), spans)
    return found


def shares(covered: Sequence[tuple[int, int]], spans: Sequence[Span]) -> NDArray[np.float64]:
    """Return which share of each range of bytes of `" " + text` lies in each word.

    A word has the space before it. A range of no bytes lies in no word.

    >>> shares([(0, 4), (4, 8), (8, 8)], words("The cat")).tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """
    ends = np.array(covered, np.int64).reshape(-1, 2)
    borders = np.array([0, *(span.end + 1 for span in spans)])
    last = np.minimum(ends[:, 1:], borders[1:])
    first = np.maximum(ends[:, :1], borders[:-1])
    inside = np.maximum(last - first, 0)
    found: NDArray[np.float64] = inside / np.maximum(inside.sum(1, keepdims=True), 1)
    return found


def piece_edges(pieces: Sequence[str], text: str) -> list[int]:
    """Return at which byte of `" " + text` each readable piece begins, and where the last ends.

    >>> piece_edges(["▁The", "▁ca", "t"], "The cat")
    [0, 4, 7, 8]
    >>> piece_edges(["The", "ca@@", "t"], "The cat")
    [0, 4, 7, 8]
    """
    pieces = _beginning(pieces)
    raw = (" " + text).encode()
    edges = [0]
    for piece in pieces:
        edges.append(edges[-1] + _n_bytes(piece, raw, edges[-1]))
    return edges if edges[-1] == len(raw) or not pieces else _found_again(pieces, raw)


def _beginning(pieces: Sequence[str]) -> Sequence[str]:
    """Return pieces of subword-nmt with the marks of SentencePiece; others as they are."""
    if "▁" in "".join(pieces) or not any(piece.endswith(GOES_ON) for piece in pieces):
        return pieces
    bare = [piece.removesuffix(GOES_ON) for piece in pieces]
    inside = [False, *(piece.endswith(GOES_ON) for piece in pieces[:-1])]
    return [one if within else f"▁{one}" for one, within in zip(bare, inside, strict=True)]


def _found_again(pieces: Sequence[str], raw: bytes) -> list[int]:
    """Return the edges of pieces that do not spell the text: it was normalised, or is `<unk>`.

    A piece that is found further on begins there; what lies before belongs to those that are not.

    >>> _found_again(["▁a", "<unk>", "c"], " aéc".encode())
    [0, 2, 4, 5]
    """
    edges, end = [0], 0
    for piece in pieces:
        written = piece.replace("▁", " ").encode()
        place = raw.find(written, end) if piece.removeprefix("▁") != _UNKNOWN else -1
        if place >= 0:
            edges[-1], end = place, place + len(written)
        edges.append(end)
    edges[0], edges[-1] = 0, len(raw)
    return edges


def _n_bytes(piece: str, raw: bytes, place: int) -> int:
    """Count the bytes of `raw`, from a place on, that a readable piece stands for.

    >>> _n_bytes("▁cat", b"a cat", 1), _n_bytes("<0xE7><0x8C>", "猫".encode(), 0)
    (4, 2)
    """
    end = place
    for part in _PART.findall(piece):
        if len(part) > 1 or (part == "▁" and raw[end : end + 1] == b" "):
            end += 1
        else:
            end += len(part.encode())
    return end - place
