import asyncio
from collections.abc import Callable
from typing import Any, cast

from tailrace_producer.pacer import INTERVAL, Pacer


class Loop:
    """Time that stands still until the test moves it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def call_soon_threadsafe(self, call: Callable[..., None], *args: Any) -> None:
        call(*args)

    def call_later(self, delay: float, call: Callable[[], None]) -> "Loop":
        self.timers.append((self.now + delay, call))
        return self

    def cancel(self) -> None:
        self.timers.clear()

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self.timers and min(self.timers)[0] <= end + 1e-9:
            timer = min(self.timers)
            self.timers.remove(timer)
            self.now = timer[0]
            timer[1]()
        self.now = end


class Job:
    def __init__(self, loop: Loop, earliest: float | None = 0.0) -> None:
        self.earliest = earliest
        self.sent: list[float] = []
        self._loop = loop

    def due(self) -> float | None:
        return self.earliest

    def send(self) -> None:
        self.sent.append(self._loop.now)
        self.earliest = None


def make_pacer() -> tuple[Pacer, Loop]:
    loop = Loop()
    pacer = Pacer(lambda: loop.now)
    pacer.start(cast("asyncio.AbstractEventLoop", loop))
    return pacer, loop


def test_what_is_due_is_sent_at_once_without_a_timer() -> None:
    pacer, loop = make_pacer()
    job = Job(loop)
    pacer.ask(job)

    assert job.sent == [0.0]
    assert loop.timers == []


def test_what_is_not_due_is_sent_in_its_time() -> None:
    pacer, loop = make_pacer()
    job = Job(loop, 0.08)
    pacer.ask(job)
    loop.advance(0.07)
    assert job.sent == []
    loop.advance(1)

    assert len(job.sent) == 1
    assert 0.08 <= job.sent[0] <= 0.08 + INTERVAL


def test_many_jobs_share_one_timer() -> None:
    pacer, loop = make_pacer()
    jobs = [Job(loop, 0.01 * number) for number in range(1, 100)]
    for job in jobs:
        pacer.ask(job)
    assert len(loop.timers) == 1
    loop.advance(2)

    assert all(len(job.sent) == 1 for job in jobs)
    assert loop.timers == []


def test_a_job_that_waits_long_does_not_hold_up_another() -> None:
    pacer, loop = make_pacer()
    slow, quick = Job(loop, 5.0), Job(loop, 0.1)
    pacer.ask(slow)
    pacer.ask(quick)
    loop.advance(0.3)

    assert len(quick.sent) == 1
    assert slow.sent == []


def test_a_job_that_has_nothing_to_say_any_more_is_forgotten() -> None:
    pacer, loop = make_pacer()
    job = Job(loop, 0.05)
    pacer.ask(job)
    job.earliest = None
    loop.advance(1)

    assert job.sent == []
    assert loop.timers == []


def test_flushing_does_not_wait_for_the_time() -> None:
    pacer, loop = make_pacer()
    job = Job(loop, 0.08)
    pacer.ask(job)
    pacer.send_all()
    assert job.sent == [0.0]
    loop.advance(1)

    assert job.sent == [0.0]


def test_closed_pacer_sends_nothing() -> None:
    pacer, loop = make_pacer()
    job = Job(loop, 0.08)
    pacer.ask(job)
    pacer.close()
    pacer.ask(Job(loop))
    loop.advance(1)

    assert job.sent == []
