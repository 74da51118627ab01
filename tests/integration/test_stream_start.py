"""Where streams begin: every form of `from`, ids of all kinds, and the answers to what cannot be."""

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from support.broker import PATIENCE, Broker, connect, create_stream, request
from support.calls import data_of, publish, wait_head
from support.edge import EdgeProcess
from support.stream import open_stream


async def test_from_now_is_the_default(edge: EdgeProcess) -> None:
    (before,) = await publish(edge, ("a", 1))
    await wait_head(edge, before)
    async with open_stream(edge.url, "a") as stream:
        opening = await stream.next_control("open")
        assert opening["mode"] == "live"
        (event_id,) = await publish(edge, ("a", 2))
        event = await stream.next_event()
        assert (event.last_event_id, data_of(event)) == (event_id, 2)


async def test_from_start_is_everything_stored(edge: EdgeProcess) -> None:
    ids = await publish(edge, *(("a", number) for number in range(5)))
    async with open_stream(edge.url, "a", from_="start") as stream:
        assert [event.last_event_id for event in await stream.read_events(5)] == ids


async def test_from_last_is_the_newest_of_each_topic_then_live(edge: EdgeProcess) -> None:
    await publish(edge, ("a", 1), ("b", 2), ("a", 3), ("c", 4), ("other.x", 5))
    async with open_stream(edge.url, "a", "b", "c", from_="last") as stream:
        assert [data_of(event) for event in await stream.read_events(3)] == [2, 3, 4]
        await publish(edge, ("b", 6))
        assert data_of(await stream.next_event()) == 6


async def test_the_opening_of_a_snapshot_has_no_id(edge: EdgeProcess) -> None:
    await publish(edge, ("a", 1))
    async with open_stream(edge.url, "a", from_="last") as stream:
        await stream.next_control("open")
        assert not stream.decoder.last_event_id or stream.decoder.last_event_id.endswith("-1")


async def test_from_an_id_is_what_follows_it(edge: EdgeProcess) -> None:
    ids = await publish(edge, *(("a", number) for number in range(5)))
    async with open_stream(edge.url, "a", from_=ids[1]) as stream:
        assert (await stream.next_control("open"))["mode"] == "resumed"
        assert [event.last_event_id for event in await stream.read_events(3)] == ids[2:]


async def test_the_header_wins_over_the_query(edge: EdgeProcess) -> None:
    ids = await publish(edge, *(("a", number) for number in range(4)))
    async with open_stream(edge.url, "a", last_event_id=ids[2], from_=ids[0]) as stream:
        assert (await stream.next_event()).last_event_id == ids[3]


async def test_from_a_time(edge: EdgeProcess) -> None:
    await publish(edge, ("a", "before"))
    since = datetime.now(UTC)
    await publish(edge, ("a", "after"))
    for start in (since.isoformat(), since.isoformat().replace("+00:00", "Z")):
        async with open_stream(edge.url, "a", from_=start) as stream:
            assert data_of(await stream.next_event()) == "after"
    async with open_stream(edge.url, "a", from_="-10m") as stream:
        assert [data_of(event) for event in await stream.read_events(2)] == ["before", "after"]
    future = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    async with open_stream(edge.url, "a", from_=future) as stream:
        await stream.next_control("open")
        await publish(edge, ("a", "later"))
        assert data_of(await stream.next_event()) == "later"


async def test_an_id_of_another_stream_is_a_reset(edge: EdgeProcess) -> None:
    await publish(edge, ("a", 1))
    async with open_stream(edge.url, "a", last_event_id="00000000-1") as stream:
        assert (await stream.next_control("open"))["mode"] == "reset"
        assert (await stream.next_control("reset"))["why"] == "epoch"
        await publish(edge, ("a", 2))
        assert data_of(await stream.next_event()) == 2


async def test_an_id_ahead_of_the_log_is_a_reset(edge: EdgeProcess) -> None:
    (event_id,) = await publish(edge, ("a", 1))
    epoch = event_id.partition("-")[0]
    async with open_stream(edge.url, "a", last_event_id=f"{epoch}-1000") as stream:
        assert (await stream.next_control("reset"))["why"] == "ahead"
        await publish(edge, ("a", 2))
        assert data_of(await stream.next_event()) == 2


