"""Who takes what: in turn, in shares, alike, within bounds, and never what nobody waits for."""

import random
from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from heedful.request import Request
from heedful.search import Beam, Greedy
from heedful.serve.desk import Desk, Lane
from heedful.serve.jobs import How, Job, Place

DE, ZH = How(to="de", search=Greedy()), How(to="zh", search=Greedy())


def job(*sizes: int, how: How = DE) -> Job:
    requests = [Request(str(number)) for number in range(len(sizes))]
    return Job(requests, how, list(sizes), [None] * len(sizes), left=sum(sizes))


def desk(lanes: int = 2, most: int = 1000) -> Desk:
    return Desk(lanes, most, lambda: 0.0)


def begun(one: Desk, lane: Lane) -> Job:
    place = one.begin(lane)
    assert place is not None
    return place[0]


def test_each_request_has_its_turn() -> None:
    one = desk(lanes=1)
    [lane] = one.lanes
    large, small = job(1, 1, 1), job(1)
    one.add(large)
    assert begun(one, lane) is large
    one.add(small)
    assert one.more(lane, 9) == [(large, 1), (small, 0), (large, 2)]
    assert one.more(lane, 9) == []


def test_each_lane_has_its_share() -> None:
    one = desk()
    first, second = one.lanes
    for _ in range(9):
        one.add(job(1))
    begun(one, first)
    begun(one, second)
    assert (len(one.more(first, 99)), len(one.more(second, 99))) == (4, 3)
    assert (first.texts, second.texts) == (5, 4)
    one.add(job(1))
    assert one.more(first, 99) == [], "the other has fewer"
    assert len(one.more(second, 99)) == 1


def test_what_is_under_way_is_bounded_but_for_one_text() -> None:
    one = desk(most=10)
    first, second = one.lanes
    jobs = [job(8, how=how) for how in (How(search=Beam()),) * 2]
    for each in jobs:
        one.add(each)
    assert begun(one, first) is jobs[0], "32 pieces times rows, and alone"
    assert (one.begin(second), second.how) == (None, None)
    one.done(first, (jobs[0], 0))
    assert begun(one, second) is jobs[1]


def test_others_wait_for_a_text_that_is_too_large_for_now() -> None:
    one = desk(lanes=1, most=10)
    [lane] = one.lanes
    jobs = [job(6), job(8), job(1)]
    for each in jobs:
        one.add(each)
    begun(one, lane)
    assert one.more(lane, 9) == []
    one.done(lane, (jobs[0], 0))
    assert one.more(lane, 9) == [(jobs[1], 0), (jobs[2], 0)]


def test_what_has_waited_longer_ends_a_lane() -> None:
    """It lets nothing more in, and takes what is asked for otherwise once it has none under way."""
    one = desk(lanes=1)
    [lane] = one.lanes
    jobs = [job(1), job(1, how=ZH), job(1), job(1, how=ZH)]
    one.add(jobs[0])
    begun(one, lane)
    for each in jobs[1:]:
        one.add(each)
    assert one.more(lane, 9) == []
    one.done(lane, (jobs[0], 0))
    assert one.end(lane) == (jobs[1], 0)
    assert one.more(lane, 9) == []
    one.done(lane, (jobs[1], 0))
    assert one.end(lane) == (jobs[2], 0)


def test_a_lane_that_is_busy_is_not_begun_twice() -> None:
    one = desk(lanes=1)
    one.add(job(1, 1))
    assert one.begin(one.lanes[0]) is not None
    assert one.begin(one.lanes[0]) is None


def test_nothing_is_taken_while_it_is_paused() -> None:
    one = desk(lanes=1)
    [lane] = one.lanes
    one.pause()
    one.pause()
    one.add(job(1, 1))
    assert one.begin(lane) is None
    one.resume()
    assert one.begin(lane) is None
    one.resume()
    first = one.begin(lane)
    assert first is not None
    one.pause()
    assert one.more(lane, 9) == []
    one.done(lane, first)
    assert one.end(lane) is None
    assert one.idle


class Work:
    """Jobs that come, leave and are done as chance will have it."""

    def __init__(self, seed: int, lanes: int) -> None:
        self.draw, self.desk = random.Random(seed), desk(lanes, most=40)
        self.jobs = [
            job(*self.draw.choices(range(1, 30), k=self.draw.randint(1, 5)), how=how)
            for how in self.draw.choices([DE, ZH], k=self.draw.randint(1, 12))
        ]
        self.coming, self.gone = list(self.jobs), set[Job]()
        self.taken: Counter[Place] = Counter()
        self.under_way: dict[Lane, list[Place]] = {lane: [] for lane in self.desk.lanes}

    def happen(self) -> None:
        """Let a job come or leave, and a lane take or end something."""
        if self.coming and self.draw.random() < 0.5:
            self.desk.add(self.coming.pop())
        leaving = self.draw.choice(self.jobs)
        if self.draw.random() < 0.1 and leaving not in self.coming and leaving not in self.gone:
            self.gone.add(leaving)
            self.desk.withdraw(leaving)
        lane = self.draw.choice(self.desk.lanes)
        its = self.under_way[lane]
        if lane.how is None:
            self.take(lane, [self.desk.begin(lane)])
        elif its and self.draw.random() < 0.7:
            self.desk.done(lane, its.pop(self.draw.randrange(len(its))))
        elif places := self.desk.more(lane, self.draw.randint(1, 4)):
            self.take(lane, places)
        elif not its:
            self.take(lane, [self.desk.end(lane)])

    def take(self, lane: Lane, given: Sequence[Place | None]) -> None:
        """Look at what a lane has been given."""
        places = [place for place in given if place]
        assert all(one not in self.gone and one.how == lane.how for one, _ in places)
        self.taken.update(places)
        self.under_way[lane] += places
        sizes = [one.sizes[at] for some in self.under_way.values() for one, at in some]
        assert len(sizes) <= 1 or sum(sizes) <= 40


@given(st.integers(0, 10_000), st.integers(1, 3))
def test_whatever_comes_is_taken_once_or_was_withdrawn(seed: int, lanes: int) -> None:
    work = Work(seed, lanes)
    while work.coming or not work.desk.idle or any(each.left for each in work.jobs):
        work.happen()
    assert set(work.taken.values()) <= {1}
    for each in work.jobs:
        if each not in work.gone:
            assert all((each, at) in work.taken for at in range(len(each.sizes)))
        assert each.left == 0
    assert all(lane.texts == 0 for lane in work.desk.lanes)
