"""Jobs that are started before their block is entered, so that they are seen while they wait for their turn."""

import asyncio

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI
from producer.faults import read_events
from support.broker import Broker
from tailrace_producer import Job, JobCancelled, JobEnded, Producer, SyncJob, SyncProducer, current_job
from tailrace_producer.contrib.fastapi import ProducerDependency, producer_lifespan
from tailrace_producer.testing import capture


async def test_a_background_task_is_seen_before_it_runs(broker: Broker) -> None:
    turn = asyncio.Event()
    app = FastAPI(lifespan=producer_lifespan(broker.url))

    async def build(job: Job) -> None:
        await turn.wait()
        async with job:
            assert current_job() is job
            job.update(1)

    @app.post("/reports")
    async def create(background: BackgroundTasks, producer: ProducerDependency) -> None:
        job = producer.job("one", total=1)
        job.start()
        background.add_task(build, job)

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client,
    ):
        asked = asyncio.create_task(client.post("/reports"))
        while not (events := await read_events(broker.url)):
            pass
        assert [(topic, kind, state["status"]) for _, topic, kind, state in events] == [
            ("jobs.one", "start", "running")
        ]
        turn.set()
        assert (await asked).status_code == 200

    kinds = [kind for _, _, kind, _ in await read_events(broker.url)]
    assert (kinds[0], kinds[-1], kinds.count("start")) == ("start", "complete", 1)


def fail_in(job: SyncJob) -> None:
    with job:
        assert current_job() is job
        raise OSError("full")


def work_in(job: SyncJob) -> None:
    with job:
        for _ in job.track([1]):
            raise AssertionError("it was to stop before")


def test_what_was_started_goes_on_in_its_block() -> None:
    with capture() as events, SyncProducer() as producer:
        job = producer.job("j", total=2)
        job.start()
        job.update(1)
        with pytest.raises(OSError, match="full"):
            fail_in(job)

    assert [event.type for event in events if event.type != "progress"] == ["start", "failed"]
    assert events.job("j").done == 1


def test_one_that_is_cancelled_while_it_waits_stops_where_it_looks() -> None:
    with capture() as events, SyncProducer() as producer:
        job = producer.job("j")
        job.start()
        events.cancel("j")
        while not job.cancelled:
            pass
        with pytest.raises(JobCancelled):
            work_in(job)

    assert events.job("j").status == "cancelled"


def test_a_block_is_entered_once() -> None:
    with capture(), SyncProducer() as producer:
        job = producer.job("j")
        job.start()
        with job, pytest.raises(JobEnded, match="started before"):
            job.__enter__()
        with pytest.raises(JobEnded, match="started before"):
            job.__enter__()


async def test_the_same_in_an_event_loop() -> None:
    with capture() as events:
        async with Producer() as producer:
            job = producer.job("j")
            job.start()
            async with job:
                with pytest.raises(JobEnded, match="started before"):
                    job.start()

    assert [event.type for event in events] == ["start", "complete"]
