"""What goes to a job's topic, and when; with a clock and a publisher that the test moves."""

import pytest
from producer.faults import read_events
from producer.workbench import Bench
from support.broker import Broker
from tailrace_producer import Producer
from tailrace_producer.pacer import INTERVAL
from tailrace_producer.sender import RETRY_INTERVAL
from tailrace_protocol.errors import BrokerUnavailable


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_first_update_after_a_pause_is_sent_at_once(bench: Bench) -> None:
    job = bench.start()
    job.update(1)

    assert bench.publisher.types == ["start", "progress"]


def test_updates_within_an_interval_become_one_with_the_newest_state(bench: Bench) -> None:
    job = bench.start()
    for done in range(1, 1000):
        job.update(done)
    bench.publisher.settle()
    assert bench.publisher.types == ["start", "progress"]
    bench.loop.advance(INTERVAL)

    assert bench.publisher.types == ["start", "progress", "progress"]
    assert bench.publisher.newest.done == 999


def test_at_most_ten_progress_events_a_second(bench: Bench) -> None:
    job = bench.start()
    for tick in range(1000):
        job.update(tick)
        bench.publisher.settle()
        bench.loop.advance(0.01)

    assert 90 <= bench.publisher.types.count("progress") <= 101


def test_while_nothing_is_acknowledged_progress_is_conflated_without_end(bench: Bench) -> None:
    job = bench.start()
    for done in range(1, 1000):
        job.update(done)
        bench.loop.advance(1)
    assert bench.publisher.types == ["start", "progress"]
    bench.publisher.settle()

    assert bench.publisher.types == ["start", "progress", "progress"]
    assert bench.publisher.newest.done == 999


def test_terminal_event_does_not_wait_for_its_time_and_replaces_progress(bench: Bench) -> None:
    job = bench.start()
    job.update(1)
    bench.publisher.settle()
    job.update(2)
    job.complete({"rows": 2})
    bench.loop.advance(10)

    assert bench.publisher.types == ["start", "progress", "complete"]
    assert bench.publisher.newest.done == 2
    assert bench.publisher.newest.result == {"rows": 2}


def test_terminal_event_is_sent_after_all_others_are_stored(bench: Bench) -> None:
    job = bench.start()
    job.warn("careful")
    job.update(1)
    job.complete()
    bench.loop.advance(10)
    assert bench.publisher.types == ["start", "warning"]
    bench.publisher.settle()

    assert bench.publisher.types == ["start", "warning", "complete"]


def test_terminal_event_is_taken_by_a_full_outbox(bench: Bench) -> None:
    job = bench.start()
    bench.publisher.full = True
    job.update(1)
    job.log("dropped, and the log says so")
    job.complete()

    assert bench.publisher.types == ["start", "complete"]


def test_progress_that_a_full_outbox_refused_is_tried_again(bench: Bench) -> None:
    job = bench.start()
    bench.publisher.full = True
    job.update(1)
    bench.publisher.full = False
    job.update(2)
    assert bench.publisher.types == ["start"]
    bench.loop.advance(RETRY_INTERVAL)

    assert bench.publisher.types == ["start", "progress"]
    assert bench.publisher.newest.done == 2


@pytest.mark.parametrize("ended", [False, True])
def test_state_is_sent_again_if_its_event_was_lost(bench: Bench, ended: bool) -> None:
    job = bench.start()
    if ended:
        job.fail("no")
    else:
        job.update(7)
    bench.publisher.settle(BrokerUnavailable("away for too long"))
    bench.loop.advance(RETRY_INTERVAL)

    assert bench.publisher.types == ["start", *(["failed"] * 2 if ended else ["progress"] * 2)]
    assert bench.publisher.sent[1][2].done == bench.publisher.newest.done


