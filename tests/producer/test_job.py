"""What jobs report, with a clock and a publisher that the test moves; and what of it reaches a real log."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from producer.faults import read_events
from producer.workbench import Bench
from support.broker import Broker
from tailrace_producer import JobEnded, Producer, SyncJob, SyncProducer
from tailrace_protocol.errors import BrokerUnavailable, EventTooLarge, InvalidInput, ProducerClosed
from tailrace_protocol.jobs import JobState, JobStatus


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_done_and_advance_add_up(bench: Bench) -> None:
    job = bench.start()
    job.update(10, total=40, failed=2, message="half", metadata={"file": "a"})
    job.update(advance=5)
    job.update(advance=5)
    job.complete()
    bench.publisher.settle()
    state = bench.publisher.newest

    assert (state.done, state.total, state.failed, state.percent) == (20, 40, 2, 50)
    assert (state.message, state.metadata) == ("half", {"file": "a"})


def test_every_event_carries_the_whole_state() -> None:
    bench = Bench(user="7", title="Import", total=3)
    job = bench.start()
    job.step("load")
    bench.publisher.settle()
    job.warn("two rows skipped", data={"rows": [4, 9]})
    bench.publisher.settle()
    job.cancel("enough")
    states = [state for _, _, state in bench.publisher.sent]

    assert bench.publisher.types == ["start", "progress", "warning", "cancelled"]
    assert {(state.id, state.user, state.title, state.total) for state in states} == {("j", "7", "Import", 3)}
    assert [state.step for state in states] == [None, "load", "load", "load"]
    assert [state.warned for state in states] == [0, 0, 1, 1]
    assert states[-1].warnings[0].data == {"rows": [4, 9]}
    assert (states[-1].status, states[-1].message) == (JobStatus.CANCELLED, "enough")
    assert states[-1].started is not None
    assert states[-1].ended is not None


def test_it_says_by_what_it_is_found(bench: Bench) -> None:
    assert (bench.job.id, bench.job.topic) == ("j", "jobs.j")


def test_log_lines_have_a_topic_of_their_own(bench: Bench) -> None:
    bench.start().log("read", level="debug", rows=3)

    assert bench.publisher.sent[-1] == ("jobs.j.log", "log", {"message": "read", "level": "debug", "rows": 3})


def test_as_many_warnings_as_fit_are_carried() -> None:
    bench = Bench(metadata={"much": "x" * 20_000})
    job = bench.start()
    for number in range(20):
        job.warn(str(number), data="y" * 3_900)
        bench.publisher.settle()
    state = bench.publisher.newest

    assert state.warned == 20
    assert 5 < len(state.warnings) < 20
    assert state.warnings[-1].message == "19"


def test_worst_case_of_a_state_fits_into_an_event() -> None:
    bench = Bench(metadata={"much": "x" * 24_000}, title="\x00" * 9_999)
    job = bench.start()
    job.step("\x00" * 9_999)
    job.update(message="\x00" * 9_999)
    job.warn("\x00" * 9_999, data="y" * 4_000)
    job.fail("\x00" * 9_999)
    bench.publisher.settle()

    assert bench.publisher.types[-1] == "failed"


def test_result_that_is_too_large_is_refused_and_the_job_goes_on(bench: Bench) -> None:
    job = bench.start()
    with pytest.raises(EventTooLarge):
        job.complete("x" * 100_000)
    with pytest.raises(EventTooLarge):  # by itself it would fit, with the state around it it does not
        job.complete("x" * 65_450)
    job.update(1)
    job.complete("small")
    bench.publisher.settle()

    assert bench.publisher.types[-1] == "complete"


@pytest.mark.parametrize(
    "report",
    [
        lambda job: job.update(1),
        lambda job: job.step("more"),
        lambda job: job.warn("late"),
        lambda job: job.log("late"),
        lambda job: job.complete(),
        lambda job: job.fail("late"),
        lambda job: job.cancel(),
        lambda job: job.start(),
    ],
)
def test_reports_after_the_end_are_errors(bench: Bench, report: Callable[[SyncJob], None]) -> None:
    job = bench.start()
    job.complete()
    with pytest.raises(JobEnded, match=r"jobs\.j"):
        report(job)

    assert bench.publisher.types == ["start", "complete"]


def test_reports_before_the_start_are_errors(bench: Bench) -> None:
    with pytest.raises(JobEnded, match="not started"):
        bench.job.update(1)


def test_reports_to_a_closed_producer_are_errors(bench: Bench) -> None:
    job = bench.start()
    bench.pacer.close()
    with pytest.raises(ProducerClosed):
        job.update(1)


def test_exception_ends_the_job_as_failed_and_goes_on(bench: Bench) -> None:
    def work() -> None:
        with bench.job:
            bench.publisher.settle()
            raise KeyError("row 7")

    with pytest.raises(KeyError):
        work()
    state = bench.publisher.newest

    assert bench.publisher.types == ["start", "failed"]
    assert state.error is not None
    assert (state.error.type, state.error.message) == ("KeyError", "'row 7'")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_being_stopped_ends_the_job_as_cancelled(bench: Bench, stop: type[BaseException]) -> None:
    def work() -> None:
        with bench.job:
            bench.publisher.settle()
            raise stop

    with pytest.raises(stop):
        work()

    assert bench.publisher.types == ["start", "cancelled"]


def test_job_that_ended_itself_is_left_alone(bench: Bench) -> None:
    def work() -> None:
        with bench.job as job:
            bench.publisher.settle()
            job.complete("early")
            raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        work()

    assert bench.publisher.types == ["start", "complete"]


def test_job_that_ended_itself_by_failing_stays_failed(bench: Bench) -> None:
    with bench.job as job:
        bench.publisher.settle()
        job.fail("by hand")

    assert bench.publisher.types == ["start", "failed"]


async def test_life_of_a_job_in_the_log(broker: Broker) -> None:
    async with Producer(broker.url, tenant="acme") as producer:
        async with producer.job("import 42", user="7", title="Import", total=2) as job:
            job.update(1, message="one")
            await producer.flush()
            job.warn("odd")
            job.log("line", rows=1)
        with pytest.raises(ZeroDivisionError):
            async with producer.job("bad"):
                raise ZeroDivisionError("by zero")
    events = await read_events(broker.url, "acme")
    states = [msgspec.convert(data, JobState) for _, topic, _, data in events if not topic.endswith(".log")]

    assert [event[1:3] for event in events if event[1] != "users.7.jobs.import%2042.log"] == [
        ("users.7.jobs.import%2042", "start"),
        ("users.7.jobs.import%2042", "progress"),
        ("users.7.jobs.import%2042", "warning"),
        ("jobs.bad", "start"),
        ("users.7.jobs.import%2042", "complete"),
        ("jobs.bad", "failed"),
    ]
    assert ("users.7.jobs.import%2042.log", "log") in [event[1:3] for event in events]
    assert states[-1].error is not None
    assert states[-1].error.message == "by zero"
    assert states[4].status is JobStatus.COMPLETE


async def test_job_in_a_worker_thread_of_an_async_producer(broker: Broker) -> None:
    def work() -> None:
        for item in range(1000):
            job.update(item + 1)

    async with Producer(broker.url) as producer, producer.job("threaded", total=1000) as job:
        await asyncio.to_thread(work)
    newest = (await read_events(broker.url))[-1]

    assert (newest[2], newest[3]["done"], newest[3]["percent"]) == ("complete", 1000, 100)


async def test_no_progress_follows_the_end_of_any_job(broker: Broker) -> None:
    def work(producer: SyncProducer) -> None:
        for number in range(200):
            with producer.job(str(number), total=50) as job:
                for item in range(50):
                    job.update(item)

    with SyncProducer(broker.url) as producer:
        await asyncio.to_thread(work, producer)
        await asyncio.to_thread(producer.flush)
    newest = {topic: event_type for _, topic, event_type, _ in await read_events(broker.url)}

    assert len(newest) == 200
    assert set(newest.values()) == {"complete"}


def test_ids_that_make_no_topic_are_refused() -> None:
    producer = SyncProducer("nats://127.0.0.1:1")
    with pytest.raises(InvalidInput):
        producer.job("")
    with pytest.raises(InvalidInput):
        producer.job("x" * 200)
    with pytest.raises(BrokerUnavailable):
        producer.publish("x", timeout=0)
    producer.close()
