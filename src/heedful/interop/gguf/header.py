"""The beginning of a GGUF file: what it says of the model, and where its tensors lie.

Nothing in it is believed: each length is compared with what is left of the file before anything is
read or allocated, and every tensor must lie within the file, beside the others. The format is that
of ggml (github.com/ggml-org/ggml, docs/gguf.md), versions 2 and 3.
"""

__all__ = ["Fields", "Header", "Held", "read_header"]

import math
import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from heedful.errors import ModelError

MAGIC = b"GGUF"
_FIX = "fetch the file again"
_MOST_HEADER = 1 << 28
"""Bytes before the tensors; a vocabulary of 256,000 pieces with its merges has a twentieth."""
_MOST_NAME = 65_535
_NUMBERS = {
    0: ("B", 1), 1: ("b", 1), 2: ("H", 2), 3: ("h", 2), 4: ("I", 4), 5: ("i", 4), 6: ("f", 4),
    7: ("?", 1), 10: ("Q", 8), 11: ("q", 8), 12: ("d", 8),
}  # fmt: skip
"""Types of a value: how `struct` reads them, and their bytes."""
_STRING, _ARRAY = 8, 9

Fields = dict[str, Any]
"""Numbers, texts, and lists of one kind of them."""

BLOCKS = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210),
    20: ("IQ4_NL", 32, 18), 23: ("IQ4_XS", 256, 136), 30: ("BF16", 1, 2),
}  # fmt: skip
"""Types of tensors that are read: their names, numbers in a block, and bytes of a block."""


class Held(NamedTuple):
    """A tensor in the file."""

    kind: str
    """The name of its type."""
    shape: tuple[int, ...]
    """In PyTorch's order: the last is side by side in the file."""
    start: int
    """Its first byte in the file."""
    row_bytes: int
    """Bytes of as many numbers as the last dimension has."""

    @property
    def rows(self) -> int:
        """Return how many rows there are."""
        return math.prod(self.shape[:-1])


class Header(NamedTuple):
    """What stands before the weights."""

    fields: Fields
    tensors: dict[str, Held]


class _Reader:
    """Reads a file from the front, and never past what it has."""

    def __init__(self, file: BinaryIO, path: Path, size: int) -> None:
        self.file, self.path, self.size = file, path, size
        self.at = 0

    def wrong(self, problem: str, fix: str | None = _FIX) -> ModelError:
        """Return what to raise."""
        return ModelError(problem, where=str(self.path), fix=fix)

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if count > min(self.size, _MOST_HEADER) - self.at:
            raise self.wrong(f"the file ends, or is damaged, within its header (byte {self.at:,})")
        found = self.file.read(count)
        if len(found) < count:
            raise self.wrong("the file became shorter while it was read")
        self.at += count
        return found

    def numbers(self, form: str, width: int, count: int = 1) -> tuple[Any, ...]:
        """Return so many numbers of one type."""
        return struct.unpack(f"<{count}{form}", self.take(count * width))

    def count(self, smallest: int, what: str) -> int:
        """Return how many of something follow, each of which has so many bytes at least."""
        number = int(self.numbers("Q", 8)[0])
        if number > (self.size - self.at) // smallest:
            raise self.wrong(f"it promises {number:,} {what}, more than the file can hold")
        return number

    def text(self, most: int | None = None) -> str:
        """Return a text."""
        size = self.count(1, "characters")
        if most is not None and size > most:
            raise self.wrong(f"a name has {size:,} bytes, and {most:,} are the most")
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError:
            raise self.wrong(f"a text before byte {self.at:,} is not UTF-8") from None

    def value(self, kind: int, key: str) -> Any:
        """Return a value of a type."""
        if kind in _NUMBERS:
            return self.numbers(*_NUMBERS[kind])[0]
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            raise self.wrong(f'the value of "{key[:100]}" has the type {kind}, which is none')
        (inner,) = self.numbers("I", 4)
        if inner in _NUMBERS:
            form, width = _NUMBERS[inner]
            return list(self.numbers(form, width, self.count(width, "numbers")))
        if inner != _STRING:
            raise self.wrong(f'the list of "{key[:100]}" has the type {inner}, which is none')
        return [self.text() for _ in range(self.count(8, "texts"))]


