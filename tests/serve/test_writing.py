"""A model that writes for many: who leaves, who crashes it, who waits for room, how it ends."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from heedful.decode.company import Company, Manner, Member
from heedful.errors import ModelError
from heedful.search import Greedy, Sample
from heedful.serve.jobs import Batch
from heedful.serve.limits import ServerLimits
from heedful.serve.refusal import RefusalError
from heedful.serve.texts import Ask
from heedful.serve.writing import Scribe
from tests.serve.serving import _no_time, run, until
from tests.serve.writers import writer_of

PROMPTS = [[40 + n, 50, 60 + n] for n in range(6)]
MOST = 8
Hook = Callable[[Company], None]


@asynccontextmanager
async def scribing(limits: ServerLimits | None = None, **given: Any) -> AsyncIterator[Scribe]:
    scribe = Scribe("gpt2", writer_of(), limits or ServerLimits(), sleep=_no_time, **given)
    scribe.start()
    try:
        await until(lambda: scribe.ready)
        yield scribe
    finally:
        await scribe.stop()


def ask(prompt: Sequence[int], most: int = MOST, **given: Any) -> Ask:
    return Ask([prompt], Manner(), most, **given)


async def text_of(scribe: Scribe, one: Ask) -> str:
    return "".join([grown.text async for grown in scribe.write(one)])


def alone(prompt: Sequence[int], most: int = MOST) -> str:
    [[found]] = writer_of().write([prompt], Greedy(), most)
    return found.text


def hooked(monkeypatch: pytest.MonkeyPatch, hook: Hook) -> None:
    """Let something happen after every step of a company, in the model's thread."""
    real = Company.advance

    def advance(self: Company, fresh: Sequence[Member] = (), gone: Any = ()) -> None:
        real(self, fresh, gone)
        hook(self)

    monkeypatch.setattr(Company, "advance", advance)


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, ModelError, BaseException])
@pytest.mark.parametrize("at", [0, 3])
def test_who_crashes_the_model_is_refused_alone(
    error: type[BaseException], at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on where they were, and get what they would have got."""
    bad = PROMPTS[2]

    def hook(company: Company) -> None:
        if any(one.prompt == bad and len(one.pieces) > at for one in company.members):
            raise error("secret")

    async def scenario() -> None:
        async with scribing() as scribe:
            jobs = [text_of(scribe, ask(prompt)) for prompt in PROMPTS]
            answers = await asyncio.gather(*jobs, return_exceptions=True)
            for prompt, answer in zip(PROMPTS, answers, strict=True):
                if prompt != bad:
                    assert answer == alone(prompt)
                    continue
                assert isinstance(answer, RefusalError)
                assert answer.status == (400 if error is ModelError else 503)
            await until(lambda: scribe.idle and scribe.ready)
            assert await text_of(scribe, ask(PROMPTS[0])) == alone(PROMPTS[0])

    hooked(monkeypatch, hook)
    run(scenario)


def test_a_model_that_fails_on_many_at_once_writes_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures = []

    def hook(company: Company) -> None:
        if len(company.members) > 3 and len(failures) < 3:
            failures.append(len(company.members))
            raise MemoryError

    async def scenario() -> None:
        async with scribing() as scribe:
            texts = await asyncio.gather(*(text_of(scribe, ask(one)) for one in PROMPTS))
            assert texts == [alone(one) for one in PROMPTS]
        assert len(failures) == 3

    hooked(monkeypatch, hook)
    run(scenario)


def test_a_model_that_works_no_more_refuses_until_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = threading.Event()

    def hook(company: Company) -> None:
        if broken.is_set():
            raise RuntimeError

    async def scenario() -> None:
        async with scribing() as scribe:
            broken.set()
            for _ in range(2):
                with pytest.raises(RefusalError, match=r"failed on this request|is not ready"):
                    await text_of(scribe, ask(PROMPTS[0]))
            assert not scribe.ready
            broken.clear()
            await until(lambda: scribe.ready)
            assert await text_of(scribe, ask(PROMPTS[0])) == alone(PROMPTS[0])

    hooked(monkeypatch, hook)
    run(scenario)


def test_who_leaves_is_in_one_more_step_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[int]] = []
    going, leave = threading.Semaphore(0), asyncio.Event()

    def hook(company: Company) -> None:
        seen.append({one.prompt[0] for one in company.members} & {40, 41})
        if seen[-1]:
            assert going.acquire(timeout=20)

    async def leaving(scribe: Scribe) -> None:
        async for _ in scribe.write(ask(PROMPTS[1], 40)):
            await leave.wait()

    async def scenario() -> None:
        async with scribing() as scribe:
            other = asyncio.create_task(leaving(scribe))
            staying = asyncio.create_task(text_of(scribe, ask(PROMPTS[0])))
            await until(lambda: scribe.pending == 2)
            going.release(2)
            await until(lambda: len(seen) > 3)
            other.cancel()
            await asyncio.wait([other])
            assert scribe.pending == 1
            steps = len(seen)
            going.release(100)
            assert await staying == alone(PROMPTS[0])
            await until(lambda: scribe.idle)
        assert not any(41 in some for some in seen[steps:])

    hooked(monkeypatch, hook)
    run(scenario)


def test_texts_that_grow_too_long_together_wait_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest comers are set back, and get what they would have got."""
    counts: list[int] = []
    positions: list[int] = []
    monkeypatch.setattr("heedful.serve.writing.SPARE", 0)

    def hook(company: Company) -> None:
        counts.append(len(company.members))
        longest = max(len(one.prompt) + len(one.pieces) for one in company.members)
        positions.append(longest * len(company.members))

    async def scenario() -> None:
        async with scribing(ServerLimits(batch_tokens=60)) as scribe:
            texts = await asyncio.gather(*(text_of(scribe, ask(one, 20)) for one in PROMPTS))
            assert texts == [alone(one, 20) for one in PROMPTS]

    hooked(monkeypatch, hook)
    run(scenario)
    assert max(counts) == 6
    assert max(positions) <= 60
    assert any(after < before for before, after in pairwise(counts))


def test_with_room_for_one_piece_one_text_is_written_after_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts: list[int] = []
    hooked(monkeypatch, lambda company: counts.append(len(company.members)))

    async def scenario() -> None:
        async with scribing(ServerLimits(batch_tokens=1)) as scribe:
            texts = await asyncio.gather(*(text_of(scribe, ask(one)) for one in PROMPTS[:3]))
            assert texts == [alone(one) for one in PROMPTS[:3]]

    run(scenario)
    assert set(counts) == {1}


def test_a_text_that_does_not_begin_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    open_ = threading.Event()

    def hook(company: Company) -> None:
        if company.members[0].prompt == PROMPTS[0]:
            assert open_.wait(20)

    async def scenario() -> None:
        async with scribing(ServerLimits(request_seconds=0.05)) as scribe:
            with pytest.raises(RefusalError, match="too busy to answer in time"):
                await text_of(scribe, ask(PROMPTS[0]))
            assert not scribe.ready, "it hangs"
            open_.set()
            await until(lambda: scribe.ready)

    hooked(monkeypatch, hook)
    run(scenario)


def test_who_waits_when_it_ends_is_refused_and_who_comes_later_too() -> None:
    async def scenario() -> None:
        async with scribing() as scribe:
            task = asyncio.create_task(text_of(scribe, ask(PROMPTS[0], 10**6)))
            await until(lambda: scribe.pending == 1)
            scribe.drain()
            with pytest.raises(RefusalError, match="is stopping"):
                await text_of(scribe, ask(PROMPTS[1]))
            assert not scribe.ready
            await scribe.stop()
            await asyncio.wait([task])
            assert task.exception() is None or isinstance(task.exception(), RefusalError)

    run(scenario)


def test_a_full_queue_is_said_at_once() -> None:
    async def scenario() -> None:
        async with scribing(ServerLimits(queue_tokens=4, batch_tokens=1)) as scribe:
            jobs = [asyncio.create_task(text_of(scribe, ask(one))) for one in PROMPTS]
            answers = await asyncio.gather(*jobs, return_exceptions=True)
            refused = [one for one in answers if isinstance(one, RefusalError)]
            assert {one.status for one in refused} == {429}
            assert 1 <= len(refused) < len(PROMPTS)

    run(scenario)


def test_who_went_on_together_is_told() -> None:
    told: list[Batch] = []

    async def scenario() -> None:
        async with scribing(told=told.append, clock=lambda: 0.0) as scribe:
            asked = Ask(PROMPTS[:2], Manner(Sample(count=2, seed=1)), MOST, 2)
            assert len({one.choice async for one in scribe.write(asked)}) == 4
            await until(lambda: scribe.idle)

    run(scenario)
    assert told[0] == Batch(4, 1, 0.0)
