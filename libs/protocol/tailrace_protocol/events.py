"""Events: type, topic, time and data; how they are stored in the log, and how the wire carries them."""

import base64
import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from tailrace_protocol.control import CONTROL_TYPE
from tailrace_protocol.errors import EventTooLarge, InvalidData, InvalidEventType, MalformedStream

MAX_EVENT_BYTES = 64 * 1024
"""Of one event as it is stored."""

MESSAGE = "message"
DELETED = "deleted"
"""The type of a tombstone: the topic was deleted."""

TERMINAL_TYPES = frozenset({"complete", "failed", "cancelled"})
"""The types that end a job: never conflated, never dropped, on no path."""

# As numbers: looking for a byte in bytes takes a sixth of looking for bytes in them.
_LF = 0x0A
_CR = 0x0D

_TYPE = r"[a-z][a-z0-9._-]{0,63}"
_TYPE_RE = re.compile(_TYPE)

# msgspec searches with Python's re, in which `$` also matches before a line end that closes the text.
EventType = Annotated[str, msgspec.Meta(pattern=rf"^{_TYPE}\Z")]


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


class StoredEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """An event as it is stored in the log: one line of JSON. The topic is its subject.

    Attributes:
        time: in UTC, as `decode_stored` returns it.
        data: any JSON, not decoded.
    """

    type: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    data: msgspec.Raw


class _Stored(msgspec.Struct):
    type: str
    time: datetime
    data: Any


class _Line(msgspec.Struct):
    id: str | msgspec.UnsetType
    topic: str
    type: str
    time: datetime
    data: msgspec.Raw


class _DecodedLine(msgspec.Struct):
    topic: str
    type: str
    time: datetime
    data: Any = None
    id: str | None = None


def _encode_model(value: Any) -> Any:
    """Return what stands for a value that msgspec does not know: what pydantic's `model_dump` says."""
    dump = None if isinstance(value, type) else getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")
    dumped = dump(mode="json")
    if hasattr(dumped, "model_dump"):  # a mock has one at any depth
        raise TypeError(f"model_dump of {type(value).__name__} returned a {type(dumped).__name__}, which is no JSON")
    return dumped


_encoder = msgspec.json.Encoder(enc_hook=_encode_model)
_stored_decoder = msgspec.json.Decoder(StoredEvent)
_line_decoder = msgspec.json.Decoder(_DecodedLine)


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
        data: anything that JSON can carry; also dataclasses, msgspec structs, pydantic's models, datetimes, UUIDs and
            the like. NaN and the infinities become null, as in JavaScript. The text in a `msgspec.Raw` has to be JSON.
        time: aware; the present by default.

    Raises:
        InvalidEventType: `event_type` cannot be one.
        InvalidData: `data` cannot be written as JSON, or `time` is naive or not in the years 1 to 9999 of UTC.
        EventTooLarge: it takes more than `MAX_EVENT_BYTES`.
    """
    check_type(event_type)
    if time is None:
        time = datetime.now(UTC)
    elif time.utcoffset() is None:
        raise InvalidData(f"the time {time.isoformat()} of the event is naive; use an aware one: datetime.now(UTC)")
    try:
        stored = _encoder.encode(_Stored(event_type, time.astimezone(UTC), data))
        # Only a msgspec.Raw in the data can bring in line ends, or bytes that are not UTF-8.
        _check_utf8(stored)
        if _LF in stored or _CR in stored:
            stored = msgspec.json.format(stored, indent=-1)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise InvalidData(f"the data of the event cannot be written as JSON: {error}") from error
    if len(stored) > MAX_EVENT_BYTES:
        raise EventTooLarge(len(stored), MAX_EVENT_BYTES)
    return stored


def encode_data(data: Any) -> bytes:
    """Return what can be an event's data as JSON; raises whatever keeps it from that."""
    return _encoder.encode(data)


def decode_stored(payload: bytes, stored_at: int) -> StoredEvent:
    """Return the event that `payload` holds, whoever wrote it. Never raises, and loses nothing.

    What is not of the stored shape becomes type `message` with the JSON as its data, else the text, else
    `{"base64": ...}` for bytes that are no text. The data is always valid JSON on one line. JSON stays as it was
    written but for the white space around it, so that numbers keep all of their digits.

    Args:
        payload: of a message in the log.
        stored_at: the time of events that carry none, nanoseconds since 1970.
    """
    try:
        _check_utf8(payload)
        event = _stored_decoder.decode(payload)
        if event.type != CONTROL_TYPE and _TYPE_RE.fullmatch(event.type):
            if event.time.tzinfo is UTC and _LF not in payload and _CR not in payload:
                return event
            return StoredEvent(
                event.type, event.time.astimezone(UTC), msgspec.Raw(msgspec.json.format(event.data, indent=-1))
            )
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError, RecursionError):
        pass
    return StoredEvent(MESSAGE, datetime.fromtimestamp(stored_at / 1e9, UTC), _encode_foreign(payload))


def encode_line(topic: str, event: StoredEvent, event_id: str | None = None) -> bytes:
    """Return the event as the one line of JSON that clients get, with its id first where one is passed (NDJSON)."""
    line_id = msgspec.UNSET if event_id is None else event_id
    return _encoder.encode(_Line(line_id, topic, event.type, event.time, event.data))


def decode_line(line: bytes | str, event_id: str = "") -> Event:
    """Return the event that `encode_line` wrote, with its data decoded.

    Data that is too much for Python stops no stream: numbers beyond a float become infinite, and what is nested too
    deep stays the JSON text that it is.

    Args:
        line: the data of an SSE event, or a line of NDJSON.
        event_id: of the event where the line does not say it, as in SSE.

    Raises:
        MalformedStream: it is not an event.
    """
    try:
        fields = _decode_fields(line)
    except (ValueError, RecursionError) as error:
        raise MalformedStream(f"the line {line[:80]!r} is not an event: {error}") from error
    return Event(fields.id or event_id, fields.topic, fields.type, fields.time, fields.data)


def _decode_fields(line: bytes | str) -> _DecodedLine:
    try:
        return _line_decoder.decode(line)
    except (msgspec.DecodeError, RecursionError):
        # The data stands last, and no JSON string before it can hold this separator unescaped.
        head, separator, tail = (line if isinstance(line, str) else line.decode()).partition(',"data":')
        if not separator:
            raise
        fields = _line_decoder.decode(f"{head}}}")
        fields.data = _decode_unusual(tail.rstrip().removesuffix("}"))
        return fields


def _decode_unusual(data: str) -> Any:
    try:
        return json.loads(data, parse_int=_parse_int)
    except RecursionError:
        return data


def _parse_int(digits: str) -> int | float:
    # Python reads no more than 4,300 digits as an integer by default.
    return int(digits) if len(digits) <= 4000 else float(digits)


def _check_utf8(text: bytes) -> None:
    # msgspec does not look into the strings of what it keeps raw.
    if not text.isascii():
        text.decode()


def _encode_foreign(payload: bytes) -> msgspec.Raw:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return msgspec.Raw(_encoder.encode({"base64": base64.b64encode(payload).decode()}))
    try:
        return msgspec.Raw(msgspec.json.format(payload, indent=-1))
    except (msgspec.DecodeError, RecursionError):
        return msgspec.Raw(_encoder.encode(text))