def read_header(path: Path) -> Header:
    """Return what the file says of itself.

    Raises ModelError for a file that is no GGUF, not whole, or contradicts itself.
    """
    try:
        with path.open("rb") as file:
            reader = _Reader(file, path, path.stat().st_size)
            return _header(reader)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelError(f"cannot be read: {reason}", where=str(path)) from error


def _header(reader: _Reader) -> Header:
    if reader.size < 24 or reader.take(4) != MAGIC:
        raise reader.wrong("this is no GGUF file", "give a file that ends in .gguf, or a folder")
    (version,) = reader.numbers("I", 4)
    if version not in (2, 3):
        turned = int.from_bytes(version.to_bytes(4, "little"), "big")
        odd = "for big-endian machines" if turned in (2, 3) else f"of version {version:,}"
        raise reader.wrong(f"this is a GGUF file {odd}", "take one of version 3, little-endian")
    n_tensors, n_fields = reader.count(24, "tensors"), reader.count(13, "keys")
    fields: Fields = {}
    for _ in range(n_fields):
        key = reader.text(_MOST_NAME)
        if key in fields:
            raise reader.wrong(f'the key "{key[:100]}" is there twice')
        fields[key] = reader.value(int(reader.numbers("I", 4)[0]), key)
    tensors: dict[str, Held] = {}
    for _ in range(n_tensors):
        name, held = _outline(reader)
        if name in tensors:
            raise reader.wrong(f'the tensor "{name[:100]}" is there twice')
        tensors[name] = held
    return Header(fields, _placed(reader, tensors, fields.get("general.alignment", 32)))


def _outline(reader: _Reader) -> tuple[str, Held]:
    """Return a tensor's name and shape; its `start` counts from the first tensor."""
    name = reader.text(_MOST_NAME)
    (n_dims,) = reader.numbers("I", 4)
    if not 1 <= n_dims <= 4:
        raise reader.wrong(f'the tensor "{name[:100]}" has {n_dims:,} dimensions')
    shape = reader.numbers("Q", 8, n_dims)[::-1]
    (number,) = reader.numbers("I", 4)
    (start,) = reader.numbers("Q", 8)
    if number not in BLOCKS:
        known = ", ".join(kind for kind, _, _ in BLOCKS.values())
        problem = f'the tensor "{name[:100]}" is of the type {_name_of(number)}'
        raise reader.wrong(f"{problem}, which heedful cannot read", f"known: {known}")
    kind, in_block, bytes_of_block = BLOCKS[number]
    if min(shape) < 1 or math.prod(shape) > 1 << 48 or shape[-1] % in_block:
        sizes = " x ".join(f"{size:,}" for size in shape)
        raise reader.wrong(f'the tensor "{name[:100]}" ({kind}) has the shape {sizes}')
    return name, Held(kind, shape, start, shape[-1] // in_block * bytes_of_block)


def _name_of(number: int) -> str:
    """Return how ggml calls a type that is not read here."""
    try:
        from gguf.constants import GGMLQuantizationType

        return GGMLQuantizationType(number).name
    except (ImportError, ValueError):
        return f"number {number:,}"


def _placed(reader: _Reader, tensors: dict[str, Held], alignment: object) -> dict[str, Held]:
    """Return the tensors with their places in the file, each within it and none in another."""
    if type(alignment) is not int or not 1 <= alignment <= 1 << 20 or alignment % 8:
        raise reader.wrong(f"its alignment is {str(alignment)[:40]}")
    first = -(-reader.at // alignment) * alignment
    placed = {name: held._replace(start=first + held.start) for name, held in tensors.items()}
    end = first
    for name, held in sorted(placed.items(), key=lambda item: item[1].start):
        if held.start < end or (held.start - first) % alignment:
            raise reader.wrong(f'the tensor "{name[:100]}" lies within another, or askew')
        end = held.start + held.rows * held.row_bytes
        if end > reader.size:
            problem = f'the tensor "{name[:100]}" ends at byte {end:,} of {reader.size:,}'
            raise reader.wrong(f"{problem}: the file is not whole")
    return placed
