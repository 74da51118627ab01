from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, WebSocket
from producer.faults import read_events
from support.broker import Broker
from tailrace_producer import Job, Producer, current_job
from tailrace_producer.contrib.fastapi import ProducerDependency, producer_lifespan
from tailrace_protocol.errors import InvalidTenant, ProducerClosed, SetupError


async def build(job: Job) -> None:
    async with job:
        async for page in job.track(range(3)):
            assert current_job() is job
            job.update(message=f"page {page}")


def add_routes(app: FastAPI) -> FastAPI:
    @app.post("/reports", status_code=202)
    async def create(background: BackgroundTasks, producer: ProducerDependency) -> dict[str, str]:
        job = producer.job("one", title="Report")
        background.add_task(build, job)
        return {"topic": job.topic}

    @app.websocket("/ws")
    async def talk(socket: WebSocket, producer: ProducerDependency) -> None:
        await socket.accept()
        await socket.send_text(await producer.publish("a", "from a socket"))
        await socket.close()

    return app


@asynccontextmanager
async def open_client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client,
    ):
        yield client


async def test_a_background_task_is_a_job(broker: Broker) -> None:
    app = add_routes(FastAPI(lifespan=producer_lifespan(broker.url, tenant="acme")))
    async with open_client(app) as client:
        answer = await client.post("/reports")
        producer: Producer = app.state.tailrace_producer

    assert (answer.status_code, answer.json()) == (202, {"topic": "jobs.one"})
    events = await read_events(broker.url, "acme")
    assert (events[0][2], events[-1][2], events[-1][3]["done"]) == ("start", "complete", 3)
    with pytest.raises(ProducerClosed):
        await producer.publish("late")


async def test_within_a_lifespan_of_ones_own(broker: Broker) -> None:
    steps = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with producer_lifespan(broker.url)(app):
            steps.append("begun")
            yield
            await app.state.tailrace_producer.publish("a", "at the end")

    async with open_client(add_routes(FastAPI(lifespan=lifespan))) as client:
        await client.post("/reports")

    assert steps == ["begun"]
    assert ("a", "message", "at the end") in [event[1:] for event in await read_events(broker.url)]


async def test_websockets_have_it_too(broker: Broker) -> None:
    app = add_routes(FastAPI(lifespan=producer_lifespan(broker.url)))
    scope = {"type": "websocket", "path": "/ws", "query_string": b"", "headers": [], "subprotocols": []}
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async with app.router.lifespan_context(app):
        await app(scope, receive, send)

    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert [event[1:] for event in await read_events(broker.url)] == [("a", "message", "from a socket")]


async def test_an_application_without_a_producer_is_told_how_to_get_one() -> None:
    async with open_client(add_routes(FastAPI())) as client:
        with pytest.raises(SetupError, match="lifespan=producer_lifespan"):
            await client.post("/reports")


async def test_mistakes_are_told_at_the_start() -> None:
    with pytest.raises(InvalidTenant):
        async with open_client(FastAPI(lifespan=producer_lifespan(tenant="No Tenant"))):
            pass
