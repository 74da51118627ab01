"""Topics: listed with their newest events, paged, read at once, deleted."""

import asyncio
import json
from urllib.parse import quote

import pytest
from support.broker import Broker, read_stream
from support.calls import call, data_of, publish, read, read_pages, wait_head
from support.edge import EdgeProcess
from support.stream import open_stream


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
