# ruff: noqa: E501
"""Chat templates: what transformers renders, and nothing that a stranger's program could abuse."""

import contextlib
import sys
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.errors import HeedfulError, ModelError, SettingError
from heedful.text.chat import ChatTemplate, Message

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
TALK = [
    Message("system", "Be brief."),
    Message("user", 'Say "hi" to <b>Zoë</b>\n & 猫.  '),
    Message("assistant", "  Hi!\n"),
    Message("user", "Bye {{ 1 }} {% if %}"),
]

SMOLLM2 = """\
{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""

LLAMA3 = """\
{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{#- The system message is taken out. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'
            + message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

LLAMA2 = """\
{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}\
{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}\
{% set system_message = false %}{% endif %}{% for message in loop_messages %}\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}\
{% endif %}{% if loop.index0 == 0 and system_message != false %}\
{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}\
{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}\
{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}\
{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""

HABITS = """\
    {% set ns = namespace(turn=0, said='') %}
    {% macro shown(one, mark='>') %}{{ mark }}{{ one.content | replace('\\n', '|') }}{% endmacro %}
    {% for message in messages if message.role != 'system' %}
        {% if loop.index > 2 and message.content.startswith('  ') %}{% continue %}{% endif %}
        {% generation %}
        {{ shown(message, mark=loop.index ~ ': ') }}
        {% endgeneration %}
        {% set ns.turn = ns.turn + 1 %}
        {% set ns.said = ns.said ~ message.content[:3] %}
        {% if ns.turn == 9 %}{% break %}{% endif %}
    {% endfor %}
{{ ns.turn }} {{ ns.said }} {{ messages | tojson }} {{ messages | tojson(indent=2) }}
{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join(', ') }}
{{ messages | map(attribute='role') | unique | list | sort }} {{ 'x%s-%d' % ('y', 3) }}
{{ '{} {:>4}'.format('a', 'b') }} {{ tools is none }} {{ nothing is defined }} {{ nothing }}
{{ messages[-1]['content'].split(' ')[0] }} {{ messages[1:3] | length }} {{ ['a', 'b'] + ['c'] }}
{{ ',' .join(['p', 'q']) }} {{ {'k': 1}.items() | list }} {{ nothing | default('d') }} {{ 7 // 2 }}
{{ 'a\\nb' | indent(2) }} {{ messages[0].get('name', 'none') }} {{ range(3) | list }} {{ 'ß' | upper }}
"""

CHATML = """\
{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + \
'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}\
{% endif %}"""

TEMPLATES = {
    "smollm2": SMOLLM2,
    "llama3": LLAMA3,
    "llama2": LLAMA2,
    "habits": HABITS,
    "chatml": CHATML,
}


def theirs(template: str, messages: list[Message], answer: bool) -> str:
    from transformers.utils.chat_template_utils import render_jinja_template

    talk = [{"role": one.role, "content": one.content} for one in messages]
    rendered, _ = render_jinja_template(
        conversations=[talk], chat_template=template, add_generation_prompt=answer, **SPECIAL
    )
    return str(rendered[0])


@pytest.mark.parametrize("answer", [True, False])
@pytest.mark.parametrize("name", TEMPLATES)
def test_it_is_what_transformers_renders(name: str, answer: bool) -> None:
    source = TEMPLATES[name]
    for messages in (TALK, TALK[1:], TALK[1:2]):
        ours = ChatTemplate(source, SPECIAL).render(messages, answer)
        assert ours == theirs(source, messages, answer)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_any_words_come_through(contents: list[str]) -> None:
    messages = [Message("user", content) for content in contents]
    for source in (CHATML, LLAMA3):
        assert ChatTemplate(source, SPECIAL).render(messages) == theirs(source, messages, True)


def test_the_time_is_told() -> None:
    told = ChatTemplate("{{ strftime_now('%d %b %Y') }}", {}, now=lambda: datetime(2024, 7, 6))
    assert told.render(TALK) == "06 Jul 2024"


def test_a_long_conversation_is_no_abuse() -> None:
    messages = [Message("user" if at % 2 == 0 else "assistant", "word " * 400) for at in range(400)]
    for source in (LLAMA3, CHATML, LLAMA2):
        assert ChatTemplate(source, SPECIAL).render(messages).count("word") == 160_000


def test_what_a_template_says_is_told() -> None:
    template = ChatTemplate(LLAMA2, SPECIAL, where="model/chat_template.jinja")
    with pytest.raises(
        ModelError, match=r"chat_template\.jinja: the template refuses .* alternate"
    ):
        template.render([Message("assistant", "first")])


GROWING = "{%% set ns = namespace(x='ab') %%}{%% for i in range(99) %%}%s{%% endfor %%}{{ ns.x }}"
ABUSES = {
    "range": "{% for i in range(10**9) %}{% endfor %}",
    "long range": "{% for i in range(1000000000) %}{% endfor %}",
    "nested": "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "squares": "{% set n = namespace(x=3) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "text": "{{ 'a' * 10000000000 }}",
    "number": "{{ 10000000000 * 'a' }}",
    "list": "{{ [1] * 10000000000 }}",
    "doubling": GROWING % "{% set ns.x = ns.x ~ ns.x %}",
    "adding": GROWING % "{% set ns.x = ns.x + ns.x %}",
    "lists in lists": GROWING % "{% set ns.x = [ns.x, ns.x] %}",
    "tuples": GROWING % "{% set ns.x = (ns.x, ns.x) %}",
    "dicts": GROWING % "{% set ns.x = {'a': ns.x, 'b': ns.x} %}",
    "dict()": GROWING % "{% set ns.x = dict(a=ns.x, b=ns.x) %}",
    "blocks": GROWING % "{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}",
    "itself": "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x }}",
    "text of itself": "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "text within": "{% macro f() %}{% for i in range(9999) %}" + "z" * 60_000 + "{% endfor %}{% endmacro %}{{ f() }}",
    "replace": "{% set x = 'x' * 100000 %}{{ x.replace('x', x) }}",
    "replace filter": "{% set x = 'x' * 100000 %}{{ x | replace('x', x) }}",
    "join": "{{ range(9999) | map('string') | join('x' * 200000) }}",
    "join method": "{{ ('x' * 200000).join(range(9999) | map('string')) }}",
    "width": "{{ '%1000000000d' % 1 }}",
    "star": "{{ '%*d' % (1000000000, 1) }}",
    "format filter": "{{ '%1000000000d' | format(1) }}",
    "format": "{{ '{:1000000000}'.format(1) }}",
    "computed format": "{{ '{:{}}'.format(1, 1000000000) }}",
    "format many": "{{ ('{0}' * 9999).format('x' * 99999) }}",
    "indent": "{{ ('\\n' * 9999) | indent(1000000000) }}",
    "indent text": "{{ ('\\n' * 9999) | indent('x' * 99999) }}",
    "tojson": "{{ [1, 2] | tojson(indent=1000000000) }}",
    "round": "{{ 1 | round(1000000000, 'ceil') }}",
    "center": "{{ 'a'.center(1000000000) }}",
    "center filter": "{{ 'a' | center(1000000000) }}",
    "time": "{{ strftime_now('%1000000000d') }}",
    "searching": "{% for i in range(9999) %}{% if 'q' in 'ab' * 99999 %}{% endif %}{% endfor %}",
    "comparing": "{% set x = 'ab' * 99999 %}{% for i in range(9999) %}{% if x == x %}{% endif %}{% endfor %}",
    "slicing": "{% set x = 'ab' * 99999 %}{% for i in range(9999) %}{% set y = x[1:] %}{% endfor %}",
    "testing": "{% set x = 'ab' * 99999 %}{% for i in range(9999) %}{% set y = 'q' is in x %}{% endfor %}",
    "deep": "{{" + "(" * 3000 + "1" + ")" * 3000 + "}}",
    "size": " " * 70_000,
}  # fmt: skip


@pytest.mark.parametrize("name", ABUSES)
def test_nothing_runs_for_ever_or_fills_the_memory(name: str) -> None:
    with pytest.raises(ModelError, match=r"^t: (it|the template) [^\n]+$"):
        ChatTemplate(ABUSES[name], SPECIAL, where="t").render(TALK)


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ '' | attr('__class__') }}",
    "{{ messages | map(attribute='__class__') | list }}",
    "{{ messages | map('attr', '__class__') | list }}",
    "{{ messages | selectattr('__class__') | list }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ namespace().__class__ }}",
    "{{ raise_exception.__globals__ }}",
    "{{ strftime_now.__closure__ }}",
    "{{ range.__globals__ }}",
    "{{ dict.__globals__ }}",
    "{{ self.__init__.__globals__ }}{% block a %}{% endblock %}",
    "{% for i in messages %}{{ loop.__class__ }}{% endfor %}",
    "{% for i in messages %}{{ loop._iterable }}{% endfor %}",
    "{% macro f() %}{% endmacro %}{{ f.__init__ }}",
    "{% macro f() %}{% endmacro %}{{ f._func }}",
    "{{ (messages | map('upper')).gi_frame }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update(a=1) }}",
    "{{ messages[0].pop('role') }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends 'x' %}",
    "{{ messages[0].content.encode() }}",
    "{{ messages | pprint }}",
    "{{ (1).__class__ }}",
    "{{ nothing.__class__ }}",
    "{{ nothing.something }}",
    "{% if %}",
    "{{ 1 / 0 }}",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_nothing_leads_out(source: str) -> None:
    with pytest.raises(ModelError, match=r"^t: it [^\n]+$") as caught:
        ChatTemplate(source, SPECIAL, where="t").render(TALK)
    assert "0x" not in str(caught.value)


WORDS = """{{ }} {% %} for i in range ( ) 9 * ~ + 'a' [ ] x | join . format if endfor set ns = \
namespace messages endif macro f endmacro replace __class__ tojson , : - %"""


@given(st.lists(st.sampled_from(WORDS.split()), max_size=25))
@settings(max_examples=200, deadline=None)
def test_any_program_ends_with_text_or_a_sentence(words: list[str]) -> None:
    with contextlib.suppress(HeedfulError):  # whatever else is a failure
        assert isinstance(ChatTemplate(" ".join(words), SPECIAL).render(TALK), str)


def test_an_allowance_is_for_one_text() -> None:
    template = ChatTemplate("{% for i in range(9000) %}{{ i }}{% endfor %}", {})
    assert len({template.render(TALK) for _ in range(20)}) == 1


def test_without_the_package_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """But not before a conversation is to be written."""
    for name in [name for name in sys.modules if name.split(".")[0] == "jinja2"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    for name in ("heedful.text.sandbox", "heedful.text.counting"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    template = ChatTemplate(CHATML, SPECIAL)
    with pytest.raises(
        SettingError, match=r'needs the package jinja2; pip install "heedful\[chat\]"'
    ):
        template.render(TALK)
