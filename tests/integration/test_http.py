"""The calls that are answered at once: publish, topics, history, jobs, and what those who run edges ask."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.broker import PATIENCE, Broker, connect, create_stream, read_stream, request
from support.calls import call, data_of, publish, read, wait_empty, wait_head
from support.edge import EdgeProcess
from support.stream import open_stream
from support.waiting import wait_until
from tailrace_protocol.jobs import format_job_topic

RUNNING = {"status": "running", "done": 1, "total": 2}


@pytest.fixture
async def small(broker: Broker, tmp_path: Path) -> AsyncIterator[EdgeProcess]:
    """An edge whose tail holds some tens of events."""
    async with EdgeProcess(broker.url, tmp_path / "small", tail_bytes=40_000) as edge:
        yield edge


def ids_of(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["id"] for event in events]


async def read_pages(edge: EdgeProcess, path: str, **query: Any) -> list[dict[str, Any]]:
    """Return all pages of a list."""
    pages = [await read(edge, path, **query)]
    while (following := pages[-1]["next"]) is not None:
        name = "from_" if path.endswith("history") else "page"
        pages.append(await read(edge, path, **(query | {name: following})))
    return pages


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


# Topics


async def test_topics_are_listed_with_their_newest_events(edge: EdgeProcess) -> None:
    await publish(edge, ("b", 1), ("a", 2), ("b", 3), ("c.d", 4), ("a", 5), tenant="acme")
    await publish(edge, ("a", 6), tenant="other")
    answer = await read(edge, "/v1/acme/topics", match=">")
    assert [(event["topic"], event["data"]) for event in answer["events"]] == [("a", 5), ("b", 3), ("c.d", 4)]
    assert answer["next"] is None
    assert answer["cursor"].endswith("-6")
    assert [event["topic"] for event in (await read(edge, "/v1/acme/topics", match="*"))["events"]] == ["a", "b"]
    assert [event["data"] for event in (await read(edge, "/v1/acme/topics", match="a"))["events"]] == [5]
    assert (await read(edge, "/v1/acme/topics", match="none.>"))["events"] == []


async def test_topics_are_listed_by_name_alone(edge: EdgeProcess) -> None:
    await publish(edge, ("b", 1), ("a", 2), ("b", 3), ("c.d", 4))
    await publish(edge, ("a", 6), tenant="other")
    answer = await read(edge, "/v1/acme/topics", match=">", names=True)
    assert answer == {"topics": ["a", "b", "c.d"], "cursor": answer["cursor"], "next": None}
    assert answer["cursor"].endswith("-5")
    pages = await read_pages(edge, "/v1/acme/topics", match=">", names=True, limit=2)
    assert [page["topics"] for page in pages] == [["a", "b"], ["c.d"]]
    for match, wanted in {"*": ["a", "b"], "a": ["a"], "none": [], "none.>": []}.items():
        assert (await read(edge, "/v1/acme/topics", match=match, names=True))["topics"] == wanted
    assert (await call(edge, "/v1/acme/topics/b", method="DELETE")).status_code == 200
    for match, wanted in {">": ["a", "c.d"], "b": []}.items():
        assert (await read(edge, "/v1/acme/topics", match=match, names=True))["topics"] == wanted


async def test_topics_are_paged(small: EdgeProcess) -> None:
    for start in range(0, 2500, 500):
        await publish(small, *((f"t.{number:04}", number) for number in range(start, start + 500)))
    pages = await read_pages(small, "/v1/acme/topics", match="t.*", limit=600)
    assert [len(page["events"]) for page in pages] == [600, 600, 600, 600, 100]
    assert [event["data"] for page in pages for event in page["events"]] == list(range(2500))
    whole = await read(small, "/v1/acme/topics", match="t.*", limit=10_000)
    assert len(whole["events"]) == 2500


async def test_a_stream_joins_a_list_without_a_gap(small: EdgeProcess) -> None:
    """While topics are being made, each is in the list, or comes on the stream that begins at its cursor."""
    published = 0
    ended = asyncio.Event()

    async def write() -> None:
        nonlocal published
        while not ended.is_set():
            await publish(small, *((f"t.{published + number}", published + number) for number in range(5)))
            published += 5

    writing = asyncio.create_task(write())
    for _ in range(30):
        answer = await read(small, "/v1/acme/topics", match="t.*", limit=10_000)
        listed = {event["data"] for event in answer["events"]}
        target = published + 20
        async with open_stream(small.url, "t.*", from_=answer["cursor"]) as stream:
            while not listed or max(listed) < target:
                listed.add(data_of(await stream.next_event()))
        assert listed >= set(range(target))
    ended.set()
    await writing


async def test_what_was_published_is_read_at_once(edge: EdgeProcess) -> None:
    for number in range(50):
        (event_id,) = await publish(edge, ("a.b", number))
        event = await read(edge, "/v1/acme/topics/a.b")
        assert (event["id"], event["data"], event["topic"]) == (event_id, number, "a.b")


@pytest.mark.parametrize("topic", ["a/b", "Jane%20Doe.x", "ünï", "a:b@c", "$JS.x", "a+b&c=d#e?f"])
async def test_topics_of_any_characters(edge: EdgeProcess, topic: str) -> None:
    (event_id,) = await publish(edge, (topic, 1))
    path = f"/v1/acme/topics/{quote(topic, safe='')}"
    event = await read(edge, path)
    assert (event["id"], event["topic"]) == (event_id, topic)
    for answer in (
        await read(edge, "/v1/acme/topics", match=topic),
        await read(edge, "/v1/acme/history", topic=topic),
    ):
        assert [event["topic"] for event in answer["events"]] == [topic]
    async with open_stream(edge.url, topic, from_="start") as stream:
        assert json.loads((await stream.next_event()).data)["topic"] == topic
    assert (await call(edge, path, method="DELETE")).status_code == 200
    assert (await call(edge, path)).status_code == 404


async def test_a_deleted_topic_is_gone(edges: tuple[EdgeProcess, EdgeProcess], broker: Broker) -> None:
    edge, other = edges
    ids = await publish(edge, ("a", 1), ("b", 2), ("a", 3))
    await wait_head(other, ids[-1])
    async with open_stream(other.url, "a") as stream:
        await stream.next_control("open")
        answer = await call(edge, "/v1/acme/topics/a", method="DELETE")
        assert answer.status_code == 200
        tombstone = await stream.next_event()
        assert (tombstone.event, tombstone.last_event_id) == ("deleted", answer.json()["id"])
    for reader in edges:
        await wait_head(reader, answer.json()["id"])
        for method in ("GET", "DELETE"):
            gone = await call(reader, "/v1/acme/topics/a", method=method)
            assert (gone.status_code, gone.json()["type"]) == (404, "urn:tailrace:problem:no-such-topic")
        assert [event["topic"] for event in (await read(reader, "/v1/acme/topics", match=">"))["events"]] == ["b"]
        stored = (await read(reader, "/v1/acme/history", topic="*"))["events"]
        assert [(event["type"], event["data"]) for event in stored[:2]] == [("message", 2), ("deleted", None)]
        async with open_stream(reader.url, ">", from_="last") as stream:
            assert data_of(await stream.next_event()) == 2
            (event_id,) = await publish(reader, ("b", 2))
            assert (await stream.next_event()).last_event_id == event_id, "nothing comes between"
    assert [subject for _, subject, _ in await read_stream(broker.url)].count("events.acme.a") == 1
    await publish(edge, ("a", 4))
    assert (await read(edge, "/v1/acme/topics/a"))["data"] == 4
    assert [event["data"] for event in (await read(edge, "/v1/acme/history", topic="a"))["events"]] == [None, 4]


# History


async def test_history_is_paged(edge: EdgeProcess) -> None:
    ids = await publish(edge, *((f"t.{number % 2}", number) for number in range(25)))
    pages = await read_pages(edge, "/v1/acme/history", topic="t.*", limit=10)
    assert [len(page["events"]) for page in pages] == [10, 10, 5]
    assert [event_id for page in pages for event_id in ids_of(page["events"])] == ids
    assert pages[-1]["cursor"] == ids[-1]
    assert {page["gap"] for page in pages} == {None}
    (event,) = (await read(edge, "/v1/acme/history", topic="t.*", from_=ids[20], limit=1))["events"]
    assert event == {"id": ids[21], "topic": "t.1", "type": "message", "time": event["time"], "data": 21}


async def test_history_of_several_patterns(edge: EdgeProcess) -> None:
    ids = await publish(edge, ("a", 1), ("b.c", 2), ("d", 3), ("b.c.d", 4), ("a", 5))
    answer = await read(edge, "/v1/acme/history", topic=["a", "b.*", "b.>", "a"])
    assert ids_of(answer["events"]) == [ids[0], ids[1], ids[3], ids[4]]


async def test_history_from_every_start(edge: EdgeProcess) -> None:
    ids = await publish(edge, ("a", 1))
    since = (await read(edge, "/v1/acme/topics/a"))["time"]
    ids += await publish(edge, ("a", 2), ("a", 3))
    for start, expected in {
        "start": ids,
        "-1h": ids,
        since: ids,
        "1970-01-01T00:00:00Z": ids,
        ids[0]: ids[1:],
        ids[2]: [],
        "2100-01-01T00:00:00+02:00": [],
        f"{ids[0].partition('-')[0]}-0": ids,
    }.items():
        assert ids_of((await read(edge, "/v1/acme/history", topic="a", from_=start))["events"]) == expected, start
    for start in ("00000000-1", f"{ids[0].partition('-')[0]}-99"):
        answer = await call(edge, "/v1/acme/history", params={"topic": "a", "from": start})
        assert (answer.status_code, answer.json()["type"]) == (410, "urn:tailrace:problem:reset")


@pytest.mark.parametrize("limit", [7, 1000, 10_000])
async def test_history_across_the_edge_of_the_tail(small: EdgeProcess, limit: int) -> None:
    ids: list[str] = []
    for _ in range(3):
        ids += await publish(small, *((f"t.{number % 5}", number) for number in range(700)))
    await wait_head(small, ids[-1])
    assert 0 < (await read(small, "/v1/stats"))["tail_events"] < 200
    wanted = [event_id for index, event_id in enumerate(ids) if index % 700 % 5 in (1, 3)]
    start = wanted[-150] if limit == 7 else "start"
    pages = await read_pages(small, "/v1/acme/history", topic=["t.1", "t.3"], limit=limit, from_=start)
    expected = wanted[-149:] if limit == 7 else wanted
    assert [event_id for page in pages for event_id in ids_of(page["events"])] == expected
    assert pages[-1]["cursor"] == ids[-1]


async def test_history_tells_of_a_gap(edge: EdgeProcess, broker: Broker) -> None:
    ids = await publish(edge, *(("a", number) for number in range(6)))
    async with await connect(broker.url) as client:
        await request(client, "STREAM.PURGE.EVENTS", {"seq": 5})
    edge.kill()
    edge.start()
    await edge.wait_ready()
    answer = await read(edge, "/v1/acme/history", topic="a", from_=ids[1])
    assert answer["gap"] == {"from": ids[2], "to": ids[3]}
    assert ids_of(answer["events"]) == ids[4:]
    assert (await read(edge, "/v1/acme/history", topic="a", from_=ids[3]))["gap"] is None
    assert (await read(edge, "/v1/acme/history", topic="a"))["gap"] is None


async def test_history_of_an_empty_log(edge: EdgeProcess) -> None:
    answer = await read(edge, "/v1/acme/history", topic=">")
    assert (answer["events"], answer["next"], answer["gap"]) == ([], None, None)
    assert answer["cursor"].endswith("-0")


# Jobs


async def test_jobs(edge: EdgeProcess) -> None:
    await publish(
        edge,
        ("jobs.a", RUNNING | {"id": "a"}, "progress"),
        ("users.7.jobs.b", RUNNING | {"id": "b", "user": "7"}, "progress"),
        ("users.8.jobs.c", {"id": "c", "user": "8", "status": "complete"}, "complete"),
        ("jobs.a.log", "a line", "log"),
        ("jobs.x", "not a state"),
        ("users.7.jobs.b", {"id": "b", "user": "7", "status": "failed"}, "failed"),
    )

    async def list_jobs(**query: str) -> dict[str, str]:
        return {job["id"]: job["status"] for job in (await read(edge, "/v1/acme/jobs", **query))["jobs"]}

    assert await list_jobs() == {"a": "running", "b": "failed", "c": "complete"}
    assert await list_jobs(user="7") == {"b": "failed"}
    assert await list_jobs(user="9") == {}
    assert await list_jobs(status="running") == {"a": "running"}
    assert await list_jobs(status="failed", user="7") == {"b": "failed"}
    pages = await read_pages(edge, "/v1/acme/jobs", limit=1)
    assert [job["id"] for page in pages for job in page["jobs"]] == ["a", "b", "c"]
    assert pages[0]["cursor"].endswith("-6")
    assert (await read(edge, "/v1/acme/jobs/a"))["done"] == 1
    assert (await read(edge, "/v1/acme/jobs/b"))["status"] == "failed"
    assert (await read(edge, "/v1/acme/jobs/b", user="7"))["user"] == "7"
    for path in ("/v1/acme/jobs/b?user=8", "/v1/acme/jobs/none", "/v1/acme/jobs/x", "/v1/other/jobs/a"):
        answer = await call(edge, path)
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:tailrace:problem:no-such-job"), path
    assert (await call(edge, "/v1/acme/jobs?status=done")).status_code == 400


@pytest.mark.parametrize("job", ["a", "import 4/2", "ünï.*", "100%"])
async def test_a_deleted_job_is_gone_with_its_log(edge: EdgeProcess, broker: Broker, job: str) -> None:
    topic = format_job_topic(job, "7")
    ids = await publish(
        edge,
        (topic, RUNNING | {"id": job, "user": "7"}, "progress"),
        (f"{topic}.log", 1, "log"),
        (f"{topic}.log", 2, "log"),
        ("jobs.other", RUNNING | {"id": "other"}, "progress"),
    )
    await wait_head(edge, ids[-1])
    async with open_stream(edge.url, f"{topic}.>", topic) as stream:
        await stream.next_control("open")
        path = f"/v1/acme/jobs/{quote(job, safe='')}"
        assert (await read(edge, path))["id"] == job
        answer = await call(edge, path, method="DELETE", params={"user": "7"})
        assert answer.status_code == 200
        gone = await stream.read_events(2)
        assert [event.event for event in gone] == ["deleted", "deleted"]
        assert gone[-1].last_event_id == answer.json()["id"]
    assert (await call(edge, path)).status_code == 404
    assert (await call(edge, path, method="DELETE")).status_code == 404
    left = (await read(edge, "/v1/acme/history", topic="users.>"))["events"]
    assert [event["type"] for event in left] == ["deleted", "deleted"]
    assert [job["id"] for job in (await read(edge, "/v1/acme/jobs"))["jobs"]] == ["other"]
    subjects = [subject for _, subject, _ in await read_stream(broker.url)]
    assert sorted(subjects) == sorted([f"events.acme.{topic}", f"events.acme.{topic}.log", "events.acme.jobs.other"])


# What others wrote

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


# For those who run edges


async def test_stats_of_all_edges(edges: tuple[EdgeProcess, EdgeProcess]) -> None:
    first, second = edges
    await publish(first, ("a", 1))
    async with open_stream(first.url, "a"), open_stream(second.url, "a"), open_stream(second.url, "b"):
        own = await read(second, "/v1/stats")
        assert (own["name"], own["connections"], own["ready"]) == ("b", 2, True)
        for edge in edges:
            # An edge that does not answer within 0.3 s is left out.
            while len((answer := await read(edge, "/v1/stats", cluster="true"))["edges"]) < 2:
                pass
            assert [(each["name"], each["connections"]) for each in answer["edges"]] == [("a", 1), ("b", 2)]
            assert answer["connections"] == 3


async def read_metrics(edge: EdgeProcess) -> dict[tuple[str, ...], float]:
    """Return all samples by name and label values."""
    text = (await call(edge, "/metrics")).text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_count_right(small: EdgeProcess) -> None:
    ids: list[str] = []
    for _ in range(4):
        ids += await publish(small, *(("a", number) for number in range(100)))
    await wait_head(small, ids[-1])
    async with (
        open_stream(small.url, "a") as live,
        open_stream(small.url, "a", last_event_id=ids[-3]) as tail,
        open_stream(small.url, "a", from_="start") as cold,
        open_stream(small.url, "a", last_event_id="00000000-1") as reset,
    ):
        await live.next_control("open")
        await reset.next_control("reset")
        await tail.read_events(2)
        await cold.read_events(400)
        before = await read_metrics(small)
        await publish(small, *(("a", number) for number in range(10)), ("b", 0))
        received = 0
        for stream in (live, tail, cold, reset):
            received += sum(len(event.data) for event in await stream.read_events(10))
        after = await read_metrics(small)
    assert after["tailrace_ready",] == 1
    assert after["tailrace_connections",] == 4
    assert after["tailrace_subscribers", "live"] + after["tailrace_subscribers", "behind"] == 4
    assert after["tailrace_events_total",] == 411
    assert after["tailrace_deliveries_total",] - before["tailrace_deliveries_total",] == 40
    assert received < after["tailrace_delivered_bytes_total",] - before["tailrace_delivered_bytes_total",]
    assert after["tailrace_replays_total", "tail"] == 1
    assert after["tailrace_replays_total", "jetstream"] == 1
    assert after["tailrace_resets_total",] == 1
    assert after["tailrace_gaps_total",] == 0
    assert 0 < after["tailrace_tail_bytes",] <= 40_000
    assert after["tailrace_follower_lag",] == 0
    made = [record["event"] for record in small.read_log()].count("consumer made")
    assert after["tailrace_follower_recreations_total",] == made - 1
    assert {key[1] for key in after if key[0] == "tailrace_closes_total"} == {
        *("drain", "max_age", "slow", "finished", "token_expired", "gone")
    }
    await wait_empty(small)
    after = await read_metrics(small)
    assert after["tailrace_closes_total", "gone"] == 4
    assert after["tailrace_connections",] == 0
    assert sum(value for key, value in after.items() if key[0] == "tailrace_closes_total") == 4


async def test_metrics_are_prometheus_text(edge: EdgeProcess) -> None:
    answer = await call(edge, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation, family.name
        assert family.name.startswith(("tailrace_", "process_", "python_gc_")), family.name


# Probes


@asynccontextmanager
async def started(edge: EdgeProcess) -> AsyncIterator[EdgeProcess]:
    """An edge that has been started, and answers, ready or not."""
    edge.start()
    try:
        while True:
            try:
                await call(edge, "/livez")
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.02)
        yield edge
    finally:
        edge.kill()


async def read_readiness(edge: EdgeProcess) -> tuple[int, str]:
    answer = await call(edge, "/readyz")
    return answer.status_code, answer.text.strip() if answer.status_code == 200 else answer.json()["detail"]


async def wait_ready(edge: EdgeProcess, status: int) -> str:
    async def answered() -> bool:
        return (await read_readiness(edge))[0] == status

    await wait_until(answered)
    return (await read_readiness(edge))[1]


async def test_not_ready_without_a_stream(bare_broker: Broker, tmp_path: Path) -> None:
    async with started(EdgeProcess(bare_broker.url, tmp_path / "edge")) as edge:
        assert await read_readiness(edge) == (503, "the head of the log is not reached yet")
        assert (await call(edge, "/livez")).text == "alive\n"
        answer = await call(edge, "/v1/acme/topics?match=a")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        await create_stream(bare_broker.url)
        await wait_ready(edge, 200)
        await publish(edge, ("a", 1))
        assert edge.find_errors() == []


async def test_not_ready_without_a_broker_at_the_start(bare_broker: Broker, tmp_path: Path) -> None:
    await create_stream(bare_broker.url)
    bare_broker.stop()
    async with started(EdgeProcess(bare_broker.url, tmp_path / "edge")) as edge:
        assert (await read_readiness(edge))[0] == 503
        assert (await call(edge, "/livez")).status_code == 200
        stats = await read(edge, "/v1/stats")
        assert (stats["ready"], stats["epoch"]) == (False, "")
        assert (await call(edge, "/metrics")).status_code == 200
        assert len((await read(edge, "/v1/stats", cluster="true"))["edges"]) == 1
        refused = await call(edge, "/v1/acme/events?topic=a")
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:tailrace:problem:broker-unavailable")
        assert "retry-after" in refused.headers
        bare_broker.start()
        await wait_ready(edge, 200)
        assert edge.find_errors() == []


async def test_not_ready_when_the_broker_is_away_for_long(broker: Broker, tmp_path: Path) -> None:
    """Streams stay open meanwhile, with heartbeats, and go on when it is back."""
    async with EdgeProcess(broker.url, tmp_path / "edge", broker_away=1, heartbeat=0.2) as edge:
        async with open_stream(edge.url, "a") as stream:
            await stream.next_control("open")
            broker.stop()
            assert "the broker has been away for" in await wait_ready(edge, 503)
            assert (await call(edge, "/livez")).status_code == 200
            received = b""
            while received.count(b": hb\n") < 10:
                received += await stream.read_raw()
            assert received == b": hb\n" * (len(received) // 5)
            broker.start()
            await wait_ready(edge, 200)
            (event_id,) = await publish(edge, ("a", 1))
            assert (await stream.next_event()).last_event_id == event_id
        assert edge.find_errors() == []


async def test_not_ready_when_the_stream_is_deleted(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", broker_away=1) as edge:
        async with await connect(broker.url) as client:
            await request(client, "STREAM.DELETE.EVENTS")
        await wait_ready(edge, 503)
        await create_stream(broker.url)
        await wait_ready(edge, 200)


async def test_an_edge_of_any_name_runs(broker: Broker, tmp_path: Path) -> None:
    """Host names have dots, and consumers' names cannot."""
    name = "ip-10-0-0-1.ec2.internal > * ü/\\"
    async with EdgeProcess(broker.url, tmp_path / "edge", name=name, tail_bytes=10_000) as edge:
        for _ in range(3):
            ids = await publish(edge, *(("a", number) for number in range(100)))
        async with open_stream(edge.url, "a", from_="start") as stream:
            assert (await stream.next_control("open"))["edge"] == name
            assert (await stream.read_events(300))[-1].last_event_id == ids[-1]
        assert (await read(edge, "/v1/stats"))["name"] == name


