"""`def` endpoints and `def` background tasks, which run in threads: they use the application's producer too."""

import asyncio

import anyio.from_thread
import anyio.to_thread
import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI
from producer.faults import read_events, wait_until
from support.broker import Broker
from tailrace_producer import Job, Producer, SyncProducer, TextStream, WrongEventLoop, current_job
from tailrace_producer.contrib.fastapi import ProducerDependency, producer_lifespan
from tailrace_protocol.errors import ProducerClosed
from tailrace_protocol.texts import TextState

REQUESTS = 40


def build(job: Job) -> None:
    with job:
        assert current_job() is job
        with job.step("pages", weight=3) as step:
            for page in range(3):
                step.update(page + 1, total=3)
        job.warn("thin")
        job.log("built")


def answer(text: TextStream) -> None:
    with text:
        for token in ("for", "ty", "-", "two"):
            text.write(token)


def add_routes(app: FastAPI) -> FastAPI:
    @app.post("/reports/{number}", status_code=202)
    def create(number: int, background: BackgroundTasks, producer: ProducerDependency) -> dict[str, str]:
        producer.enqueue("asked", number)
        job = producer.job(f"report-{number}", total=3)
        background.add_task(build, job)
        background.add_task(answer, producer.stream(f"chats.{number}"))
        return {"topic": job.topic}

    @app.post("/failing")
    def fail(producer: ProducerDependency) -> None:
        with producer.job("failing"):
            raise OSError("disk full")

    return app


async def test_all_that_def_code_publishes_is_stored(broker: Broker) -> None:
    """The very first use of the producer is in a thread: nothing was published from the event loop before."""
    app = add_routes(FastAPI(lifespan=producer_lifespan(broker.url)))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client,
    ):
        answers = await asyncio.gather(*(client.post(f"/reports/{number}") for number in range(REQUESTS)))

    assert [answer.status_code for answer in answers] == [202] * REQUESTS
    events = await read_events(broker.url)
    assert sorted(data for _, topic, _, data in events if topic == "asked") == list(range(REQUESTS))
    for number in range(REQUESTS):
        job = [(kind, data) for _, topic, kind, data in events if topic == f"jobs.report-{number}"]
        assert [kind for kind, _ in job if kind != "progress"] == ["start", "warning", "complete"]
        assert (job[-1][1]["done"], job[-1][1]["percent"]) == (3, 100)
        assert [data["message"] for _, topic, _, data in events if topic == f"jobs.report-{number}.log"] == ["built"]
        text = TextState()
        for _, topic, kind, data in events:
            if topic == f"chats.{number}":
                text.take(kind, data)
        assert (text.text, text.status) == ("forty-two", "complete")


async def test_an_exception_in_def_code_fails_its_job(broker: Broker) -> None:
    app = add_routes(FastAPI(lifespan=producer_lifespan(broker.url)))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://app") as client,
    ):
        assert (await client.post("/failing")).status_code == 500

    [*_, (_, topic, kind, state)] = await read_events(broker.url)
    assert (topic, kind, state["error"]) == ("jobs.failing", "failed", {"type": "OSError", "message": "disk full"})


async def test_a_text_in_a_thread_grows_while_it_is_written(broker: Broker) -> None:
    """Its timers run in the event loop, and its events go out before its end."""
    async with Producer(broker.url) as producer:
        out = await anyio.to_thread.run_sync(producer.stream, "t")
        await anyio.to_thread.run_sync(out.start)
        for length in (1, 2, 3):
            await anyio.to_thread.run_sync(out.write, "x")
            await wait_until(lambda: out._stored == length)  # noqa: B023  # called in this turn
        await anyio.to_thread.run_sync(out.complete)

    tokens = [data["text"] for _, _, kind, data in await read_events(broker.url) if kind == "token"]
    assert tokens == ["x", "x", "x"]


async def test_a_producer_that_lives_nowhere_says_what_to_do(broker: Broker) -> None:
    producer = Producer(broker.url)
    for use in (producer.enqueue, producer.job, producer.stream):
        with pytest.raises(WrongEventLoop, match=SyncProducer.__name__):
            await anyio.to_thread.run_sync(use, "t")

    async with producer:
        await anyio.to_thread.run_sync(producer.enqueue, "t")
    with pytest.raises(ProducerClosed):
        await anyio.to_thread.run_sync(producer.enqueue, "t")
    assert len(await read_events(broker.url)) == 1


def test_a_producer_whose_event_loop_is_gone_says_what_to_do(bare_broker: Broker) -> None:
    producer = Producer(bare_broker.url)

    async def use() -> None:
        producer.enqueue("t")

    asyncio.run(use())
    with pytest.raises(WrongEventLoop, match=SyncProducer.__name__):
        producer.enqueue("t")


async def test_def_code_can_wait_for_an_event_to_be_stored(broker: Broker) -> None:
    """As docs/frameworks.md says."""
    async with Producer(broker.url) as producer:
        event_id = await anyio.to_thread.run_sync(
            lambda: anyio.from_thread.run(producer.publish, "orders.17", {"n": 1})
        )

    assert event_id.endswith("-1")
