"""Hostile input: each request gets the right problem, and the edge lives on, without an error in its log."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
import pytest
from support.broker import PATIENCE
from support.calls import call, publish, wait_empty
from support.edge import EdgeProcess
from support.stream import open_stream

CLOSED = 0
"""In place of a status: the connection is closed without an answer, since there is nobody to answer to."""


class Case(NamedTuple):
    """One request, as bytes, and what it is answered with."""

    name: str
    request: bytes
    status: int
    slug: str = ""
    detail: str = ""


def get(target: str, *headers: str) -> bytes:
    lines = [f"GET {target} HTTP/1.1", "host: edge", "connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode()


def stream(query: str, *headers: str, tenant: str = "acme") -> bytes:
    return get(f"/v1/{tenant}/events?{query}", *headers)


def post(body: bytes, *headers: str, tenant: str = "acme") -> bytes:
    lines = [f"POST /v1/{tenant}/events HTTP/1.1", "host: edge", "connection: close", *headers]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def post_json(body: Any, *headers: str) -> bytes:
    return post(msgspec.json.encode(body), *headers)


def post_chunked(*chunks: bytes) -> bytes:
    head = b"POST /v1/acme/events HTTP/1.1\r\nhost: edge\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


STREAM = b"GET /v1/acme/events?topic=a HTTP/1.1\r\nhost: edge\r\n"

BAD_TENANTS = ["ACME", "a.b", "a%2Eb", "*", "%3E", "a%20b", "a%0d%0ab", "_a", "a" * 64, "%C3%BC", "%00", "$JS"]
BAD_TOPICS = {
    "empty": "",
    "empty token": "a..b",
    "dot first": ".a",
    "dot last": "a.",
    "space": "a%20b",
    "tab": "a%09b",
    "line end": "a%0D%0Ab",
    "nul": "a%00",
    "wildcard in the middle": "a.%3E.b",
    "wildcard inside a token": "a*.b",
    "17 tokens": ".".join("a" * 17),
    "201 bytes": "a" * 201,
    "201 bytes of UTF-8": "%C3%BC" * 101,
    "no escape": "a%25",
    "half an escape": "a%254",
    "escape that needs none": "a%2541",
    "escape in lower case": "a%252e",
    "no UTF-8": "a%FF",
    "no UTF-8 inside": "a%25FF",
    "half a surrogate": "a%ED%A0%80",
    "zero width": "a%E2%80%8Bb",
    "no-break space": "a%C2%A0b",
    "right to left": "a%E2%80%AEb",
}
BAD_IDS = ["x", "5f2c91ab", "5f2c91ab-", "5f2c91ab--1", "5f2c91ab-01", "5F2C91AB-1", "5f2c91ab-1%20", "5f2c91ab-1e3"]
BAD_IDS += ["5f2c91ab-" + "9" * 20, "5f2c91ab-1%0D%0A", "5f2c91ab-%D9%A1", "5f2c91ab-1%00"]
BAD_STARTS = ["NOW", "later", "10m", "-10", "-0m", "-10y", "-1.5h", "2026-01-31", "2026-01-31T12:00:00", "-999999999d"]
BAD_RATES = ["0", "-1", "nan", "inf", "1001", "x", "", "1_0", "%D9%A3", "1e-9"]

CASES = [
    # The stream's path and query
    *(Case(f"tenant {tenant[:9]}", stream("topic=a", tenant=tenant), 400, "invalid-tenant") for tenant in BAD_TENANTS),
    Case("tenant with a slash", stream("topic=a", tenant="a%2Fb"), 404, "http"),
    *(
        Case(
            f"topic: {name}",
            stream(f"topic={topic}"),
            400,
            "invalid-query" if name in ("no UTF-8", "half a surrogate") else "invalid-pattern",
        )
        for name, topic in BAD_TOPICS.items()
    ),
    Case("no topic", stream(""), 400, "invalid-pattern", "no topic was given"),
    Case("65 topics", stream("&".join(f"topic=t{i}" for i in range(65))), 400, "invalid-pattern", "64 are allowed"),
    Case("1,001 fields", stream("&".join(f"topic=t{i}" for i in range(1001))), 400, "invalid-query"),
    Case("raw bytes in the query", stream("topic=").replace(b"topic=", b"topic=a\xff"), 400),
    *(Case(f"id {event_id[:12]}", stream(f"topic=a&last_event_id={event_id}"), 400) for event_id in BAD_IDS),
    *(Case(f"lastEventId {event_id[:12]}", stream(f"topic=a&lastEventId={event_id}"), 400) for event_id in BAD_IDS),
    Case("id in the header", stream("topic=a", "last-event-id: x"), 400, "invalid-position"),
    Case("id of bytes in the header", stream("topic=a", "last-event-id: 5f2c91ab-1ü"), 400, "invalid-position"),
    Case("id of 10 KB", stream("topic=a", f"last-event-id: {'9' * 10_000}"), 400, "invalid-position"),
    *(Case(f"from {start[:9]}", stream(f"topic=a&from={start}"), 400, "invalid-start") for start in BAD_STARTS),
    *(Case(f"max_rate {rate}", stream(f"topic=a&max_rate={rate}"), 400, "invalid-query") for rate in BAD_RATES),
    *(
        Case(f"until {until}", stream(f"topic=a&until={until}"), 400, "invalid-query")
        for until in ("", "end", "Terminal")
    ),
    *(
        Case(f"types {types}", stream(f"topic=a&types={types}"), 400, "invalid-event-type")
        for types in ("", "Log", "log,", "1a", "a%0Ab", "tailrace", "log,%20", "a" * 65)
    ),
    Case("unknown field", stream("topic=a&limit=1"), 400, "invalid-query", "'limit'"),
    Case("field without a name", stream("topic=a&=1"), 400, "invalid-query"),
    Case("until twice", stream("topic=a&until=terminal&until=terminal"), 400, "invalid-query", "2 times"),
    Case("from twice", stream("topic=a&from=now&from=start"), 400, "invalid-query", "2 times"),
    Case("max_rate twice", stream("topic=a&max_rate=1&max_rate=1"), 400, "invalid-query", "2 times"),
    Case("ids of two kinds twice", stream("topic=a&last_event_id=&last_event_id="), 400, "invalid-query"),
    # The other calls' paths and queries
    *(Case(f"list {tenant[:9]}", get(f"/v1/{tenant}/topics?match=a"), 400, "invalid-tenant") for tenant in BAD_TENANTS),
    *(
        Case(f"publish as {tenant[:9]}", post(b'{"topic":"a"}', tenant=tenant), 400, "invalid-tenant")
        for tenant in BAD_TENANTS
    ),
    *(
        Case(f"read topic: {name}", get(f"/v1/acme/topics/{topic}"), 400, "invalid-topic")
        for name, topic in BAD_TOPICS.items()
        if name not in ("no UTF-8", "half a surrogate", "line end")
    ),
    Case("wildcard as a topic", get("/v1/acme/topics/a.*"), 400, "invalid-topic"),
    Case("history without a topic", get("/v1/acme/history"), 400, "invalid-request", "topic"),
    Case("history limit 0", get("/v1/acme/history?topic=a&limit=0"), 400, "invalid-request", "limit"),
    Case("history limit", get("/v1/acme/history?topic=a&limit=99999"), 400, "invalid-request", "limit"),
    Case("history limit x", get("/v1/acme/history?topic=a&limit=x"), 400, "invalid-request", "limit"),
    *(Case(f"history {start}", get(f"/v1/acme/history?topic=a&from={start}"), 400) for start in BAD_STARTS[1:]),
    *(Case(f"history {start}", get(f"/v1/acme/history?topic=a&from={start}"), 400) for start in ("now", "last")),
    Case("list without a match", get("/v1/acme/topics"), 400, "invalid-request", "match"),
    Case("list of a wrong match", get("/v1/acme/topics?match=a..b"), 400, "invalid-pattern"),
    Case("user of nothing", get("/v1/acme/jobs?user="), 400, "invalid-topic"),
    Case("user of 300 bytes", get(f"/v1/acme/jobs?user={'u' * 300}"), 400, "invalid-pattern"),
    Case("job of 300 bytes", get(f"/v1/acme/jobs/{'j' * 300}"), 400, "invalid-pattern"),
    Case("cluster maybe", get("/v1/stats?cluster=maybe"), 400, "invalid-request", "cluster"),
    # Bodies
    Case("no body", post(b""), 400, "invalid-data"),
    Case("broken JSON", post(b'{"topic":"a"'), 400, "invalid-data"),
    Case("text", post(b"hello"), 400, "invalid-data"),
    Case("two documents", post(b'{"topic":"a"}{"topic":"a"}'), 400, "invalid-data"),
    Case("NaN", post(b'{"topic":"a","data":NaN}'), 400, "invalid-data"),
    Case("number", post(b"1"), 400, "invalid-data"),
    Case("no topic in the body", post(b'{"data":1}'), 400, "invalid-data", "topic"),
    Case("topic of the wrong kind", post(b'{"topic":1}'), 400, "invalid-data"),
    Case("unknown key", post(b'{"topic":"a","key":"x"}'), 400, "invalid-data", "topic, type, data, id"),
    Case("wrong UTF-8", post(b'{"topic":"a","data":"\xff"}'), 400, "invalid-data"),
    Case("UTF-16", post('{"topic":"a"}'.encode("utf-16")), 400, "invalid-data"),
    Case("half a surrogate in a topic", post(b'{"topic":"\\ud800"}'), 400),
    Case("deep JSON", post(b'{"topic":"a","data":' + b"[" * 30_000 + b"]" * 30_000 + b"}"), 400, "invalid-data"),
    Case("deep list", post(b"[" * 100_000), 400, "invalid-data"),
    Case("bad topic", post_json({"topic": "a..b"}), 400, "invalid-topic"),
    Case("wildcard topic", post_json({"topic": "a.*"}), 400, "invalid-topic"),
    Case("topic with line ends", post_json({"topic": "a\r\nPUB x 1\r\n"}), 400, "invalid-topic"),
    Case("bad type", post_json({"topic": "a", "type": "Log"}), 400, "invalid-event-type"),
    Case("reserved type", post_json({"topic": "a", "type": "tailrace"}), 400, "invalid-event-type"),
    Case("type with a line end", post_json({"topic": "a", "type": "log\n"}), 400, "invalid-event-type"),
    Case("no events", post_json([]), 400, "invalid-data", "0 events"),
    Case("1,001 events", post_json([{"topic": "a"}] * 1001), 400, "invalid-data", "1001 events, 1 to 1000"),
    Case(
        "event too large",
        post_json({"topic": "a", "data": "x" * 65_536}),
        413,
        "event-too-large",
        r"\d{5} bytes, 65536",
    ),
    Case("body too large", post(b" " * ((8 << 20) + 1)), 413, "body-too-large", "8388608"),
    Case("chunked body too large", post_chunked(*[b" " * (1 << 20)] * 8, b" "), 413, "body-too-large", "8388608"),
    Case("chunked and broken", post_chunked(b'{"topic":', b'"a'), 400, "invalid-data"),
    Case("key of 129", post_json({"topic": "a"}, f"idempotency-key: {'k' * 129}"), 400, "invalid-key"),
    Case("key of bytes", post_json({"topic": "a"}, "idempotency-key: kü"), 400, "invalid-key"),
    # HTTP
    Case("query too large", stream("topic=" + "a" * 40_000), 431, "header-too-large", "32768"),
    Case("header too large", stream("topic=a", f"x-a: {'a' * 40_000}"), 431, "header-too-large", "32768"),
    Case("many headers", stream("topic=a", *(f"x-{i}: {i}" for i in range(5000))), 431, "header-too-large"),
    Case("header without end", b"GET / HTTP/1.1\r\nx-a: " + b"a" * 40_000, 431, "header-too-large"),
    Case("request line without end", b"GET /" + b"a" * 40_000, 431, "header-too-large"),
    Case("1 MB of header", b"GET / HTTP/1.1\r\nx-a: " + b"a" * 1_000_000, 431, "header-too-large"),
    Case("garbage", b"\x00\x01\x02\r\n\r\n", 400, "invalid-http"),
    Case("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, 400, "invalid-http"),
    Case("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "invalid-http"),
    Case("NATS", b"CONNECT {}\r\n", 400, "invalid-http"),
    Case("line end in a header", get("/livez", "x-a: b\x00c"), 400, "invalid-http"),
    Case("two lengths", post(b"{}", "content-length: 3"), 400, "invalid-http"),
    Case("length and chunks", post(b"{}", "transfer-encoding: chunked"), 400, "invalid-http"),
    Case("negative length", get("/livez", "content-length: -1"), 400, "invalid-http"),
    Case("absurd length", get("/livez", "content-length: 99999999999999999999"), 400, "invalid-http"),
    Case("bad chunk", post_chunked(b"{}").replace(b"2\r\n", b"zz\r\n"), 400, "invalid-http"),
    Case("garbage behind a request", STREAM + b"\r\n\x00garbage", 400, "invalid-http"),
    Case("PUT on the stream", stream("topic=a").replace(b"GET", b"PUT", 1), 405, "http"),
    Case("unknown method", stream("topic=a").replace(b"GET", b"BREW", 1), 400, "invalid-http"),
    Case("WebSocket", stream("topic=a..b", "connection: upgrade", "upgrade: websocket"), 400, "invalid-pattern"),
    Case("HTTP/1.0", b"GET /v1/acme/events?topic=a..b HTTP/1.0\r\n\r\n", 400, "invalid-pattern"),
    Case("HEAD on the stream", stream("topic=a").replace(b"GET", b"HEAD", 1), 405),
    Case("nothing", b"", CLOSED),
    Case("half a request line", b"GET /v1/ac", CLOSED),
    Case("half a head", b"GET /v1/acme/events?topic=a HTTP/1.1\r\nhost: ed", CLOSED),
    Case("half a body", post(b"x" * 100)[:-50], CLOSED),
    Case("half a chunk", post_chunked(b"x" * 100)[:-50], CLOSED),
]


@asynccontextmanager
async def connected(edge: EdgeProcess) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port, limit=1 << 20)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer(edge: EdgeProcess, request: bytes, *, end: bool = False) -> bytes:
    """Return all that a request is answered with, until the edge closes the connection."""
    async with connected(edge) as (reader, writer):
        writer.write(request)
        if end:
            writer.write_eof()
        return await reader.read()


async def check_alive(edge: EdgeProcess) -> None:
    """The edge answers, delivers, and nothing was an error of its own."""
    assert edge.running
    async with open_stream(edge.url, "alive") as alive:
        await alive.next_control("open")
        (event_id,) = await publish(edge, ("alive", 1))
        assert (await alive.next_event()).last_event_id == event_id
    assert (await call(edge, "/livez")).status_code == 200
    assert edge.find_errors() == []


async def test_each_gets_the_right_problem(edge: EdgeProcess) -> None:
    wrong = [f"{case.name}: {found}" for case in CASES if (found := await find_fault(edge, case)) is not None]
    assert wrong == []
    assert (await call(edge, "/v1/acme/history?topic=>")).json()["events"] == [], "nothing of it was stored"
    await check_alive(edge)


async def find_fault(edge: EdgeProcess, case: Case) -> str | None:
    """Return what is wrong with the answer to a case."""
    try:
        async with asyncio.timeout(PATIENCE):
            received = await answer(edge, case.request, end=case.status == CLOSED)
    except (TimeoutError, OSError) as error:
        return repr(error)
    if case.status == CLOSED:
        return repr(received[:200]) if received else None
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    if not lines[0].startswith(f"http/1.1 {case.status} "):
        return repr(received[:200])
    if "content-type: application/problem+json" not in lines:
        return f"no problem: {lines}"
    if case.name.startswith("HEAD"):
        return repr(body) if body else None
    problem = msgspec.json.decode(body)
    if problem["status"] != case.status or case.slug not in problem["type"] or not problem["detail"]:
        return repr(problem)
    return None if re.search(case.detail, problem["detail"]) else repr(problem)


async def test_half_a_request_is_not_waited_for_without_end(broker: Any, tmp_path: Any) -> None:
    requests = [b"", b"GET /v1/acme/events?topic=a HTTP/1.1\r\nx: ", post(b"x" * 100)[:-50]]
    # Long enough for what is whole to come in time on any machine.
    async with EdgeProcess(broker.url, tmp_path / "edge", request_timeout=4) as edge:
        async with open_stream(edge.url, "a") as stream:
            await stream.next_control("open")
            trickling, *received = await asyncio.gather(trickle(edge), *(answer(edge, request) for request in requests))
            assert trickling[:12] in (b"HTTP/1.1 408", b"HTTP/1.1 400", b"")
            assert [answered[:13] for answered in received] == [b"", b"HTTP/1.1 408 ", b"HTTP/1.1 408 "]
            (event_id,) = await publish(edge, ("a", 1))
            assert (await stream.next_event()).last_event_id == event_id, "a stream is no request"
        await check_alive(edge)


async def trickle(edge: EdgeProcess) -> bytes:
    """Send one byte a time, which keeps nothing open, and return the first line of the answer."""

    async def send() -> None:
        while True:
            writer.write(b"G")
            await asyncio.sleep(0.05)

    async with connected(edge) as (reader, writer):
        sending = asyncio.create_task(send())
        try:
            return await reader.readline()
        finally:
            sending.cancel()


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(STREAM + b"\r\n" + get("/livez"), id="pipelined behind it"),
        pytest.param(STREAM + b"\r\n" + STREAM + b"\r\n", id="pipelined twice"),
        pytest.param(STREAM + b"content-length: 10\r\n\r\n0123456789", id="body"),
        pytest.param(STREAM + b"content-length: 200000\r\n\r\n" + b"x" * 200_000, id="large body"),
        pytest.param(STREAM + b"content-length: 200000\r\n\r\n" + b"x" * 100_000, id="half a body"),
        pytest.param(STREAM + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", id="chunked body"),
        pytest.param(STREAM + b"expect: 100-continue\r\n\r\n", id="expects to continue"),
        pytest.param(STREAM + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n", id="wants to upgrade"),
        pytest.param(STREAM.replace(b"1.1", b"1.0") + b"\r\n", id="HTTP/1.0"),
        pytest.param(b"\r\n" + STREAM + b"\r\n", id="line end before it"),
        pytest.param(STREAM.replace(b"/v1", b"http://edge/v1") + b"\r\n", id="absolute"),
    ],
)
async def test_strange_requests_for_a_stream(edge: EdgeProcess, request_bytes: bytes) -> None:
    """One stream is all that comes; it delivers, and ends when the client goes."""
    async with connected(edge) as (reader, writer):
        writer.write(request_bytes)
        received = await reader.readuntil(b'"mode":"live"')
        (event_id,) = await publish(edge, ("a", 1))
        received += await reader.readuntil(event_id.encode() + b"\nevent: message\n")
        assert received.count(b"HTTP/1.1 200 OK") == 1
        assert received.count(b"HTTP/1.1") == 1
        writer.write(b"more " * 1000)
        (event_id,) = await publish(edge, ("a", 2))
        await reader.readuntil(event_id.encode() + b"\nevent: message\n")
    await wait_empty(edge)
    await check_alive(edge)


async def test_a_stream_after_other_requests(edge: EdgeProcess) -> None:
    """On a connection that is kept alive, pipelined or not."""
    ask = b"GET /livez HTTP/1.1\r\nhost: edge\r\n\r\n"
    for first, then in ((ask, STREAM + b"\r\n"), (ask + ask + STREAM + b"\r\n", b"")):
        async with connected(edge) as (reader, writer):
            writer.write(first)
            received = await reader.readuntil(b"alive\n")
            writer.write(then)
            received += await reader.readuntil(b'"mode":"live"')
            (event_id,) = await publish(edge, ("a", 1))
            received += await reader.readuntil(event_id.encode())
            assert received.count(b"alive\n") == first.count(ask)
            assert received.count(b"HTTP/1.1 ") == first.count(ask) + 1
    await check_alive(edge)


async def test_clients_that_go_at_any_moment(edge: EdgeProcess) -> None:
    requests = [STREAM + b"\r\n", STREAM[:20], post(b"x" * 1000)[:-10], get("/v1/acme/history?topic=>"), b""]
    for request in requests * 10:
        async with connected(edge) as (_, writer):
            writer.write(request)
            await writer.drain()
    await wait_empty(edge)
    await check_alive(edge)
