"""A tokenizer.json is read with suspicion: only checked pieces reach the `tokenizers` library.

The parsed JSON of one side comes in, a tokenizer of the library goes out; `Tokenizer.load` calls
it. Every damage is a ModelError: the library itself panics on some files, and says so at length.
"""

__all__ = ["languages_of", "parse", "read_backend", "side_content"]

import json
from typing import Any

from tokenizers import Tokenizer as Backend
from tokenizers import models

from heedful.errors import ModelError
from heedful.text.pieces import BYTE_LETTERS, CONTROL, UNKNOWN, language_of
from heedful.text.train_tokenizer import control_tokens, new_backend

FIX = "fetch or train the model again"
PIPELINE = {
    "truncation": None,
    "padding": None,
    "normalizer": {"type": "Prepend", "prepend": " "},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
    "post_processor": None,
    "decoder": {
        "type": "Sequence",
        "decoders": [
            {"type": "ByteLevel"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ],
    },
}
_LETTERS = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
_BEFORE_SPACES = {
    "type": "Split",
    "pattern": {"String": " "},
    "behavior": "MergedWithNext",
    "invert": False,
}
SPACES = {"type": "Sequence", "pretokenizers": [_BEFORE_SPACES, _LETTERS]}
"""How words are split off in a BPE that parts them at spaces alone."""
UNSPACED = PIPELINE | {"normalizer": None, "decoder": {"type": "ByteLevel"}}
"""The same where no space is put before a text, as in BART."""
BPE_MODEL: dict[str, object] = {
    "dropout": None,
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "fuse_unk": False,
    "byte_fallback": False,
    "ignore_merges": False,
}
UNIGRAM_MODEL: dict[str, object] = {"unk_id": UNKNOWN, "byte_fallback": False}


def parse(text: str, where: str) -> dict[str, Any]:
    """Return the JSON object in `text`; raises ModelError when it is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ModelError("this is not valid JSON", where=where, fix=FIX) from None
    return _expect_dict(data, where)


def read_backend(data: dict[str, Any], where: str) -> Backend:
    """Return the tokenizer that `data`, the content of a tokenizer.json, describes.

    The pipeline must be the one of `new_backend`, so that no truncation, padding, dropout or
    other treatment of the text can hide in the file.
    """
    model = _expect_dict(data.get("model"), where)
    kind = model.get("type")
    if kind == "BPE":
        pieces, expected = _bpe_pieces(model, where), BPE_MODEL
    elif kind == "Unigram":
        pieces, expected = _unigram_pieces(model, where), UNIGRAM_MODEL
    else:
        raise _damaged("its model is neither BPE nor Unigram", where)
    at_spaces = kind == "BPE" and _agrees(data.get("pre_tokenizer"), SPACES)
    split = {"pre_tokenizer": SPACES} if at_spaces else {}
    spaced = _agrees(data, PIPELINE | split)
    if not ((spaced or _agrees(data, UNSPACED | split)) and _agrees(model, expected)):
        raise _damaged("it treats text in a way that heed never sets", where)
    controls = _check_controls(data, where)
    _check_pieces(pieces, controls, where)
    try:
        backend = new_backend(_model(kind, model), spaced=spaced, at_spaces=at_spaces)
        backend.add_special_tokens(control_tokens(controls))
        return backend
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a panic of the Rust library is no Exception
        raise _damaged("the tokenizers library cannot read it", where) from None


def side_content(backend: Backend) -> dict[str, Any]:
    """Return what was learnt: control pieces, pieces, merges or scores."""
    data = json.loads(backend.to_str())
    flavour = {} if data["normalizer"] else {"spaced": False}
    return flavour | {
        "added_tokens": data["added_tokens"],
        "vocab": data["model"]["vocab"],
        "merges": data["model"].get("merges"),
    }


def languages_of(backend: Backend) -> tuple[str, ...]:
    """Return the languages that have a tag, in the order of their ids."""
    added = backend.get_added_tokens_decoder()
    found = (language_of(added[number].content) for number in sorted(added))
    return tuple(language for language in found if language)


def _damaged(what: str, where: str) -> ModelError:
    return ModelError(
        f"this tokenizer was not written by heed or is damaged: {what}", where=where, fix=FIX
    )


def _expect_dict(data: object, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise _damaged("a JSON object is missing", where)
    return data


def _bpe_pieces(model: dict[str, Any], where: str) -> list[str]:
    """Return the pieces in the order of their ids; merges must lead from pieces to pieces."""
    vocabulary = _expect_dict(model.get("vocab"), where)
    if not all(type(number) is int for number in vocabulary.values()):
        raise _damaged("an id is not a whole number", where)
    if sorted(vocabulary.values()) != list(range(len(vocabulary))):
        raise _damaged("its ids have gaps", where)
    merges = model.get("merges")
    if not isinstance(merges, list):
        raise _damaged("its merges are missing", where)
    for merge in merges:
        if not (isinstance(merge, list) and len(merge) == 2):
            raise _damaged("a merge is not a pair", where)
        left, right = merge
        if not (isinstance(left, str) and isinstance(right, str)):
            raise _damaged("a merge is not a pair of pieces", where)
        if not {left, right, left + right} <= vocabulary.keys():
            raise _damaged(f"a merge makes an unknown piece ({left!r} {right!r})", where)
        if left + right in CONTROL or language_of(left + right):
            raise _damaged(f"a merge makes a control piece ({left!r} {right!r})", where)
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _unigram_pieces(model: dict[str, Any], where: str) -> list[str]:
    """Return the pieces in the order of their ids; every score must be a finite number."""
    vocabulary = model.get("vocab")
    if not isinstance(vocabulary, list):
        raise _damaged("its pieces are missing", where)
    for entry in vocabulary:
        if not (isinstance(entry, list) and len(entry) == 2):
            raise _damaged("a piece is not a pair of text and score", where)
        if type(entry[1]) not in (int, float) or not -1e30 < entry[1] < 1e30:
            raise _damaged("a score is not a number", where)
    return [entry[0] for entry in vocabulary]


def _check_controls(data: dict[str, Any], where: str) -> list[str]:
    """Return the control pieces; they must be those of `control_pieces`, at ids from 0."""
    added = data.get("added_tokens")
    if not (isinstance(added, list) and all(isinstance(token, dict) for token in added)):
        raise _damaged("its control pieces are missing", where)
    contents = [token.get("content") for token in added]
    expected = [
        {
            "id": number,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for number, content in enumerate(contents)
    ]
    tags = contents[len(CONTROL) :]
    if (
        added != expected
        or tuple(contents[: len(CONTROL)]) != CONTROL
        or not all(isinstance(tag, str) and language_of(tag) for tag in tags)
    ):
        raise _damaged("its control pieces are not those heed writes", where)
    return contents


def _check_pieces(pieces: list[str], controls: list[str], where: str) -> None:
    """The control pieces come first, every byte is a piece, and the rest consists of bytes."""
    if pieces[: len(controls)] != controls:
        raise _damaged("its control pieces are not its first pieces", where)
    learnt = pieces[len(controls) :]
    if not all(isinstance(piece, str) and piece for piece in learnt):
        raise _damaged("a piece is not a text", where)
    if len(set(learnt)) != len(learnt) or set(learnt) & set(controls):
        raise _damaged("a piece occurs twice", where)
    if not BYTE_LETTERS.keys() <= set(learnt):
        raise _damaged("a byte has no piece", where)
    if not set().union(*learnt) <= BYTE_LETTERS.keys():
        raise _damaged("a piece does not consist of bytes", where)


def _model(kind: str, model: dict[str, Any]) -> models.Model:
    if kind == "BPE":
        merges = [(left, right) for left, right in model["merges"]]
        return models.BPE(vocab=model["vocab"], merges=merges)
    scored = [(piece, float(score)) for piece, score in model["vocab"]]
    return models.Unigram(vocab=scored, unk_id=UNKNOWN, byte_fallback=False)


def _agrees(actual: object, expected: object) -> bool:
    """Tell whether `actual` has everything that `expected` has; further keys do not matter."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            name in actual and _agrees(actual[name], value) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and len(actual) == len(expected)
            and all(map(_agrees, actual, expected))
        )
    return type(actual) is type(expected) and actual == expected
