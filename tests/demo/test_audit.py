"""The audit finds whatever is wrong, in made-up records and in a real log."""

import asyncio

import pytest
from support.broker import PATIENCE, Broker
from tailrace_demo.audit import Audit, Record, compare, read_log
from tailrace_producer import Producer

LOG = [Record(sequence, "a") for sequence in (1, 2, 4, 7)]


def test_what_was_received_once_and_in_order_is_clean() -> None:
    audit = compare(LOG, LOG)

    assert audit == Audit(published=4, received=4, lost=0, duplicated=0, disordered=0, unknown=0)
    assert audit.clean


@pytest.mark.parametrize(
    ("sequences", "faults"),
    [
        ([1, 2, 7], {"lost": 1}),
        ([], {"lost": 4}),
        ([1, 2, 2, 4, 7], {"duplicated": 1}),
        ([1, 2, 4, 2, 7], {"duplicated": 1, "disordered": 1}),
        ([1, 4, 2, 7], {"disordered": 1}),
        ([1, 2, 4, 7, 8], {"unknown": 1}),
    ],
)
def test_faults_are_counted(sequences: list[int], faults: dict[str, int]) -> None:
    audit = compare(LOG, [Record(sequence, "a") for sequence in sequences])

    found = {name: getattr(audit, name) for name in ("lost", "duplicated", "disordered", "unknown")}
    assert {name: number for name, number in found.items() if number} == faults
    assert not audit.clean


def test_an_event_of_another_topic_is_another_event() -> None:
    audit = compare(LOG, [*LOG[:-1], Record(7, "b")])

    assert (audit.lost, audit.unknown) == (1, 1)


async def test_the_log_is_read_from_the_broker(broker: Broker) -> None:
    async with Producer(broker.url, tenant="acme") as producer, Producer(broker.url, tenant="other") as other:
        await producer.publish("a", 1)
        await other.publish("a", 2)
        await producer.publish("b.c", 3)

    async with asyncio.timeout(PATIENCE):
        assert await read_log(broker.url, "acme") == [Record(1, "a"), Record(3, "b.c")]
        assert await read_log(broker.url, "nobody") == []
