"""The history checker finds each kind of fault, and none where there is none."""

from collections.abc import Sequence

import httpx
import pytest
from history.check import Kind, check
from history.client import Client
from history.jetstream import read_log
from history.log import Log, Stored
from history.record import Announced, Closed, Ended, Entry, Opened, Reached, Received, Record, Restarted, find_end
from history.verdict import find_pauses, judge
from support.broker import PATIENCE, Broker
from support.edge import EdgeProcess
from tailrace_producer import Producer
from tailrace_protocol.control import Mode

EPOCH = "5f2c91ab"
LOG = Log(
    EPOCH,
    [Stored(sequence, "a" if sequence % 2 else "b") for sequence in range(4, 11)],
    removed=[Stored(2, "b"), Stored(3, "a")],
)


def opened(sequence: int, mode: Mode = Mode.LIVE) -> Opened:
    return Opened(0.0, mode, EPOCH, sequence, "edge")


def received(*sequences: int) -> list[Entry]:
    return [Received(EPOCH, sequence, LOG.find(sequence) or "a") for sequence in sequences]


def find_faults(
    entries: Sequence[Entry], *patterns: str, until: int | None = None, start: str = "now", log: Log = LOG
) -> list[tuple[Kind, str]]:
    record = Record("one", patterns or (">",), start, entries=list(entries))
    return [(fault.kind, fault.id.partition("-")[2]) for fault in check(record, log, until=until).faults]


def test_whole_history_has_no_fault() -> None:
    entries = [opened(3), *received(4, 5, 6), Closed(1.0, "drain"), opened(6, Mode.RESUMED), *received(7, 8, 9, 10)]

    assert find_faults(entries, until=10) == []
    assert find_faults([opened(3), *received(5, 7), Reached(EPOCH, 10)], "a", until=9) == [(Kind.LOST, "9")]
    assert find_faults([opened(3), *received(5, 7, 9)], "a", until=10) == []


@pytest.mark.parametrize(
    ("entries", "faults"),
    [
        pytest.param([opened(3), *received(4, 6, 7, 8, 9, 10)], [(Kind.LOST, "5")], id="lost"),
        pytest.param([opened(3), *received(4, 5)], [(Kind.LOST, str(n)) for n in range(6, 11)], id="hangs"),
        pytest.param([opened(3), *received(4, 5, 6, 5, 7, 8, 9, 10)], [(Kind.DUPLICATED, "5")], id="doubled"),
        pytest.param([opened(3), *received(4, 6, 5, 7, 8, 9, 10)], [(Kind.DISORDERED, "5")], id="out of order"),
        pytest.param(
            [opened(3), Reached(EPOCH, 6), *received(5, 7, 8, 9, 10)],
            [(Kind.DISORDERED, "5"), (Kind.LOST, "4"), (Kind.LOST, "6")],
            id="after it was told that nothing was missed",
        ),
        pytest.param(
            [opened(1), *received(4, 5, 6, 7, 8, 9, 10)],
            [(Kind.UNANNOUNCED, "2"), (Kind.UNANNOUNCED, "3")],
            id="unannounced gap",
        ),
        pytest.param([opened(1), Announced(EPOCH, 2, 3), *received(4, 5, 6, 7, 8, 9, 10)], [], id="announced gap"),
        pytest.param(
            [opened(1), Announced(EPOCH, 2, 4), *received(5, 6, 7, 8, 9, 10)],
            [(Kind.LOST, "4")],
            id="gap over what is stored",
        ),
        pytest.param(
            [opened(3), *received(4, 5, 6, 7, 8, 9, 10, 11)], [(Kind.FOREIGN, "11")], id="event that nobody published"
        ),
        pytest.param(
            [opened(9), Received(EPOCH, 10, "a")],
            [(Kind.FOREIGN, "10"), (Kind.LOST, "10")],
            id="event of another topic",
        ),
        pytest.param(
            [opened(9), Received("00000000", 10, "b")],
            [(Kind.FOREIGN, "10"), (Kind.LOST, "10")],
            id="event of another log",
        ),
        pytest.param([opened(9), Restarted(EPOCH, 9), *received(10)], [(Kind.RESET, "9")], id="reset without a reason"),
        pytest.param([opened(9), *received(10), Ended("refused")], [(Kind.ENDED, "10")], id="refused"),
        pytest.param([Closed(0.0, "refused")], [(Kind.LOST, "10")], id="never connected"),
    ],
)
def test_each_kind_of_fault_is_found(entries: list[Entry], faults: list[tuple[Kind, str]]) -> None:
    assert find_faults(entries, until=10) == faults


