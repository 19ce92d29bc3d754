"""A server of its own process, for `test_server`: its engine answers once SIGUSR1 has come."""

import signal
import sys

from heedful.serve.limits import ServerLimits
from heedful.serve.server import bound
from heedful.serve.server import run as run_server
from tests.serve.serving import FakeEngine, service_of


def main(drain_seconds: float) -> int:
    engine, limits = FakeEngine(), ServerLimits(drain_seconds=drain_seconds)
    signal.signal(signal.SIGUSR1, lambda *_: engine.open.set())
    service, _ = service_of(engine, limits)
    with bound("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        return run_server(service, listener, limits, started=lambda: print(port, flush=True))


sys.exit(main(float(sys.argv[1])))
