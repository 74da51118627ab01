"""Events: type, topic, time and data; how they are stored in the log, and how the wire carries them."""

import base64
import re
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from tailrace_protocol.control import CONTROL_TYPE
from tailrace_protocol.errors import EventTooLarge, InvalidData, InvalidEventType

MAX_EVENT_BYTES = 64 * 1024
"""Of one event as it is stored."""

MESSAGE = "message"
DELETED = "deleted"
"""The type of a tombstone: the topic was deleted."""

TERMINAL_TYPES = frozenset({"complete", "failed", "cancelled"})
"""The types that end a job: never conflated, never dropped, on no path."""

_TYPE = r"[a-z][a-z0-9._-]{0,63}"
_TYPE_RE = re.compile(_TYPE)

EventType = Annotated[str, msgspec.Meta(pattern=f"^{_TYPE}$")]


class Event(msgspec.Struct, frozen=True):
    """An event as clients see it.

    Attributes:
        id: its position in the log, opaque: pass it back as it is.
        topic: what it was published to.
        type: `progress`, `complete`, `message`, ... or one of the user's own.
        time: when it was published; of foreign writers' events, when it was stored.
        data: any JSON.
    """

    id: str
    topic: str
    type: str
    time: datetime
    data: Any = None

    @property
    def terminal(self) -> bool:
        """Whether it ends a job."""
        return self.type in TERMINAL_TYPES


class StoredEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event as it is stored in the log: one line of JSON. The topic is its subject.

    Attributes:
        data: any JSON, not decoded.
    """

    type: EventType
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    data: msgspec.Raw


_encoder = msgspec.json.Encoder()
_stored_decoder = msgspec.json.Decoder(StoredEvent)
_any_decoder = msgspec.json.Decoder()


def check_type(event_type: str) -> str:
    """Return `event_type` as it is.

    Raises:
        InvalidEventType: it breaks the rule `[a-z][a-z0-9._-]{0,63}`, or is reserved.
    """
    if event_type == CONTROL_TYPE:
        raise InvalidEventType(f"the type {CONTROL_TYPE!r} is reserved for the stream's own control events")
    if _TYPE_RE.fullmatch(event_type) is None:
        raise InvalidEventType(
            f"{event_type[:80]!r} is not an event type: 1 to 64 of a-z, 0-9, '.', '_' and '-', with a letter first"
        )
    return event_type


def encode_stored(event_type: str, data: Any, time: datetime | None = None) -> bytes:
    """Return an event as it is stored: one line of JSON.

    Args:
        event_type: see `check_type`.
        data: anything that JSON can carry; also dataclasses, msgspec structs, datetimes, UUIDs and the like.
        time: aware; the present by default.

    Raises:
        InvalidEventType: `event_type` cannot be one.
        InvalidData: `data` cannot be written as JSON.
        EventTooLarge: it takes more than `MAX_EVENT_BYTES`.
    """
    check_type(event_type)
    try:
        stored = _encoder.encode(
            {"type": event_type, "time": (time or datetime.now(UTC)).astimezone(UTC), "data": data}
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidData(f"the data of the event cannot be written as JSON: {error}") from error
    if b"\n" in stored or b"\r" in stored:  # only a msgspec.Raw in the data can bring them in
        stored = msgspec.json.format(stored, indent=-1)
    if len(stored) > MAX_EVENT_BYTES:
        raise EventTooLarge(len(stored), MAX_EVENT_BYTES)
    return stored


def decode_stored(payload: bytes, stored_at: datetime) -> StoredEvent:
    """Return the event that `payload` holds, whoever wrote it.

    What is not of the stored shape becomes type `message` with the JSON as its data, else the text, else
    `{"base64": ...}` for bytes that are no text. The data is always valid JSON on one line.

    Args:
        payload: of a message in the log.
        stored_at: the time of events that carry none.
    """
    try:
        event = _stored_decoder.decode(payload)
        if event.type != CONTROL_TYPE:
            data = _check_line(event.data)
            return event if data is event.data else StoredEvent(event.type, event.time, data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        pass
    return StoredEvent(MESSAGE, stored_at, _encode_foreign(payload))


def encode_line(topic: str, event: StoredEvent, event_id: str | None = None) -> bytes:
    """Return the event as the one line of JSON that clients get, with its id first where one is passed (NDJSON)."""
    fields: dict[str, Any] = {} if event_id is None else {"id": event_id}
    fields |= {"topic": topic, "type": event.type, "time": event.time.astimezone(UTC), "data": event.data}
    return _encoder.encode(fields)


def _check_line(data: msgspec.Raw) -> msgspec.Raw:
    raw = bytes(data)
    if not raw.isascii():
        raw.decode()  # msgspec does not look into what it keeps raw
    if b"\n" in raw or b"\r" in raw:
        return msgspec.Raw(msgspec.json.format(raw, indent=-1))
    return data


def _encode_foreign(payload: bytes) -> msgspec.Raw:
    try:
        return msgspec.Raw(_encoder.encode(_any_decoder.decode(payload)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        pass
    try:
        return msgspec.Raw(_encoder.encode(payload.decode()))
    except UnicodeDecodeError:
        return msgspec.Raw(_encoder.encode({"base64": base64.b64encode(payload).decode()}))
