"""Loops over items that count themselves as done."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest
from producer.faults import read_events
from producer.workbench import Bench
from support.broker import Broker
from tailrace_producer import Producer


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_track_counts_an_item_when_it_is_done(bench: Bench) -> None:
    job = bench.start()
    seen = [(item, job._progress.done) for item in job.track(["a", "b", "c"])]
    job.complete()
    bench.publisher.settle()

    assert seen == [("a", 0), ("b", 1), ("c", 2)]
    assert (bench.publisher.newest.done, bench.publisher.newest.total) == (3, 3)


def test_track_of_an_iterator_has_no_total_unless_told(bench: Bench) -> None:
    job = bench.start()
    assert list(job.track(iter("ab"))) == ["a", "b"]
    assert job._progress.take_state(1.0, cast("Any", None)).total is None
    assert list(job.track(iter("ab"), total=9)) == ["a", "b"]
    assert job._progress.take_state(1.0, cast("Any", None)).total == 9


def test_track_left_early_does_not_count_the_last(bench: Bench) -> None:
    job = bench.start()
    for item in job.track(range(10)):
        if item == 3:
            break

    assert job._progress.done == 3


async def test_async_track_takes_both_kinds(broker: Broker) -> None:
    async def rows() -> AsyncIterator[int]:
        for number in range(5):
            yield number

    async with Producer(broker.url) as producer, producer.job("both") as job:
        assert [row async for row in job.track(rows(), total=5)] == list(range(5))
        assert [row async for row in job.track([5, 6])] == [5, 6]
    newest = (await read_events(broker.url))[-1]

    assert newest[1:3] == ("jobs.both", "complete")
    assert (newest[3]["done"], newest[3]["total"]) == (7, 2)


async def test_async_track_lets_other_tasks_run(broker: Broker) -> None:
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    async with Producer(broker.url) as producer, producer.job("busy") as job:
        async for item in job.track(endless()):
            if item % 1000 == 0 and producer._core.publisher._highest >= 2:
                break
    assert [event[2] for event in await read_events(broker.url)][:2] == ["start", "progress"]