async def test_an_id_older_than_the_log_is_a_gap(edge: EdgeProcess, broker: Broker) -> None:
    ids = await publish(edge, *(("a", number) for number in range(6)))
    async with await connect(broker.url) as client:
        await request(client, "STREAM.PURGE.EVENTS", {"seq": 5})
    edge.kill()
    edge.start()
    await edge.wait_ready()
    async with open_stream(edge.url, "a", last_event_id=ids[1]) as stream:
        assert (await stream.next_control("open"))["mode"] == "gap"
        gap = await stream.next_control("gap")
        assert (gap["from"], gap["to"], gap["why"]) == (ids[2], ids[3], "retention")
        assert [event.last_event_id for event in await stream.read_events(2)] == ids[4:]


async def test_what_is_older_than_the_tail_comes_from_jetstream(broker: Broker, tmp_path: Any) -> None:
    async with EdgeProcess(broker.url, tmp_path / "small", tail_bytes=20_000) as edge:
        ids: list[str] = []
        for batch in range(10):
            ids += await publish(edge, *((f"t.{number % 7}", batch) for number in range(200)))
        async with open_stream(edge.url, "t.*", last_event_id=ids[9]) as stream:
            assert (await stream.next_control("open"))["mode"] == "resumed"
            got = [event.last_event_id for event in await stream.read_events(1990)]
            assert got == ids[10:]
        async with open_stream(edge.url, "t.3", from_="start") as stream:
            assert [event.last_event_id for event in await stream.read_events(290)] == [
                event_id for index, event_id in enumerate(ids) if index % 200 % 7 == 3
            ]
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            stats = (await client.get(f"{edge.url}/v1/stats")).json()
            assert stats["replays"]["jetstream"] == 2


async def test_a_stream_made_anew_is_a_reset_for_open_streams(edge: EdgeProcess, broker: Broker) -> None:
    ids = await publish(edge, ("a", 1), ("a", 2))
    await wait_head(edge, ids[-1])
    async with open_stream(edge.url, "a") as stream:
        before = await stream.next_control("open")
        async with await connect(broker.url) as client:
            await request(client, "STREAM.DELETE.EVENTS")
        await create_stream(broker.url)
        async with await connect(broker.url) as client:
            await client.jetstream().publish("events.acme.a", b'"new"', timeout=PATIENCE)
        reset = await stream.next_control("reset")
        assert reset["why"] == "epoch"
        assert reset["cursor"].partition("-")[0] != before["cursor"].partition("-")[0]
        assert data_of(await stream.next_event()) == "new"


async def test_a_store_restored_from_a_backup_gets_a_new_epoch(edge: EdgeProcess, broker: Broker) -> None:
    ids = await publish(edge, *(("a", number) for number in range(10)))
    await wait_head(edge, ids[-1])
    async with open_stream(edge.url, "a") as stream:
        await stream.next_control("open")
        async with await connect(broker.url) as client:
            info = await request(client, "STREAM.INFO.EVENTS")
            created = info["created"]
        broker.stop()
        backup = broker.folder / "backup"
        store = broker.folder / "store"
        await asyncio.to_thread(_copy, store, backup)
        broker.start()
        await publish_until_taken(edge, ("a", "lost"))
        assert data_of(await stream.next_event()) == "lost"
        broker.kill()
        await asyncio.to_thread(_copy, backup, store)
        broker.start()
        async with await connect(broker.url) as client:
            assert (await request(client, "STREAM.INFO.EVENTS"))["created"] == created
            await client.jetstream().publish("events.acme.a", b'"other"', timeout=PATIENCE)
        assert (await stream.next_control("reset"))["why"] == "epoch"
        await publish_until_taken(edge, ("a", "after"))
        assert data_of(await stream.next_event()) == "after"
    async with open_stream(edge.url, "a", last_event_id=ids[3]) as stream:
        assert (await stream.next_control("open"))["mode"] == "reset"


async def publish_until_taken(edge: EdgeProcess, event: tuple[str, Any]) -> None:
    """Publish once the broker is there again."""
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        body = {"topic": event[0], "data": event[1]}
        while True:
            answer = await client.post(f"{edge.url}/v1/acme/events", json=body, headers={"idempotency-key": "once"})
            if answer.status_code == 201:
                return
            assert answer.status_code == 503


def _copy(source: Any, target: Any) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