def test_what_a_client_did_not_ask_for_is_foreign() -> None:
    assert find_faults([opened(3), *received(5, 6, 7, 9)], "a", until=10) == [(Kind.FOREIGN, "6")]


RESUMED: list[Entry] = [Closed(1.0, "drain"), opened(7, Mode.RESUMED)]


SNAPSHOTS = pytest.mark.parametrize(
    ("entries", "faults"),
    [
        pytest.param([opened(8), *received(7, 8, 9, 10)], [], id="whole"),
        pytest.param([opened(8), *received(8, 9, 10)], [(Kind.LOST, "7")], id="lacks a topic"),
        pytest.param([opened(8), *received(7, 9, 10)], [(Kind.LOST, "8")], id="lacks its end"),
        pytest.param([opened(8), *received(5, 8, 9, 10)], [(Kind.LOST, "7")], id="shows an older event"),
        pytest.param([opened(8), *received(8, 7, 9, 10)], [(Kind.DISORDERED, "7")], id="out of order"),
        pytest.param([opened(8), *received(7, 7, 8, 9, 10)], [(Kind.DUPLICATED, "7")], id="doubled"),
        pytest.param([opened(8)], [(Kind.LOST, str(n)) for n in range(7, 11)], id="never comes"),
        pytest.param([opened(8), *received(7), *RESUMED, *received(8, 9, 10)], [], id="broken within"),
        pytest.param(
            [opened(8), *received(7), *RESUMED, *received(9, 10)], [(Kind.LOST, "8")], id="broken within, and lost"
        ),
        pytest.param(
            [opened(8), *received(7), Closed(1.0, "drain"), opened(8, Mode.RESUMED), *received(9, 10)],
            [(Kind.LOST, "8")],
            id="broken within, and skipped",
        ),
        pytest.param(
            [opened(6), Closed(1.0, "drain"), opened(8), *received(7, 8, 9, 10)], [], id="broken before its first event"
        ),
        pytest.param(
            [opened(6), *received(5), Closed(1.0, "drain"), opened(8), *received(9, 10)],
            [(Kind.LOST, str(n)) for n in (6, 7, 8)],
            id="begun anew though the client had an id",
        ),
    ],
)


@SNAPSHOTS
def test_a_snapshot_has_the_newest_event_of_each_topic(entries: list[Entry], faults: list[tuple[Kind, str]]) -> None:
    assert find_faults(entries, until=10, start="last") == faults


@SNAPSHOTS
def test_a_record_may_be_taken_within_a_snapshot(entries: list[Entry], faults: list[tuple[Kind, str]]) -> None:
    for cut in range(1, len(entries)):
        record = Record("one", (">",), "last", entries=entries[:cut])
        first = check(record.take(), LOG).faults
        record.entries = entries[cut:]
        second = check(record.take(), LOG, until=10).faults

        assert {fault.id for fault in [*first, *second]} == {f"{EPOCH}-{sequence}" for _, sequence in faults}, cut


def test_a_snapshot_that_goes_on_is_checked_as_far_as_it_came() -> None:
    assert find_faults([opened(8), *received(7)], start="last") == []
    assert find_faults([opened(8), *received(8)], start="last") == [(Kind.LOST, "7")]
    assert find_faults([opened(8), *received(7, 9)], start="last") == [(Kind.LOST, "8")]
    assert find_faults([opened(8), *received(7), Reached(EPOCH, 9)], "a", start="last") == [(Kind.LOST, "9")]


def test_a_snapshot_does_not_show_what_is_gone() -> None:
    log = Log(
        EPOCH,
        [Stored(1, "a"), Stored(2, "b", tombstone=True), Stored(3, "c"), Stored(5, "a")],
        removed=[Stored(4, "c")],
    )

    assert find_faults([opened(4), *received_of(log, 1, 5)], start="last", until=5, log=log) == []
    # Nobody knows whether 4 was there then. With it, 3 is not the newest one.
    assert find_faults([opened(4), *received_of(log, 1, 4, 5)], start="last", until=5, log=log) == []
    assert find_faults([opened(3), *received_of(log, 1, 5)], start="last", until=5, log=log) == [
        (Kind.LOST, "3"),
        (Kind.UNANNOUNCED, "4"),
    ]


def received_of(log: Log, *sequences: int) -> list[Entry]:
    return [Received(log.epoch, sequence, log.find(sequence) or "") for sequence in sequences]


