"""The producer of the process, and what it published."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio.to_thread
import pytest
from producer.faults import read_events
from support.broker import Broker
from tailrace_producer import SyncProducer
from tailrace_producer.contrib import set_default_producer

Read = Callable[[], Awaitable[list[tuple[str, str, Any]]]]


@pytest.fixture
def producer(broker: Broker) -> Iterator[SyncProducer]:
    with SyncProducer(broker.url) as producer:
        yield producer


@pytest.fixture
def default_producer(producer: SyncProducer) -> Iterator[SyncProducer]:
    """The same, for adapters that look for one."""
    set_default_producer(producer)
    yield producer
    set_default_producer(None)


@pytest.fixture
def read(broker: Broker, producer: SyncProducer) -> Read:
    """Return topic, type and data of all that was published."""

    async def read() -> list[tuple[str, str, Any]]:
        await anyio.to_thread.run_sync(producer.flush)
        return [event[1:] for event in await read_events(broker.url)]

    return read
