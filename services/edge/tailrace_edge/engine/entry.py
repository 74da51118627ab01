"""Entries: messages of the log as the edge holds them, and the frames they become on the wire."""

from enum import IntEnum

import msgspec
from tailrace_protocol.control import CONTROL_TYPE, Control
from tailrace_protocol.events import DELETED, TERMINAL_TYPES, Event, StoredEvent, decode_stored, encode_line
from tailrace_protocol.positions import Position
from tailrace_protocol.sse import HEARTBEAT, encode_sse

_ENTRY_OVERHEAD = 512
"""Bytes an entry costs beside its payload and frame: objects, index, lists (measured, rounded up)."""


class Format(IntEnum):
    """How a stream is written."""

    SSE = 0
    NDJSON = 1


class Entry(msgspec.Struct, eq=False, gc=False):
    """One message of the log.

    A tail holds a hundred thousand, which refer to nothing that refers back: the collector never looks at them.

    Attributes:
        epoch: of the stream it is in.
        sequence: its JetStream sequence.
        path: `<tenant>.<topic>`, its subject without `events.`.
        payload: as it is stored.
        stored_at: when it was stored, nanoseconds since 1970.
        rollup: it took the place of all earlier messages with its subject (`Tailrace-Rollup: sub`).
        lease: seconds within which the job it tells of will be heard of again; 0 if that is not promised.
    """

    epoch: str
    sequence: int
    path: str
    payload: bytes
    stored_at: int
    rollup: bool = False
    lease: float = 0.0
    _event: StoredEvent | None = None
    _sse: bytes | None = None
    _line: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes of memory it may come to take, the frame included."""
        return _ENTRY_OVERHEAD + 2 * len(self.payload) + 2 * len(self.path)

    @property
    def id(self) -> str:
        """The event's id."""
        return f"{self.epoch}-{self.sequence}"

    @property
    def topic(self) -> str:
        """The event's topic."""
        return self.path.partition(".")[2]

    @property
    def event(self) -> StoredEvent:
        """What the payload says, decoded once."""
        if self._event is None:
            self._event = decode_stored(self.payload, self.stored_at)
        return self._event

    @property
    def terminal(self) -> bool:
        """Whether it ends a job."""
        return self.event.type in TERMINAL_TYPES

    @property
    def tombstone(self) -> bool:
        """Whether it says that the topic was deleted."""
        return self.event.type == DELETED

    def frame(self, form: Format) -> bytes:
        """Return the event as it goes over the wire, encoded when it is first asked for."""
        if form is Format.SSE:
            if self._sse is None:
                event = self.event
                self._sse = encode_sse(event.type, encode_line(self.topic, event), self.id)
            return self._sse
        if self._line is None:
            self._line = encode_line(self.topic, self.event, self.id) + b"\n"
        return self._line

    def to_event(self) -> Event:
        """Return the event as clients see it in JSON answers."""
        event = self.event
        return Event(self.id, self.topic, event.type, event.time, event.data)


_encoder = msgspec.json.Encoder()


def encode_control(control: Control, form: Format, position: Position | None = None, retry: int | None = None) -> bytes:
    """Return a control event as it goes over the wire.

    Args:
        control: what it says.
        form: how the stream is written.
        position: what a client that reconnects after it resumes from; None leaves its id as it is.
        retry: milliseconds for SSE's `retry` field.
    """
    event_id = None if position is None else str(position)
    if form is Format.SSE:
        return encode_sse(CONTROL_TYPE, _encoder.encode(control), event_id, retry)
    line: dict[str, object] = {} if event_id is None else {"id": event_id}
    return _encoder.encode(line | {"type": CONTROL_TYPE, "data": control}) + b"\n"


HEARTBEATS = (HEARTBEAT, b"\n")
"""By format. In NDJSON an empty line, which its readers skip."""
