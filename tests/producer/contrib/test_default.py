from collections.abc import Iterator

import pytest
from producer.faults import read_events
from support.broker import Broker
from tailrace_producer import SyncProducer
from tailrace_producer.contrib import get_default_producer, require_default_producer, set_default_producer
from tailrace_protocol.errors import InvalidTenant, SetupError


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("TAILRACE_NATS_URL", raising=False)
    monkeypatch.delenv("TAILRACE_TENANT", raising=False)
    yield
    set_default_producer(None)


def test_there_is_none_unless_somebody_says_where() -> None:
    assert get_default_producer() is None


def test_the_one_that_was_set_is_given_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_NATS_URL", "nats://127.0.0.1:1")
    mine = SyncProducer()
    set_default_producer(mine)

    assert get_default_producer() is mine
    assert require_default_producer() is mine


async def test_the_environment_names_broker_and_tenant(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_NATS_URL", broker.url)
    monkeypatch.setenv("TAILRACE_TENANT", "acme")
    with require_default_producer() as producer:
        assert get_default_producer() is producer
        producer.publish("a", 1)

    assert [event[1:] for event in await read_events(broker.url, "acme")] == [("a", "message", 1)]


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [("TAILRACE_NATS_URL", "http://nowhere", SetupError), ("TAILRACE_TENANT", "No Tenant", InvalidTenant)],
)
def test_mistakes_in_the_environment_are_told(
    name: str, value: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(error):
        require_default_producer()


def test_without_anything_it_is_the_broker_on_this_machine() -> None:
    found = require_default_producer()

    assert get_default_producer() is found
    assert require_default_producer() is found
