"""Streams that end with the jobs they watch: `until=terminal`."""

import json
from typing import Any

import pytest
from support.calls import call, data_of, publish, wait_head
from support.edge import EdgeProcess
from support.stream import RawStream, open_stream
from tailrace_protocol.control import CONTROL_TYPE


async def read_ending(stream: RawStream) -> tuple[list[Any], dict[str, Any]]:
    """Return the data of the events up to the stream's end, and what it said last."""
    events = await stream.read_to_end()
    last = events.pop()
    assert last.event == CONTROL_TYPE
    return [data_of(event) for event in events if event.event != CONTROL_TYPE], json.loads(last.data)


@pytest.mark.parametrize("pattern", ["jobs.7", "users.1.jobs.7", "jobs.*", "users.*.jobs.*", "users.1.>", "any.topic"])
async def test_until_terminal_ends_with_the_job(edge: EdgeProcess, pattern: str) -> None:
    topic = pattern.replace("*", "7").replace(">", "jobs.7")
    (before,) = await publish(edge, (topic, 0, "start"))
    await wait_head(edge, before)
    async with open_stream(edge.url, pattern, until="terminal") as stream:
        await stream.next_control("open")
        ids = await publish(edge, (topic, 1, "progress"), (topic, 2, "complete"))
        retry = stream.decoder.retry
        got, closing = await read_ending(stream)
        assert got == [1, 2]
        assert closing == {"kind": "closing", "reason": "finished"}
        assert stream.decoder.retry == retry
        assert stream.decoder.last_event_id == ids[1]
    async with open_stream(edge.url, pattern, until="terminal", last_event_id=ids[1]) as stream:
        assert stream.status == 204


async def test_until_terminal_waits_for_all_jobs(edge: EdgeProcess) -> None:
    async with open_stream(edge.url, "jobs.a", "jobs.b", "jobs.c", until="terminal") as stream:
        await stream.next_control("open")
        await publish(edge, ("jobs.b", 1, "failed"), ("jobs.a", 2, "complete"), ("jobs.a", 3, "progress"))
        assert [data_of(event) for event in await stream.read_events(3)] == [1, 2, 3]
        await publish(edge, ("jobs.c", 4, "cancelled"), ("jobs.a", 5, "complete"), ("jobs.b", 6))
        got, closing = await read_ending(stream)
        assert got[:2] == [4, 5]
        assert closing["reason"] == "finished"


async def test_until_terminal_of_a_wildcard_waits_for_jobs_that_begin_meanwhile(edge: EdgeProcess) -> None:
    await publish(edge, ("jobs.a", 0, "start"))
    async with open_stream(edge.url, "jobs.*", until="terminal", from_="start") as stream:
        assert data_of(await stream.next_event()) == 0
        await publish(edge, ("jobs.b", 1, "start"), ("jobs.a", 2, "complete"))
        assert [data_of(event) for event in await stream.read_events(2)] == [1, 2]
        await publish(edge, ("jobs.b", 3, "failed"))
        assert (await read_ending(stream))[0] == [3]


async def test_until_terminal_ends_with_a_deleted_job(edge: EdgeProcess) -> None:
    (before,) = await publish(edge, ("jobs.a", {"id": "a", "status": "running"}, "start"))
    await wait_head(edge, before)
    async with open_stream(edge.url, "jobs.a", until="terminal") as stream:
        await stream.next_control("open")
        assert (await call(edge, "/v1/acme/jobs/a", method="DELETE")).status_code == 200
        assert (await read_ending(stream))[1]["reason"] == "finished"


@pytest.mark.parametrize(("start", "expected"), [("start", [0, 1]), ("last", [1]), ("now", [])])
async def test_until_terminal_of_a_job_that_has_ended(edge: EdgeProcess, start: str, expected: list[int]) -> None:
    ids = await publish(edge, ("jobs.a", 0, "start"), ("jobs.a", 1, "complete"))
    await wait_head(edge, ids[-1])
    async with open_stream(edge.url, "jobs.a", until="terminal", from_=start) as stream:
        got, closing = await read_ending(stream)
        assert got == expected
        assert closing == {"kind": "closing", "reason": "finished"}


async def test_until_terminal_resumed_with_something_unseen(edge: EdgeProcess) -> None:
    ids = await publish(edge, ("jobs.a", 0, "start"), ("jobs.a", 1, "progress"), ("jobs.a", 2, "complete"))
    async with open_stream(edge.url, "jobs.a", until="terminal", last_event_id=ids[0]) as stream:
        assert stream.status == 200
        assert (await read_ending(stream))[0] == [1, 2]
    for seen in (ids[2],):
        async with open_stream(edge.url, "jobs.a", until="terminal", last_event_id=seen) as stream:
            assert stream.status == 204
            assert "content-type" not in stream.headers


async def test_until_terminal_with_types_ends_too(edge: EdgeProcess) -> None:
    async with open_stream(edge.url, "jobs.a", until="terminal", types="log") as stream:
        await stream.next_control("open")
        await publish(edge, ("jobs.a", 1, "progress"), ("jobs.a", 2, "log"), ("jobs.a", 3, "complete"))
        assert (await read_ending(stream))[0] == [2, 3]


async def test_until_terminal_with_max_rate_ends_with_the_terminal_event(edge: EdgeProcess) -> None:
    async with open_stream(edge.url, "jobs.a", until="terminal", max_rate="5") as stream:
        await stream.next_control("open")
        await publish(edge, *(("jobs.a", number, "progress") for number in range(50)), ("jobs.a", 50, "complete"))
        got, closing = await read_ending(stream)
        assert got[-1] == 50
        assert closing["reason"] == "finished"
