"""Limits on what one request may be: each refuses, and is counted by its name; and dead peers are found."""

import asyncio
import re
import select
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.broker import Broker
from support.calls import call, publish
from support.edge import EdgeProcess
from tailrace_edge.admission import Admission
from tailrace_edge.server import _listen
from tailrace_edge.settings import Settings


async def read_refusals(edge: EdgeProcess) -> dict[str, float]:
    """Return how often each limit refused something, if it did."""
    prefix = 'tailrace_refusals_total{limit="'
    lines = (await call(edge, "/metrics")).text.splitlines()
    samples = [line.removeprefix(prefix).split('"} ') for line in lines if line.startswith(prefix)]
    return {limit: float(number) for limit, number in samples if float(number)}


async def send(edge: EdgeProcess, data: bytes) -> bytes:
    """Return what is answered to bytes, up to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    try:
        writer.write(data)
        return await reader.read()
    finally:
        writer.close()


async def ask(edge: EdgeProcess, query: str) -> tuple[int, str]:
    """Return the status of a stream of all topics, and how many are too many."""
    url = f"{edge.url}/v1/acme/events?topic=>&{query}"
    async with httpx.AsyncClient(timeout=30) as client, client.stream("GET", url) as answer:
        if answer.status_code == 200:
            return 200, ""
        told = re.search(r"\d+ topics, \d+ are allowed", (await answer.aread()).decode())
        return answer.status_code, told[0] if told else ""


async def test_every_limit_has_its_metric(edge: EdgeProcess) -> None:
    """From the first scrape on, with 0, so that a rate shows the first refusal."""
    text = (await call(edge, "/metrics")).text
    for name in Settings.model_fields:
        if (name.startswith("max_") and name != "max_age") or name.endswith("_per_second") or name == "request_timeout":
            assert f'tailrace_refusals_total{{limit="{name}"}} 0.0' in text, name
    assert set(Admission(Settings()).refusals) <= set(Settings.model_fields)


async def test_too_many_patterns_are_counted(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", max_patterns=2) as edge:
        for number, path in enumerate(("events", "history"), 1):
            answer = await call(edge, f"/v1/acme/{path}?topic=a&topic=b&topic=c")
            assert (answer.status_code, answer.json()["type"]) == (400, "urn:tailrace:problem:invalid-pattern")
            assert await read_refusals(edge) == {"max_patterns": number}
        answer = await call(edge, "/v1/acme/events?topic=a..b")
        assert answer.status_code == 400
        assert await read_refusals(edge) == {"max_patterns": 2}, "what cannot be is no limit's"


@pytest.mark.parametrize("few", [True, False], ids=["one request to JetStream", "a list of topics first"])
async def test_too_many_topics_are_refused_and_counted(broker: Broker, tmp_path: Path, few: bool) -> None:
    # JetStream answers for 1,024 subjects at once, and refuses more.
    topics = 3 if few else 1100
    settings: dict[str, Any] = {"max_topics": topics - 1}
    async with (
        EdgeProcess(broker.url, tmp_path / "edge", **settings) as edge,
        EdgeProcess(broker.url, tmp_path / "wide", max_topics=topics) as wide,
    ):
        for start in range(0, topics, 1000):
            await publish(edge, *((f"t.{number}", number) for number in range(start, min(topics, start + 1000))))
        for number, query in enumerate(("from=last", "until=terminal"), 1):
            assert await ask(edge, query) == (400, f"{topics} topics, {topics - 1} are allowed")
            assert await read_refusals(edge) == {"max_topics": number}
            assert await ask(wide, query) == (200, "")


async def test_large_heads_are_counted(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", max_header_bytes=1000) as edge:
        heads = (
            b"GET /v1/acme/events?topic=" + b"a" * 2000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
            b"GET /livez HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 2000 + b"\r\n\r\n",
            b"GET /livez HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 2000,
        )
        for number, head in enumerate(heads, 1):
            assert (await send(edge, head)).startswith(b"HTTP/1.1 431 ")
            assert await read_refusals(edge) == {"max_header_bytes": number}


async def test_large_bodies_are_counted(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", max_body_bytes=1000) as edge:
        for number, path in enumerate(("events", "tickets"), 1):
            answer = await call(edge, f"/v1/acme/{path}", method="POST", content=b" " * 2000)
            assert answer.status_code == 413
            assert await read_refusals(edge) == {"max_body_bytes": number}


async def test_slow_requests_are_counted(broker: Broker, tmp_path: Path) -> None:
    # Long enough for the questions of the test itself.
    async with EdgeProcess(broker.url, tmp_path / "edge", request_timeout=4) as edge:
        body = b"POST /v1/acme/events HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"
        answers = await asyncio.gather(*(send(edge, part) for part in (b"GET /livez HTTP/1.1\r\n", body, b"")))
        assert [answer[:12] for answer in answers] == [b"HTTP/1.1 408", b"HTTP/1.1 408", b""]
        assert await read_refusals(edge) == {"request_timeout": 2}, "where nothing was asked nothing is refused"


def test_connections_that_are_taken_find_dead_peers() -> None:
    """What the kernel gives those that are accepted, which is what counts."""
    listeners = _listen(Settings(port=0, slow_after=40))
    try:
        with socket.create_connection(listeners[0].getsockname()):
            # Which of the listeners gets a connection is up to the kernel.
            [listener], _, _ = select.select(listeners, [], [])
            accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 20
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
    finally:
        for each in listeners:
            each.close()
