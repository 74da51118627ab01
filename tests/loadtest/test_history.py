"""The history checker finds each kind of fault, and none where there is none."""

from collections.abc import Sequence

import httpx
import pytest
from history.check import Kind, check
from history.client import Client
from history.jetstream import read_log
from history.log import Log, Stored
from history.record import Announced, Closed, Ended, Entry, Opened, Reached, Received, Record, Restarted, find_end
from history.verdict import judge
from support.broker import Broker
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


def find_faults(entries: Sequence[Entry], *patterns: str, until: int | None = None) -> list[tuple[Kind, str]]:
    record = Record("one", patterns or (">",), entries=list(entries))
    return [(fault.kind, fault.id.partition("-")[2]) for fault in check(record, LOG, until=until).faults]


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


# Against real edges


async def follow(client: Client, last: int) -> None:
    """Read on, wherever it gets in, until the event `last` has come."""
    async with httpx.AsyncClient(timeout=30) as http:
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
