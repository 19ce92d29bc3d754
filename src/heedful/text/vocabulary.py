"""The vocabulary of a model that was not trained here: a tokenizer.json of any kind.

Text comes in, ids go out and back, by the `tokenizers` library; `heedful.writer` calls it. What
would treat a text otherwise than asked (truncation, padding, dropout) is taken out of the file
before the library sees it.
"""

__all__ = ["Vocabulary"]

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from heedful.errors import DataError, ModelError
from heedful.text.tokenizer_file import parse

_FIX = "fetch the folder again"
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
    def load(cls, path: Path, most: int) -> "Vocabulary":
        """Read a tokenizer.json for a model that knows `most` pieces.

        Raises ModelError for a damaged one, and for one that has more.
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
        return cls.of(data, most, where)

    @classmethod
    def of(cls, data: dict[str, Any], most: int, where: str) -> "Vocabulary":
        """Make it of what a tokenizer.json says; raises ModelError as `load` does."""
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
        if largest >= most:
            problem = f"it has a piece {largest:,} and the model knows {most:,} pieces"
            raise ModelError(problem, where=where, fix="use the model's own tokenizer.json")
        return cls(backend)

    def known(self, most: int) -> list[int]:
        """Return which of the ids 0 to `most` - 1 are pieces."""
        there = set(self._backend.get_vocab(with_added_tokens=True).values())
        return [number for number in range(most) if number in there]

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, with what the file puts before it; raises DataError for none.

        None is a text with lone surrogates: bytes that were not UTF-8.
        """
        try:
            return list(self._backend.encode(text).ids)
        except TypeError:
            problem = "this holds bytes that are not UTF-8"
            raise DataError(problem, where="the prompt", fix="type it in UTF-8") from None

    def conversation(self, text: str, quoting: str) -> list[int]:
        """Return the ids of a text whose control pieces are meant, as a chat template writes it.

        Nothing is put before it. Where the character `quoting` stands within the name of a control
        piece, that is text; it is taken out, as everywhere else.
        """
        ids: list[int] = []
        for at, part in enumerate(self._control.split(text)) if self._names else [(0, text)]:
            if at % 2:
                ids.append(self._names[part])
            else:
                plain = part.replace(quoting, "")
                ids += self._backend.encode(plain, add_special_tokens=False).ids
        return ids

    def quoted(self, text: str, quoting: str) -> str:
        """Return a text with `quoting` within every name of a control piece."""
        if not self._names:
            return text
        return self._control.sub(lambda found: found[0][:1] + quoting + found[0][1:], text)

    def name_of(self, piece: int | None) -> str:
        """Return a piece as the vocabulary spells it, or nothing for none."""
        return "" if piece is None else self._backend.id_to_token(piece) or ""

    def continuation(self, before: Sequence[int], ids: Sequence[int]) -> str:
        """Return the text that the ids add behind others; control pieces are left out.

        Bytes that make no character become U+FFFD: at the end, those of one not yet complete.
        """
        head = self._decoded(before)
        whole = self._decoded([*before, *ids])
        return whole[len(head) :] if whole.startswith(head) else self._decoded(ids)

    def _decoded(self, ids: Sequence[int]) -> str:
        return str(self._backend.decode(list(ids), skip_special_tokens=True))
