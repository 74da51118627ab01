"""The client against real edges."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from conformance.programs import require_node
from support.broker import Broker
from support.edge import EdgeProcess
from tailrace_producer import JobCancelled, Producer

pytestmark = pytest.mark.timeout(300)

HERE = Path(__file__).parent
FAST = {"base": 20, "cap": 200}


@asynccontextmanager
async def run_script(name: str, *flags: str, **settings: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        require_node(), "--no-warnings", *flags, HERE / name, json.dumps(settings),
        stdout=asyncio.subprocess.PIPE, limit=1 << 22,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def read_lines(process: asyncio.subprocess.Process) -> AsyncIterator[Any]:
    assert process.stdout is not None
    async for line in process.stdout:
        yield json.loads(line)


async def test_5000_events_in_order_and_none_twice_while_its_edge_is_killed(
    broker: Broker, edges: tuple[EdgeProcess, EdgeProcess]
) -> None:
    stream = {"topics": ["orders.*"], "from": "start"}
    urls = [edge.url for edge in edges]
    events = [(f"orders.{number % 7}", number) for number in range(5000)]
    received: list[list[Any]] = []
    links: list[dict[str, Any]] = []
    async with (
        Producer(broker.url, tenant="acme") as producer,
        run_script("follow.ts", url=urls, tenant="acme", backoff=FAST, count=5000, stream=stream) as process,
    ):
        ids = await producer.publish_many(events[:500])
        async for line in read_lines(process):
            if isinstance(line, dict):
                links.append(line["link"])
                continue
            received.append(line)
            if len(received) == 2500:
                next(edge for edge in edges if edge.name == links[-1]["edge"]).kill()
            if len(ids) - len(received) < 300:
                ids += await producer.publish_many(events[len(ids) : len(ids) + 200])
        assert await process.wait() == 0
    assert received == [[event_id, "message", number] for number, event_id in enumerate(ids)]
    opened = [link["edge"] for link in links if link["state"] == "live"]
    assert sorted(set(opened)) == ["a", "b"]


async def test_native_eventsource_resumes_with_tickets(broker: Broker, tmp_path: Path) -> None:
    secret = "s" * 48
    auth: dict[str, Any] = {"auth": "jwt", "jwt_secret": secret, "ticket_secret": "t" * 48, "max_age": 1.0}
    async with (
        EdgeProcess(broker.url, tmp_path / "edge", **auth) as edge,
        Producer(broker.url, tenant="acme") as producer,
    ):
        token = _sign(secret, {"tenant": "acme", "subscribe": ["users.7.>"], "sub": "7"})
        ids = await producer.publish_many([("users.7.a", number) for number in range(300)])
        stream = {"topics": ["users.7.>"], "from": "start", "types": ["message"]}
        settings = {"url": edge.url, "tenant": "acme", "transport": "eventsource", "token": token, "backoff": FAST}
        received: list[str] = []
        states: list[str] = []
        flags = ["--experimental-eventsource"]
        async with run_script("follow.ts", *flags, count=600, stream=stream, **settings) as process:
            async for line in read_lines(process):
                if isinstance(line, dict):
                    states.append(line["link"]["state"])
                    # The edge ends the stream, and the client has to come back with another ticket.
                    if states.count("live") == 2 and "published" not in states:
                        ids += await producer.publish_many([("users.7.a", number) for number in range(300)])
                        states.append("published")
                else:
                    received.append(line[0])
            assert await process.wait() == 0
        assert received == ids
        assert states.count("published") == 1
        log = edge.log_path.read_text()
        assert token not in log


async def work_until_cancelled(producer: Producer) -> None:
    async with producer.job("import 1", user="7", total=1000) as job:
        job.update(advance=3)
        while True:
            await asyncio.sleep(0.01)
            job.raise_if_cancelled()


async def test_a_job_is_cancelled_and_seen_by_who_comes_later(broker: Broker, edge: EdgeProcess) -> None:
    async with (
        Producer(broker.url, tenant="acme") as producer,
        run_script("watch.ts", url=edge.url, job="import 1") as process,
    ):
        with pytest.raises(JobCancelled):
            await work_until_cancelled(producer)
        lines = [line async for line in read_lines(process)]
        assert await process.wait() == 0
    topic = "users.7.jobs.import%201"
    assert lines == ["cancelled", "cancelled", [[topic, "cancelled"]], ["job-ended", 409]]


async def test_a_text_is_read_to_its_end(broker: Broker, edge: EdgeProcess) -> None:
    words = [f"wave {number} 🌊 " for number in range(400)]
    async with (
        Producer(broker.url, tenant="acme") as producer,
        run_script("watch.ts", url=edge.url, text="chats.1") as process,
    ):
        async with producer.stream("chats.1") as text:
            for word in words:
                text.write(word)
            text.complete(finish_reason="stop", usage={"out": 400})
        [line] = [line async for line in read_lines(process)]
        assert await process.wait() == 0
    assert line == {"text": "".join(words), "status": "complete", "finishReason": "stop", "usage": {"out": 400}}


def _sign(secret: str, claims: dict[str, Any]) -> str:
    return jwt.encode(claims | {"exp": int(time.time()) + 600}, secret, algorithm="HS384")
