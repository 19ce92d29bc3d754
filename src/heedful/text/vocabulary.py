"""The vocabulary of a model without an encoder, trained here or not: a tokenizer.json of any kind.

Text comes in, ids go out and back, by the `tokenizers` library; `heedful.writer` and the stream of
a training call it. What would treat a text otherwise than asked (truncation, padding, dropout) is
taken out of the file before the library sees it.
"""

__all__ = ["Vocabulary", "foreign_backend"]

import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from heedful.errors import DataError, ModelError
from heedful.output import write_whole
from heedful.text.pieces import UNKNOWN, readable
from heedful.text.tokenizer_file import parse
from heedful.text.train_tokenizer import EACH, Characters, RunningBPE

_FIX = "fetch the folder again"
_BROKEN = "\ufffd"
_UNSEEN = {number: f"<0x{number:02X}>" for number in (*range(32), 127)} | {ord("\n"): "↵"}
_KINDS = ("BPE", "Unigram", "WordPiece", "WordLevel")


class Vocabulary:
    """The pieces of one text; no text acts as a control piece."""

    def __init__(self, backend: Backend) -> None:
        backend.encode_special_tokens = True
        self._backend = backend
        added = backend.get_added_tokens_decoder()
        self._names = {
            one.content: number for number, one in added.items() if one.special and one.content[1:]
        }
        longest = sorted(self._names, key=len, reverse=True)
        self._control = re.compile(f"({'|'.join(map(re.escape, longest))})")

    @classmethod
    def train(cls, portions: Iterable[str], config: Characters | RunningBPE) -> "Vocabulary":
        """Learn the pieces of a text that comes in portions."""
        return cls(config.build(portions))

    def save(self, path: Path) -> None:
        """Write the tokenizer.json; raises OutputError where that cannot be done."""
        write_whole(path, self._backend.to_str().encode())

    def fingerprint(self) -> str:
        """Return a hash of all that decides what becomes of a text."""
        return sha256(self._backend.to_str().encode()).hexdigest()

    @property
    def size(self) -> int:
        """Pieces in all, the control pieces among them."""
        return int(self._backend.get_vocab_size(with_added_tokens=True))

    @classmethod
    def load(cls, path: Path, most: int | None = None) -> "Vocabulary":
        """Read a tokenizer.json for a model that knows `most` pieces, or any if not given.

        Raises ModelError for a damaged one, and for one that has more.
        """
        return cls(foreign_backend(path, most))

    @classmethod
    def of(cls, data: dict[str, Any], most: int | None, where: str) -> "Vocabulary":
        """Make it of what a tokenizer.json says; raises ModelError as `load` does."""
        return cls(_backend_of(data, most, where))

    def known(self, most: int) -> list[int]:
        """Return which of the ids 0 to `most` - 1 are pieces."""
        there = set(self._backend.get_vocab(with_added_tokens=True).values())
        return [number for number in range(most) if number in there]

    def encode(self, text: str, where: str = "the prompt") -> list[int]:
        """Return the ids of a text, with what the file puts before it; raises DataError for none.

        None is a text with lone surrogates: bytes that were not UTF-8. Where the pieces are
        characters, it is also one with a character that is none of them. `where` it stands is said.
        """
        return self._ids(text, where, begun=True)

    def _ids(self, text: str, where: str, *, begun: bool) -> list[int]:
        """Return the ids of a text, `begun` with what the file puts before it."""
        if self._numbers is not None:
            ids = self.running(text)
            if (at := np.flatnonzero(ids == UNKNOWN)).size:
                problem = f"the model has never seen the character {text[at[0]]!r}"
                raise DataError(problem, where=where, fix="leave it out")
            return [int(number) for number in ids]
        try:
            return list(self._backend.encode(text, add_special_tokens=begun).ids)
        except TypeError:
            problem = "this holds bytes that are not UTF-8"
            raise DataError(problem, where=where, fix="type it in UTF-8") from None

    def conversation(self, text: str, quoting: str, where: str = "the prompt") -> list[int]:
        """Return the ids of a text whose control pieces are meant, as a chat template writes it.

        Nothing is put before it. Where the character `quoting` stands within the name of a control
        piece, that is text; it is taken out, as everywhere else. Raises DataError as `encode` does.
        """
        ids: list[int] = []
        for at, part in enumerate(self._control.split(text)) if self._names else [(0, text)]:
            if at % 2:
                ids.append(self._names[part])
            else:
                ids += self._ids(part.replace(quoting, ""), where, begun=False)
        return ids

    def quoted(self, text: str, quoting: str) -> str:
        """Return a text with `quoting` within every name of a control piece."""
        if not self._names:
            return text
        return self._control.sub(lambda found: found[0][:1] + quoting + found[0][1:], text)

    def name_of(self, piece: int | None) -> str:
        """Return a piece as the vocabulary spells it, or nothing for none."""
        return "" if piece is None else self._backend.id_to_token(piece) or ""

    def running(self, text: str) -> NDArray[np.uint32]:
        """Return the ids of a part of a text that runs on, `<unk>` among them.

        The ids of a text are those of its parts where it is cut in front of white space that
        follows something else (`heedful.data.running_text` cuts so). Characters are looked up all
        at once, some 100 times as fast as the library looks up one after the other.
        """
        if self._numbers is None:
            return np.array(self._backend.encode(text, add_special_tokens=False).ids, np.uint32)
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        inside = np.minimum(points, len(self._numbers) - 1)  # the last number is `<unk>`
        return self._numbers[inside]

    @property
    def of_characters(self) -> bool:
        """Whether every piece is one character, and every other character `<unk>`."""
        return self._numbers is not None

    @cached_property
    def _numbers(self) -> NDArray[np.uint32] | None:
        """The id of every code point, where the pieces are characters and nothing else."""
        told: dict[str, Any] = json.loads(self._backend.to_str())
        each = {"type": "Split", "pattern": {"Regex": EACH}, "behavior": "Isolated"}
        split = told["pre_tokenizer"] or {}
        plain = told["model"]["type"] == "WordLevel" and each.items() <= split.items()
        if not plain or told["normalizer"] or split.get("invert"):
            return None
        single = {ord(piece): n for piece, n in told["model"]["vocab"].items() if len(piece) == 1}
        numbers = np.full(max(single, default=0) + 2, UNKNOWN, np.uint32)
        for point, number in single.items():
            numbers[point] = number
        return numbers

    def continuation(self, before: Sequence[int], ids: Sequence[int]) -> str:
        """Return the text that the ids add behind others; control pieces are left out.

        Bytes that make no character become U+FFFD: at the end, those of one not yet complete.
        """
        head = self._decoded(before)
        whole = self._decoded([*before, *ids])
        return whole[len(head) :] if whole.startswith(head) else self._decoded(ids)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Return pieces for the eye: ▁ is a space, ↵ a line break, <0xE7> a lone byte.

        An id that is no piece is [its number].
        """
        found = []
        for number in ids:
            piece = self._backend.id_to_token(number)
            if piece is None:
                piece = f"[{number}]"
            elif self._letters_are_bytes and number not in self._added:
                piece = readable(piece)
            found.append(piece.translate(_UNSEEN))
        return found

    @cached_property
    def controls(self) -> frozenset[int]:
        """Return the pieces that spell nothing: control pieces."""
        return frozenset(number for number, token in self._added.items() if token.special)

    def spelled(self, ids: Sequence[int]) -> tuple[str, list[tuple[int, int]]]:
        """Return the text of some pieces, and which bytes of `" " + text` each of them covers.

        Pieces that spell a character together cover all of it, control pieces none. U+FFFD
        stands at the end for bytes of a character that is not complete.
        """
        text = self._decoded(ids)
        ends = [0]
        for count in range(1, len(ids) + 1):
            begun = self._decoded(ids[:count]).rstrip(_BROKEN)
            far = len(begun.encode()) if text.startswith(begun) else ends[-1]
            ends.append(max(ends[-1], far))
        ends[-1] = max(ends[-1], len(text.encode()))
        covered = []
        for place, number in enumerate(ids):
            end = next((end for end in ends[place + 1 :] if end > ends[place]), ends[place])
            spells = number not in self.controls and end > ends[place]
            first = ends[place] + (ends[place] > 0)  # the first byte is the space before the text
            covered.append((first, end + 1) if spells else (first, first))
        return text, covered

    @cached_property
    def _added(self) -> dict[int, AddedToken]:
        return self._backend.get_added_tokens_decoder()

    @cached_property
    def _letters_are_bytes(self) -> bool:
        decoder = self._backend.decoder
        return decoder is not None and b"ByteLevel" in decoder.__getstate__()

    def _decoded(self, ids: Sequence[int]) -> str:
        return str(self._backend.decode(list(ids), skip_special_tokens=True))


def foreign_backend(path: Path, most: int | None) -> Backend:
    """Return what a tokenizer.json describes, for a model that knows `most` pieces.

    Raises ModelError for a missing or damaged one, and for one that has more.
    """
    where = str(path)
    if not path.is_file():
        fix = "save it beside the model with transformers: AutoTokenizer, save_pretrained"
        raise ModelError("there is no tokenizer.json", where=str(path.parent), fix=fix)
    try:
        data = parse(path.read_text("utf-8"), where)
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", where=where) from None
    except UnicodeDecodeError:
        raise ModelError("this is not UTF-8 text", where=where, fix=_FIX) from None
    return _backend_of(data, most, where)


def _backend_of(data: dict[str, Any], most: int | None, where: str) -> Backend:
    model = data.get("model")
    if not isinstance(model, dict) or model.get("type") not in _KINDS:
        known = ", ".join(_KINDS)
        raise ModelError(f"its model is none of {known}", where=where, fix=_FIX)
    plain = data | {"truncation": None, "padding": None}
    if "dropout" in model:
        plain["model"] = model | {"dropout": None}
    try:
        backend = Backend.from_str(json.dumps(plain))
        largest = max(backend.get_vocab(with_added_tokens=True).values(), default=-1)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a panic of the Rust library is no Exception
        raise ModelError("this is no tokenizer", where=where, fix=_FIX) from None
    if most is not None and largest >= most:
        problem = f"it has a piece {largest:,} and the model knows {most:,} pieces"
        raise ModelError(problem, where=where, fix="use the model's own tokenizer.json")
    return backend
