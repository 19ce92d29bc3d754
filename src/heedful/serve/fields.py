"""The fields of a request in LibreTranslate's dialect, which come as JSON or as a form.

A request comes in, its fields go out, once its key is known; `libretranslate` asks.
"""

__all__ = ["SentFile", "fields_of", "text_in"]

import json
import logging
from contextlib import aclosing
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from heedful.serve.guard import FORMS, type_of
from heedful.serve.native import key_of
from heedful.serve.refusal import RefusalError
from heedful.serve.security import Access

MOST_FIELDS = 20

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it writes a line a broken form


class SentFile(NamedTuple):
    """A file of a form."""

    name: str
    content: bytes


async def fields_of(request: Request, access: Access, *, files: int = 0) -> dict[str, Any]:
    """Return what a JSON object or a form holds, with so many files at most.

    Raises RefusalError for a body that cannot be read, and for a key that is not known.
    """
    kind = type_of(request.headers["content-type"])
    if kind in FORMS:
        fields = await _form(request, kind, files)
        if isinstance(q := fields.get("q"), str):
            fields["q"] = "\n".join(q.splitlines())
    else:
        fields = _object(await request.body())
    key = fields.get("api_key") or key_of(request)
    access.check_key(key if isinstance(key, str) else None, missing=403)
    return fields


def text_in(fields: dict[str, Any], name: str) -> str:
    """Return a field, empty if it is not there; raises RefusalError if it is no text."""
    value = fields.get(name) or ""
    if not isinstance(value, str):
        raise RefusalError(400, f"Invalid request: {name} is not a text")
    return value


class _InMemory(MultiPartParser):
    """Reads forms as Starlette does, but writes no file to a disk, however large it is."""

    spool_max_size = 0

    def close(self) -> None:
        """Close all files, those too whose end has not come, which are in no form."""
        for file in self._files_to_close_on_error:
            file.close()


async def _form(request: Request, kind: str, files: int) -> dict[str, Any]:
    if kind != "multipart/form-data":
        return _pairs(await request.body())
    async with aclosing(request.stream()) as stream:
        parser = _InMemory(request.headers, stream, max_files=files, max_fields=MOST_FIELDS)
        try:
            fields: dict[str, Any] = dict(await parser.parse())
            for name, value in fields.items():
                if isinstance(value, UploadFile):
                    fields[name] = SentFile(value.filename or "", await value.read())
        except MultiPartException:
            raise RefusalError(400, "Invalid request: the form cannot be read") from None
        finally:
            parser.close()
    return fields


def _pairs(body: bytes) -> dict[str, Any]:
    """Return the fields of a form of one line, escaped or raw UTF-8, as `curl -d` sends it."""
    try:
        fields = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except UnicodeDecodeError:
        raise RefusalError(400, "Invalid request: the form is not UTF-8") from None
    except ValueError:
        problem = f"Invalid request: the form has more than {MOST_FIELDS} fields"
        raise RefusalError(400, problem) from None
    return dict(fields)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusalError(400, "Invalid request: the body is not JSON") from None
    if not isinstance(found, dict):
        raise RefusalError(400, "Invalid request: the body is not a JSON object")
    return found
