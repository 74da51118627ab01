"""Children of jobs move their parent."""

import asyncio
from contextlib import suppress

import msgspec
import pytest
from producer.faults import read_events
from producer.workbench import Bench
from support.broker import Broker
from tailrace_producer import JobCancelled, JobEnded, Producer, SyncJob
from tailrace_producer.pacer import INTERVAL
from tailrace_protocol.errors import InvalidData
from tailrace_protocol.jobs import JobState, JobStatus, JobStep, StepStatus


@pytest.fixture
def bench() -> Bench:
    return Bench(user="7", total=4)


def settle(bench: Bench) -> None:
    """Let all that jobs have to say be sent and stored."""
    for _ in range(3):  # the child's state, then the parent's
        bench.publisher.settle_all()
        bench.loop.advance(INTERVAL)


def look(bench: Bench, topic: str = "users.7.jobs.j") -> JobState:
    settle(bench)
    return bench.publisher.states(topic)[-1]


def test_child_is_a_job_of_its_own(bench: Bench) -> None:
    bench.start()
    with bench.job.child("part", title="A part", total=2, metadata={"a": 1}) as child:
        child.update(1)
        state = look(bench, "users.7.jobs.part")

    assert (state.id, state.user, state.title, state.parent) == ("part", "7", "A part", "users.7.jobs.j")
    assert (state.percent, state.metadata, state.status) == (50, {"a": 1}, JobStatus.RUNNING)
    assert look(bench, "users.7.jobs.part").status is JobStatus.COMPLETE
    assert look(bench).parent is None


def test_children_move_their_parent_by_their_weight(bench: Bench) -> None:
    bench.start()
    percents = []
    with bench.job.child("a", weight=3, total=10) as child:
        for done in (0, 5, 10):
            child.update(done)
            percents.append(look(bench).percent)
    percents.append(look(bench).percent)
    with bench.job.child("b", title="B"):
        percents.append(look(bench).percent)
    state = look(bench)

    assert percents == [0, 37.5, 75, 75, 75]
    assert (state.done, state.percent) == (4, 100)
    assert state.steps == [
        JobStep("a", StepStatus.COMPLETE, 3, 100, "users.7.jobs.a"),
        JobStep("B", StepStatus.COMPLETE, 1, 100, "users.7.jobs.b"),
    ]


def test_grandchildren_move_all_above_them(bench: Bench) -> None:
    bench.start()
    with bench.job.child("a", weight=2, total=2) as child, child.child("b", total=4) as grandchild:
        grandchild.update(2)
        assert look(bench, "users.7.jobs.a").percent == 25
        assert look(bench).percent == 12.5


def test_parent_says_no_more_than_it_may(bench: Bench) -> None:
    bench.start()
    child = bench.job.child("a", total=1000)
    child.start()
    for done in range(1000):
        child.update(done)
        bench.publisher.settle()
        bench.loop.advance(0.01)

    assert 80 <= len(bench.publisher.states("users.7.jobs.a")) <= 102
    assert 80 <= len(bench.publisher.states("users.7.jobs.j")) <= 102


def test_failed_child_counts_as_failed_and_its_parent_may_go_on(bench: Bench) -> None:
    def work(job: SyncJob) -> None:
        with job.child("a"):
            raise KeyError("row")

    bench.start()
    with pytest.raises(KeyError):
        work(bench.job)
    state = look(bench)

    assert (state.done, state.failed, state.status) == (1, 1, JobStatus.RUNNING)
    assert state.steps == [JobStep("a", StepStatus.FAILED, job="users.7.jobs.a")]
    assert look(bench, "users.7.jobs.a").status is JobStatus.FAILED


def test_cancelled_parent_asks_its_children(bench: Bench) -> None:
    def work() -> None:
        with bench.job as job, job.child("a") as child, child.child("b") as grandchild:
            assert job.ask_to_cancel()
            assert grandchild.cancelled
            assert look(bench, "users.7.jobs.b").cancelling
            with job.child("late") as late:
                assert late.cancelled
            for _ in grandchild.track(range(3)):
                pass

    with pytest.raises(JobCancelled):
        work()
    settle(bench)

    assert [look(bench, f"users.7.jobs.{job}").status.value for job in "jab"] == ["cancelled"] * 3


def test_cancelled_child_leaves_its_parent_alone_if_it_is_caught(bench: Bench) -> None:
    bench.start()
    with suppress(JobCancelled), bench.job.child("a") as child:
        child.ask_to_cancel()
        child.raise_if_cancelled()
    state = look(bench)

    assert not bench.job.cancelled
    assert (state.status, state.done, state.failed) == (JobStatus.RUNNING, 1, 0)
    assert look(bench, "users.7.jobs.a").status is JobStatus.CANCELLED


def test_retried_child_goes_on_in_its_place(bench: Bench) -> None:
    bench.start()
    with bench.job.child("a", total=2) as first:
        first.update(1)
        settle(bench)
        first.retry("once more")
    assert look(bench).percent == 12.5
    with bench.job.child("a", total=2, attempt=2):
        assert look(bench).percent == 12.5
    state = look(bench)

    assert (state.percent, len(state.steps)) == (25, 1)
    assert look(bench, "users.7.jobs.a").attempt == 2


def test_child_may_outlive_its_parent(bench: Bench) -> None:
    bench.start()
    child = bench.job.child("a", total=2)
    child.start()
    bench.job.complete()
    child.update(1)
    settle(bench)
    child.complete()

    assert look(bench, "users.7.jobs.a").status is JobStatus.COMPLETE
    assert [state.status.value for state in bench.publisher.states("users.7.jobs.j")][-1] == "complete"
    assert look(bench).done == 0


def test_child_that_starts_after_its_parent_moves_nothing(bench: Bench) -> None:
    bench.start()
    with bench.job.child("a") as early:
        late = early.child("b")
    bench.job.complete()
    with late:
        late.update(1)
        settle(bench)

    assert [state.status.value for state in bench.publisher.states("users.7.jobs.a")][-2:] == ["running", "complete"]
    assert look(bench, "users.7.jobs.a").steps == []


def test_children_that_cannot_be(bench: Bench) -> None:
    with pytest.raises(JobEnded):
        bench.job.child("early")
    bench.start()
    with pytest.raises(InvalidData):
        bench.job.child("a", weight=-1)
    bench.job.complete()
    with pytest.raises(JobEnded):
        bench.job.child("late")


async def test_children_at_a_time_in_the_log(broker: Broker) -> None:
    async def work(number: int) -> None:
        async with job.child(f"import-{number}") as child:
            async for _ in child.track(range(10)):
                await asyncio.sleep(0)

    async with Producer(broker.url) as producer, producer.job("import", total=50) as job:
        await asyncio.gather(*(work(number) for number in range(50)))
    newest = {topic: (kind, msgspec.convert(data, JobState)) for _, topic, kind, data in await read_events(broker.url)}
    kind, state = newest.pop("jobs.import")

    assert (kind, state.done, state.percent) == ("complete", 50, 100)
    assert len(newest) == 50
    assert all((kind, state.done, state.parent) == ("complete", 10, "jobs.import") for kind, state in newest.values())