OLD = "00000000"


def test_a_reset_to_a_new_log_is_checked_in_the_new_log_alone() -> None:
    before: list[Entry] = [Opened(0.0, Mode.LIVE, OLD, 3, "edge"), Received(OLD, 4, "a"), Received(OLD, 6, "b")]
    reset: list[Entry] = [Closed(1.0, "drain"), opened(3, Mode.RESET), Restarted(EPOCH, 3)]

    assert find_faults([*before, *reset, *received(4, 5, 6, 7, 8, 9, 10)], until=10) == []
    assert find_faults([*before, *reset, *received(4, 6, 7, 8, 9, 10)], until=10) == [(Kind.LOST, "5")]
    # One of the old log behind the reset; and the reset cannot bring back what was there before.
    assert find_faults([*before, *reset, Received(OLD, 74, "a"), *received(10)], "b", until=4) == [
        (Kind.FOREIGN, "74"),
        (Kind.LOST, "4"),
    ]
    assert find_faults([*before, Received(OLD, 4, "a"), *reset, *received(4)], until=4) == [(Kind.DUPLICATED, "4")]


def test_a_reset_within_an_open_stream_shows_the_snapshot_again() -> None:
    entries: list[Entry] = [Opened(0.0, Mode.LIVE, OLD, 70, "edge"), Received(OLD, 70, "a"), Restarted(EPOCH, 8)]

    assert find_faults([*entries, *received(7, 8, 9, 10)], until=10, start="last") == []
    assert find_faults([*entries, *received(7, 9, 10)], until=10, start="last") == [(Kind.LOST, "8")]


def test_a_long_record_is_checked_in_parts() -> None:
    record = Record("one", (">",), entries=[opened(3), *received(4, 5, 6)])
    parts = [record.take()]
    record.entries = received(7, 9)
    parts.append(record.take())
    record.entries = received(9, 10)
    parts.append(record)
    verdict = judge(parts, LOG)

    assert [(fault.kind, fault.id) for fault in verdict.faults] == [
        (Kind.LOST, f"{EPOCH}-8"),
        (Kind.DUPLICATED, f"{EPOCH}-9"),
    ]
    assert not verdict.clean
    assert "lost 1, duplicated 1" in verdict.describe()


def test_reconnects_are_counted() -> None:
    entries = [opened(3), *received(4), Closed(1.0, "drain"), opened(4, Mode.RESUMED), *received(5, 6, 7, 8, 9, 10)]
    verdict = judge([Record("one", (">",), entries=entries)], LOG, until=10)

    assert (verdict.clean, verdict.clients, verdict.reconnects) == (True, 1, 1)
    assert verdict.expected == verdict.received == 7


def test_pauses_last_from_the_first_loss_until_the_stream_is_open_again() -> None:
    entries = [
        Closed(0.0, "status 503"),
        opened(3),
        *received(4),
        Closed(1.0, "drain"),
        Closed(1.5, "status 503"),
        Closed(2.0, "the connection ended"),
        Opened(4.0, Mode.RESUMED, EPOCH, 4, "edge"),
        *received(5),
        Closed(9.0, "silent"),
    ]

    assert find_pauses(Record("one", (">",), entries=entries)) == [(0.0, 0.0, "status 503"), (1.0, 3.0, "drain")]


# What is no event


def make_client() -> Client:
    client = Client("one", "http://localhost", [">"], tenant="acme")
    client.connect()
    client.respond(200, {"content-type": "text/event-stream"})
    client.receive(
        b'event: tailrace\ndata: {"kind":"open","mode":"live","cursor":"%b-3","heartbeat":15,"edge":"e"}\n\n'
        b'id: %b-4\nevent: x\ndata: {"topic":"b","type":"x","time":"2026-01-01T00:00:00Z"}\n\n'
        % ((EPOCH.encode(),) * 2)
    )
    return client


