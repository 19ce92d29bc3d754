"""HTTP/1.1 connections with deadlines and caps, which uvicorn has not.

Bytes of a client come in, uvicorn's own protocol reads them; a client that is slow to send or to
take what it is sent is cut off, and one address cannot hold all connections. `server` makes it.
"""

__all__ = ["Doorkeeper", "guarded_protocol"]

import asyncio
import ipaddress
from collections import Counter
from typing import Any, Protocol

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from heedful.serve.limits import ServerLimits
from heedful.serve.refusal import RefusalError

HTTP_TOO_MANY, HTTP_UNAVAILABLE = 429, 503


class _Connection(Protocol):
    """What a doorkeeper knows of a connection."""

    @property
    def asks_nothing(self) -> bool: ...

    def give_way(self) -> None: ...


class Doorkeeper:
    """Counts the connections of a server, in all and of every address.

    Addresses of this machine are not counted one by one: behind a proxy all clients have one.
    """

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._inside: dict[_Connection, str] = {}  # the one that came first is the first
        self._addresses: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, connection: _Connection, address: str) -> RefusalError | None:
        """Let a connection in, or return why not.

        Where all places are taken, the oldest connection that has not asked anything gives way.
        """
        counted = not _is_local(address)
        if counted and self._addresses[address] >= self._limits.per_address:
            return self._refusal(HTTP_TOO_MANY, "too many connections from this address")
        if len(self._inside) >= self._limits.connections:
            quiet = next((one for one in self._inside if one.asks_nothing), None)
            if quiet is None:
                return self._refusal(HTTP_UNAVAILABLE, "too many connections")
            self.leave(quiet)
            quiet.give_way()
        self._inside[connection] = address
        self._addresses[address] += 1
        return None

    def leave(self, connection: _Connection) -> None:
        """Forget a connection; one that was never let in, or has left, is no mistake."""
        address = self._inside.pop(connection, None)
        if address is None:
            return
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    def _refusal(self, status: int, sentence: str) -> RefusalError:
        return RefusalError(
            status, f"{sentence}; try again later", retry=self._limits.retry_seconds
        )


def guarded_protocol(limits: ServerLimits) -> type[H11Protocol]:
    """Return a protocol for uvicorn, with the limits and a doorkeeper of its own."""
    doorkeeper = Doorkeeper(limits)

    class Guarded(GuardedProtocol):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(limits, doorkeeper, *arguments, **named)

    return Guarded


class _Reader(h11.Connection):
    """A connection that remembers why it could not read a request."""

    status = 400

    def next_event(self) -> Any:
        try:
            return super().next_event()
        except h11.RemoteProtocolError as error:
            self.status = error.error_status_hint
            if self.status == 431 and b"\n" not in self.trailing_data[0]:
                self.status = 414  # not even the first line has ended
            raise


class GuardedProtocol(H11Protocol):
    """uvicorn's connection, with a deadline for headers, for bodies and for taking answers."""

    def __init__(
        self, limits: ServerLimits, doorkeeper: Doorkeeper, *arguments: Any, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self.limits, self._doorkeeper = limits, doorkeeper
        self.conn = _Reader(h11.SERVER, limits.header_bytes)
        self._receiving: object = None
        self._deadline: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    @property
    def asks_nothing(self) -> bool:
        """Whether no request, or not the whole of one, has come that is not answered."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def give_way(self) -> None:
        """Close at once, for another client."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, unless there are too many."""
        super().connection_made(transport)
        refusal = self._doorkeeper.enter(self, self.client[0] if self.client else "")
        if refusal is not None:
            self._refuse(refusal)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._doorkeeper.leave(self)
        for timer in (self._deadline, self._taking):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read some bytes; those of a connection that is closing are dropped."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request, and see that this answer is taken."""
        super().on_response_complete()
        self._watch()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self.pause_writing()

    def pause_writing(self) -> None:
        """Begin to wait until the client takes what was sent."""
        super().pause_writing()
        if self._taking is None:
            self._taking = self.loop.call_later(self.limits.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client has taken it."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing is asked."""
        super().timeout_keep_alive_handler()
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Say that a request cannot be read, by the status that fits."""
        status = getattr(self.conn, "status", 400)
        self._refuse(RefusalError(status, "the request cannot be read as HTTP/1.1"))

    def _watch(self) -> None:
        """Set the deadline of what is being received; one that is set stays."""
        state = self.conn.their_state
        waits = state is h11.IDLE and self.timeout_keep_alive_task is not None
        receiving = None if waits else {h11.IDLE: "headers", h11.SEND_BODY: "body"}.get(state)
        if receiving == "body":
            receiving = (receiving, id(self.cycle))  # type: ignore[assignment]
        if receiving == self._receiving:
            return
        self._receiving = receiving
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if receiving is not None and not self.transport.is_closing():
            headers = receiving == "headers"
            seconds = self.limits.header_seconds if headers else self.limits.body_seconds
            self._deadline = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        self._refuse(RefusalError(408, "the request has not come in time"))
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _refuse(self, refusal: RefusalError) -> None:
        """Answer in place of the application, if nothing has been answered, and close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self._answered():
            body = refusal.body()
            fields = {"content-type": "application/json", "content-length": str(len(body))}
            fields |= {"connection": "close"} | refusal.headers()
            head = [f"HTTP/1.1 {refusal.status} {STATUS_PHRASES[refusal.status].decode()}"]
            head += [f"{name}: {value}" for name, value in fields.items()]
            self.transport.write("\r\n".join([*head, "", ""]).encode() + body)
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self.pause_writing()

    def _answered(self) -> bool:
        return (
            self.cycle is not None
            and self.cycle.response_started
            and not (self.cycle.response_complete)
        )


def _is_local(address: str) -> bool:
    """Tell whether an address is this machine's; one of IPv4 may be spelled as one of IPv6.

    >>> _is_local("::ffff:127.0.0.1"), _is_local("::ffff:192.0.2.1")
    (True, False)
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return not address
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback
