"""What one client may ask for and how long anything may take: every limit of the server.

Settings by path come in (`--limits.queue 512`), `ServerLimits` go out; all of `heedful.serve` is
given them, and tests give others.
"""

__all__ = ["ServerLimits", "limits_of"]

from typing import Annotated, Any

from pydantic import Field, ValidationError

from heedful.errors import SettingError
from heedful.setting_errors import plain
from heedful.settings import Settings

Count = Annotated[int, Field(ge=1)]
Rows = Annotated[int, Field(ge=1, le=1024)]  # what a search can keep
Seconds = Annotated[float, Field(gt=0)]


class ServerLimits(Settings):
    """What a server allows."""

    body_bytes: Count = 1 << 20
    """Bytes of a request's body."""
    headers: Count = 100
    """Header fields of a request."""
    header_bytes: Count = 16_384
    """Bytes of a request's first line and headers together."""
    url_bytes: Count = 4_096
    """Bytes of an address."""
    texts: Count = 128
    """Texts of a request."""
    characters: Count = 5_000
    """Characters of a text."""
    tokens: Count = 1_024
    """Pieces of a text, as the model cuts it."""
    document_characters: Count = 100_000
    """Characters of a document, markup and all."""
    new_tokens: Count = 4_096
    """Pieces that a model may write behind a prompt."""
    beam: Rows = 16
    """Hypotheses that a search keeps."""
    alternatives: Rows = 8
    """Translations of one text that are given back, and texts that are written behind a prompt."""
    words: Count = 16
    """Words, in all their forms, that must and must not appear: each takes up to 50 ms."""
    terms: Count = 200
    """Terms of a request's glossary."""
    queue: Count = 256
    """Requests that wait for a model; the next one is refused at once."""
    queue_tokens: Count = 262_144
    """Source pieces, of all requests together, that wait for a model."""
    batch_tokens: Count = 8_192
    """Source pieces times beam that are translated at a time; positions that are written at."""
    header_seconds: Seconds = 10
    """Seconds in which the headers of a request must have come."""
    body_seconds: Seconds = 30
    """Seconds, from the headers on, in which the body must have come."""
    request_seconds: Seconds = 60
    """Seconds, from the whole request on, in which it is answered or refused."""
    writing_seconds: Seconds = 600
    """Seconds, from the whole request on, in which a model must have written all of a text, once it
    has begun."""
    write_seconds: Seconds = 30
    """Seconds in which a client must take what it is sent."""
    keep_alive_seconds: Seconds = 5
    """Seconds that a connection stays open with nothing asked."""
    connections: Count = 128
    """Connections in all; one that is asking nothing gives way to a new one."""
    per_address: Count = 16
    """Connections from one address that is not of this machine."""
    files: Count = 64
    """Translated files that wait to be fetched; the oldest is forgotten for a new one."""
    file_bytes: Count = 1 << 24
    """Bytes of all translated files that wait to be fetched."""
    file_seconds: Seconds = 300
    """Seconds after which a translated file that nobody fetched is forgotten."""
    retry_seconds: Count = 1
    """Seconds after which a client that was refused is told to try again."""
    recovery_seconds: Seconds = 1
    """Seconds after which a model that has failed is tried again; twice as many each next time."""
    drain_seconds: Seconds = 30
    """Seconds, once it is to end, in which the server answers what has been asked."""

    @property
    def usual_beam(self) -> int:
        """Hypotheses that a search keeps where nobody says how many."""
        return min(4, self.beam)


class _Asked(Settings):
    """What settings by path may hold."""

    limits: ServerLimits = ServerLimits()
    """What the server allows."""


def limits_of(settings: dict[str, Any]) -> ServerLimits:
    """Return the limits; raises SettingError, naming the option, for what is none.

    >>> limits_of({"limits": {"texts": 3}}).texts
    3
    """
    try:
        return _Asked.model_validate(settings).limits
    except ValidationError as error:
        raise plain(error.errors()[0], settings, _Asked) from error
    except TypeError as error:  # pragma: no cover - only a mapping comes from the command line
        raise SettingError(str(error), where="--limits") from error
