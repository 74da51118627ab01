"""Roll-ups: what a later event has taken the place of is removed, by an edge, for whoever may not do it himself."""

import asyncio
import json
from collections import Counter

import pytest
from nats.aio.client import Client as Nats
from support.broker import Broker, connect, read_stream, request
from support.calls import call, publish, read
from support.edge import EdgeProcess
from support.stream import open_stream
from support.waiting import wait_until


async def count(broker: Broker) -> Counter[str]:
    """Return how many events each subject has."""
    return Counter(subject for _, subject, _ in await read_stream(broker.url))


async def roll_up(client: Nats, subject: str, sequence: int) -> None:
    await client.publish(f"rollups.{subject}", json.dumps({"sequence": sequence}).encode())
    await client.flush()


async def store(client: Nats, subject: str, data: object, **headers: str) -> int:
    answer = await client.request(f"events.{subject}", json.dumps(data).encode(), headers=headers or None)
    sequence: int = json.loads(answer.data)["seq"]
    return sequence


async def test_what_was_rolled_up_is_removed_and_nothing_else(
    edges: tuple[EdgeProcess, EdgeProcess], broker: Broker
) -> None:
    async with await connect(broker.url) as client:
        for subject in ("acme.a", "acme.a.b", "beta.a"):
            for number in range(5):
                await store(client, subject, number)
        whole = await store(client, "acme.a", "all", **{"Tailrace-Rollup": "sub"})
        await store(client, "acme.a", "more")
        await roll_up(client, "acme.a", whole)

        async def done() -> bool:
            return (await count(broker))["events.acme.a"] == 2

        await wait_until(done)
    assert await count(broker) == {"events.acme.a": 2, "events.acme.a.b": 5, "events.beta.a": 5}
    for edge in edges:
        history = await read(edge, "/v1/acme/history", topic="a")
        assert [event["data"] for event in history["events"]] == ["all", "more"]


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"sequence": "x"}', b"\xff"])
async def test_a_request_that_makes_no_sense_harms_nobody(edge: EdgeProcess, broker: Broker, payload: bytes) -> None:
    async with await connect(broker.url) as client:
        await store(client, "acme.a", 1)
        second = await store(client, "acme.a", 2)
        for subject in ("rollups.acme.a", "rollups.acme", "rollups.acme.%zz", "rollups.ACME.a"):
            await client.publish(subject, payload)
        await roll_up(client, "ACME.a", second)
        await roll_up(client, "acme.b", second)
        await roll_up(client, "acme.a", second)

        async def done() -> bool:
            return (await count(broker))["events.acme.a"] == 1

        await wait_until(done)


async def test_what_is_asked_for_while_the_broker_is_away_is_done_later(edge: EdgeProcess, broker: Broker) -> None:
    """A topic is deleted while the broker hangs: the tombstone may be stored, and then the rest goes too."""
    await publish(edge, *(("a", number) for number in range(5)))
    broker.suspend()
    answer = await call(edge, "/v1/acme/topics/a", method="DELETE")
    assert answer.status_code == 503
    broker.resume()

    async def gone() -> bool:
        await call(edge, "/v1/acme/topics/a", method="DELETE")
        return await count(broker) == {"events.acme.a": 1}

    await wait_until(gone)


async def test_a_log_made_when_the_broker_rolled_up_is_changed_by_init(bare_broker: Broker) -> None:
    from tailrace_edge.jetstream import create_stream  # noqa: PLC0415  # the support's own has the same name

    async with await connect(bare_broker.url) as client:
        await request(
            client, "STREAM.CREATE.EVENTS", {"name": "EVENTS", "subjects": ["events.>"], "allow_rollup_hdrs": True}
        )
        _, config = await create_stream(bare_broker.url)
        assert not config.get("allow_rollup_hdrs")
        answer = await client.request("events.acme.a", b"1", headers={"Nats-Rollup": "all"})
        assert "rollup not permitted" in json.loads(answer.data)["error"]["description"]


async def test_a_stream_that_is_open_meanwhile_gets_every_event(edge: EdgeProcess, broker: Broker) -> None:
    async with await connect(broker.url) as client, open_stream(edge.url, "a", from_="start") as stream:
        for round_ in range(20):
            for number in range(10):
                await store(client, "acme.a", [round_, number])
            whole = await store(client, "acme.a", [round_], **{"Tailrace-Rollup": "sub"})
            await roll_up(client, "acme.a", whole)
        events = await asyncio.wait_for(stream.read_events(220), 60)
    got = [json.loads(event.data)["data"] for event in events]
    assert got == [data for n in range(20) for data in [*([n, k] for k in range(10)), [n]]]
