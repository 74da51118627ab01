"""Jobs and their workers: a worker that is lost is told of once, and a command reaches the one that runs the job."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client as Nats
from nats.aio.msg import Msg
from support.broker import PATIENCE, Broker, connect, read_stream
from support.calls import call, publish, read
from support.edge import EdgeProcess
from support.stream import open_stream
from support.waiting import wait_until

STATE: dict[str, Any] = {"id": "1", "status": "running", "done": 1, "total": 2, "lease": 1.0}


async def store(client: Nats, topic: str = "jobs.1", lease: float = 1.0, **state: Any) -> int:
    """Publish a state as a producer does, and return its sequence."""
    payload = json.dumps({"type": "progress", "time": "2026-01-31T00:00:00Z", "data": STATE | state}).encode()
    headers = {"Tailrace-Lease": str(lease)} if lease else None
    answer = await client.request(f"events.acme.{topic}", payload, headers=headers, timeout=PATIENCE)
    sequence: int = json.loads(answer.data)["seq"]
    return sequence


async def read_statuses(broker: Broker) -> list[str]:
    return [json.loads(payload)["data"]["status"] for _, _, payload in await read_stream(broker.url)]


# Worker lost


async def test_a_lost_worker_is_told_of_once_and_that_it_came_back(
    edges: tuple[EdgeProcess, EdgeProcess], broker: Broker
) -> None:
    async with await connect(broker.url) as client, open_stream(edges[0].url, "jobs.1", from_="start") as stream:
        await store(client)
        (first, second) = await stream.read_events(2)
        assert [json.loads(event.data)["data"]["status"] for event in (first, second)] == ["running", "worker_lost"]
        lost = await read(edges[1], "/v1/acme/jobs/1")
        assert lost == {"id": "1", "status": "worker_lost", "done": 1, "total": 2}
        listed = await read(edges[0], "/v1/acme/jobs", status="worker_lost")
        assert [job["id"] for job in listed["jobs"]] == ["1"]

        await store(client, done=2)
        (third,) = await stream.read_events(1)
        assert json.loads(third.data)["data"]["status"] == "running"
        # It is lost again, which both edges could say; a second word of it would come before the end.
        await wait_until(lambda: is_lost(edges[0]))
        await store(client, status="complete", lease=0)
    assert await read_statuses(broker) == ["running", "worker_lost", "running", "worker_lost", "complete"]


async def is_lost(edge: EdgeProcess) -> bool:
    status: str = (await read(edge, "/v1/acme/jobs/1"))["status"]
    return status == "worker_lost"


async def test_an_edge_knows_of_jobs_from_before_its_start(broker: Broker, tmp_path: Path) -> None:
    """No edge was there when the worker died, and the job's last event is older than what an edge reads back."""
    async with await connect(broker.url) as client:
        await store(client, "users.7.jobs.a%2Eb", id="a.b")
        await store(client, "jobs.2", lease=0)
        async with EdgeProcess(broker.url, tmp_path / "edge", read_back=0.001) as edge:
            await publish(edge, ("other", 1))

            async def lost() -> bool:
                return "worker_lost" in [json.loads(payload)["data"]["status"] for payload in await read_jobs(broker)]

            await wait_until(lost)
            states = {job["id"]: job["status"] for job in (await read(edge, "/v1/acme/jobs"))["jobs"]}
            metrics = (await call(edge, "/metrics")).text
    assert states == {"a.b": "worker_lost", "1": "running"}
    assert "\ntailrace_workers_lost_total 1.0\n" in metrics


async def read_jobs(broker: Broker) -> list[bytes]:
    return [payload for _, subject, payload in await read_stream(broker.url) if ".jobs." in subject]


# Cancel


@asynccontextmanager
async def work(client: Nats, subject: str, answer: bytes) -> AsyncIterator[list[bytes]]:
    """A worker that answers all that is asked of it, and keeps it."""
    asked: list[bytes] = []

    async def take(message: Msg) -> None:
        asked.append(message.data)
        await message.respond(answer)

    subscription = await client.subscribe(subject, cb=take)
    await client.flush()
    try:
        yield asked
    finally:
        await subscription.unsubscribe()


@pytest.mark.parametrize(("topic", "query"), [("jobs.1", ""), ("users.7.jobs.1", "?user=7"), ("users.7.jobs.1", "")])
async def test_a_command_reaches_the_worker(
    edges: tuple[EdgeProcess, EdgeProcess], broker: Broker, topic: str, query: str
) -> None:
    async with await connect(broker.url) as client:
        await store(client, topic, lease=0)
        for edge in edges:
            async with work(client, f"commands.acme.{topic}", b'{"taken":true}') as asked:
                answer = await call(edge, f"/v1/acme/jobs/1/cancel{query}", method="POST")
            assert (answer.status_code, answer.json()) == (202, {"id": "1", "topic": topic})
            assert asked == [b'{"command":"cancel"}']
    assert len(await read_stream(broker.url)) == 1


@pytest.mark.parametrize("answer", [b'{"taken":false}', b"no json", b"{}"])
async def test_a_worker_that_does_not_take_it_is_none(edge: EdgeProcess, broker: Broker, answer: bytes) -> None:
    async with await connect(broker.url) as client:
        await store(client, lease=0)
        async with work(client, "commands.acme.jobs.1", answer):
            refused = await call(edge, "/v1/acme/jobs/1/cancel", method="POST")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:tailrace:problem:no-worker")


async def test_without_a_worker_the_caller_is_told(edge: EdgeProcess, broker: Broker) -> None:
    async with await connect(broker.url) as client:
        await store(client, lease=0)
        # Another job's worker is none, and neither is another tenant's.
        async with (
            work(client, "commands.acme.jobs.2", b'{"taken":true}'),
            work(client, "commands.beta.jobs.1", b'{"taken":true}'),
        ):
            answer = await call(edge, "/v1/acme/jobs/1/cancel", method="POST")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:tailrace:problem:no-worker")


async def test_a_job_that_has_ended_or_never_was(edge: EdgeProcess, broker: Broker) -> None:
    async with await connect(broker.url) as client:
        await store(client, status="failed", lease=0)
        async with work(client, "commands.acme.>", b'{"taken":true}') as asked:
            ended = await call(edge, "/v1/acme/jobs/1/cancel", method="POST")
            missing = await call(edge, "/v1/acme/jobs/2/cancel", method="POST")
            of_another = await call(edge, "/v1/acme/jobs/1/cancel?user=7", method="POST")
    assert (ended.status_code, ended.json()["type"]) == (409, "urn:tailrace:problem:job-ended")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:tailrace:problem:no-such-job")
    assert of_another.json()["detail"] == "there is no job '1' of '7', or it was deleted"
    assert asked == []


async def test_a_worker_that_says_nothing_is_waited_for_and_given_up(edge: EdgeProcess, broker: Broker) -> None:
    async with await connect(broker.url) as client:
        await store(client, lease=0)
        subscription = await client.subscribe("commands.acme.jobs.1")
        await client.flush()
        answer, message = await asyncio.gather(
            call(edge, "/v1/acme/jobs/1/cancel", method="POST"), subscription.next_msg(PATIENCE)
        )
    assert message.data == b'{"command":"cancel"}'
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:tailrace:problem:no-worker")
