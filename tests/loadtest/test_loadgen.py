"""The load generator against servers that do exactly what a test wants: what it counts is what was sent."""

import time
from asyncio import StreamWriter
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import anyio
import pytest
from loadtest.scripts import NUMBERED, make_chunk, make_event, number_of, send
from support.loadgen import CHUNKED_HEAD, HEAD, LoadgenFactory, serve, wait_read

EVENTS = (
    b'event: tailrace\ndata: {"kind":"open"}\nretry: 100\n\n',
    b'id: e-1\nevent: message\ndata: {"t":%d,"n":1}\n\n',
    b": hb\n\n",
    b'data: {"n": 2, "pad": "a:b\\"t\\":7", "t": %d}\nevent: message\nid: e-2\n\n',
    b'event: message\nid: e-3\ndata:{"type":"x","data":{"k":7,"t":%d,"n":10}}\n\n',
    b'data: {"list": [1, 2],\ndata: "t":%d,\ndata: "n":3}\n\n',
)
"""A control event, a heartbeat and four events of two streams, their fields and members in any order."""


# ---- Reading ----


@pytest.mark.parametrize("chunked", [False, True], ids=["plain", "chunked"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
async def test_responses_may_be_split_anywhere(loadgen: LoadgenFactory, *, chunked: bool, line_end: bytes) -> None:
    events = [(event % time.time_ns() if b"%d" in event else event).replace(b"\n", line_end) for event in EVENTS]
    # Chunks end in the midst of events, too.
    body = b"".join(events)
    chunks = [body[:50], body[50:51], body[51:200], body[200:]]
    response = CHUNKED_HEAD + b"".join(map(make_chunk, chunks)) if chunked else HEAD + body
    count = len(response) - 1
    sent = 0
    second = anyio.Event()

    async def script(request: bytes, writer: StreamWriter) -> None:
        nonlocal sent
        split = number_of(request) + 1
        writer.write(response[:split])
        sent += 1
        await second.wait()
        writer.write(response[split:])
        sent += 1

    async def wait_sent(parts: int) -> None:
        while sent < parts:  # noqa: ASYNC110 - a counter is the condition
            await anyio.sleep(0.01)
        await wait_read(port, count)

    options = ["--expect", 4, "--in-flight", 0]
    async with serve(script) as port, loadgen(port, count=count, request=NUMBERED, options=options) as run:
        await wait_sent(count)
        second.set()
        await run.hear("connected")
        await wait_sent(2 * count)
        result = await run.stop()
    assert result["expected"]["complete"] == count
    assert result["events"] | {"per_s": 0} == {
        "total": 4 * count, "control": count, "comments": count, "bytes": len(response) * count, "per_s": 0
    }  # fmt: skip
    assert result["sequences"]["fast"] == {
        "clients": count, "streams": 2 * count, "contiguous": 2 * count, "events": 4 * count,
        "first_min": 1, "first_max": 10, "last_min": 3, "last_max": 10,
    }  # fmt: skip


async def test_an_event_may_be_longer_than_a_read(loadgen: LoadgenFactory) -> None:
    events = [make_event(n, padding=200_000) for n in range(1, 21)]
    response = CHUNKED_HEAD + b"".join(map(make_chunk, events))
    options = ["--expect", 20, "--first", 1, "--until-expected"]
    async with serve(send(response)) as port, loadgen(port, count=3, options=options) as run:
        await run.hear("connected")
        await run.hear("done")
        result = await run.stop()
    assert result["sequences"]["fast"]["contiguous"] == 3
    assert result["events"]["bytes"] == 3 * len(response)


@pytest.mark.parametrize(
    "response",
    [
        CHUNKED_HEAD + b"zz\r\nhello",
        CHUNKED_HEAD + b"5\r\nhelloX",
        CHUNKED_HEAD + b"\r\n",
        CHUNKED_HEAD + b"1" * 17,
        HEAD + b"data: " + b"x" * 1_000_000,
    ],
    ids=["size", "end", "no-size", "huge", "line"],
)
async def test_a_body_that_cannot_be_read_ends_its_connection(loadgen: LoadgenFactory, response: bytes) -> None:
    async with serve(send(response)) as port, loadgen(port) as run:
        await run.hear("connected")
        await run.hear("done")
        result = await run.stop()
    assert (result["faults"]["protocol"], result["closed_early"]) == (1, 1)
    assert result["window"]["ended_by"] == "all-closed"


# ---- Order ----


def shuffle_numbers(random: Random) -> list[tuple[int, int]]:
    """Return (k, n) of several streams with losses, repetitions and late ones injected."""
    numbers: list[tuple[int, int]] = []
    for k in range(random.randint(1, 6)):
        begin = random.randint(1, 50)
        stream = [(k * 1000, n) for n in range(begin, begin + random.randint(1, 80))]
        for _ in range(random.randint(0, 8)):
            at, to = random.randrange(len(stream)), random.randrange(len(stream) + 1)
            fault = random.choice(["loss", "duplicate", "late"])
            if fault == "duplicate":
                stream.insert(to, stream[at])
            elif len(stream) > 1:
                moved = stream.pop(at)
                if fault == "late":
                    stream.insert(to, moved)
        numbers += stream
    # Streams of one client come mixed, each in its own order.
    order = [k for k, _ in numbers]
    random.shuffle(order)
    streams = {k: iter([n for other, n in numbers if other == k]) for k in set(order)}
    return [(k, next(streams[k])) for k in order]


def judge(numbers: Iterable[int], first: int | None = None) -> dict[str, int]:
    """Return what is wrong with the numbers, by keeping all of them."""
    seen: set[int] = set()
    faults = {"losses": 0, "duplicates": 0, "order": 0}
    for n in numbers:
        if n in seen or (first is not None and n < first):
            faults["duplicates"] += 1
        elif seen and n < max(seen):
            faults["order"] += 1
        if first is None or n >= first:
            seen.add(n)
    if seen:
        faults["losses"] = max(seen) - (min(seen) if first is None else first) + 1 - len(seen)
    return faults


@pytest.mark.parametrize("first", [None, 20])
async def test_losses_duplicates_and_late_events_are_counted_exactly(
    loadgen: LoadgenFactory, first: int | None
) -> None:
    count = 200
    sent = [shuffle_numbers(Random(seed)) for seed in range(count)]

    async def script(request: bytes, writer: StreamWriter) -> None:
        writer.write(HEAD + b"".join(make_event(n, k) for k, n in sent[number_of(request)]))

    columns = "".join(f"{len(numbers)}\n" for numbers in sent)
    options: list[object] = ["--expect", "{a}", "--until-expected", "--sequences", "sequences.tsv"]
    options += ["--first", first] if first else []
    async with (
        serve(script) as port,
        loadgen(port, count=count, request=NUMBERED, options=options, columns=columns) as run,
    ):
        await run.hear("connected")
        await run.hear("done")
        result = await run.stop()
        lines = run.read_sequences()
    assert {(int(line["client"]), int(line["k"])): count_faults(line) for line in lines} == {
        (client, k): judge((n for other, n in numbers if other == k), first)
        for client, numbers in enumerate(sent)
        for k in {k for k, _ in numbers}
    }
    faulty = [line for line in lines if any(count_faults(line).values())]
    assert result["faults"]["clients"] == len({line["client"] for line in faulty})
    assert result["sequences"]["fast"]["contiguous"] == len(lines) - len(faulty)
    for kind in ("losses", "duplicates", "order"):
        assert result["faults"][kind] == sum(int(line[kind]) for line in lines) > 0
    assert len(result["faults"]["examples"]) == 20


def count_faults(line: dict[str, str]) -> dict[str, int]:
    return {kind: int(line[kind]) for kind in ("losses", "duplicates", "order")}


async def read_faults(loadgen: LoadgenFactory, numbers: Sequence[int], *options: object) -> dict[str, Any]:
    events = b"".join(map(make_event, numbers))
    everything = ["--expect", len(numbers), "--until-expected", *options]
    async with serve(send(HEAD + events)) as port, loadgen(port, options=everything) as run:
        await run.hear("connected")
        await run.hear("done")
        faults: dict[str, Any] = (await run.stop())["faults"]
        return faults


async def test_a_fault_is_shown_with_where_it_was(loadgen: LoadgenFactory) -> None:
    faults = await read_faults(loadgen, [5, 6, 9, 9, 7])
    assert faults["examples"] == [
        {"client": 0, "kind": "loss", "k": 0, "n": 9, "after": 6},
        {"client": 0, "kind": "duplicate", "k": 0, "n": 9, "after": 9},
        {"client": 0, "kind": "order", "k": 0, "n": 7, "after": 9},
    ]


@pytest.mark.parametrize(("numbers", "losses"), [([1, 2], 1), ([0, 1], 0)])
async def test_a_stream_may_have_to_begin_with_0(loadgen: LoadgenFactory, numbers: list[int], losses: int) -> None:
    faults = await read_faults(loadgen, numbers, "--first", 0)
    assert (faults["losses"], faults["duplicates"], faults["order"]) == (losses, 0, 0)


async def test_conflated_streams_may_jump_ahead_but_not_back(loadgen: LoadgenFactory) -> None:
    faults = await read_faults(loadgen, [1, 5, 9, 9, 7, 30], "--allow-gaps")
    assert (faults["losses"], faults["duplicates"], faults["order"]) == (0, 1, 1)


# ---- Time ----


async def test_latencies_land_in_their_buckets(loadgen: LoadgenFactory) -> None:
    """Delays are long beside what a busy machine adds, and a bucket is 1 % wide."""
    seconds = [100] * 60 + [1_000] * 35 + [10_000] * 4 + [100_000]

    async def script(_request: bytes, writer: StreamWriter) -> None:
        now = time.time_ns()
        writer.write(HEAD + b"".join(make_event(n, t=now - delay * 10**9) for n, delay in enumerate(seconds, 1)))
        writer.write(make_event(101, t=now + 3_600 * 10**9))

    async with serve(script) as port, loadgen(port, options=["--expect", 101, "--until-expected"]) as run:
        await run.hear("connected")
        await run.hear("done")
        result = await run.stop()
    summary = result["latency_ms"]["all"]
    assert summary == result["latency_ms"]["fast"]
    assert summary["count"] == 101
    for name, delay in {"p50": 100e3, "p90": 1_000e3, "p99": 10_000e3, "p999": 100_000e3, "max": 100_000e3}.items():
        assert delay <= summary[name] <= delay * 1.1, name
    assert sum(seconds) * 10 <= summary["mean"] * 1.01 <= sum(seconds) * 11
    assert result["faults"]["negative"] == 1
    assert sum(result["series"]["events"]) == 101
    assert max(result["series"]["max_ms"]) == pytest.approx(summary["max"])


async def test_a_slow_reader_keeps_to_its_rate(loadgen: LoadgenFactory) -> None:
    events = [make_event(n, padding=100) for n in range(1, 2001)]
    # The fast one reads all, each slow one some 40 events: 6,000 bytes, 3 s.
    options = ["--slow", "2:2000", "--until-events", 2080]
    async with serve(send(HEAD, *events)) as port, loadgen(port, count=3, options=options) as run:
        await run.hear("connected")
        await run.hear("done")
        result = await run.stop()
    assert result["latency_ms"]["fast"]["count"] == 2000
    slow_bytes = result["latency_ms"]["slow"]["count"] * len(events[0])
    # What comes with the head is extra.
    assert slow_bytes <= 2 * (512 + 2000 * result["window"]["seconds"])


async def test_slow_readers_hurry_when_told(loadgen: LoadgenFactory) -> None:
    events = [make_event(n, padding=100) for n in range(1, 20_001)]
    options = ["--slow", "1:5000", "--first", 1, "--until-events", 20_040]
    async with serve(send(HEAD, *events)) as port, loadgen(port, count=2, options=options) as run:
        await run.hear("connected")
        await run.hear("done")
        await run.say("mark")
        await run.hear("marked")
        await run.say("expect 20000")
        await run.say("fast")
        await run.hear("done")
        result = await run.stop()
    assert result["expected"]["complete"] == 2
    assert result["sequences"]["slow"] == {
        "clients": 1, "streams": 1, "contiguous": 1, "events": 20_000,
        "first_min": 1, "first_max": 1, "last_min": 20_000, "last_max": 20_000,
    }  # fmt: skip


async def test_the_live_connect_before_the_others(loadgen: LoadgenFactory) -> None:
    connected: list[int] = []

    async def script(request: bytes, writer: StreamWriter) -> None:
        connected.append(number_of(request))
        writer.write(HEAD + make_event(1))

    options = ["--live", 3, "--slow", "2:100000", "--expect", 1, "--until-expected"]
    async with serve(script) as port, loadgen(port, count=10, request=NUMBERED, options=options) as run:
        await run.hear("live")
        assert sorted(connected) == [0, 1, 2]
        await run.say("connect")
        await run.hear("connected")
        await run.hear("done")
        result = await run.stop()
    assert sorted(connected) == list(range(10))
    counts = {name: summary["count"] for name, summary in result["latency_ms"].items()}
    assert counts == {"all": 10, "live": 3, "fast": 5, "slow": 2}
    assert {name: sums["clients"] for name, sums in result["sequences"].items()} == {"live": 3, "fast": 5, "slow": 2}
    # The storm is measured without the live ones.
    assert (result["connects"]["ok"], result["connects"]["wait_ms"]["count"]) == (10, 7)
