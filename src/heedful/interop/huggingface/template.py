"""The chat template of a Hugging Face folder: a file of its own, or a key of tokenizer_config.json.

A folder comes in, a `ChatTemplate` goes out, or None where the model has learnt no conversations.
"""

__all__ = ["more_ends", "template_of"]

from pathlib import Path
from typing import Any

from heedful.errors import ModelError
from heedful.interop.huggingface.config import read_json
from heedful.interop.keys import Keys
from heedful.text.chat import ChatTemplate

_SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token")


def template_of(folder: Path) -> ChatTemplate | None:
    """Return the folder's chat template.

    Raises ModelError for one that is none.
    """
    config, alone = folder / "tokenizer_config.json", folder / "chat_template.jinja"
    data = read_json(config) if config.is_file() else {}
    special = {name: text for name in _SPECIAL if (text := _content(data.get(name))) is not None}
    if alone.is_file():
        try:
            return ChatTemplate(alone.read_text("utf-8"), special, where=str(alone))
        except UnicodeDecodeError:
            raise ModelError("this is not UTF-8 text", where=str(alone)) from None
    source = data.get("chat_template")
    if isinstance(source, list):
        named = {one.get("name"): one.get("template") for one in source if isinstance(one, dict)}
        source = named.get("default")
        if source is None:
            problem = 'of its chat templates none is called "default"'
            raise ModelError(problem, where=str(config))
    if source is None:
        return None
    if not isinstance(source, str):
        raise ModelError('"chat_template" is no text', where=str(config))
    return ChatTemplate(source, special, where=f"{config}, chat_template")


def _content(piece: Any) -> str | None:
    """Return a special piece's text, which older files wrap."""
    text = piece.get("content") if isinstance(piece, dict) else piece
    return text if isinstance(text, str) else None


def more_ends(folder: Path) -> tuple[int, ...]:
    """Return the pieces that end an answer and that generation_config.json names."""
    path = folder / "generation_config.json"
    return Keys(read_json(path), str(path)).ids("eos_token_id") if path.is_file() else ()