# The description, and what it does not describe


async def test_openapi(edge: EdgeProcess) -> None:
    document = await read(edge, "/openapi.json")
    calls = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert calls == {
        ("get", "/v1/{tenant}/events"),
        ("post", "/v1/{tenant}/events"),
        ("post", "/v1/{tenant}/tickets"),
        ("get", "/v1/{tenant}/topics"),
        ("get", "/v1/{tenant}/topics/{topic}"),
        ("delete", "/v1/{tenant}/topics/{topic}"),
        ("get", "/v1/{tenant}/history"),
        ("get", "/v1/{tenant}/jobs"),
        ("get", "/v1/{tenant}/jobs/{job}"),
        ("delete", "/v1/{tenant}/jobs/{job}"),
        ("post", "/v1/{tenant}/jobs/{job}/cancel"),
        ("get", "/v1/stats"),
        ("get", "/livez"),
        ("get", "/readyz"),
        ("get", "/metrics"),
    }
    stream = document["paths"]["/v1/{tenant}/events"]["get"]
    assert set(stream["responses"]) == {"200", "204", "400", "401", "403", "429", "503"}
    assert set(stream["responses"]["200"]["content"]) == {"text/event-stream", "application/x-ndjson"}
    assert {(parameter["in"], parameter["name"]) for parameter in stream["parameters"]} == {
        ("path", "tenant"),
        *(("query", name) for name in ("topic", "from", "last_event_id", "types", "max_rate", "until", "ticket")),
        ("header", "Last-Event-ID"),
    }
    for reference in find_references(document):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in target, reference
            target = target[part]
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
    page = await call(edge, "/docs")
    assert (page.status_code, "openapi.json" in page.text) == (200, True)
    assert "://" not in page.text  # nothing comes from elsewhere
    for asset, kind in re.findall(r'(?:src|href)="(docs/assets/[^"]+\.(\w+))"', page.text):
        answer = await call(edge, f"/{asset}")
        assert (answer.status_code, bool(answer.content)) == (200, True)
        assert {"js": "javascript", "css": "css", "png": "png"}[kind] in answer.headers["content-type"]


