"""Publishing by HTTP: one event, lists and lines, once, and told when to come again."""

import asyncio
import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.broker import Broker, connect, create_stream, read_stream, request
from support.calls import call, publish, read
from support.edge import EdgeProcess

LINES = {"content-type": "application/x-ndjson; charset=utf-8"}


async def test_publish_one(edge: EdgeProcess, broker: Broker) -> None:
    answer = await call(edge, "/v1/acme/events", method="POST", json={"topic": "a.b", "type": "log", "data": {"n": 1}})
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    (event_id,) = answer.json()["ids"]
    ((sequence, subject, payload),) = await read_stream(broker.url)
    assert event_id.endswith(f"-{sequence}")
    assert subject == "events.acme.a.b"
    stored = json.loads(payload)
    assert (stored["type"], stored["data"]) == ("log", {"n": 1})
    assert stored.keys() == {"type", "time", "data"}


async def test_publish_defaults(edge: EdgeProcess) -> None:
    await call(edge, "/v1/acme/events", method="POST", json={"topic": "a"})
    event = await read(edge, "/v1/acme/topics/a")
    assert (event["type"], event["data"]) == ("message", None)


async def test_publish_many_keeps_their_order(edge: EdgeProcess) -> None:
    ids = await publish(edge, *((f"t.{number % 3}", number) for number in range(1000)))
    sequences = [int(event_id.partition("-")[2]) for event_id in ids]
    assert sequences == list(range(1, 1001))
    events = (await read(edge, "/v1/acme/history", topic=">"))["events"]
    assert [event["data"] for event in events] == list(range(1000))


@pytest.mark.parametrize(
    "bad",
    [{"topic": "a..b"}, {"topic": "a", "type": "Bad"}, {"topic": "a", "data": "x" * 65_536}, {"topic": "a", "x": 1}, 7],
)
async def test_publish_all_or_nothing(edge: EdgeProcess, broker: Broker, bad: Any) -> None:
    answer = await call(edge, "/v1/acme/events", method="POST", json=[{"topic": "a"}, bad, {"topic": "b"}])
    assert answer.status_code in (400, 413)
    assert await read_stream(broker.url) == []


async def test_an_idempotency_key_stores_once(edge: EdgeProcess, broker: Broker) -> None:
    body = [{"topic": "a", "data": number} for number in range(3)]

    async def send(key: str, tenant: str = "acme", part: Sequence[Any] = body) -> list[str]:
        answer = await call(
            edge, f"/v1/{tenant}/events", method="POST", json=list(part), headers={"idempotency-key": key}
        )
        ids: list[str] = answer.json()["ids"]
        return ids

    first = await send("k")
    assert await send("k") == first
    single = await send("s", part=body[:1])
    assert await send("s", part=body[:1]) == single
    others = [await send("l"), await send("k", "acme2"), await send("k:0"), await send("s", "acme2", body[:1])]
    assert len({*first, *single, *chain(*others)}) == 14
    assert len(await read_stream(broker.url)) == 14


async def test_publish_without_the_broker(edge: EdgeProcess, broker: Broker) -> None:
    """A service is told to come back, and nothing is an error of the edge."""
    broker.suspend()
    for body in ({"topic": "a"}, [{"topic": "a"}, {"topic": "b"}]):
        answer = await call(edge, "/v1/acme/events", method="POST", json=body)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:tailrace:problem:broker-unavailable")
        assert answer.headers["retry-after"] == "2"
    broker.resume()
    assert edge.find_errors() == []


async def test_publish_into_a_full_log(bare_broker: Broker, tmp_path: Path) -> None:
    await create_stream(bare_broker.url)
    async with EdgeProcess(bare_broker.url, tmp_path / "edge") as edge:
        async with await connect(bare_broker.url) as client:
            config = (await request(client, "STREAM.INFO.EVENTS"))["config"]
            await request(client, "STREAM.UPDATE.EVENTS", config | {"discard": "new", "max_msgs": 1})
        answer = await call(edge, "/v1/acme/events", method="POST", json=[{"topic": "a"}, {"topic": "b"}])
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:tailrace:problem:broker-refused")
        assert edge.find_errors() == []


# Lines


async def test_lines_are_stored_in_their_order(edge: EdgeProcess) -> None:
    body = "\n".join(json.dumps({"topic": f"t.{number % 3}", "data": number}) for number in range(500)) + "\n\n"
    answer = await call(edge, "/v1/acme/events", method="POST", content=body, headers=LINES)
    assert answer.status_code == 201
    assert [int(event_id.partition("-")[2]) for event_id in answer.json()["ids"]] == list(range(1, 501))
    events = (await read(edge, "/v1/acme/history", topic=">"))["events"]
    assert [event["data"] for event in events] == list(range(500))


async def test_a_line_that_is_no_event_is_named(edge: EdgeProcess, broker: Broker) -> None:
    body = '{"topic": "a"}\n\n{"topic": 7}\n'
    answer = await call(edge, "/v1/acme/events", method="POST", content=body, headers=LINES)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:tailrace:problem:invalid-data")
    assert "line 3" in answer.json()["detail"]
    assert await read_stream(broker.url) == []


@pytest.mark.parametrize("number", [0, 1001])
async def test_lines_are_as_many_as_a_list_may_have(edge: EdgeProcess, number: int) -> None:
    answer = await call(edge, "/v1/acme/events", method="POST", content='{"topic": "a"}\n' * number, headers=LINES)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:tailrace:problem:invalid-data")


# Ids of the caller's own


async def test_an_events_own_id_stores_it_once(edge: EdgeProcess, broker: Broker) -> None:
    events = [{"topic": "a", "data": 1, "id": "one"}, {"topic": "a", "data": 2}, {"topic": "b", "data": 3, "id": "two"}]

    async def send(part: Sequence[Any]) -> list[str]:
        ids: list[str] = (await call(edge, "/v1/acme/events", method="POST", json=list(part))).json()["ids"]
        return ids

    first = await send(events)
    again = await send(events[::-1])
    assert (again[2], again[0]) == (first[0], first[2])
    assert again[1] not in first
    assert await send(events[:1]) == first[:1]
    assert len(await read_stream(broker.url)) == 4


@pytest.mark.parametrize("event_id", ["", "two words", "x" * 129, "line\r\nNats-Rollup: all"])
async def test_an_id_that_cannot_be_is_refused(edge: EdgeProcess, broker: Broker, event_id: str) -> None:
    answer = await call(edge, "/v1/acme/events", method="POST", json={"topic": "a", "id": event_id})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:tailrace:problem:invalid-key")
    assert await read_stream(broker.url) == []


# Back-pressure


async def test_who_publishes_faster_than_the_broker_takes_is_told_to_wait(broker: Broker, tmp_path: Path) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", max_publishing=3) as edge:

        async def send(key: str) -> httpx.Response:
            return await call(
                edge, "/v1/acme/events", method="POST", json=[{"topic": key}] * 3, headers={"idempotency-key": key}
            )

        broker.suspend()
        answers = await asyncio.gather(send("a"), send("b"))
        broker.resume()
        problems = {answer.json()["type"]: answer for answer in answers}
        assert problems.keys() == {"urn:tailrace:problem:limit-reached", "urn:tailrace:problem:broker-unavailable"}
        assert problems["urn:tailrace:problem:limit-reached"].headers["retry-after"] == "1"
        # Sent again as they were, whatever became of them the first time.
        assert [(await send(key)).status_code for key in "ab"] == [201, 201]
    assert len(await read_stream(broker.url)) == 6
