"""Conversations and preferences: what is read of a row, and what is said of one that is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from heedful.data.conversations import Dialogue, read_dialogues
from heedful.data.formats.reading import ReadCounts
from heedful.errors import DataError
from heedful.text.chat import Message

USER = {"role": "user", "content": "hi"}
SAID = {"role": "assistant", "content": "yes"}
SYSTEM = {"role": "system", "content": "Be brief."}


def read(tmp_path: Path, *rows: Any, preferences: bool = False, skip: bool = False) -> Any:
    path = tmp_path / "x.jsonl"
    texts = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(texts) + "\n", "utf-8")
    counts = ReadCounts()
    found = list(read_dialogues(path, preferences=preferences, skip_bad=skip, counts=counts))
    return found, counts


def test_conversations(tmp_path: Path) -> None:
    rows = [{"messages": [SYSTEM, USER, SAID, USER, SAID], "source": "x"}, "", {"messages": [SAID]}]
    found, counts = read(tmp_path, *rows)
    roles = [[message.role for message in one.messages] for one in found]
    assert roles == [["system", "user", "assistant", "user", "assistant"], ["assistant"]]
    assert [one.line for one in found] == [1, 3]
    assert counts.rows == 2


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "hi", "chosen": "yes", "rejected": "no"},
        {"prompt": [USER], "chosen": "yes", "rejected": "no"},
        {"messages": [USER], "chosen": SAID, "rejected": [{**SAID, "content": "no"}]},
    ],
)
def test_preferences(tmp_path: Path, row: Any) -> None:
    (found,), _ = read(tmp_path, row, preferences=True)
    assert found == Dialogue((Message("user", "hi"), Message("assistant", "yes")), "no", 1)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "not JSON at column 2"),
        ("[1]", "not a JSON object"),
        ({"text": "x"}, r'no key "messages" \(keys: text\)'),
        ({"messages": "x"}, '"messages" is not a list of messages'),
        ({"messages": []}, '"messages" is not a list of messages'),
        ({"messages": ["x"]}, "message 1 of messages has not role and content alone"),
        ({"messages": [{**USER, "tool_calls": []}, SAID]}, "has not role and content alone"),
        ({"messages": [USER, {**SAID, "role": "asistant"}]}, 'did you mean "assistant"'),
        ({"messages": [{**USER, "role": [1]}]}, "there is no role"),
        ({"messages": [USER, {**SAID, "content": None}]}, "message 2 of messages is not a text"),
        ({"messages": [USER, {**SAID, "content": " "}]}, "message 2 of messages is empty"),
        ({"messages": [USER, SAID, SYSTEM]}, "message 3 of messages is of the system"),
        ({"messages": [USER, SAID, USER]}, "there is no answer at its end to learn"),
        ({"prompt": "x", "chosen": "y", "rejected": "z"}, "this is a preference"),
        ('{"messages": [{"role": "user", "content": "\\ud800"}]}', "half a surrogate pair"),
    ],
)
def test_no_conversation(tmp_path: Path, row: Any, says: str) -> None:
    good = {"messages": [USER, SAID]}
    with pytest.raises(DataError, match=rf"x.jsonl:2: .*{says}"):
        read(tmp_path, good, row)
    found, counts = read(tmp_path, good, row, good, skip=True)
    assert (len(found), counts.skipped_bad) == (2, 1)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"messages": [USER, SAID], "chosen": "a", "rejected": "b"}, "ends with an answer"),
        ({"messages": [USER, SAID]}, 'no key "chosen"'),
        ({"prompt": "hi", "chosen": "yes"}, 'no key "rejected"'),
        ({"prompt": "hi", "chosen": "yes", "rejected": "yes"}, "are alike"),
        ({"prompt": "hi", "chosen": [SAID, SAID], "rejected": "no"}, "is not one answer"),
        ({"prompt": "hi", "chosen": USER, "rejected": "no"}, "is not one answer"),
        ({"prompt": "hi", "chosen": 3, "rejected": "no"}, '"chosen" is not a list'),
        ({"prompt": "", "chosen": "yes", "rejected": "no"}, "prompt is empty"),
        (
            {"prompt": "x", "messages": [USER], "chosen": "a", "rejected": "b"},
            'both "prompt" and "messages"',
        ),
    ],
)
def test_no_preference(tmp_path: Path, row: Any, says: str) -> None:
    with pytest.raises(DataError, match=rf"x.jsonl:1: .*{says}"):
        read(tmp_path, row, preferences=True)


def test_another_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="save a JSON object a line"):
        list(read_dialogues(tmp_path / "a.txt", preferences=False, skip_bad=False, counts=None))  # type: ignore[arg-type]