@pytest.mark.parametrize(
    "rubbish",
    [
        pytest.param(b"id: 17\ndata: {}\n\n", id="wrong id"),
        pytest.param(b"id: %b-5\ndata: \xff\xfe\n\n" % EPOCH.encode(), id="no JSON"),
        pytest.param(b"id: %b-5\ndata: [1]\n\n" % EPOCH.encode(), id="no object"),
        pytest.param(b'id: %b-5\ndata: {"data":1}\n\n' % EPOCH.encode(), id="no topic"),
        pytest.param(b"event: tailrace\ndata: open\n\n", id="no control event"),
        pytest.param(
            b'event: tailrace\ndata: {"kind":"open","mode":"live","cursor":"x","heartbeat":1,"edge":"e"}\n\n',
            id="opened at no position",
        ),
    ],
)
def test_rubbish_on_the_wire_ends_the_client_and_is_a_fault(rubbish: bytes) -> None:
    client = make_client()
    assert client.receive(rubbish) == []

    assert client.session.ended
    assert isinstance(client.record.entries[-1], Ended)
    assert [(fault.kind, fault.id) for fault in check(client.record, LOG).faults] == [(Kind.ENDED, f"{EPOCH}-4")]


def test_an_event_without_an_id_counts_as_the_one_before() -> None:
    client = make_client()
    client.receive(b'data: {"topic":"b"}\n\n')

    assert [(fault.kind, fault.id) for fault in check(client.record, LOG).faults] == [(Kind.DUPLICATED, f"{EPOCH}-4")]


def test_events_before_the_rubbish_of_one_read_count() -> None:
    client = make_client()
    event = b'id: %b-5\ndata: {"topic":"a","type":"x","time":"2026-01-01T00:00:00Z"}\n\n' % EPOCH.encode()
    client.receive(event + b"id: 17\ndata: {}\n\n")

    assert find_end(client.record.entries) == 5


@pytest.mark.parametrize(
    ("status", "content_type"), [(401, "application/problem+json"), (200, "text/html"), (404, "text/event-stream")]
)
def test_a_refusal_ends_the_client_and_is_a_fault(status: int, content_type: str) -> None:
    client = make_client()
    client.lose("ended")
    client.connect()
    client.respond(status, {"content-type": content_type}, b"no")

    assert client.session.ended
    assert [fault.kind for fault in check(client.record, LOG).faults] == [Kind.ENDED]


# Against real edges


async def follow(client: Client, last: int) -> None:
    """Read on, wherever it gets in, until the event `last` has come."""
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        while find_end(client.record.entries) != last:
            request = client.connect()
            try:
                async with http.stream("GET", request.url, headers=request.headers) as answer:
                    client.respond(answer.status_code, answer.headers)
                    async for chunk in answer.aiter_bytes():
                        client.receive(chunk)
                        if find_end(client.record.entries) == last:
                            return
                client.lose("ended")
            except httpx.HTTPError as error:
                client.lose(type(error).__name__)


async def test_record_of_a_client_whose_edge_is_killed(broker: Broker, edges: tuple[EdgeProcess, EdgeProcess]) -> None:
    first, second = edges
    client = Client("one", [first.url, second.url], ["a.>"], tenant="acme", start="start")
    async with Producer(broker.url, tenant="acme") as producer:
        await producer.publish("b", 0)
        for number in range(200):
            await producer.publish(f"a.{number % 7}", number)
        half = int((await producer.publish("a.half", 1)).partition("-")[2])
        await follow(client, half)
        first.kill()
        for number in range(200):
            await producer.publish(f"a.{number % 7}", number)
        last = int((await producer.publish("a.end", 1)).partition("-")[2])
    await follow(client, last)
    log = await read_log(broker.url, "acme")
    verdict = judge([client.record], log, until=last)

    assert verdict.clean, verdict.describe()
    assert verdict.expected == verdict.received == 402
    assert verdict.reconnects >= 1
    del client.record.entries[50]
    assert not judge([client.record], log, until=last).clean


async def test_snapshot_of_a_real_edge(broker: Broker, edge: EdgeProcess) -> None:
    client = Client("one", edge.url, ["a.>"], tenant="acme", start="last")
    async with Producer(broker.url, tenant="acme") as producer:
        for number in range(40):
            await producer.publish(f"a.{number % 8}", number)
            await producer.publish("b", number)
        async with httpx.AsyncClient(base_url=edge.url, timeout=PATIENCE) as http:
            (await http.delete("/v1/acme/topics/a.3")).raise_for_status()
        shown = int((await producer.publish("a.0", 1)).partition("-")[2])
        await follow(client, shown)
        last = int((await producer.publish("a.end", 1)).partition("-")[2])
    await follow(client, last)
    log = await read_log(broker.url, "acme")
    verdict = judge([client.record], log, until=last)

    assert verdict.clean, verdict.describe()
    assert verdict.expected == verdict.received == 7 + 1
    del client.record.entries[2]
    assert [fault.kind for fault in judge([client.record], log, until=last).faults] == [Kind.LOST]
