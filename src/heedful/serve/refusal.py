"""What the server does not do, with the status that says so.

Anything in `heedful.serve` raises it; `body` is what the client gets, in its dialect.
"""

__all__ = ["OPENAI", "RefusalError", "misshapen", "refusal_of", "short", "shown"]

import json
from collections.abc import Container, Sequence

from heedful.errors import HeedfulError

OPENAI = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models/")
"""How the addresses begin at which refusals have the shape of OpenAI's API."""

_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
_TYPES = {403: "permission_error", 429: "rate_limit_error"}


class RefusalError(Exception):
    """A request that is not granted; its text is a plain sentence for the client.

    `retry` are the seconds after which it may be tried again; None: never, as it is. `param` and
    `code` are for OpenAI's clients: the field that is refused, and a word for the reason.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        retry: float | None = None,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        self.status = status
        self.sentence = sentence
        self.retry = retry
        self.param, self.code = param, code
        super().__init__(sentence)

    def headers(self) -> dict[str, str]:
        """Return the headers that go with it."""
        found = {} if self.retry is None else {"retry-after": f"{max(1, round(self.retry))}"}
        return found | ({"www-authenticate": "Bearer"} if self.status == 401 else {})

    def body(self, path: str = "") -> bytes:
        """Return what a client reads who asked at an address: `{"error": ...}`."""
        told = self.told() if path.startswith(OPENAI) else self.sentence
        return json.dumps({"error": told}).encode()

    def told(self) -> dict[str, str | None]:
        """Return what OpenAI's clients read."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {
            "message": self.sentence,
            "type": _TYPES.get(self.status, kind),
            "param": self.param,
            "code": self.code or _CODES.get(self.status),
        }


def refusal_of(error: HeedfulError) -> RefusalError:
    """Return what a client is told of its mistake: the problem, without options and paths."""
    return RefusalError(400, error.problem)


def misshapen(
    place: Sequence[int | str], said: str, known: Container[str], whole: str = "the body"
) -> RefusalError:
    """Return what a client is told of a field that pydantic refuses; it hears no word of its own.

    >>> misshapen(("beam",), "Input should be greater than 0", {"beam"}).sentence
    'beam: input should be greater than 0'
    """
    named = [str(part) for part in place if isinstance(part, int) or part in known]
    said = said.removeprefix("Value error, ")
    return RefusalError(422, f"{'.'.join(named) or whole}: {said[:1].lower()}{said[1:]}")


def short(text: str, most: int = 40) -> str:
    """Return the beginning of a client's own words."""
    return text if len(text) <= most else text[:most] + "..."


def shown(text: str, most: int = 40) -> str:
    """Return the beginning of a client's own words, as they may stand in a sentence to it.

    >>> shown("x" * 50, 5)
    '"xxxxx..."'
    """
    return json.dumps(short(text, most), ensure_ascii=True)