def find_references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [reference for child in node.values() for reference in find_references(child)]
    if isinstance(node, list):
        return [reference for child in node for reference in find_references(child)]
    return []


async def test_the_description_of_a_stream_names_what_it_understands(edge: EdgeProcess) -> None:
    """Each parameter of the description is taken; a field it does not name is refused."""
    document = await read(edge, "/openapi.json")
    values = {
        "topic": "jobs.a",
        "from": "start",
        "last_event_id": "00000000-1",
        "types": "log",
        "max_rate": "1",
        "until": "terminal",
        "ticket": "none is asked for",
    }
    names = [
        parameter["name"]
        for parameter in document["paths"]["/v1/{tenant}/events"]["get"]["parameters"]
        if parameter["in"] == "query"
    ]
    assert set(names) == set(values)
    for name in names:
        query = urlencode({"topic": "jobs.a", name: values[name]})
        async with (
            httpx.AsyncClient(timeout=PATIENCE) as client,
            client.stream("GET", f"{edge.url}/v1/acme/events?{query}") as answer,
        ):
            assert answer.status_code == 200, name


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/", 404, None),
        ("GET", "/v2/acme/events", 404, None),
        ("GET", "/v1/acme", 404, None),
        ("GET", "/v1/acme/nothing", 404, None),
        ("PUT", "/v1/acme/events", 405, {"GET", "POST"}),
        ("DELETE", "/v1/acme/events", 405, {"GET", "POST"}),
        ("POST", "/v1/acme/topics", 405, {"GET"}),
        ("POST", "/v1/acme/topics/a", 405, {"GET", "DELETE"}),
        ("PATCH", "/v1/acme/jobs/a", 405, {"GET", "DELETE"}),
        ("POST", "/v1/acme/history", 405, {"GET"}),
        ("POST", "/readyz", 405, {"GET"}),
    ],
)
async def test_unknown_routes_and_methods(
    edge: EdgeProcess, method: str, path: str, status: int, allowed: set[str] | None
) -> None:
    answer = await call(edge, path, method=method)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert problem["status"] == status
    assert problem.keys() == {"type", "title", "status", "detail"}
    if allowed is not None:
        assert {name.strip() for name in answer.headers["allow"].split(",")} - {"HEAD"} == allowed
