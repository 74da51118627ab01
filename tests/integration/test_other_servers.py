"""The same app where no connection can be taken over: uvicorn's own protocols, and TLS."""

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support import other_server
from support.broker import Broker
from support.calls import data_of, publish, read, wait_empty
from support.certificate import make_certificate
from support.edge import EdgeProcess
from support.stream import open_stream

KINDS = ["h11", "httptools", "tls"]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The files of a certificate for 127.0.0.1, and its key."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=KINDS)
def make_other(
    request: pytest.FixtureRequest, broker: Broker, tmp_path: Path, certificate: tuple[str, str]
) -> Callable[..., EdgeProcess]:
    command = [str(other_server.__file__), request.param]
    tls = None
    if request.param == "tls":
        command += certificate
        tls = ssl.create_default_context(cafile=certificate[0])
    return partial(EdgeProcess, broker.url, tmp_path / "other", command=command, tls=tls)


@pytest.fixture
async def other(make_other: Callable[..., EdgeProcess]) -> AsyncIterator[EdgeProcess]:
    async with make_other(heartbeat=0.5) as edge:
        yield edge
        assert edge.find_errors() == []


async def test_streams_and_resumes(other: EdgeProcess) -> None:
    async with open_stream(other.url, "a.>", tls=other.tls) as stream:
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-cache, no-store, no-transform"
        assert (await stream.next_control("open"))["mode"] == "live"
        assert stream.decoder.retry is not None
        ids = await publish(other, *((f"a.{number % 3}", number) for number in range(500)))
        got = await stream.read_events(500)
        assert [event.last_event_id for event in got] == ids
    async with open_stream(other.url, "a.>", last_event_id=ids[99], tls=other.tls) as stream:
        assert (await stream.next_control("open"))["mode"] == "resumed"
        assert [data_of(event) for event in await stream.read_events(400)] == list(range(100, 500))
        (event_id,) = await publish(other, ("a.x", "live"))
        assert (await stream.next_event()).last_event_id == event_id
    await wait_empty(other)
    assert (await read(other, "/v1/stats"))["closes"] == {"gone": 2}


async def test_heartbeats(other: EdgeProcess) -> None:
    async with open_stream(other.url, "a", tls=other.tls) as stream:
        received = b""
        while received.count(b": hb\n") < 3:
            received += await stream.read_raw()


async def test_until_terminal_ends_the_response(other: EdgeProcess) -> None:
    accept = "text/event-stream\r\nconnection: close"
    async with open_stream(other.url, "jobs.a", until="terminal", accept=accept, tls=other.tls) as stream:
        await stream.next_control("open")
        (event_id,) = await publish(other, ("jobs.a", 1, "complete"))
        assert data_of(await stream.next_event()) == 1
        assert await stream.next_control("closing") == {"kind": "closing", "reason": "finished"}
        assert await stream.next() is None
    async with open_stream(other.url, "jobs.a", until="terminal", last_event_id=event_id, tls=other.tls) as stream:
        assert stream.status == 204


async def test_problems(other: EdgeProcess) -> None:
    async with open_stream(other.url, "a..b", tls=other.tls) as stream:
        assert (stream.status, stream.headers["content-type"]) == (400, "application/problem+json")


async def test_a_reader_that_stops_loses_nothing(make_other: Callable[..., EdgeProcess]) -> None:
    """What waits for it is bounded, the others go on, and it gets all of it in the end."""
    async with make_other() as edge:
        before = edge.read_memory()
        async with (
            open_stream(edge.url, "a", receive_buffer=16384, tls=edge.tls) as slow,
            open_stream(edge.url, "b", tls=edge.tls) as quick,
        ):
            await slow.next_control("open")
            await quick.next_control("open")
            ids: list[str] = []
            for _ in range(30):
                ids += await publish(edge, *(("a", "x" * 20_000) for _ in range(50)))
            (event_id,) = await publish(edge, ("b", 1))
            assert (await quick.next_event()).last_event_id == event_id
            assert (await read(edge, "/v1/stats"))["behind"] == 1
            # The tail holds all of it twice, as payload and frame; a queue for the client would be a third time.
            assert edge.read_memory() - before < 2.5 * 30 * 50 * 20_000
            assert [event.last_event_id for event in await slow.read_events(len(ids))] == ids
        assert edge.find_errors() == []


async def test_a_reader_that_reads_nothing_is_closed(make_other: Callable[..., EdgeProcess]) -> None:
    async with (
        make_other(slow_after=0.5, heartbeat=0.1) as edge,
        open_stream(edge.url, "a", receive_buffer=4096, tls=edge.tls),
    ):
        for _ in range(10):
            await publish(edge, *(("a", "x" * 20_000) for _ in range(50)))
        await wait_empty(edge)
        assert (await read(edge, "/v1/stats"))["closes"] == {"slow": 1}


async def test_max_age(make_other: Callable[..., EdgeProcess]) -> None:
    async with make_other(max_age=0.5, heartbeat=0.1) as edge, open_stream(edge.url, "a", tls=edge.tls) as stream:
        closing: dict[str, Any] = await stream.next_control("closing")
        assert closing["reason"] == "max_age"
        assert stream.decoder.retry == closing["retry"]


async def test_drain(make_other: Callable[..., EdgeProcess]) -> None:
    """Also a reader that reads nothing does not hold it up for long."""
    async with (
        make_other() as edge,
        open_stream(edge.url, "a", tls=edge.tls) as stream,
        open_stream(edge.url, "b", receive_buffer=4096, tls=edge.tls),
    ):
        await stream.next_control("open")
        for _ in range(5):
            await publish(edge, *(("b", "x" * 20_000) for _ in range(50)))
        edge.signal(signal.SIGTERM)
        closing: dict[str, Any] = await stream.next_control("closing")
        assert closing["reason"] == "drain"
        assert await stream.next() is None
        assert await asyncio.to_thread(edge.wait) == 0
