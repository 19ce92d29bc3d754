"""Rows of JSON become conversations: what was said by whom, and perhaps an answer that is worse.

A .jsonl file comes in; `heedful.chat_data` takes what goes out. The forms are those in common use:
`{"messages": [...]}`, and `{"prompt": ..., "chosen": ..., "rejected": ...}`.
"""

__all__ = ["ROLES", "ChatData", "Dialogue", "read_dialogues"]

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from heedful.data.formats.reading import (
    ReadCounts,
    RowError,
    json_object,
    lines,
    refuse,
    sound_text,
    text_of,
)
from heedful.errors import DataError, did_you_mean
from heedful.settings import Settings
from heedful.text.chat import Message

ROLES = ("system", "user", "assistant")
_ANSWERS = ("chosen", "rejected")
_ENDINGS = (".jsonl", ".ndjson")
_CONVERSATION = '{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", ...}]}'
_PREFERENCE = '{"prompt": "...", "chosen": "...", "rejected": "..."}'


class ChatData(Settings):
    """Conversations to learn from, and which of them are only measured."""

    kind: Literal["chat"] = "chat"
    train: tuple[str, ...] = ()
    """Files to learn from (.jsonl), a conversation or a preference a line."""
    dev: tuple[str, ...] = ()
    """Files to choose the best weights by; held out of `train` if not given."""
    held_out: float = Field(0.1, ge=0, lt=1)
    """Share of the rows that are held out where there are no `dev` files; the same prompt is never
    on both sides."""
    skip_bad: bool = False
    """Leave out rows that cannot be used, and count them."""


class Dialogue(NamedTuple):
    """One row: a conversation that ends with an answer."""

    messages: tuple[Message, ...]
    rejected: str | None
    """An answer that is worse than the last one, in a preference."""
    line: int


def read_dialogues(
    path: Path, *, preferences: bool, skip_bad: bool, counts: ReadCounts
) -> Iterator[Dialogue]:
    """Yield the rows of a file as they are asked for: conversations, or preferences.

    Other keys of a row are metadata and not read; a message has a role and a content alone. Raises
    DataError for a bad row, unless `skip_bad`.
    """
    ending = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    if ending not in _ENDINGS:
        problem = f"no conversations are known by the ending of its name (known: {_ENDINGS[0]})"
        raise DataError(problem, where=str(path), fix="save a JSON object a line, as .jsonl")
    for number, raw in lines(path, counts):
        if not raw.strip():
            continue
        try:
            record = json_object(text_of(raw), _CONVERSATION)
            messages, rejected = (
                _preference(record) if preferences else (_conversation(record), None)
            )
        except RowError as problem:
            refuse(problem, f"{path}:{number}", skip_bad=skip_bad, counts=counts)
            continue
        counts.rows += 1
        yield Dialogue(messages, rejected, number)


def _conversation(record: dict[str, Any]) -> tuple[Message, ...]:
    """Return what was said; the last word is an answer."""
    if "rejected" in record and "messages" not in record:
        fix = "give --objective.kind preference to learn from it"
        raise RowError("this is a preference and no conversation", fix)
    messages = _messages(_needed(record, "messages", _CONVERSATION), "messages")
    if messages[-1].role != "assistant":
        fix = "let an answer of the assistant be the last message"
        raise RowError("there is no answer at its end to learn", fix)
    return messages


def _preference(record: dict[str, Any]) -> tuple[tuple[Message, ...], str]:
    """Return a conversation with the better answer, and the worse answer."""
    said = [_needed(record, name, _PREFERENCE) for name in _ANSWERS]
    if "prompt" in record and "messages" in record:
        raise RowError('it has both "prompt" and "messages"', "remove one of them")
    key = "messages" if "messages" in record else "prompt"
    prompt = _needed(record, key, _PREFERENCE)
    before = (
        (Message("user", _text(prompt, key)),)
        if isinstance(prompt, str)
        else _messages(prompt, key)
    )
    if before[-1].role == "assistant":
        fix = "leave the last answer out: chosen and rejected stand in its place"
        raise RowError(f'"{key}" ends with an answer', fix)
    better, worse = (_answer(one, key) for one, key in zip(said, _ANSWERS, strict=True))
    if better == worse:
        raise RowError('"chosen" and "rejected" are alike', "remove the row")
    return (*before, Message("assistant", better)), worse


def _needed(record: dict[str, Any], key: str, form: str) -> Any:
    if key not in record:
        known = ", ".join(sorted(record)[:6]) or "none"
        raise RowError(f'no key "{key}" (keys: {known})', f"write {form}")
    return record[key]


def _answer(value: Any, key: str) -> str:
    """Return an answer, which may be written as a message or as a list of one."""
    if isinstance(value, str):
        messages = [Message("assistant", value)]
    else:
        messages = [*_messages([value] if isinstance(value, dict) else value, key)]
    if len(messages) != 1 or messages[0].role != "assistant":
        raise RowError(f'"{key}" is not one answer of the assistant', f"write {_PREFERENCE}")
    return _text(messages[0].content, key)


def _messages(value: Any, key: str) -> tuple[Message, ...]:
    """Return messages whose roles are known, the first of them perhaps of the system."""
    if not isinstance(value, list) or not value:
        raise RowError(f'"{key}" is not a list of messages', f"write {_CONVERSATION}")
    found = []
    for place, one in enumerate(value, start=1):
        which = f"message {place} of {key}"
        if not isinstance(one, dict) or one.keys() != {"role", "content"}:
            problem = f"{which} has not role and content alone"
            raise RowError(problem, 'write {"role": "user", "content": "..."}')
        role = one["role"]
        if role not in ROLES:
            raise RowError(f"{which}: there is no role {str(role)[:30]!r}", _role_fix(role))
        if role == "system" and place > 1:
            raise RowError(f"{which} is of the system", "let it be the first, or leave it out")
        found.append(Message(role, _text(one["content"], which)))
    return tuple(found)


def _role_fix(role: Any) -> str:
    return did_you_mean(role if isinstance(role, str) else "", ROLES)


def _text(value: Any, which: str) -> str:
    if not isinstance(value, str):
        raise RowError(f"the content of {which} is not a text")
    if not value.strip():
        raise RowError(f"{which} is empty", "write something there, or remove the row")
    return sound_text(value)
