"""Memory stays flat however many requests come, and nothing is left open behind them."""

import gc
import threading
from pathlib import Path

import pytest

from heedful.serve.limits import ServerLimits
from tests.serve.serving import asking, open_engine, run


def resident() -> int:
    """Return the bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096


def served(count: int) -> float:
    """Answer so many requests, no two alike; return the bytes that each has left behind."""
    grown: list[float] = []

    async def scenario() -> None:
        engine = open_engine()
        async with asking(engine, ServerLimits()) as client:

            async def ask(first: int, last: int) -> None:
                for number in range(first, last):
                    text = f"text {number} " * (number % 50 + 1)
                    await client.post("/v1/translate", {"texts": [text], "to": "de"})
                    await client.ask("GET", f"/{number}")
                    engine.batches.clear()

            await ask(0, count // 4)
            gc.collect()
            before, threads = resident(), threading.active_count()
            await ask(count // 4, count)
            gc.collect()
            grown.append((resident() - before) / (count * 3 / 4))
            assert threading.active_count() <= threads + 2

    run(scenario, seconds=1_000)
    return grown[0]


@pytest.mark.slow
def test_memory_stays_flat() -> None:
    assert served(1_200) < 1_500


@pytest.mark.slow
def test_memory_stays_flat_over_many_requests() -> None:
    assert served(100_000) < 100, "1 MB in 10,000"
