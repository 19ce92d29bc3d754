"""The vocabulary in a GGUF file becomes what a tokenizer.json says, for the `tokenizers` library.

Two kinds are known: `gpt2`, pieces of bytes joined by a list of merges, cut into words before that
in a way that has a name; and `llama`, the pieces of SentencePiece, joined as their scores say.
"""

__all__ = ["SPLITS", "tokenizer_of"]

import math
from collections.abc import Sequence
from typing import Any

from heedful.errors import ModelError
from heedful.interop.gguf.header import Fields

_CONTROL, _USER, _BYTE = 3, 4, 6
_UNKNOWN = 2

_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
_WORDS: dict[str, Any] = _BYTES | {"use_regex": True}


def _split(pattern: str) -> dict[str, Any]:
    cut = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [cut, _BYTES | {"use_regex": False}]}


_DIGITS = {
    "type": "Sequence",
    "pretokenizers": [{"type": "Digits", "individual_digits": True}, _WORDS],
}
SPLITS: dict[str, dict[str, Any]] = {
    "gpt-2": _WORDS,
    "gpt2": _WORDS,
    "smollm": _DIGITS,
    "starcoder": _DIGITS,
    "refact": _DIGITS,
    "llama-bpe": _split(_LLAMA3),
    "llama3": _split(_LLAMA3),
    "qwen2": _split(_LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")),
}
"""How texts are cut into words, by the names that llama.cpp gives (`tokenizer.ggml.pre`)."""
_WHOLE_WORDS = ("llama-bpe", "llama3")
"""Where a word that is a piece is not cut, whatever the merges say."""


def tokenizer_of(fields: Fields, where: str) -> dict[str, Any]:
    """Return the content of the tokenizer.json; raises ModelError for a kind that is not known."""
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    kind = str(fields.get("tokenizer.ggml.model"))[:100]
    if kind not in ("gpt2", "llama"):
        problem = f'its vocabulary is of the kind "{kind}"'
        raise ModelError(problem, where=where, fix="known: gpt2, llama")
    if len(set(tokens)) < len(tokens):
        raise ModelError("its vocabulary has a piece twice", where=where, fix="fetch it again")
    kinds = _list(fields, "token_type", len(tokens), int, where) or [1] * len(tokens)
    told = _merged(fields, tokens, where) if kind == "gpt2" else _scored(fields, tokens, where)
    return told | {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added(tokens, kinds, kind),
        "post_processor": _beginning(fields, tokens, kind),
    }


def _list(fields: Fields, name: str, size: int | None, kind: type, where: str) -> list[Any]:
    """Return a list of the vocabulary, empty if it is not there."""
    values = fields.get(f"tokenizer.ggml.{name}", [])
    fits = isinstance(values, list) and all(type(value) is kind for value in values)
    if not fits or (values and size is not None and len(values) != size):
        problem = f"tokenizer.ggml.{name} does not fit the {size or 0:,} pieces"
        raise ModelError(problem, where=where, fix="fetch the file again")
    return list(values)


def _added(tokens: Sequence[str], kinds: Sequence[int], kind: str) -> list[dict[str, Any]]:
    """Return the pieces that are looked for as they are: those of control, and their like."""
    wanted = (_CONTROL, _USER) if kind == "gpt2" else (_CONTROL, _USER, _UNKNOWN)
    return [
        {
            "id": at,
            "content": tokens[at],
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": its != _USER,
        }
        for at, its in enumerate(kinds)
        if its in wanted and tokens[at]
    ]


def _beginning(fields: Fields, tokens: Sequence[str], kind: str) -> dict[str, Any] | None:
    """Return what puts the beginning of a text there, if the file asks for it."""
    pre = fields.get("tokenizer.ggml.pre")
    usual = kind == "llama" or pre in _WHOLE_WORDS
    begin = fields.get("tokenizer.ggml.bos_token_id")
    if not fields.get("tokenizer.ggml.add_bos_token", usual) or type(begin) is not int:
        return None
    name = tokens[begin]
    first = {"SpecialToken": {"id": name, "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [first, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [
            first,
            {"Sequence": {"id": "A", "type_id": 0}},
            {"Sequence": {"id": "B", "type_id": 1}},
        ],
        "special_tokens": {name: {"id": name, "ids": [begin], "tokens": [name]}},
    }


def _merged(fields: Fields, tokens: Sequence[str], where: str) -> dict[str, Any]:
    """Return a vocabulary of bytes with merges."""
    pre = str(fields.get("tokenizer.ggml.pre", "gpt-2"))[:100]
    if pre not in SPLITS:
        problem = f'its texts are cut into words in the way "{pre}", which is not known here'
        raise ModelError(problem, where=where, fix=f"known: {', '.join(SPLITS)}")
    merges = [merge.split(" ") for merge in _list(fields, "merges", None, str, where)]
    known = set(tokens)
    for pair in merges:
        if len(pair) != 2 or not known.issuperset((*pair, "".join(pair))):
            problem = f'the merge "{" ".join(pair)[:60]}" is of pieces that it does not have'
            raise ModelError(problem, where=where, fix="fetch the file again")
    model = {
        "type": "BPE",
        "vocab": {token: at for at, token in enumerate(tokens)},
        "merges": merges,
        "ignore_merges": pre in _WHOLE_WORDS,
    }
    decoder = _BYTES | {"use_regex": True}
    return {"model": model, "normalizer": None, "pre_tokenizer": SPLITS[pre], "decoder": decoder}


def _scored(fields: Fields, tokens: Sequence[str], where: str) -> dict[str, Any]:
    """Return the pieces of SentencePiece, whose merges are in the order of their scores."""
    scores = _list(fields, "scores", len(tokens), float, where)
    if not scores or not all(map(math.isfinite, scores)):
        problem = "tokenizer.ggml.scores are missing, or no numbers"
        raise ModelError(problem, where=where, fix="fetch the file again")
    vocabulary = {token: at for at, token in enumerate(tokens)}
    merges = [
        (-scores[at], vocabulary[token[:cut]], vocabulary[token[cut:]])
        for at, token in enumerate(tokens)
        for cut in range(1, len(token))
        if token[:cut] in vocabulary and token[cut:] in vocabulary
    ]
    kinds = fields.get("tokenizer.ggml.token_type") or []
    unknown = fields.get("tokenizer.ggml.unknown_token_id", 0)
    model = {
        "type": "BPE",
        "vocab": vocabulary,
        "merges": [[tokens[left], tokens[right]] for _, left, right in sorted(merges)],
        "unk_token": tokens[unknown] if type(unknown) is int and unknown < len(tokens) else None,
        "fuse_unk": True,
        "byte_fallback": _BYTE in kinds,
    }
    space = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    ahead = fields.get("tokenizer.ggml.add_space_prefix", True)
    first = [{"type": "Prepend", "prepend": "▁"}] if ahead else []
    last = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if ahead else []
    back = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    decoders = [back, {"type": "ByteFallback"}, {"type": "Fuse"}, *last]
    return {
        "model": model,
        "normalizer": {"type": "Sequence", "normalizers": [*first, space]},
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
    }
