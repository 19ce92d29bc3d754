"""Requests share batches, wait in turn, are refused at once, and leave."""

import asyncio
import random
import threading
from collections.abc import Sequence

import pytest

from heedful.errors import SettingError
from heedful.request import Request
from heedful.search import Beam, Greedy
from heedful.serve.batcher import Batch, How
from heedful.serve.limits import ServerLimits
from heedful.serve.model_thread import CrashError, ModelThread
from heedful.serve.refusal import RefusalError
from heedful.translation import Translation
from tests.serve.serving import DE, ZH, FakeEngine, asked, batching, busy, open_engine, run, until


def test_what_waits_is_translated_together() -> None:
    async def scenario() -> None:
        engine, told = FakeEngine(), list[Batch]()
        async with batching(engine, told=told.append) as batcher:
            first = await busy(batcher, engine)
            others = [asyncio.create_task(asked(batcher, f"text {n}")) for n in range(50)]
            await until(lambda: batcher.pending == 51)
            engine.open.set()
            assert await first == ["de:busy"]
            assert await asyncio.gather(*others) == [[f"de:text {n}"] for n in range(50)]
            assert [len(batch) for batch in engine.batches] == [1, 50]
            assert (told[1].texts, told[1].requests) == (50, 50)
            assert batcher.idle

    run(scenario)


def test_only_what_is_asked_alike_goes_together() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with batching(engine) as batcher:
            first = await busy(batcher, engine)
            hows = [DE, ZH, How(to="de", search=Greedy()), How(to="de", search=Beam()), ZH]
            tasks = [
                asyncio.create_task(asked(batcher, str(n), how=how)) for n, how in enumerate(hows)
            ]
            await until(lambda: batcher.pending == 6)
            engine.open.set()
            answers = await asyncio.gather(first, *tasks)
            assert answers[1:] == [["de:0"], ["zh:1"], ["de:2"], ["de:3"], ["zh:4"]]
            assert engine.batches[1:] == [["0", "3"], ["1", "4"], ["2"]]

    run(scenario)


def test_a_batch_is_bounded_and_a_large_request_lets_small_ones_by() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        limits = ServerLimits(batch_tokens=40)  # ten words, at a beam of 4
        async with batching(engine, limits) as batcher:
            first = await busy(batcher, engine)
            large = asyncio.create_task(asked(batcher, *["a b c"] * 20))
            await until(lambda: batcher.pending == 2)
            small = asyncio.create_task(asked(batcher, "small"))
            await until(lambda: batcher.pending == 3)
            engine.open.set()
            assert await small == ["de:small"]
            assert engine.batches[1] == ["a b c", "small", "a b c", "a b c"]
            assert await large == ["de:a b c"] * 20
            await first
            assert max(len(batch) for batch in engine.batches) == 4
            assert len(engine.batches) == 8

    run(scenario)


def test_a_text_that_is_larger_than_a_batch_goes_alone() -> None:
    async def scenario() -> None:
        engine = open_engine()
        async with batching(engine, ServerLimits(batch_tokens=1)) as batcher:
            assert await asked(batcher, "a b c", "d") == ["de:a b c", "de:d"]
            assert engine.batches == [["a b c"], ["d"]]

    run(scenario)


def test_the_queue_is_bounded_and_refuses_at_once() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        limits = ServerLimits(queue=5, retry_seconds=7)
        async with batching(engine, limits) as batcher:
            first = await busy(batcher, engine)
            tasks = [asyncio.create_task(asked(batcher, str(n))) for n in range(16)]
            await until(lambda: sum(task.done() for task in tasks) == 12)
            assert batcher.pending == 5
            engine.open.set()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            refused = [one for one in answers if isinstance(one, RefusalError)]
            assert {(one.status, one.retry) for one in refused} == {(429, 7)}
            assert sum(one == [f"de:{n}"] for n, one in enumerate(answers)) == 4
            await first

    run(scenario)


def test_what_waits_is_bounded_in_pieces_too() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with batching(engine, ServerLimits(queue_tokens=10)) as batcher:
            first = await busy(batcher, engine)
            second = asyncio.create_task(asked(batcher, "a b c d e f"))
            await until(lambda: batcher.pending == 2)
            with pytest.raises(RefusalError, match="too many requests are waiting"):
                await asked(batcher, "a b c d e")
            engine.open.set()
            await asyncio.gather(first, second)

    run(scenario)


def test_a_text_with_too_many_pieces_is_refused() -> None:
    async def scenario() -> None:
        async with batching(open_engine(), ServerLimits(tokens=3)) as batcher:
            with pytest.raises(
                RefusalError, match="text 2 has 4 pieces and 3 are allowed"
            ) as caught:
                await asked(batcher, "a b c", "a b c d")
            assert caught.value.status == 413
            assert batcher.idle

    run(scenario)


def test_a_request_has_a_deadline() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with batching(engine, ServerLimits(request_seconds=0.02)) as batcher:
            with pytest.raises(RefusalError, match="too busy to answer in time") as caught:
                await asked(batcher, "late")
            assert (caught.value.status, batcher.pending) == (503, 0)

    run(scenario)


