"""Entries to try the engine with, and an engine that is driven by hand."""

from typing import Any

import msgspec
from tailrace_edge.engine.batch import Batch
from tailrace_edge.engine.engine import Engine
from tailrace_edge.engine.entry import Entry
from tailrace_edge.engine.hub import Interest
from tailrace_edge.engine.limits import Limits
from tailrace_edge.engine.reading import Reading
from tailrace_edge.engine.subscriber import Place, Subscriber
from tailrace_protocol.control import Mode
from tailrace_protocol.sse import SseDecoder

EPOCH = "5f2c91ab"


def make_entry(sequence: int, path: str = "acme.x", event_type: str = "message", pad: int = 0) -> Entry:
    """Return an entry whose data is its sequence, stored in the second of its sequence."""
    data = f'"{"x" * pad}"' if pad else sequence
    payload = f'{{"type":"{event_type}","time":"2026-01-31T12:00:00Z","data":{data}}}'.encode()
    return Entry(EPOCH, sequence, path, payload, sequence * 1_000_000_000)


def make_entries(*types: str, path: str = "acme.jobs.a", after: int = 0) -> list[Entry]:
    """Return entries of these types, one after the other."""
    return [make_entry(sequence, path, event_type) for sequence, event_type in enumerate(types, after + 1)]


def make_interest(*patterns: str, **options: Any) -> Interest:
    """Return an interest in some patterns."""
    return Interest(tuple(sorted(patterns)), **options)


JOB = make_interest("acme.jobs.a")
TAIL_OF_ONE = {"tail_bytes": 0}


class Harness:
    """An engine with connections that take everything, until told otherwise.

    Attributes:
        written: what each connection was given and has not been asked for, without what its stream began with.
        last: those whose stream has ended.
    """

    def __init__(self, **limits: Any) -> None:
        self.engine = Engine("edge-a", Limits(**limits))
        self.engine.open_log(EPOCH, 1, 0)
        self.now = 100.0
        self.written: dict[Subscriber, list[bytes]] = {}
        self.last: set[Subscriber] = set()
        self.room: dict[Subscriber, int] = {}
        self.rest: dict[Subscriber, bytes] = {}

    def attach(self, interest: Interest, *, cursor: int | None = None, **options: Any) -> Subscriber:
        """Attach a stream, and serve what it begins with."""
        subscriber = Subscriber("handle", expires=1e9)
        defaults: dict[str, Any] = {"mode": Mode.LIVE, "retry": 1000}
        cursor = self.engine.log.head if cursor is None else cursor
        self.written[subscriber] = []
        self.engine.attach(subscriber, interest, cursor=cursor, now=self.now, **(defaults | options))
        return subscriber

    def attach_live(self, interest: Interest, **options: Any) -> Subscriber:
        """Attach a stream at the head, with its `open` already read."""
        subscriber = self.attach(interest, **options)
        self.serve()
        self.written[subscriber].clear()
        return subscriber

    def append(self, *entries: Entry) -> None:
        """Bring entries of the log, and serve all."""
        for group, batch in self.engine.append(entries, self.now):
            for subscriber in list(group.live):
                self.write(subscriber, batch)
        self.serve()

    def serve(self) -> None:
        """Serve until nobody is ready."""
        while (subscriber := self.engine.next_ready(self.now)) is not None:
            batch = self.engine.serve(subscriber, self.now)
            if batch is not None:
                self.write(subscriber, batch)

    def write(self, subscriber: Subscriber, batch: Batch) -> None:
        """Write a batch as far as there is room."""
        room = self.room.get(subscriber, len(batch.data))
        self.written[subscriber].append(batch.data[:room])
        if room < len(batch.data):
            self.rest[subscriber], ends = self.engine.stall(subscriber, batch, room, self.now)
        else:
            ends = batch.last
        if ends:
            self.last.add(subscriber)
            self.engine.detach(subscriber)

    def unblock(self, subscriber: Subscriber) -> None:
        """Have a connection take everything again."""
        self.room.pop(subscriber, None)
        rest = self.rest.pop(subscriber, None)
        if rest is not None:
            self.written[subscriber].append(rest)
        if rest is not None and subscriber not in self.last:
            self.engine.unblock(subscriber)
            self.serve()

    def plan(self, until: int | None = None) -> Reading:
        """Plan a reading that has to exist."""
        reading = self.engine.plan_reading()
        assert reading is not None
        reading.until = reading.covers if until is None else until
        return reading

    def feed(self, reading: Reading, *entries: Entry) -> None:
        """Bring entries of a reading."""
        for subscribers, batch in self.engine.feed(reading, entries, self.now):
            for subscriber in subscribers:
                self.write(subscriber, batch)

    def place(self, subscriber: Subscriber) -> Place:
        """Return where a subscriber is now."""
        return subscriber.place

    def read(self, subscriber: Subscriber) -> bytes:
        """Return what a connection was given since the last call."""
        data = b"".join(self.written[subscriber])
        self.written[subscriber].clear()
        return data


def parse(data: bytes) -> list[tuple[str, str, Any]]:
    """Return id, type and data of all events; of control events the data's kind is the type."""
    events = []
    for event in SseDecoder().feed(data):
        fields = msgspec.json.decode(event.data)
        if event.event == "tailrace":
            events.append((event.last_event_id.removeprefix(f"{EPOCH}-"), fields.pop("kind"), fields))
        else:
            events.append((event.last_event_id.removeprefix(f"{EPOCH}-"), event.event, fields["data"]))
    return events


def kinds(data: bytes) -> list[tuple[str, str]]:
    return [(event_id, kind) for event_id, kind, _ in parse(data)]


def beat(harness: Harness, subscriber: Subscriber, seconds: float = 0) -> bytes:
    harness.now += seconds
    batch = harness.engine.beat(subscriber, harness.now)
    assert isinstance(batch, Batch)
    return batch.data
