"""Threads of one model each translate a batch of their own, and who must be alone is alone."""

import asyncio
import threading

from heedful.request import Request
from heedful.serve.batcher import Batcher
from heedful.serve.refusal import RefusalError
from tests.serve.serving import DE, FlowingEngine, batching, run, until


async def wishing(batcher: Batcher, *texts: str) -> list[str]:
    """Return translations of texts with wishes, which go in batches, however few wait."""
    wishes = [Request(text, never=("x",)) for text in texts]
    return [one.text for one in await batcher.translate(wishes, DE)]


async def entered(batcher: Batcher, *texts: str) -> "asyncio.Task[list[str]]":
    """Ask for texts, and return once they wait or are being translated."""
    before = batcher.pending
    task = asyncio.create_task(wishing(batcher, *texts))
    await until(lambda: batcher.pending == before + 1)
    return task


def test_two_batches_are_translated_at_a_time() -> None:
    async def scenario() -> None:
        engine = FlowingEngine(lanes=2)
        async with batching(engine) as batcher:
            texts = [f"text {n}" for n in range(101)]
            task = await entered(batcher, *texts)
            await until(lambda: len(engine.batches) == 2)
            assert sorted(map(len, engine.batches)) == [50, 51], "those at rest divide them"
            more = await entered(batcher, "more")
            assert not batcher.idle
            assert len(engine.batches) == 2
            engine.open.set()
            assert await task == [f"de:{text}" for text in texts]
            assert await more == ["de:more"]
            await until(lambda: batcher.idle)

    run(scenario)


def test_each_takes_its_share_of_what_waits_and_is_under_way() -> None:
    async def scenario() -> None:
        engine = FlowingEngine(lanes=2)
        async with batching(engine) as batcher:
            tasks = [await entered(batcher, *map(str, range(10)))]
            await until(lambda: len(engine.batches) == 2)
            tasks += [await entered(batcher, *map(str, range(25)))]
            engine.open.set()
            await asyncio.gather(*tasks)
            first, second, *others = map(len, engine.batches)
            assert (first, second) == (5, 5)
            # Who ends first takes half of 25 and 5; the other's batch may be the first to begin.
            assert (max(others), sum(others)) == (15, 25)

    run(scenario)


def test_a_crash_costs_nothing_that_another_thread_translates() -> None:
    async def scenario() -> None:
        engine = FlowingEngine(lanes=2)
        engine.fails = [RuntimeError(), RuntimeError()]
        async with batching(engine) as batcher:
            tasks = [await entered(batcher, "one"), await entered(batcher, "two")]
            await until(lambda: len(engine.batches) == 2)
            engine.open.set()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(one, RefusalError) for one in answers)
            await until(lambda: batcher.ready and batcher.idle)
            assert await wishing(batcher, "again") == ["de:again"]

    run(scenario)


def test_who_must_be_alone_waits_for_all_threads_and_all_wait_for_it() -> None:
    begun, ends = threading.Event(), threading.Event()

    def function() -> str:
        begun.set()
        assert ends.wait(20)
        return "found"

    async def scenario() -> None:
        engine = FlowingEngine(lanes=2)
        async with batching(engine) as batcher:
            tasks = [await entered(batcher, "one"), await entered(batcher, "two")]
            await until(lambda: len(engine.batches) == 2)
            alone = asyncio.create_task(batcher.aside(function))
            await asyncio.sleep(0.01)
            assert not begun.is_set()
            engine.open.set()
            await asyncio.gather(*tasks)
            await until(begun.is_set)
            late = await entered(batcher, "late")
            await asyncio.sleep(0.01)
            assert len(engine.batches) == 2
            ends.set()
            assert await alone == "found"
            assert await late == ["de:late"]

    run(scenario)


def test_the_thread_that_has_been_at_it_for_longest_tells_whether_a_model_hangs() -> None:
    async def scenario() -> None:
        engine, now = FlowingEngine(lanes=2), [0.0]
        async with batching(engine, clock=lambda: now[0]) as batcher:
            tasks = [await entered(batcher, "one")]
            await until(lambda: len(engine.batches) == 1)
            now[0] = 50.0
            tasks += [await entered(batcher, "two")]
            await until(lambda: len(engine.batches) == 2)
            now[0] = 61.0
            assert not batcher.ready
            engine.open.set()
            await asyncio.gather(*tasks)
            await until(lambda: batcher.ready)

    run(scenario)
