"""What a stream may be asked for: types, rates, an end, another format; and the bytes it is made of."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.broker import Broker
from support.calls import call, data_of, publish, read, wait_empty, wait_head
from support.edge import EdgeProcess
from support.stream import RawStream, open_stream
from support.waiting import wait_until
from tailrace_protocol.control import CONTROL_TYPE


@asynccontextmanager
async def run_edge(broker: Broker, folder: Path, **settings: Any) -> AsyncIterator[EdgeProcess]:
    async with EdgeProcess(broker.url, folder / "edge", **settings) as edge:
        yield edge


async def read_metric(edge: EdgeProcess, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", (await call(edge, "/metrics")).text, re.MULTILINE)
    assert found is not None
    return float(found[1])


async def read_lines(stream: RawStream, number: int) -> list[dict[str, Any]]:
    """Return the next events of a stream of JSON lines, the control events included."""
    lines: list[dict[str, Any]] = []
    rest = b""
    while len(lines) < number:
        chunk = await stream.read_raw()
        assert chunk, "the stream ended"
        *complete, rest = (rest + chunk).split(b"\n")
        lines += [json.loads(line) for line in complete if line]
    return lines


# types


async def test_types_choose_events(edge: EdgeProcess) -> None:
    async with open_stream(edge.url, "a", types="progress,log") as stream:
        await stream.next_control("open")
        ids = await publish(
            edge, ("a", 1, "progress"), ("a", 2), ("a", 3, "log"), ("a", 4, "complete"), ("a", 5, "log")
        )
        got = await stream.read_events(3)
        assert [(event.event, data_of(event)) for event in got] == [("progress", 1), ("log", 3), ("log", 5)]
    async with open_stream(edge.url, "a", types="progress,log", from_="start") as stream:
        assert [event.last_event_id for event in await stream.read_events(3)] == [ids[0], ids[2], ids[4]]


# max_rate


async def test_max_rate_conflates_and_the_newest_wins(edge: EdgeProcess) -> None:
    """Of each topic at most 2 events a second come, and the last one comes."""
    arrivals: dict[str, list[tuple[float, int]]] = {"a.x": [], "a.y": []}

    async def record(stream: RawStream) -> None:
        while not all(events and events[-1][1] == 29 for events in arrivals.values()):
            event = await stream.next_event()
            arrivals[json.loads(event.data)["topic"]].append((time.monotonic(), data_of(event)))

    async with open_stream(edge.url, "a.*", max_rate="2") as stream:
        await stream.next_control("open")
        recording = asyncio.create_task(record(stream))
        began = time.monotonic()
        for number in range(30):
            await publish(edge, ("a.x", number), ("a.y", number))
            await asyncio.sleep(0.05)
        await recording
    for events in arrivals.values():
        numbers = [number for _, number in events]
        assert numbers == sorted(set(numbers))
        # Since before the first was published, for it may arrive late: one event more, and one for the start.
        assert len(events) <= (events[-1][0] - began) * 2 + 2


async def test_max_rate_lets_every_terminal_event_pass(edge: EdgeProcess) -> None:
    async with open_stream(edge.url, "jobs.>", max_rate="0.5") as stream:
        await stream.next_control("open")
        events = [(f"jobs.{job}", step, "progress") for step in range(20) for job in "ab"]
        await publish(edge, *events, *((f"jobs.{job}", number, "complete") for number in range(5) for job in "ab"))
        ended = Counter[str]()
        progress = 0
        while ended != Counter({"jobs.a": 5, "jobs.b": 5}):
            event = await stream.next_event()
            if event.event == "complete":
                ended[json.loads(event.data)["topic"]] += 1
            else:
                progress += 1
        assert progress < 40


async def test_max_rate_replays_conflated(edge: EdgeProcess) -> None:
    await publish(edge, *(("a", number) for number in range(900)))
    async with open_stream(edge.url, "a", max_rate="1", from_="start") as stream:
        got = [data_of(await stream.next_event())]
        while got[-1] != 899:
            got.append(data_of(await stream.next_event()))
        assert len(got) < 10


# Format


async def test_lines_of_json(edge: EdgeProcess) -> None:
    (first,) = await publish(edge, ("a", {"ü": [1, None]}, "log"))
    async with open_stream(edge.url, "a", from_="start", accept="application/x-ndjson") as stream:
        assert stream.headers["content-type"] == "application/x-ndjson"
        opening, event = await read_lines(stream, 2)
        assert (opening["type"], opening["data"]["kind"]) == ("tailrace", "open")
        assert (event["id"], event["topic"], event["type"], event["data"]) == (first, "a", "log", {"ü": [1, None]})
        (second,) = await publish(edge, ("a", 2))
        (event,) = await read_lines(stream, 1)
        assert (event["id"], event["data"]) == (second, 2)
    async with open_stream(edge.url, "a", last_event_id=first, accept="application/x-ndjson") as stream:
        opening, event = await read_lines(stream, 2)
        assert (opening["data"]["mode"], event["id"]) == ("resumed", second)


async def test_lines_of_json_until_terminal(edge: EdgeProcess) -> None:
    async with open_stream(edge.url, "jobs.a", until="terminal", accept="application/x-ndjson") as stream:
        await publish(edge, ("jobs.a", 1, "complete"))
        lines = await read_lines(stream, 3)
        assert lines[-1]["data"] == {"kind": "closing", "reason": "finished"}
        assert await stream.read_raw() == b""


# Patterns


async def test_overlapping_patterns_bring_no_event_twice(edge: EdgeProcess) -> None:
    patterns = ["a.b", "a.*", "*.b", "a.>", "a.b", "*.*", "c"]
    async with open_stream(edge.url, *patterns) as stream:
        await stream.next_control("open")
        ids = await publish(edge, ("a.b", 1), ("c", 2), ("a.b.c", 3), ("x.b", 4), ("d", 5), ("x.y", 6), ("c", 7))
        expected = [ids[index] for index in (0, 1, 2, 3, 5, 6)]
        assert [event.last_event_id for event in await stream.read_events(6)] == expected
    async with open_stream(edge.url, *patterns, from_="start") as stream:
        assert [event.last_event_id for event in await stream.read_events(6)] == expected
    async with open_stream(edge.url, *patterns, from_="last") as stream:
        assert [data_of(event) for event in await stream.read_events(5)] == [1, 3, 4, 6, 7]


async def test_many_patterns(edge: EdgeProcess) -> None:
    patterns = [f"t.{number}" for number in range(60)] + [f"w{number}.>" for number in range(4)]
    async with open_stream(edge.url, *patterns) as stream:
        await stream.next_control("open")
        ids = await publish(edge, *((f"t.{number}", number) for number in range(70)), ("w3.x.y", 1))
        assert [event.last_event_id for event in await stream.read_events(61)] == [*ids[:60], ids[70]]


async def test_tenants_are_isolated(edge: EdgeProcess) -> None:
    async with (
        open_stream(edge.url, ">", tenant="acme") as acme,
        open_stream(edge.url, ">", tenant="acme2", from_="start") as other,
    ):
        await acme.next_control("open")
        await other.next_control("open")
        (mine,) = await publish(edge, ("a", 1), tenant="acme")
        (theirs,) = await publish(edge, ("a", 2), tenant="acme2")
        (last,) = await publish(edge, ("a.b.c", 3), tenant="acme")
        assert [event.last_event_id for event in await acme.read_events(2)] == [mine, last]
        assert (await other.next_event()).last_event_id == theirs
    for path in ("/v1/acme2/history?topic=>", "/v1/acme2/topics?match=>"):
        assert [event["id"] for event in (await call(edge, path)).json()["events"]] == [theirs]
    assert (await call(edge, "/v1/acme2/topics/a.b.c")).status_code == 404


# Headers


async def test_headers(edge: EdgeProcess) -> None:
    async with open_stream(edge.url, "a", accept="text/event-stream\r\naccept-encoding: gzip, br") as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-cache, no-store, no-transform"
        assert stream.headers["x-accel-buffering"] == "no"
        assert "date" in stream.headers
        assert stream.headers.keys().isdisjoint({"content-encoding", "content-length", "access-control-allow-origin"})
        assert (await stream.next_control("open"))["mode"] == "live"


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ("https://a.example, https://b.example", "https://b.example", "https://b.example"),
        ("https://a.example", "https://b.example", None),
        ("", "https://b.example", None),
        ("*", "https://b.example", "*"),
    ],
)
async def test_cors(broker: Broker, tmp_path: Path, origins: str, origin: str, allowed: str | None) -> None:
    """Streams, their errors, and all other answers name the origins that were listed, and no others."""
    async with run_edge(broker, tmp_path, cors_origins=origins) as edge:
        async with open_stream(edge.url, "a", accept=f"text/event-stream\r\norigin: {origin}") as stream:
            assert stream.headers.get("access-control-allow-origin") == allowed
        for path in ("/v1/acme/events?topic=a..b", "/v1/acme/history?topic=a", "/v1/stats"):
            answer = await call(edge, path, headers={"origin": origin})
            assert answer.headers.get("access-control-allow-origin") == allowed, path
            if allowed is not None:
                assert answer.headers["access-control-expose-headers"] == "retry-after", path
        preflight = await call(
            edge,
            "/v1/acme/events?topic=a",
            method="OPTIONS",
            headers={
                "origin": origin,
                "access-control-request-method": "GET",
                "access-control-request-headers": "last-event-id",
            },
        )
        assert preflight.headers.get("access-control-allow-origin") == allowed


# The wire, byte by byte


async def test_wire_profile(broker: Broker, tmp_path: Path) -> None:
    """The bytes are those that every client reads right."""
    async with run_edge(broker, tmp_path, name="e", heartbeat=600) as edge:
        (before,) = await publish(edge, ("a", 0))
        await wait_head(edge, before)
        async with open_stream(edge.url, "a") as stream:
            opening = await stream.read_raw()
            pattern = (
                rb"retry: \d+\nid: %b\nevent: tailrace\n"
                rb'data: {"kind":"open","mode":"live","cursor":"%b","heartbeat":600.0,"edge":"e"}\n\n'
            )
            assert re.fullmatch(pattern % (before.encode(), before.encode()), opening)
            (event_id,) = await publish(edge, ("a", {"text": "a\r\nb\u2028ü"}, "log"))
            event = await stream.read_raw()
            pattern = rb'id: %b\nevent: log\ndata: {"topic":"a","type":"log","time":"[^"]+Z","data":%b}\n\n'
            data = re.escape('{"text":"a\\r\\nb\u2028ü"}'.encode())
            assert re.fullmatch(pattern % (event_id.encode(), data), event)


async def test_events_of_one_request_come_whole(edge: EdgeProcess) -> None:
    async with open_stream(edge.url, "a") as stream:
        await stream.read_raw()
        await publish(edge, *(("a", "x" * 1000) for _ in range(200)))
        received = b""
        while received.count(b"\n\n") < 200:
            received += await stream.read_raw()
        assert received.endswith(b"\n\n")
        assert len(re.findall(rb"^id: \S+\nevent: message\ndata: {.*}$", received, re.MULTILINE)) == 200


async def read_beats(stream: RawStream, opening: bytes, beat: bytes, number: int) -> int:
    """Return how many heartbeats came, at least `number`; fails if anything else follows the bytes of the opening."""
    received = b""
    while len(received.partition(opening)[2]) < len(beat) * number:
        chunk = await stream.read_raw()
        assert chunk, "the stream ended"
        received += chunk
    beats = received.partition(opening)[2]
    assert beats == beat * (len(beats) // len(beat))
    return len(beats) // len(beat)


@pytest.mark.parametrize(
    ("accept", "opening", "beat"),
    [("text/event-stream", b"}\n\n", b": hb\n"), ("application/x-ndjson", b"}\n", b"\n")],
)
async def test_heartbeats(broker: Broker, tmp_path: Path, accept: str, opening: bytes, beat: bytes) -> None:
    async with run_edge(broker, tmp_path, heartbeat=0.2) as edge:
        began = time.monotonic()
        async with open_stream(edge.url, "a", accept=accept) as stream:
            beats = await read_beats(stream, opening, beat, 6)
        # The first may come at any time in the interval, the others one interval later each, a tick less at most.
        assert time.monotonic() - began > 0.2 * (beats - 1) - 0.1


async def test_an_idle_stream_learns_where_the_log_is(broker: Broker, tmp_path: Path) -> None:
    async with run_edge(broker, tmp_path, heartbeat=0.2, cursor_interval=0.5) as edge:
        (first,) = await publish(edge, ("a", 0))
        await wait_head(edge, first)
        async with open_stream(edge.url, "a") as idle, open_stream(edge.url, "b") as busy:
            await idle.next_control("open")
            for _ in range(2):
                (newest,) = await publish(edge, ("b", 1))
                cursor = await idle.next_control("cursor")
                assert cursor == {"kind": "cursor", "cursor": newest}
                assert idle.decoder.last_event_id == newest != first
            await publish(edge, ("b", "last"))
            seen: list[Any] = []
            while not seen or seen[-1] != "last":
                event = await busy.next()
                assert event is not None
                if event.event == CONTROL_TYPE:
                    assert json.loads(event.data)["kind"] == "open"
                else:
                    seen.append(data_of(event))
        async with open_stream(edge.url, "a", last_event_id=newest) as stream:
            assert (await stream.next_control("open"))["mode"] == "resumed"


async def test_no_cursor_where_nothing_moves(broker: Broker, tmp_path: Path) -> None:
    async with run_edge(broker, tmp_path, heartbeat=0.1, cursor_interval=0.2) as edge:
        (before,) = await publish(edge, ("a", 0))
        await wait_head(edge, before)
        async with open_stream(edge.url, "a") as stream:
            await read_beats(stream, b"}\n\n", b": hb\n", 10)


# Endings


async def test_max_age(broker: Broker, tmp_path: Path) -> None:
    async with run_edge(broker, tmp_path, max_age=0.5, heartbeat=0.2) as edge:
        async with open_stream(edge.url, "a") as stream:
            closing = json.loads((await stream.read_to_end())[-1].data)
            assert (closing["kind"], closing["reason"]) == ("closing", "max_age")
            assert closing["retry"] == stream.decoder.retry
            assert 200 <= closing["retry"] <= 2000
        assert await read_metric(edge, 'tailrace_closes_total{reason="max_age"}') == 1


async def test_a_reader_that_reads_nothing_is_closed(broker: Broker, tmp_path: Path) -> None:
    async with (
        run_edge(broker, tmp_path, slow_after=1, heartbeat=0.2, send_buffer=8192) as edge,
        open_stream(edge.url, "a", receive_buffer=4096),
    ):
        for _ in range(10):
            await publish(edge, *(("a", "x" * 10_000) for _ in range(50)))
        await wait_empty(edge)
        assert await read_metric(edge, 'tailrace_closes_total{reason="slow"}') == 1
        assert (await read(edge, "/v1/stats"))["closes"] == {"slow": 1}


async def test_a_slow_reader_that_reads_on_loses_nothing(broker: Broker, tmp_path: Path) -> None:
    async with (
        run_edge(broker, tmp_path, send_buffer=8192, heartbeat=0.2) as edge,
        open_stream(edge.url, "a", receive_buffer=65536) as stream,
    ):
        await stream.next_control("open")
        ids: list[str] = []
        for number in range(10):
            ids += await publish(edge, *(("a", f"{number}" * 10_000) for _ in range(50)))

        async def behind() -> bool:
            number: int = (await read(edge, "/v1/stats"))["behind"]
            return number == 1

        await wait_until(behind)
        # It takes nothing for longer than an edge keeps silent about.
        await asyncio.sleep(1.1)
        assert await behind()
        lag: dict[str, Any] | None = None
        got: list[str] = []
        while len(got) < len(ids) or lag is None:
            event = await stream.next()
            assert event is not None
            if event.event != CONTROL_TYPE:
                got.append(event.last_event_id)
            elif (control := json.loads(event.data))["kind"] == "lag":
                lag = control
        assert got == ids
        assert lag["seconds"] >= 1
        assert (await read(edge, "/v1/stats"))["live"] == 1
