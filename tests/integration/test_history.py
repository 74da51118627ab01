"""History: what is stored, in pages, from every start."""

import pytest
from support.broker import Broker, connect, request
from support.calls import call, ids_of, publish, read, read_pages, wait_head
from support.edge import EdgeProcess


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
