"""Broker and tenant of producers that are not told them."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from producer.faults import read_events
from support.broker import Broker
from tailrace_producer import Producer, SyncProducer
from tailrace_producer.contrib.fastapi import producer_lifespan
from tailrace_producer.testing import capture
from tailrace_protocol.errors import InvalidTenant, SetupError


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAILRACE_NATS_URL", raising=False)
    monkeypatch.delenv("TAILRACE_TENANT", raising=False)


async def test_the_environment_names_them(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_NATS_URL", broker.url)
    monkeypatch.setenv("TAILRACE_TENANT", "acme")
    async with Producer() as producer:
        await producer.publish("a", 1)
    with SyncProducer() as plain:
        plain.enqueue("a", 2)
    app = FastAPI(lifespan=producer_lifespan())
    async with app.router.lifespan_context(app):
        app.state.tailrace_producer.enqueue("a", 3)

    assert [event[1:] for event in await read_events(broker.url, "acme")] == [("a", "message", n) for n in (1, 2, 3)]


async def test_what_is_given_wins(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_NATS_URL", "nats://127.0.0.1:1")
    monkeypatch.setenv("TAILRACE_TENANT", "acme")
    async with Producer(broker.url, tenant="beta") as producer:
        await producer.publish("a", 1)
    with SyncProducer(broker.url, tenant="beta") as plain:
        plain.enqueue("a", 2)

    assert [event[1:] for event in await read_events(broker.url, "beta")] == [("a", "message", 1), ("a", "message", 2)]


@pytest.mark.parametrize("make", [Producer, SyncProducer])
@pytest.mark.parametrize(
    ("name", "value", "error"),
    [("TAILRACE_NATS_URL", "http://nowhere", SetupError), ("TAILRACE_TENANT", "No Tenant", InvalidTenant)],
)
def test_mistakes_in_it_are_told(
    make: Callable[[], object], name: str, value: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(error):
        make()


@pytest.mark.parametrize(("variable", "tenant"), [("", "default"), ("acme", "acme")])
def test_a_recorder_reads_it_too(variable: str, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_TENANT", variable)
    with capture() as events, SyncProducer() as producer, producer.job("j") as job:
        events.cancel("j")
        job.cancel()

    assert {event.tenant for event in events} == {tenant}
