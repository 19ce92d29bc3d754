"""`/docs`: the OpenAPI document as one page to read, without a script and without another server.

The document comes in, HTML goes out; `app` mounts it.
"""

__all__ = ["docs_page", "docs_routes"]

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from html import escape
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from heedful.web_page import document, policy

Node = dict[str, Any]
"""A part of the OpenAPI document."""

_STYLE = """
nav { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 0 2rem; }
nav ul { list-style: none; padding: 0; margin: 0; } nav li { margin: .15rem 0; }
nav a, td a { color: inherit; text-decoration: none; } td a { border-bottom: 1px dotted; }
nav a:hover, nav a:focus { text-decoration: underline; }
.method { display: inline-block; min-width: 3.2rem; font-weight: 600; color: var(--used); }
section h2 { font: 600 1.05rem ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }
h2.tag { margin: 2.2rem 0 0; }
td:first-child { white-space: nowrap; width: 9.5rem; } td.kind { color: var(--soft); width: 11rem; }
details { margin-top: 1rem; }
@media (max-width: 40rem) { td, td.kind, td:first-child { display: block; border: 0; width: auto;
  padding: 0; } td:last-child { padding-bottom: .7rem; } }
"""


def docs_routes(described: Callable[[], dict[str, Any]]) -> APIRouter:
    """Return the route of the page; `described` gives the OpenAPI document."""
    router = APIRouter(include_in_schema=False)

    @cache
    def page() -> str:
        return docs_page(described())

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        """Show what can be asked."""
        return HTMLResponse(page(), headers={"content-security-policy": policy(page())})

    return router


def docs_page(openapi: Node) -> str:
    """Return the whole page."""
    return "".join(_Page(openapi).whole())


class _Page:
    """Writes the page; every method yields pieces of HTML."""

    def __init__(self, openapi: Node) -> None:
        self._openapi = openapi
        self._shapes: Node = openapi["components"]["schemas"]
        self._shown: dict[str, None] = {}  # names of shapes that are linked to, in order

    def whole(self) -> Iterator[str]:
        info = self._openapi["info"]
        tags: dict[str, list[tuple[str, str, Node]]] = {}
        for path, methods in self._openapi["paths"].items():
            for method, operation in methods.items():
                tags.setdefault(operation["tags"][0], []).append((method, path, operation))
        said = f"{info['summary']}. Version {info['version']}. For programs: "
        body = [f'<h1>{escape(info["title"])}</h1><p class="soft">{escape(said)}']
        body += [
            '<a href="openapi.json">openapi.json</a></p><nav>',
            *self._contents(tags),
            "</nav>",
        ]
        for tag, some in tags.items():
            body.append(f'<h2 class="tag">{escape(tag)}</h2>')
            for method, path, operation in some:
                body += self._operation(method, path, operation)
        body.append('<h2 class="tag">shapes</h2>')
        for name in _growing(self._shown):
            body += [f'<section id="{escape(name)}"><h2>{escape(name)}</h2>']
            body += [*self._object(self._shapes[name]), "</section>"]
        yield document(f"{info['title']}: the API", "".join(body), _STYLE)

    def _contents(self, tags: Mapping[str, list[tuple[str, str, Node]]]) -> Iterator[str]:
        for tag, some in tags.items():
            yield f"<div><h3>{escape(tag)}</h3><ul>"
            for method, path, _ in some:
                yield f'<li><a href="#{_anchor(method, path)}">{_title(method, path)}</a></li>'
            yield "</ul></div>"

    def _operation(self, method: str, path: str, operation: Node) -> Iterator[str]:
        yield f'<section id="{_anchor(method, path)}"><h2>{_title(method, path)}</h2>'
        for line in operation["description"].split("\n\n"):
            yield f"<p>{_prose(line)}</p>"
        if parameters := operation.get("parameters"):
            yield "<h3>In the address</h3>"
            yield from self._table((one["name"], one["schema"], one) for one in parameters)
        for schema, kinds in _by_schema(operation.get("requestBody", {})):
            yield f"<h3>Body: {escape(' or '.join(kinds))}</h3>"
            yield from self._object(schema, asked=True)
        answers = operation["responses"]
        refusals = [status for status in answers if not status.startswith("2")]
        for status in [one for one in answers if one not in refusals]:
            yield f"<h3>Answer {status}: {_prose(answers[status]['description'])}</h3>"
            for schema, kinds in _by_schema(answers[status]):
                yield f'<p class="soft">{escape(" or ".join(kinds))}</p>'
                yield from self._object(schema)
        if refusals:
            yield "<details><summary>Refusals</summary>"
            for status in refusals:
                yield f"<p><b>{status}</b> {_prose(answers[status]['description'])}</p>"
            yield "</details>"
        yield "</section>"

    def _object(self, schema: Node, *, asked: bool = False) -> Iterator[str]:
        """Yield the fields of an object, and which are needed to ask, or what else it is."""
        if "$ref" in schema:
            schema = self._shapes[_name(schema)]
        fields: Node = schema.get("properties", {})
        needed = schema.get("required", ()) if asked else ()
        if fields:
            yield from self._table((x, y, y | {"required": x in needed}) for x, y in fields.items())
        elif "type" in schema:
            yield f"<p>{self._kind(schema)}</p>"

    def _table(self, rows: Iterable[tuple[str, Node, Node]]) -> Iterator[str]:
        """Yield names, kinds, and what they mean."""
        yield '<div class="scroll"><table>'
        for name, schema, told in rows:
            kind = self._kind(schema) + (", needed" if told.get("required") else "")
            yield f'<tr><td><code>{escape(name)}</code></td><td class="kind">{kind}</td>'
            yield f"<td>{_prose(told.get('description', ''))}</td></tr>"
        yield "</table></div>"

    def _kind(self, schema: Node) -> str:
        """Return what a value is, in a few words; one that may be left out may be null as well."""
        if "$ref" in schema:
            self._shown[_name(schema)] = None
            return f'<a href="#{escape(_name(schema))}">{escape(_name(schema))}</a>'
        if several := schema.get("anyOf", schema.get("oneOf")):
            return " or ".join(self._kind(x) for x in several if x.get("type") != "null")
        if schema.get("type") == "array":
            return f"list of {self._kind(schema['items'])}"
        return escape(" or ".join(schema.get("enum", [schema.get("type", "anything")])))


def _growing(names: Mapping[str, None]) -> Iterator[str]:
    """Yield keys, those too that are added meanwhile."""
    number = 0
    while number < len(names):
        yield list(names)[number]
        number += 1


def _prose(text: str) -> str:
    """Return a sentence as HTML.

    >>> _prose("As `heed translate` & others")
    'As <code>heed translate</code> &amp; others'
    """
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))


def _anchor(method: str, path: str) -> str:
    """Return what a way to ask is called in addresses.

    >>> _anchor("post", "/v1/translate")
    'post-v1-translate'
    """
    return escape(method + path.replace("/", "-"))


def _title(method: str, path: str) -> str:
    return f'<span class="method">{escape(method.upper())}</span> {escape(path)}'


def _name(schema: Node) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _by_schema(told: Node) -> list[tuple[Node, list[str]]]:
    """Return every schema of a body or an answer with the content types that have it."""
    found: dict[str, tuple[Node, list[str]]] = {}
    for kind, content in told.get("content", {}).items():
        schema = content.get("schema", {})
        found.setdefault(str(schema), (schema, []))[1].append(kind)
    return list(found.values())
