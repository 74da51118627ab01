"""Roll-ups: what a later event has taken the place of is removed, by an edge, for whoever may not do it himself."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest
from nats.aio.client import Client as Nats
from support.broker import PATIENCE, Broker, connect, read_stream, request
from support.calls import call, publish, read
from support.edge import EdgeProcess
from support.stream import open_stream
from support.waiting import wait_until
from tailrace_producer import Producer, Settings
from tailrace_protocol.texts import TextState


async def count(broker: Broker) -> Counter[str]:
    """Return how many events each subject has."""
    return Counter(subject for _, subject, _ in await read_stream(broker.url))


async def roll_up(client: Nats, edge: EdgeProcess, subject: str, sequence: int) -> None:
    """Ask the edges, as a producer does."""
    epoch: str = (await read(edge, "/v1/stats"))["epoch"]
    await client.publish(f"rollups.{subject}", json.dumps({"id": f"{epoch}-{sequence}"}).encode())
    await client.flush()


async def store(client: Nats, subject: str, data: object, **headers: str) -> int:
    answer = await client.request(
        f"events.{subject}", json.dumps(data).encode(), headers=headers or None, timeout=PATIENCE
    )
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
        await roll_up(client, edges[0], "acme.a", whole)

        async def done() -> bool:
            return (await count(broker))["events.acme.a"] == 2

        await wait_until(done)
    assert await count(broker) == {"events.acme.a": 2, "events.acme.a.b": 5, "events.beta.a": 5}
    for edge in edges:
        history = await read(edge, "/v1/acme/history", topic="a")
        assert [event["data"] for event in history["events"]] == ["all", "more"]


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"id": 7}', b'{"id": "x"}', b'{"id": "00000000-2"}', b"\xff"])
async def test_a_request_that_makes_no_sense_harms_nobody(edge: EdgeProcess, broker: Broker, payload: bytes) -> None:
    async with await connect(broker.url) as client:
        for subject in ("acme.a", "acme.a", "acme.b", "acme.b"):
            newest = await store(client, subject, 1)
        for subject in ("rollups.acme.a", "rollups.acme", "rollups.acme.%zz", "rollups.ACME.a"):
            await client.publish(subject, payload)
        await roll_up(client, edge, "ACME.a", newest)
        await roll_up(client, edge, "acme.c", newest)
        await roll_up(client, edge, "acme.b", newest)

        async def done() -> bool:
            return (await count(broker))["events.acme.b"] == 1

        await wait_until(done)
    # They are done one after the other, so that what came before would have been, too.
    assert (await count(broker))["events.acme.a"] == 2


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
    from tailrace_edge.creation import create_stream  # noqa: PLC0415  # the support's own has the same name

    async with await connect(bare_broker.url) as client:
        await request(
            client, "STREAM.CREATE.EVENTS", {"name": "EVENTS", "subjects": ["events.>"], "allow_rollup_hdrs": True}
        )
        _, config = await create_stream(bare_broker.url)
        assert not config.get("allow_rollup_hdrs")
        answer = await client.request("events.acme.a", b"1", headers={"Nats-Rollup": "all"}, timeout=PATIENCE)
        assert "rollup not permitted" in json.loads(answer.data)["error"]["description"]


async def test_a_stream_that_is_open_meanwhile_gets_every_event(edge: EdgeProcess, broker: Broker) -> None:
    async with await connect(broker.url) as client, open_stream(edge.url, "a", from_="start") as stream:
        for round_ in range(20):
            for number in range(10):
                await store(client, "acme.a", [round_, number])
            whole = await store(client, "acme.a", [round_], **{"Tailrace-Rollup": "sub"})
            await roll_up(client, edge, "acme.a", whole)
        events = await asyncio.wait_for(stream.read_events(220), PATIENCE)
    got = [json.loads(event.data)["data"] for event in events]
    assert got == [data for n in range(20) for data in [*([n, k] for k in range(10)), [n]]]


async def test_who_comes_late_gets_the_whole_text_from_a_log_that_is_rolled_up_meanwhile(
    broker: Broker, tmp_path: Path
) -> None:
    """The tail is too small for the text, so that each reader begins in the log, while edges purge it."""

    async def read_text() -> tuple[int, TextState]:
        state, count = TextState(), 0
        async with open_stream(edge.url, "chats.1", from_="start") as stream:
            while state.status == "running":
                event = json.loads((await stream.next_event()).data)
                whole = state.complete_from_start and count > 0
                assert state.take(event["type"], event["data"])
                # What is gone from the log while this edge has yet to read the roll-up may be missing until it has.
                assert state.complete_from_start or not whole
                count += 1
        return count, state

    async def shortened() -> bool:
        return (await count(broker))["events.acme.chats.1"] < 400

    tokens = [f"{number} " for number in range(1500)]
    settings = Settings(text_interval=0, text_batch=1)
    readers = []
    async with (
        EdgeProcess(broker.url, tmp_path / "edge", tail_bytes=10_000) as edge,
        Producer(broker.url, tenant="acme", settings=settings) as producer,
        producer.stream("chats.1") as out,
    ):
        for number, token in enumerate(tokens):
            out.write(token)
            await producer.flush()
            if number == 1475:  # the last one begins when the edge has done what it was asked for
                await wait_until(shortened)
            if number % 50 == 25:
                readers.append(asyncio.create_task(read_text()))
        out.complete()
        await producer.flush()
        read = await asyncio.wait_for(asyncio.gather(*readers), PATIENCE)

        async def rolled_up() -> bool:
            return await count(broker) == {"events.acme.chats.1": 1}

        await wait_until(rolled_up)
        assert (await read_text())[0] == 1
    assert {state.text for _, state in read} == {"".join(tokens)}
    # Who came last began with the last roll-up, and not with the first token.
    assert read[-1][0] < 500
