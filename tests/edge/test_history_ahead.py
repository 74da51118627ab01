"""A history that is to begin at an id which another edge has told, and this one has not read yet."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from support.broker import Broker
from tailrace_edge.engine.log import Log
from tailrace_edge.jetstream import JetStream
from tailrace_edge.problems import Problem
from tailrace_edge.routes.history import _find_cursor
from tailrace_producer import Producer


@pytest.fixture
async def lagging(broker: Broker) -> AsyncIterator[Any]:
    """What an edge knows that has read two of five events."""
    async with Producer(broker.url, tenant="acme") as producer:
        await producer.publish_many([("a", number) for number in range(5)])
    jetstream = JetStream(broker.url, name="lagging")
    await jetstream.connect()
    log = Log(1000)
    log.open((await jetstream.read_state()).epoch, 1, 2)
    yield SimpleNamespace(jetstream=jetstream, engine=SimpleNamespace(log=log))
    await jetstream.close()


async def test_an_id_that_the_leader_knows_is_one_of_the_log(lagging: Any) -> None:
    epoch = lagging.engine.log.epoch
    assert [await _find_cursor(lagging, f"{epoch}-{number}") for number in (0, 2, 3, 5)] == [0, 2, 3, 5]


@pytest.mark.parametrize("position", ["{epoch}-6", "00000000-1", "00000000-4"])
async def test_an_id_that_nobody_knows_is_none(lagging: Any, position: str) -> None:
    with pytest.raises(Problem, match="of another stream or ahead"):
        await _find_cursor(lagging, position.format(epoch=lagging.engine.log.epoch))
