"""What others than the producer library have put into the log."""

import asyncio
import base64
import json
from typing import Any

from support.broker import Broker, connect, request
from support.calls import read, read_pages
from support.edge import EdgeProcess
from support.stream import open_stream


async def send_raw(broker: Broker, *messages: tuple[bytes, bytes, bytes]) -> None:
    """Publish messages, (subject, header, payload), as bytes that no client library would write; the last is stored."""
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    await reader.readline()
    writer.write(b'CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\nSUB stored 1\r\n')
    for index, (subject, header, payload) in enumerate(messages, 1):
        reply = b"stored " if index == len(messages) else b""
        if header:
            size = len(header) + len(payload)
            writer.write(b"HPUB %b %b%d %d\r\n%b%b\r\n" % (subject, reply, len(header), size, header, payload))
        else:
            writer.write(b"PUB %b %b%d\r\n%b\r\n" % (subject, reply, len(payload), payload))
    assert (await reader.readline()).startswith(b"MSG stored ")
    writer.close()
    await writer.wait_closed()


FOREIGN: list[tuple[bytes, bytes, bytes, Any]] = [
    (b"pretty", b"", b'{\n  "a": [1,\r\n  2]\n}\n', {"a": [1, 2]}),
    (b"text", b"", b"hello\nworld \xc3\xbc", "hello\nworld ü"),
    (b"bytes", b"", b"\xff\xfe\x00", {"base64": base64.b64encode(b"\xff\xfe\x00").decode()}),
    (b"empty", b"", b"", ""),
    (b"number", b"", b"12345678901234567890123", 12345678901234567890123),
    (b"forged", b"", b'{"topic":"x","id":"y","type":"log","time":"2026-01-01T00:00:00Z","data":1}', None),
    (b"reserved", b"", b'{"type":"tailrace","time":"2026-01-01T00:00:00Z","data":{"kind":"closing"}}', None),
    (b"header", b"NATS/1.0\r\nX-A: b\r\nNats-Sequence: 1\r\nNats-Subject: events.evil.x\r\n\r\n", b"1", 1),
    (b"status", b"NATS/1.0 503\r\n\r\n", b"2", 2),
    (b"flow", b"NATS/1.0 100 FlowControl Request\r\nNats-Last-Consumer: 99\r\n\r\n", b"3", 3),
    (b"gone", b"NATS/1.0 409 Consumer Deleted\r\nX: y\r\n\r\n", b"4", 4),
    (b"deep", b"", b"[" * 500 + b"]" * 500, None),
    ("ünï".encode(), b"", b"5", 5),
    (b"a\x0bb\x0cc", b"", b"6", 6),
    (b"\x01\x02", b"", b"7", 7),
    (b"star.*.x.>", b"", b"8", 8),
    (b"\xff\xc3", b"", b"9", 9),
    (b"quote\"'\\", b"", b"10", 10),
    (b"large", b"", b'"' + b"x" * 300_000 + b'"', "x" * 300_000),
    (b"last", b"", b"11", 11),
]


async def test_what_others_wrote_arrives(edge: EdgeProcess, small: EdgeProcess, broker: Broker) -> None:
    """Plain NATS messages of any kind come by every way, the same by each, and stop nothing."""
    async with open_stream(edge.url, ">") as live, open_stream(small.url, ">", from_="start") as cold:
        await live.next_control("open")
        await send_raw(
            broker, *((b"events.acme." + subject, header, payload) for subject, header, payload, _ in FOREIGN)
        )
        stored = await read_stream_subjects(broker)
        assert len(stored) >= len(FOREIGN) - 1, "the broker itself takes nearly all of it"
        got = [json.loads(event.data) for event in await live.read_events(len(stored))]
        assert [json.loads(event.data) for event in await cold.read_events(len(stored))] == got
    kept = [entry for entry in FOREIGN if entry[0].decode(errors="replace") in stored]
    assert [event["topic"] for event in got] == [subject.decode(errors="replace") for subject, *_ in kept] == stored
    for (_, _, payload, data), event in zip(kept, got, strict=True):
        assert event["type"] == "message"
        assert event["data"] == (json.loads(payload) if data is None else data)
    history = await read(edge, "/v1/acme/history", topic=">")
    assert [without_id(event) for event in history["events"]] == got
    # From JetStream, since the tail of this one holds little.
    pages = await read_pages(small, "/v1/acme/history", topic=">", limit=10)
    assert [without_id(event) for page in pages for event in page["events"]] == got
    async with open_stream(small.url, ">", from_="start", accept="application/x-ndjson") as stream:
        received = b""
        while received.count(b"\n") < len(stored) + 1:
            received += await stream.read_raw()
        assert [without_id(json.loads(line)) for line in received.splitlines()[1:]] == got
    listed = await read(edge, "/v1/acme/topics", match=">")
    assert sorted(event["topic"] for event in listed["events"]) == sorted(stored)
    for reader in (edge, small):
        assert reader.find_errors() == []
        assert "consumer broken" not in [record["event"] for record in reader.read_log()], "it could take in all of it"


async def read_stream_subjects(broker: Broker) -> list[str]:
    """Return the topics of the log, message by message as the leader has them."""
    async with await connect(broker.url) as client:
        state = (await request(client, "STREAM.INFO.EVENTS"))["state"]
        messages = [
            (await request(client, "STREAM.MSG.GET.EVENTS", {"seq": sequence}))["message"]["subject"]
            for sequence in range(1, state["last_seq"] + 1)
        ]
    return [subject.removeprefix("events.acme.") for subject in messages]


def without_id(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "id"}
