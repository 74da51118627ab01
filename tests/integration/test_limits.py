"""Limits of a real edge: who is refused how, who stays, and what is counted."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from support.broker import Broker
from support.calls import call, publish, wait_empty
from support.edge import EdgeProcess
from support.stream import open_stream


async def read_refusals(edge: EdgeProcess, limit: str) -> float:
    lines = (await call(edge, "/metrics")).text.splitlines()
    (line,) = (line for line in lines if line.startswith(f'tailrace_refusals_total{{limit="{limit}"}}'))
    return float(line.rpartition(" ")[2])


@pytest.mark.parametrize(
    ("limit", "status"),
    [("max_connections", 503), ("max_connections_per_tenant", 429), ("max_connections_per_address", 429)],
)
async def test_new_ones_are_refused_and_old_ones_stay(broker: Broker, tmp_path: Path, limit: str, status: int) -> None:
    settings: dict[str, Any] = {limit: 2}
    async with EdgeProcess(broker.url, tmp_path / "edge", **settings) as edge, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(open_stream(edge.url, "a")) for _ in range(2)]
        for stream in streams:
            await stream.next_control("open")
        answer = await call(edge, "/v1/acme/events?topic=a")
        assert (answer.status_code, answer.headers["retry-after"]) == (status, "5")
        assert answer.headers["content-type"] == "application/problem+json"
        assert limit in answer.json()["detail"]
        assert await read_refusals(edge, limit) == 1
        (event_id,) = await publish(edge, ("a", 1))
        assert [(await stream.next_event()).last_event_id for stream in streams] == [event_id] * 2

        await stack.aclose()
        await wait_empty(edge)
        async with open_stream(edge.url, "a") as stream:
            await stream.next_control("open")


async def test_a_refused_or_failed_request_keeps_no_seat(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", max_connections=1) as edge:
        for _ in range(3):
            assert (await call(edge, "/v1/acme/events?topic=a..b")).status_code == 400
        for job in ("one", "two"):
            await publish(edge, (f"jobs.{job}", {}, "complete"))
            (position,) = await publish(edge, (f"jobs.{job}", {}, "complete"))
            ended = f"/v1/acme/events?topic=jobs.{job}&until=terminal&last_event_id={position}"
            assert (await call(edge, ended)).status_code == 204
        async with open_stream(edge.url, "a") as stream:
            await stream.next_control("open")


async def test_publishes_are_limited_by_tenant(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", publishes_per_second=0.2) as edge:
        await publish(edge, *(("a", number) for number in range(100)))  # which it takes minutes to make up for
        answer = await call(edge, "/v1/acme/events", method="POST", json={"topic": "a"})
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        await publish(edge, ("a", 1), tenant="beta")
        assert await read_refusals(edge, "publishes_per_second") == 1


async def test_connects_are_limited(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", connects_per_second=0.01) as edge:
        async with open_stream(edge.url, "a") as stream:
            await stream.next_control("open")
        answer = await call(edge, "/v1/acme/events?topic=a")
        assert (answer.status_code, "connects_per_second" in answer.json()["detail"]) == (503, True)


async def test_forwarded_addresses_count_behind_trusted_proxies_only(broker: Broker, tmp_path: Path) -> None:
    async def count_answers(edge: EdgeProcess) -> list[int]:
        statuses = []
        writers = []
        try:
            for number in (1, 2, 1):
                reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
                writers.append(writer)
                head = (
                    f"GET /v1/acme/events?topic=a HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 9.9.9.9, 203.0.113.{number}"
                )
                writer.write(f"{head}\r\n\r\n".encode())
                statuses.append(int((await reader.readline()).split()[1]))
        finally:
            for writer in writers:
                writer.transport.abort()
        return statuses

    settings: dict[str, Any] = {"max_connections_per_address": 1}
    async with EdgeProcess(broker.url, tmp_path / "edge", **settings) as edge:
        assert await count_answers(edge) == [200, 429, 429]
    async with EdgeProcess(broker.url, tmp_path / "proxied", trusted_proxies="127.0.0.0/8", **settings) as edge:
        assert await count_answers(edge) == [200, 200, 429]
