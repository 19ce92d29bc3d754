"""Runs the application on a socket until it is told to end, then answers what has been asked.

A service and a socket that is bound come in, an exit code goes out; `heed serve` calls it.
"""

__all__ = ["bound", "run"]

import errno
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from heedful.errors import SettingError
from heedful.serve.app import Service
from heedful.serve.limits import ServerLimits
from heedful.serve.protocol import guarded_protocol

BACKLOG = 1024


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that is bound; port 0 takes any that is free.

    Raises SettingError for a port that is in use or not allowed, and a host that is not this
    machine's.
    """
    if not 0 <= port <= 65_535:
        raise SettingError("a port is from 0 to 65535", where=f"--port {port}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
    except (OSError, UnicodeError) as error:
        problem = "no address of this machine has this name"
        raise SettingError(problem, where=f"--host {host}", fix="try 127.0.0.1") from error
    # asyncio sends at once, without waiting 40 ms for an acknowledgement, where TCP is named
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _unbound(error, host, port) from error
    return listener


def _unbound(error: OSError, host: str, port: int) -> SettingError:
    if error.errno == errno.EADDRINUSE:
        problem, fix = f"port {port} is in use by another program", f"give --port {port + 1}"
    elif error.errno in (errno.EACCES, errno.EPERM):
        problem, fix = f"port {port} needs more rights", "give one from 1024 on"
    else:
        problem, fix = f"this machine has no address {host}", "give --host 127.0.0.1"
        return SettingError(problem, where=f"--host {host}", fix=fix)
    return SettingError(problem, where=f"--port {port}", fix=fix)


def run(
    service: Service,
    listener: socket.socket,
    limits: ServerLimits,
    *,
    started: Callable[[], None] = lambda: None,
) -> int:
    """Serve until SIGTERM or Ctrl-C; return 0 if all that was asked has been answered, else 1.

    From the first signal on requests are refused and `/ready` says so, for `drain_seconds` at most.
    A second signal ends the process at once, with 128 and the number of the signal.
    """
    server = _Server(service, limits, started)
    server.run(sockets=[listener])
    if not service.idle:  # the thread of a model is in the middle of a batch, and nobody waits
        os._exit(1)
    if service.computing:  # it was to show that it works; Python's own end would abort in torch
        os._exit(0)
    return 0


def keep_what_is_there() -> None:
    """Let Python never look again, for cycles, at the objects that there are.

    They are mostly torch's and numba's, and stay; to look at all of them takes an eighth of a
    second, in which nobody is answered, after every thousand requests.
    """
    gc.collect()
    gc.freeze()


class _Server(uvicorn.Server):
    """uvicorn, ended in two steps."""

    def __init__(self, service: Service, limits: ServerLimits, started: Callable[[], None]) -> None:
        config = uvicorn.Config(
            service,
            http=guarded_protocol(limits),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=limits.keep_alive_seconds,  # type: ignore[arg-type]
            timeout_graceful_shutdown=limits.drain_seconds,  # type: ignore[arg-type]
        )
        super().__init__(config)
        self._service, self._limits, self._started = service, limits, started
        self._until: float | None = None
        self._settled = False

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the signals that end a process, and no longer once this has ended."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {one: signal.signal(one, self.handle_exit) for one in handled}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; the second time, end."""
        if self._service.draining:
            os._exit(128 + sig)
        self._service.drain()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._started()

    async def on_tick(self, counter: int) -> bool:
        """Tell, ten times a second, whether to end: all is answered, or it takes too long."""
        if not self._settled and self._service.ready:
            self._settled = True
            if threading.current_thread() is threading.main_thread():
                keep_what_is_there()
        if self._service.draining:
            now = time.monotonic()
            if self._until is None:
                self._until = now + self._limits.drain_seconds
            if self._service.idle or now > self._until:
                left = max(0.1, self._until - now)
                self.config.timeout_graceful_shutdown = left  # type: ignore[assignment]
                self.should_exit = True
        return await super().on_tick(counter)
