"""A conversation becomes the text that a model was trained to answer: its chat template, rendered.

A template comes with a model, as a program in Jinja: it is run in a sandbox
(`heedful.text.sandbox`), which it cannot leave and in which it can use so much and no more.
"""

__all__ = ["IN_PIECES", "IN_WORDS", "ChatTemplate", "Message"]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from heedful.errors import SettingError

if TYPE_CHECKING:
    from heedful.text.sandbox import Program

LONGEST = 65_536
"""Characters of a template; the longest in use have a quarter of that."""


IN_PIECES = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ message['content'] }}</s>"
    "{% elif message['role'] == 'system' %}<s><s>{{ message['content'] }}</s>"
    "{% else %}<s>{{ message['content'] }}</s>{% endif %}"
    "{% endfor %}"
)
"""heedful's own template for models made here: control pieces alone tell who speaks, so that
a vocabulary of characters needs no others than those of the text."""

IN_WORDS = (
    "{% for message in messages %}{{ message['role'] | capitalize }}:\n{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}\n{% else %}\n\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}Assistant:\n{% endif %}"
)
"""heedful's own template for models of others that have none: words tell who speaks."""


@dataclass(frozen=True)
class Message:
    """What one side of a conversation said."""

    role: str
    """`system`, `user` or `assistant`, unless the template knows others."""
    content: str


class ChatTemplate:
    """A chat template, as transformers renders them (Hugging Face, "Chat templates").

    `special` are pieces that a template may name: `bos_token`, `eos_token`. `now` tells the time to
    templates that put the date into the conversation. The template is looked at when it is needed:
    who only goes on with texts needs neither it nor jinja2.
    """

    def __init__(
        self,
        source: str,
        special: Mapping[str, str],
        *,
        where: str = "the chat template",
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.source, self.special = source, dict(special)
        self._where, self._now = where, now

    def prepare(self) -> None:
        """Raise ModelError for a template that is none, SettingError where jinja2 is missing."""
        _ = self._program

    @cached_property
    def _program(self) -> "Program":
        try:
            from heedful.text.sandbox import Program
        except ModuleNotFoundError as error:
            if error.name not in ("jinja2", "markupsafe"):
                raise
            problem = "a conversation needs the package jinja2"
            raise SettingError(problem, fix='pip install "heedful[chat]"') from None
        return Program(self.source, LONGEST, self._where, self._now)

    def render(self, messages: Sequence[Message], answer: bool = True) -> str:
        """Return the text of a conversation, if `answer` with what makes the model answer it.

        Raises ModelError for a template that is none, fails, does what it must not, or uses too
        much, and with the template's own words for a conversation that it refuses.
        """
        given = [{"role": message.role, "content": message.content} for message in messages]
        values = self.special | {
            "messages": given,
            "add_generation_prompt": answer,
            "tools": None,
            "documents": None,
        }
        size = sum(len(message.role) + len(message.content) for message in messages)
        return self._program.run(values, size)
