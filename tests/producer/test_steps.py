"""Steps move their job by their weight."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from producer.faults import read_events
from producer.workbench import Bench
from support.broker import Broker
from tailrace_producer import JobCancelled, JobEnded, Producer, SyncJob
from tailrace_producer.pacer import INTERVAL
from tailrace_protocol.errors import EventTooLarge, InvalidData
from tailrace_protocol.jobs import JobState, JobStatus, JobStep, StepStatus


@pytest.fixture
def bench() -> Bench:
    return Bench()


def look(bench: Bench) -> JobState:
    """Return the newest state, once it is sent."""
    bench.publisher.settle_all()
    bench.loop.advance(INTERVAL)
    bench.publisher.settle_all()
    return bench.publisher.newest


def test_steps_move_the_job_by_their_weights(bench: Bench) -> None:
    job = bench.start()
    job.plan({"query": 3, "render": 1})
    percents = [look(bench).percent]
    with job.step("query") as step:
        for done in (5, 10):
            step.update(done, total=10)
            percents.append(look(bench).percent)
    percents.append(look(bench).percent)
    with job.step("render"):
        percents.append(look(bench).percent)
    job.complete()
    state = look(bench)

    assert percents == [0, 37.5, 75, 75, 75]
    assert (state.percent, state.done, state.total) == (100, 4, 4)
    assert state.steps == [
        JobStep("query", StepStatus.COMPLETE, 3, 100),
        JobStep("render", StepStatus.COMPLETE, 1, 100),
    ]


def test_total_is_the_plan_where_weights_are_given(bench: Bench) -> None:
    job = bench.start()
    job.update(total=10)
    with job.step("query", weight=4) as step:
        assert list(step.track(range(4))) == [0, 1, 2, 3]
        assert look(bench).percent == 40
    job.update(advance=3)

    assert look(bench).percent == 70


def test_step_without_weight_leaves_the_job_to_its_own_units(bench: Bench) -> None:
    job = bench.start()
    with job.step("load"):
        assert len(list(job.track(range(10)))) == 10
    state = look(bench)

    assert (state.done, state.total, state.percent) == (10, 10, 100)
    assert state.steps == [JobStep("load", StepStatus.COMPLETE, percent=100)]


def test_plain_step_ends_when_the_next_one_begins(bench: Bench) -> None:
    job = bench.start()
    job.plan({"query": 1, "render": 1})
    job.step("query")
    assert look(bench).percent == 0
    job.step("render")
    assert look(bench).percent == 50
    job.complete()
    state = look(bench)

    assert state.percent == 100
    assert [step.status for step in state.steps] == [StepStatus.COMPLETE] * 2


def test_name_of_the_step_is_the_innermost_that_runs(bench: Bench) -> None:
    job = bench.start()
    names = []
    with job.step("outer"):
        names.append(look(bench).step)
        with job.step("inner"):
            names.append(look(bench).step)
            job.step("plain")
            names.append(look(bench).step)
        names.append(look(bench).step)
        assert [step.status.value for step in look(bench).steps] == ["running", "complete", "complete"]
    names.append(look(bench).step)

    assert names == ["outer", "inner", "plain", "outer", "outer"]


def test_step_that_fails_counts_as_far_as_it_got(bench: Bench) -> None:
    def work(job: SyncJob) -> None:
        with job:
            bench.publisher.settle()
            job.plan({"query": 3, "render": 1})
            with job.step("query") as step:
                step.update(1, total=3)
                raise KeyError("row")

    with pytest.raises(KeyError):
        work(bench.job)
    state = look(bench)

    assert state.status is JobStatus.FAILED
    assert state.percent == 25
    assert state.steps == [JobStep("query", StepStatus.FAILED, 3, 33.33)]


def test_job_that_ends_ends_its_steps(bench: Bench) -> None:
    job = bench.start()
    with job.step("load") as step:
        job.fail("no")
        with pytest.raises(JobEnded):
            step.update(1)

    assert look(bench).steps == [JobStep("load", StepStatus.FAILED)]
    assert bench.publisher.types == ["start", "progress", "failed"]


def test_step_goes_on_after_a_result_that_was_too_large(bench: Bench) -> None:
    job = bench.start()
    with job.step("load", weight=1) as step:
        with pytest.raises(EventTooLarge):
            job.complete("x" * 65_450)
        step.update(1, total=2)
        assert look(bench).steps == [JobStep("load", StepStatus.RUNNING, percent=50)]


def test_message_and_advance_of_a_step(bench: Bench) -> None:
    job = bench.start()
    with job.step("load", weight=1) as step:
        step.update(total=4, message="page 1")
        step.update(advance=1)
        step.update(advance=1)
        state = look(bench)

    assert (state.message, state.steps[0].percent) == ("page 1", 50)


def test_weights_and_counts_that_are_none(bench: Bench) -> None:
    job = bench.start()
    with pytest.raises(InvalidData):
        job.step("load", weight=-1)
    with pytest.raises(InvalidData), job.step("load") as step:
        step.update(float("nan"))
    with pytest.raises(JobEnded):
        bench.make("other").step("early")


def test_as_many_steps_as_fit_are_carried() -> None:
    bench = Bench(metadata={"much": "x" * 24_000})
    job = bench.start()
    for number in range(60):
        job.step(f"{number} " + "\x00" * 900)
    for number in range(5):
        job.warn(str(number), data="y" * 3_900)
    state = look(bench)

    assert 2 < len(state.steps) < 10
    assert state.steps[-1].name.startswith("59 ")
    assert [warning.message for warning in state.warnings][-2:] == ["3", "4"]


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 10), st.integers(1, 10)), max_size=20),
)
def test_percent_never_goes_back(weights: list[int], reports: list[tuple[int, int, int]]) -> None:
    bench = Bench()
    job = bench.start()
    job.plan({str(number): weight for number, weight in enumerate(weights)})
    before = 0.0
    for number in range(len(weights)):
        with job.step(str(number)) as step:
            for which, done, total in reports:
                if which == number:
                    step.update(done, total=total)
                    percent = look(bench).percent
                    assert percent is not None
                    assert before <= percent
                    before = percent
    job.complete()

    assert look(bench).percent == 100


async def test_steps_of_an_async_job_in_the_log(broker: Broker) -> None:
    async with Producer(broker.url) as producer, producer.job("report") as job:
        job.plan({"query": 2, "render": 2})
        with job.step("query") as step:
            async for _ in step.track(range(3)):
                pass
        job.step("render").update(1, total=2)
        await producer.flush()
    states = [msgspec.convert(data, JobState) for _, _, _, data in await read_events(broker.url)]

    assert states[-2].percent == 75
    assert states[-2].steps == [
        JobStep("query", StepStatus.COMPLETE, 2, 100),
        JobStep("render", StepStatus.RUNNING, 2, 50),
    ]
    assert states[-1].percent == 100


@pytest.mark.parametrize("error", [JobCancelled("jobs.import-42"), KeyboardInterrupt(), asyncio.CancelledError()])
def test_step_that_is_cancelled_has_not_failed(bench: Bench, error: BaseException) -> None:
    def work(job: SyncJob) -> None:
        with job, job.step("load", 2):
            raise error

    with pytest.raises(type(error)):
        work(bench.job)
    state = look(bench)

    assert (state.status, state.steps) == (JobStatus.CANCELLED, [JobStep("load", StepStatus.CANCELLED, 2)])