def test_who_goes_away_leaves_the_queue() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with batching(engine) as batcher:
            first = await busy(batcher, engine)
            tasks = [asyncio.create_task(asked(batcher, str(n))) for n in range(1000)]
            drawn = random.Random(1).sample(range(1000), 900)
            await until(lambda: sum(task.done() for task in tasks) == 745)  # refused: no room
            for number in drawn:
                tasks[number].cancel()
            answers = asyncio.gather(first, *tasks, return_exceptions=True)
            left = [n for n in range(1000) if n not in drawn and not tasks[n].done()]
            await until(lambda: batcher.pending == 1 + len(left))
            engine.open.set()
            await answers
            assert engine.batches[1:] == [[str(n) for n in left]], "others are never begun"
            assert batcher.idle

    run(scenario)


def test_who_goes_away_in_the_middle_of_a_batch_harms_nobody() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with batching(engine) as batcher:
            first = await busy(batcher, engine)
            first.cancel()
            await until(lambda: batcher.pending == 0)
            second = asyncio.create_task(asked(batcher, "second"))
            engine.open.set()
            assert await second == ["de:second"]

    run(scenario)


class Looking(FakeEngine):
    """Remembers who waits for which text."""

    def translate(self, requests: Sequence[Request], how: How) -> list[Translation]:
        self.clients = {one.text: one.client for one in requests}
        return super().translate(requests, how)


def test_the_model_learns_who_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or has waited too long, while it translates for them; not who has been answered in whole."""

    async def scenario() -> None:
        engine = Looking()
        async with batching(engine) as batcher:
            first = await busy(batcher, engine)
            stays = engine.clients["busy"]
            assert not stays.gone
            engine.open.set()
            await first
            assert not stays.gone
            engine.open.clear()
            second = asyncio.create_task(asked(batcher, "goes", "both"))
            await until(lambda: "both" in engine.clients)
            assert engine.clients["goes"] is engine.clients["both"]
            second.cancel()
            await until(lambda: engine.clients["goes"].gone)
            assert batcher.pending == 0
        engine, loop, ahead = Looking(), asyncio.get_running_loop(), [0.0]
        clock = loop.time
        monkeypatch.setattr(loop, "time", lambda: clock() + ahead[0])
        async with batching(engine, ServerLimits(request_seconds=20)) as batcher:
            late = await busy(batcher, engine)
            assert not engine.clients["busy"].gone
            ahead[0] = 21
            with pytest.raises(RefusalError, match="too busy"):
                await late
            assert engine.clients["busy"].gone

    run(scenario)


def test_a_mistake_of_one_client_harms_nobody_else() -> None:
    class Strict(FakeEngine):
        def translate(self, requests, how):  # type: ignore[no-untyped-def]
            if self.open.is_set() and any(one.text == "bad" for one in requests):
                raise SettingError("it is bad", where="--never", fix="leave it out")
            return super().translate(requests, how)

    async def scenario() -> None:
        engine = Strict()
        async with batching(engine) as batcher:
            first = await busy(batcher, engine)
            tasks = [asyncio.create_task(asked(batcher, text)) for text in ("a", "bad", "b")]
            await until(lambda: batcher.pending == 4)
            engine.open.set()
            good, bad, fine = await asyncio.gather(*tasks, return_exceptions=True)
            assert (good, fine) == (["de:a"], ["de:b"])
            assert isinstance(bad, RefusalError)
            assert (bad.status, bad.sentence) == (400, "it is bad")
            await first
            assert batcher.ready

    run(scenario)


def test_a_model_that_hangs_is_not_ready() -> None:
    async def scenario() -> None:
        engine, now = FakeEngine(), [0.0]
        async with batching(engine, clock=lambda: now[0]) as batcher:
            first = await busy(batcher, engine)
            assert batcher.ready
            now[0] = 61.0
            assert not batcher.ready
            engine.open.set()
            await first
            await until(lambda: batcher.ready)

    run(scenario)


def test_draining_answers_what_was_asked_and_refuses_the_rest() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with batching(engine) as batcher:
            first = await busy(batcher, engine)
            waits = asyncio.create_task(asked(batcher, "waits"))
            await until(lambda: batcher.pending == 2)
            batcher.drain()
            with pytest.raises(RefusalError, match="the server is stopping"):
                await asked(batcher, "too late")
            assert not batcher.ready
            assert not batcher.idle
            engine.open.set()
            assert await asyncio.gather(first, waits) == [["de:busy"], ["de:waits"]]
            await until(lambda: batcher.idle)

    run(scenario)


def test_stopping_refuses_what_still_waits() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with batching(engine) as batcher:
            first = await busy(batcher, engine)
            await batcher.stop()
            with pytest.raises(RefusalError, match="the server is stopping"):
                await first

    run(scenario)


def test_translations_are_streamed_in_order() -> None:
    async def scenario() -> None:
        engine = open_engine()
        async with batching(engine, ServerLimits(batch_tokens=1)) as batcher:
            seen = []
            async for found in batcher.stream([Request(str(n)) for n in range(5)], DE):
                seen.append((found.text, len(engine.batches)))
            assert [text for text, _ in seen] == [f"de:{n}" for n in range(5)]
            assert seen[0][1] < 5, "the first comes before the last is begun"

    run(scenario)


def test_a_panic_in_the_thread_is_an_exception() -> None:
    class PanicError(BaseException):
        pass

    async def scenario() -> None:
        thread = ModelThread("x")

        def panic() -> None:
            raise PanicError

        with pytest.raises(CrashError, match="PanicError"):
            await thread.run(panic)
        assert await thread.run(threading.current_thread) is not threading.current_thread()
        thread.close()

    run(scenario)
