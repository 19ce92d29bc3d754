"""What the server does not do, with the status that says so.

Anything in `heedful.serve` raises it; `answer_of` is what the client gets, in both dialects.
"""

__all__ = ["RefusalError", "misshapen", "refusal_of", "short", "shown"]

import json
from collections.abc import Container, Sequence

from heedful.errors import HeedfulError


class RefusalError(Exception):
    """A request that is not granted; its text is a plain sentence for the client.

    `retry` are the seconds after which it may be tried again; None: never, as it is.
    """

    def __init__(self, status: int, sentence: str, *, retry: float | None = None) -> None:
        self.status = status
        self.sentence = sentence
        self.retry = retry
        super().__init__(sentence)

    def headers(self) -> dict[str, str]:
        """Return the headers that go with it."""
        found = {} if self.retry is None else {"retry-after": f"{max(1, round(self.retry))}"}
        return found | ({"www-authenticate": "Bearer"} if self.status == 401 else {})

    def body(self) -> bytes:
        """Return what the client reads: `{"error": "..."}`."""
        return json.dumps({"error": self.sentence}).encode()


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
