"""Signs of life: of jobs that have nothing to report, and of no others."""

from itertools import pairwise

import anyio
import pytest
from producer.faults import read_events
from producer.workbench import Bench
from support.broker import PATIENCE, Broker, connect
from tailrace_producer import Producer, Settings
from tailrace_producer.pacer import INTERVAL
from tailrace_protocol.errors import BrokerUnavailable, SetupError
from tailrace_protocol.jobs import LEASE_HEADER
from tailrace_protocol.stream import STREAM


@pytest.fixture
def bench() -> Bench:
    return Bench(lease=30)


def work(bench: Bench, seconds: float, *, update_every: float | None = None) -> list[float]:
    """Let time pass in small steps; return when something was sent."""
    times = []
    start, next_update = bench.loop.now, 0.0
    while bench.loop.now - start < seconds:
        bench.publisher.settle()
        if update_every is not None and bench.loop.now - start >= next_update:
            bench.job.update(advance=1)
            next_update += update_every
        before = len(bench.publisher.sent)
        bench.loop.advance(0.05)
        times += [bench.loop.now - start] * (len(bench.publisher.sent) - before)
    return times


def test_silent_job_is_heard_of_three_times_in_a_lease(bench: Bench) -> None:
    bench.start()
    times = [0.0, *work(bench, 95)]
    pauses = [after - before for before, after in pairwise(times)]

    assert 9 <= len(pauses) <= 11
    assert all(8.5 < pause <= 10 for pause in pauses)
    assert set(bench.publisher.types[1:]) == {"progress"}
    assert bench.publisher.newest.lease == 30


def test_job_that_reports_costs_nothing_more(bench: Bench) -> None:
    bench.start()
    before = len(bench.publisher.sent)
    work(bench, 100, update_every=5)

    assert len(bench.publisher.sent) - before == 20


def test_waiting_progress_is_not_doubled(bench: Bench) -> None:
    bench.start()
    bench.job.update(1)
    work(bench, 2)
    before = len(bench.publisher.sent)
    bench.loop.advance(0)
    bench.job.update(2)
    bench.job.update(3)
    bench.loop.advance(100)  # and nothing is acknowledged

    assert len(bench.publisher.sent) - before == 1


def test_events_of_a_running_job_carry_the_lease_and_the_last_one_does_not(bench: Bench) -> None:
    job = bench.start()
    job.warn("careful")
    bench.publisher.settle()
    job.complete()
    bench.publisher.settle_all()

    assert bench.publisher.types == ["start", "warning", "complete"]
    assert bench.publisher.headers == [{LEASE_HEADER: "30"}, {LEASE_HEADER: "30"}, {}]
    assert [state.lease for state in bench.publisher.states("jobs.j")] == [30, 30, None]


def test_attempt_that_failed_has_no_lease(bench: Bench) -> None:
    bench.start().retry("once more")
    bench.publisher.settle_all()

    assert bench.publisher.headers[-1] == {}
    assert bench.publisher.newest.lease is None
    assert work(bench, 100) == []


def test_ended_job_is_silent(bench: Bench) -> None:
    bench.start().complete()
    bench.publisher.settle_all()

    assert work(bench, 100) == []


def test_ended_jobs_are_forgotten_and_later_ones_renewed(bench: Bench) -> None:
    bench.start().complete()
    assert bench.pacer._running == set()
    work(bench, 100)
    bench.job = bench.make("later")
    bench.start()

    assert len(work(bench, 95)) >= 9


def test_job_of_a_closed_producer_is_silent(bench: Bench) -> None:
    bench.start()
    bench.pacer.close()

    assert work(bench, 100) == []


def test_silence_after_a_loss_is_broken(bench: Bench) -> None:
    job = bench.start()
    job.update(1)
    bench.publisher.settle(BrokerUnavailable("away for too long"))
    times = work(bench, 12)

    assert len(times) == 2
    assert times[1] - times[0] <= 10


def test_without_lease_nothing_is_renewed_and_nothing_said() -> None:
    bench = Bench()
    bench.start()

    assert work(bench, 100) == []
    assert bench.publisher.newest.lease is None
    assert bench.publisher.headers == [{}]


@pytest.mark.parametrize("lease", [0, -1])
def test_leases_that_are_none(lease: float) -> None:
    with pytest.raises(SetupError, match="lease"):
        Settings(lease=lease)


async def test_lease_in_the_log(broker: Broker) -> None:
    settings = Settings(lease=INTERVAL)
    async with Producer(broker.url, settings=settings) as producer, producer.job("quiet") as job:
        with anyio.fail_after(PATIENCE):
            while len(await read_events(broker.url)) < 4:
                assert job.status == "running"
    async with await connect(broker.url) as client:
        stream = client.jetstream(timeout=PATIENCE)
        last = (await stream.stream_info(STREAM)).state.last_seq
        headers = [(await stream.get_msg(STREAM, sequence)).headers or {} for sequence in range(1, last + 1)]

    assert [header.get(LEASE_HEADER) for header in headers] == ["0.1"] * (last - 1) + [None]
    assert [event[2] for event in await read_events(broker.url)] == ["start", *["progress"] * (last - 2), "complete"]
