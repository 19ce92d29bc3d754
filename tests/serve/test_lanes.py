"""Texts are let in while others are translated, given as each ends, and no failure costs others."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from heedful.errors import SettingError
from heedful.flowing import Feed
from heedful.request import Request
from heedful.serve.batcher import FEW, Batcher, How
from heedful.serve.jobs import Batch
from heedful.serve.limits import ServerLimits
from heedful.serve.refusal import RefusalError
from heedful.translation import Translation
from tests.serve.serving import DE, ZH, FlowingEngine, asked, batching, run, until


async def waits(batcher: Batcher, *texts: str, how: How = DE) -> "asyncio.Task[list[str]]":
    """Ask for texts, and return once they wait."""
    before = batcher.pending
    task = asyncio.create_task(asked(batcher, *texts, how=how))
    await until(lambda: batcher.pending == before + 1)
    return task


def test_who_comes_meanwhile_is_let_in_and_each_is_answered_as_it_ends() -> None:
    async def scenario() -> None:
        engine, told = FlowingEngine(), list[Batch]()
        async with batching(engine, told=told.append, clock=lambda: 0.0) as batcher:
            first = await waits(batcher, "a", "b")
            await until(lambda: engine.under_way == [["a", "b"]])
            second = await waits(batcher, "c")
            engine.step()
            await until(lambda: engine.under_way[1:] == [["b", "c"]])
            assert not first.done()
            third = await waits(batcher, "d")
            engine.step()
            assert await first == ["de:a", "de:b"], "while c is under way"
            engine.step()
            assert await second == ["de:c"]
            engine.step()
            assert await third == ["de:d"]
            await until(lambda: batcher.idle)
            assert engine.batches == []
            assert told == [Batch(2, 1, 0.0), Batch(2, 2, 0.0), Batch(2, 2, 0.0)]

    run(scenario)


def test_a_request_with_wishes_goes_in_a_batch_beside_the_lanes() -> None:
    async def scenario() -> None:
        engine = FlowingEngine()
        async with batching(engine) as batcher:
            first = await waits(batcher, "a")
            await until(engine.begun.is_set)
            wish = Request("b", never=("x",))
            other = asyncio.create_task(batcher.translate([wish], DE))
            await until(lambda: engine.batches == [["b"]])
            engine.open.set()
            engine.step()
            assert await first == ["de:a"]
            assert [one.text for one in await other] == ["de:b"]

    run(scenario)


def test_more_than_a_few_requests_go_in_a_batch() -> None:
    async def scenario() -> None:
        engine = FlowingEngine()
        async with batching(engine) as batcher:
            few = [await waits(batcher, f"few {number}") for number in range(FEW)]
            many = [await waits(batcher, f"many {number}") for number in range(3)]
            await until(lambda: engine.batches != [])
            engine.open.set()
            engine.step()
            found = await asyncio.gather(*few, *many)
            assert [one for texts in engine.batches for one in texts] == [
                f"many {number}" for number in range(3)
            ]
            assert [one[0] for one in found[FEW:]] == [f"de:many {number}" for number in range(3)]

    run(scenario)


def test_lanes_work_beside_each_other() -> None:
    async def scenario() -> None:
        engine = FlowingEngine(lanes=2)
        async with batching(engine) as batcher:
            first, second = await waits(batcher, "a"), await waits(batcher, "b", how=ZH)
            await until(lambda: sorted(engine.under_way) == [["a"], ["b"]])
            engine.step()
            engine.step()
            assert await asyncio.gather(first, second) == [["de:a"], ["zh:b"]]

    run(scenario)


def test_one_text_at_a_time_is_one_in_all_lanes() -> None:
    async def scenario() -> None:
        engine = FlowingEngine(lanes=2)
        async with batching(engine, ServerLimits(batch_tokens=1)) as batcher:
            tasks = [await waits(batcher, text) for text in "abc"]
            engine.open.set()
            engine.step()
            assert await asyncio.gather(*tasks) == [["de:a"], ["de:b"], ["de:c"]]
            assert engine.under_way == [["a"], ["b"], ["c"]]

    run(scenario)


def test_who_leaves_is_out_at_the_next_step_or_never_in() -> None:
    async def scenario() -> None:
        engine = FlowingEngine(places=2)
        async with batching(engine) as batcher:
            tasks = [await waits(batcher, "a")]
            await until(lambda: engine.under_way == [["a"]])
            tasks += [await waits(batcher, text) for text in "bcd"]
            engine.step()
            await until(lambda: engine.under_way[1:] == [["b", "c"]])
            for number in (2, 3):
                tasks[number].cancel()
            await until(lambda: batcher.pending == 1)
            last = await waits(batcher, "e")
            engine.open.set()
            engine.step()
            assert await asyncio.gather(tasks[0], tasks[1], last) == [["de:a"], ["de:b"], ["de:e"]]
            assert engine.under_way[2:] == [["e"]]
            await until(lambda: batcher.idle)

    run(scenario)


def test_a_deadline_takes_a_text_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        engine, ahead, loop = FlowingEngine(), [0.0], asyncio.get_running_loop()
        clock = loop.time
        monkeypatch.setattr(loop, "time", lambda: clock() + ahead[0])
        async with batching(engine, ServerLimits(request_seconds=20)) as batcher:
            late = await waits(batcher, "late")
            await until(engine.begun.is_set)
            ahead[0] = 21
            with pytest.raises(RefusalError, match="too busy"):
                await late
            on_time = await waits(batcher, "next")
            engine.open.set()
            engine.step()
            assert await on_time == ["de:next"]

    run(scenario)


class Poisoned(FlowingEngine):
    """Cannot translate what has `poison` in it, whatever goes with it."""

    error: Exception = RuntimeError()

    def flow(self, how: How, feed: Feed) -> None:
        engine = self

        class Tasting:
            def more(self, free: int) -> Sequence[Request]:
                return engine.tasted(feed.more(free))

            def done(self, number: int, translation: Translation) -> None:
                feed.done(number, translation)

        super().flow(how, Tasting())

    def tasted(self, requests: Sequence[Request]) -> Sequence[Request]:
        if any("poison" in one.text for one in requests):
            raise self.error
        return requests

    def translate(self, requests: Sequence[Request], how: How) -> list[Translation]:
        found = super().translate(requests, how)
        self.tasted(requests)
        return found


@pytest.mark.parametrize("mistake", [False, True])
def test_who_crashes_a_lane_is_refused_alone(mistake: bool) -> None:
    async def scenario() -> None:
        engine = Poisoned(lanes=2, places=40)
        if mistake:
            engine.error = SettingError("it is bad", where="--never", fix="leave it out")
        async with batching(engine) as batcher:
            texts = [f"text {n}" + " poison" * (n in (7, 30)) for n in range(50)]
            tasks = [await waits(batcher, text) for text in texts]
            engine.open.set()
            for _ in texts:
                engine.step()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            for number, answer in enumerate(answers):
                if number not in (7, 30):
                    assert answer == [f"de:{texts[number]}"]
                    continue
                assert isinstance(answer, RefusalError)
                assert answer.status == (400 if mistake else 503)
            await until(lambda: batcher.ready and batcher.idle)
            assert await asked(batcher, "again") == ["de:again"]

    run(scenario)


@pytest.mark.parametrize("error", [RuntimeError(), MemoryError(), KeyboardInterrupt()])
def test_a_crash_is_recovered_from_while_requests_wait(error: BaseException) -> None:
    async def scenario() -> None:
        engine = FlowingEngine(fails=[error], proofs=[None, None], places=1)
        async with batching(engine) as batcher:
            tasks = [await waits(batcher, text) for text in "abc"]
            await until(engine.begun.is_set)
            engine.open.set()
            engine.step()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(answers[0], RefusalError), "it was alone"
            assert answers[1:] == [["de:b"], ["de:c"]]
            assert engine.proofs == []

    run(scenario)


def test_what_changes_the_model_waits_until_no_lane_works() -> None:
    """And lanes begin nothing meanwhile, however many such things come."""

    async def scenario() -> None:
        engine, entered, leave = FlowingEngine(), threading.Event(), threading.Event()

        def aside() -> int:
            entered.set()
            assert leave.wait(20)
            return len(engine.under_way)

        async with batching(engine) as batcher:
            first = await waits(batcher, "a")
            await until(engine.begun.is_set)
            changing = asyncio.create_task(batcher.aside(aside))
            await until(lambda: not batcher.idle)
            second = await waits(batcher, "b")
            assert not entered.is_set()
            engine.step()
            await until(entered.is_set)
            assert await first == ["de:a"]
            assert engine.under_way == [["a"]]
            leave.set()
            assert await changing == 1
            engine.step()
            assert await second == ["de:b"]

    run(scenario)


def test_a_lane_that_hangs_is_not_ready() -> None:
    async def scenario() -> None:
        engine, now = FlowingEngine(), [0.0]
        async with batching(engine, clock=lambda: now[0]) as batcher:
            task = await waits(batcher, "a")
            await until(engine.begun.is_set)
            assert batcher.ready
            assert batcher.computing
            now[0] = 61.0
            assert not batcher.ready
            engine.step()
            assert await task == ["de:a"]
            await until(lambda: batcher.ready)

    run(scenario)


def test_draining_answers_what_was_asked() -> None:
    async def scenario() -> None:
        engine = FlowingEngine(places=1)
        async with batching(engine) as batcher:
            tasks = [await waits(batcher, text) for text in "ab"]
            batcher.drain()
            with pytest.raises(RefusalError, match="the server is stopping"):
                await asked(batcher, "too late")
            assert not batcher.idle
            engine.step()
            engine.step()
            assert await asyncio.gather(*tasks) == [["de:a"], ["de:b"]]
            await until(lambda: batcher.idle)

    run(scenario)


def test_stopping_refuses_what_is_under_way() -> None:
    async def scenario() -> None:
        engine = FlowingEngine(places=1)
        async with batching(engine) as batcher:
            tasks = [await waits(batcher, text) for text in "ab"]
            await until(engine.begun.is_set)
            await batcher.stop()
            for task in tasks:
                with pytest.raises(RefusalError, match="the server is stopping"):
                    await task

    run(scenario)
