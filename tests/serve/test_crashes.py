"""A model that fails costs the request that is to blame, works again, and is not tried for ever."""

import asyncio
import random
import threading
from collections.abc import Sequence

import pytest

from heedful.request import Request
from heedful.serve.batcher import MOST_CRASHES, Batcher, How
from heedful.serve.limits import ServerLimits
from heedful.serve.refusal import RefusalError
from heedful.translation import Translation
from tests.serve.serving import FakeEngine, asked, batching, busy, open_engine, run, until


class Poisoned(FakeEngine):
    """Cannot translate what has `poison` in it, nor more than `most` texts at once."""

    most = 1000

    def translate(self, requests: Sequence[Request], how: How) -> list[Translation]:
        found = super().translate(requests, how)
        if len(requests) > self.most:
            raise MemoryError
        if any("poison" in one.text for one in requests):
            raise RuntimeError
        return found


async def all_at_once(engine: FakeEngine, texts: Sequence[Sequence[str]]) -> list[object]:
    """Return what becomes of requests for these texts that come while the model is busy."""
    async with batching(engine) as batcher:
        first = await busy(batcher, engine)
        tasks = [asyncio.create_task(asked(batcher, *some)) for some in texts]
        await until(lambda: batcher.pending == 1 + len(texts))
        engine.open.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await first
        await until(lambda: batcher.ready and batcher.idle)
        assert await asked(batcher, "again") == ["de:again"]
        return answers


@pytest.mark.parametrize("seed", range(8))
def test_who_crashes_the_model_is_refused_alone(seed: int) -> None:
    draw = random.Random(seed)
    texts = [[f"{n}.{m}" for m in range(draw.choice([1, 1, 1, 9]))] for n in range(200)]
    bad = draw.sample(range(200), seed % 4)
    for n in bad:
        for _ in range(draw.choice([1, 5])):
            texts[n][draw.randrange(len(texts[n]))] += " poison"

    async def scenario() -> None:
        engine = Poisoned()
        answers = await all_at_once(engine, texts)
        for n, answer in enumerate(answers):
            if n not in bad:
                assert answer == [f"de:{text}" for text in texts[n]]
                continue
            assert isinstance(answer, RefusalError)
            assert (answer.status, answer.retry) == (503, 1)
            assert "the model failed on this request" in answer.sentence
        crashes = 1 + sum(map(len, texts)).bit_length()
        assert len(engine.batches) <= 3 + 2 * crashes * len(bad), "parted in halves"

    run(scenario)


def test_what_does_not_fit_into_memory_is_halved() -> None:
    async def scenario() -> None:
        engine = Poisoned()
        engine.most = 7
        texts = [[str(n), f"{n} too"] for n in range(50)]
        answers = await all_at_once(engine, texts)
        assert answers == [[f"de:{text}" for text in some] for some in texts]
        assert max(len(batch) for batch in engine.batches[2:]) <= 50

    run(scenario)


def test_a_model_that_always_crashes_is_not_tried_for_ever() -> None:
    async def scenario() -> None:
        engine = Poisoned()
        answers = await all_at_once(engine, [[f"poison {n}"] for n in range(250)])
        assert all(isinstance(one, RefusalError) and one.status == 503 for one in answers)
        assert MOST_CRASHES < len(engine.batches) <= 2 * MOST_CRASHES + 3

    run(scenario)


def test_who_leaves_while_the_model_recovers_is_not_tried_again() -> None:
    class Proving(Poisoned):
        def prove(self) -> None:
            if len(self.batches) == 2:
                proving.set()
                assert proven.wait(20)

    proving, proven = threading.Event(), threading.Event()

    async def scenario() -> None:
        engine = Proving()
        async with batching(engine) as batcher:
            first = await busy(batcher, engine)
            texts = ("poison", "stays", "goes")
            tasks = [asyncio.create_task(asked(batcher, text)) for text in texts]
            await until(lambda: batcher.pending == 4)
            engine.open.set()
            await first
            await until(proving.is_set)
            assert not batcher.ready
            tasks[2].cancel()
            await until(lambda: batcher.pending == 2)
            proven.set()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert answers[1] == ["de:stays"]
            assert isinstance(answers[0], RefusalError)
            assert engine.batches[2:] == [["poison"], ["stays"]]
            await until(lambda: batcher.ready)

    run(scenario)


@pytest.mark.parametrize("error", [RuntimeError("x"), MemoryError(), KeyboardInterrupt()])
def test_a_crash_is_answered_and_recovered_from(error: BaseException) -> None:
    async def scenario() -> None:
        engine = FakeEngine(fails=[error], proofs=[None, RuntimeError(), RuntimeError(), None])
        async with batching(engine) as batcher:
            first = await busy(batcher, engine)
            waits = asyncio.create_task(asked(batcher, "waits"))
            await until(lambda: batcher.pending == 2)
            engine.open.set()
            for task in (first, waits):
                with pytest.raises(RefusalError, match="try again later") as caught:
                    await task
                assert caught.value.status == 503
            await until(lambda: batcher.ready)
            assert await asked(batcher, "again") == ["de:again"]
            assert engine.proofs == []

    run(scenario)


def test_while_the_model_does_not_work_requests_are_refused_at_once() -> None:
    async def scenario() -> None:
        engine, asleep = open_engine(), asyncio.Event()
        engine.fails, engine.proofs = [RuntimeError()], [None, RuntimeError()]
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            await asleep.wait()

        batcher = Batcher("fake", engine, ServerLimits(recovery_seconds=3), sleep=sleep)
        batcher.start()
        await until(lambda: batcher.ready)
        with pytest.raises(RefusalError, match="failed on this request"):
            await asked(batcher, "x")
        await until(lambda: bool(pauses))
        assert not batcher.ready
        with pytest.raises(RefusalError, match="the model fake is not ready"):
            await asked(batcher, "x")
        asleep.set()
        await until(lambda: batcher.ready)
        assert pauses == [3]
        await batcher.stop()

    run(scenario)
