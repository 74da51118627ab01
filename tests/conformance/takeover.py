"""The story that every client is put through: 1,000 events, while its edge is killed and another one takes the port."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from support.broker import PATIENCE, Broker, read_stream
from support.edge import EdgeProcess
from tailrace_producer import Producer
from tailrace_protocol.control import CONTROL_TYPE
from tailrace_protocol.positions import parse_position
from tailrace_protocol.sse import HEARTBEAT

QUERY = "/v1/acme/events?topic=orders.*&topic=jobs.wire&from=start&until=terminal"
"""Of the stream that is read. It is over with the job's `complete`: whoever comes back then gets 204."""

TYPES = ("message", "progress", "invoice.paid", "complete")
"""Of the events; EventSource needs a listener for each."""

WAIT = 200.0
"""Seconds after which a client that waits for what never comes has failed: before pytest-timeout ends the process,
and leaves ours behind."""

_HOSTILE = (
    "line\u2028paragraph\u2029next\u0085tab\u000bfeed\u000cbom\ufeffnul\0wave\U0001f30a"
    "\r\n\ndata: no\n\nid: no\n\nevent: no\n\n: hb\n\n"
)
"""What ends a line, or more, for one parser or another."""

_LARGE = "é" * (30 << 10)
"""60 KiB, whose characters are cut in two by most reads of a socket."""


class Received(NamedTuple):
    """One event, as the client reports it."""

    id: str
    type: str
    text: str


class Record:
    """What one client has received so far.

    Attributes:
        events: in the order they came.
        controls: the control events, likewise.
    """

    def __init__(self) -> None:
        self.events: list[Received] = []
        self.controls: list[dict[str, Any]] = []
        self._ended = False
        self._changed = asyncio.Event()

    def add(self, event_id: str, event_type: str, text: str) -> None:
        """Take note of an event or a control event."""
        if event_type == CONTROL_TYPE:
            self.controls.append(json.loads(text))
        else:
            self.events.append(Received(event_id, event_type, text))
        self._changed.set()

    def end(self) -> None:
        """Take note that the client reads no more."""
        self._ended = True
        self._changed.set()

    async def reach(self, number: int) -> None:
        """Return when `number` events have come."""
        while len(self.events) < number:
            assert not self._ended, f"the client ended after {len(self.events)} events"
            self._changed.clear()
            await self._changed.wait()

    @property
    def opens(self) -> list[tuple[str, str]]:
        """Edge and mode of every connection that was opened."""
        return [(control["edge"], control["mode"]) for control in self.controls if control["kind"] == "open"]


Read = Callable[[str, Record], Awaitable[None]]
"""A client: reads the stream at a URL into a record, comes back when it breaks, and returns once it is over (204)."""


class Takeover:
    """One run of the story.

    Attributes:
        events: topic, data and type of each.
        ids: of those that are stored.
    """

    def __init__(self, broker: Broker, folder: Path, **settings: Any) -> None:
        """Prepare it.

        Args:
            broker: with an empty log.
            folder: for the edges' logs.
            settings: of both edges.
        """
        settings = {"heartbeat": 0.5, "retry": 0.1} | settings
        self.events = [_make_event(number) for number in range(1000)]
        self.ids: list[str] = []
        self._broker = broker
        self._first = EdgeProcess(broker.url, folder / "a", name="a", **settings)
        self._second = EdgeProcess(broker.url, folder / "b", name="b", port=self._first.port, **settings)

    async def run(self, read: Read) -> Record:
        """Return what the client received."""
        record = Record()
        url = self._first.url + QUERY
        async with (
            asyncio.timeout(WAIT),
            Producer(self._broker.url, tenant="acme") as producer,
            asyncio.TaskGroup() as group,
            self._first,
        ):
            await self._publish(producer, 400)
            reading = group.create_task(_read_to_end(read, url, record))
            await record.reach(400)
            going_on = group.create_task(self._publish(producer, 600))
            await record.reach(450)
            self._first.kill()
            await going_on
            await self._publish(producer, 800)
            async with self._second:
                await record.reach(800)
                await self._publish(producer, 999)
                await record.reach(999)
                await _see_heartbeats(url)
                await self._publish(producer, 1000)
                await reading
        return record

    async def check(self, record: Record) -> None:
        """Fail unless the client received exactly the stream."""
        assert [event.id for event in record.events] == self.ids
        sequences = [sequence for sequence, _, _ in await read_stream(self._broker.url)]
        assert [parse_position(event_id).sequence for event_id in self.ids] == sequences
        for event, (topic, data, event_type) in zip(record.events, self.events, strict=True):
            line = json.loads(event.text)
            assert (event.type, line["type"], line["topic"], line["data"]) == (event_type, event_type, topic, data)
        assert record.opens == [("a", "live"), ("b", "resumed")]
        assert record.controls[-1]["kind"] == "closing"

    async def _publish(self, producer: Producer, up_to: int) -> None:
        self.ids += await producer.publish_many(self.events[len(self.ids) : up_to])


def _make_event(number: int) -> tuple[str, Any, str]:
    if number == 999:
        return "jobs.wire", {"number": number}, "complete"
    text = _LARGE if number % 250 == 249 else _HOSTILE
    topic = "jobs.wire" if number % 3 == 0 else f"orders.{number % 7}é"
    return topic, {"number": number, "text": text}, TYPES[number % 3]


async def _read_to_end(read: Read, url: str, record: Record) -> None:
    try:
        await read(url, record)
    finally:
        record.end()


async def _see_heartbeats(url: str) -> None:
    """Return when every stream of the edge has had a heartbeat: in the time of two, each has one."""
    async with (
        httpx.AsyncClient(timeout=PATIENCE) as client,
        client.stream("GET", url.replace("from=start", "from=now")) as response,
    ):
        count = 0
        async for chunk in response.aiter_raw():
            count += chunk.count(HEARTBEAT)
            if count >= 3:
                return
    raise AssertionError("the stream ended")