def test_progress_that_waits_is_sent_though_the_event_before_it_was_lost(bench: Bench) -> None:
    job = bench.start()
    job.update(1)
    job.update(2)
    bench.loop.advance(INTERVAL)
    bench.publisher.settle(BrokerUnavailable("away for too long"))
    bench.loop.advance(RETRY_INTERVAL)

    assert bench.publisher.types == ["start", "progress", "progress"]
    assert bench.publisher.newest.done == 2


def test_next_run_of_a_job_starts_when_the_end_of_the_one_before_is_stored(bench: Bench) -> None:
    bench.start().update(1)
    bench.job.complete()
    again = bench.make("j")
    again.start()
    again.update(5)
    again.warn("as progress, for the start has to come before")
    bench.loop.advance(10)
    assert bench.publisher.types == ["start", "progress"]
    for number, types in enumerate((["complete"], ["start"], ["progress"])):
        bench.publisher.settle()
        bench.loop.advance(INTERVAL)
        assert bench.publisher.types[2 + number :] == types

    assert bench.publisher.newest.done == 5
    assert bench.publisher.newest.warned == 1


def test_runs_of_a_job_stay_in_order_though_their_events_are_lost(bench: Bench) -> None:
    bench.start().complete()
    again = bench.make("j")
    again.start()
    again.fail("no")
    for _ in range(3):
        bench.publisher.settle(BrokerUnavailable("away for too long"))
        bench.loop.advance(RETRY_INTERVAL)
    bench.publisher.settle_all()

    assert bench.publisher.types == ["start", *(["complete"] * 4), "start", "failed"]


def test_retry_ends_the_attempt_without_ending_the_job(bench: Bench) -> None:
    bench.start().update(3)
    bench.job.retry(ConnectionError("no answer"))
    second = bench.make("j", attempt=2)
    second.start()
    second.complete()
    bench.publisher.settle_all()
    states = bench.publisher.states("jobs.j")

    assert bench.publisher.types == ["start", "progress", "progress", "start", "complete"]
    assert [(state.status.value, state.attempt, state.done) for state in states] == [
        ("running", 1, 0), ("running", 1, 3), ("retrying", 1, 3), ("running", 2, 0), ("complete", 2, 0),
    ]  # fmt: skip
    assert states[2].error is not None
    assert (states[2].error.type, states[2].error.message) == ("ConnectionError", "no answer")
    assert states[2].ended is None
    assert bench.publisher.commands.topics == []


def test_retry_is_left_alone_by_the_context(bench: Bench) -> None:
    def work() -> None:
        with bench.job as job:
            bench.publisher.settle()
            job.retry("once more")
            raise ConnectionError

    with pytest.raises(ConnectionError):
        work()
    bench.publisher.settle_all()

    assert bench.publisher.types == ["start", "progress"]
    assert bench.publisher.newest.status == "retrying"


def test_starts_and_ends_that_were_lost_together_are_sent_again_in_their_order(bench: Bench) -> None:
    bench.start()
    bench.publisher.spooling = True
    bench.job.retry("no answer")
    second = bench.make("j", attempt=2)
    second.start()
    second.complete()
    bench.loop.advance(INTERVAL)
    assert bench.publisher.types == ["start", "progress", "start", "complete"]
    bench.publisher.spooling = False
    bench.publisher.settle(BrokerUnavailable("away for too long"))
    for _ in range(3):
        bench.loop.advance(RETRY_INTERVAL)
        bench.publisher.settle()

    assert bench.publisher.types[4:] == ["progress", "start", "complete"]
    assert [state.attempt for state in bench.publisher.states("jobs.j")[4:]] == [1, 2, 2]


async def test_runs_one_after_the_other_are_flushed(broker: Broker) -> None:
    async with Producer(broker.url) as producer:
        for number in range(20):
            async with producer.job("j") as job:
                job.update(number)
        await producer.flush()
        assert (producer._core.jobs.held, producer._core.publisher.unsettled) == (0, 0)
        events = await read_events(broker.url)

    assert [event[2] for event in events] == ["start", "complete"] * 20
    assert [event[3].get("done", 0) for event in events[1::2]] == list(range(20))
