"""Items: what the events of a stream say, decoded."""

from typing import get_args

import msgspec
from tailrace_protocol.control import Control, Gap, Reset
from tailrace_protocol.errors import MalformedStream, NotFound
from tailrace_protocol.events import DELETED, Event, decode_line
from tailrace_protocol.jobs import JobState
from tailrace_protocol.sse import SseEvent

Item = Event | Gap | Reset
"""What a stream brings: events, and the news that some are gone."""


class _Kind(msgspec.Struct, frozen=True):
    kind: str


_control_decoder: msgspec.json.Decoder[Control] = msgspec.json.Decoder(Control)
_kind_decoder = msgspec.json.Decoder(_Kind)
_KINDS = frozenset(kind.__struct_config__.tag for kind in get_args(Control))


def decode_event(sse: SseEvent) -> Event:
    """Return the event that an SSE event carries.

    Raises:
        MalformedStream: it is none.
    """
    return decode_line(sse.data, sse.last_event_id)


def decode_control(sse: SseEvent) -> Control | None:
    """Return the control event that an SSE event carries; None if it is of a kind this client does not know yet.

    Raises:
        MalformedStream: it is none.
    """
    try:
        return _control_decoder.decode(sse.data)
    except msgspec.DecodeError as error:
        if _is_unknown(sse.data):
            return None
        raise MalformedStream(f"{sse.data[:80]!r} is not a control event: {error}") from error


def _is_unknown(data: str) -> bool:
    try:
        return _kind_decoder.decode(data).kind not in _KINDS
    except msgspec.DecodeError:
        return False


def decode_state(event: Event) -> JobState | None:
    """Return the state that an event on a job's topic carries; None if a foreign writer put something else there.

    Raises:
        NotFound: the event says that the job was deleted.
    """
    if event.type == DELETED:
        raise NotFound(404, "Not found", f"the job of the topic {event.topic!r} was deleted")
    try:
        return msgspec.convert(event.data, JobState)
    except msgspec.ValidationError:
        return None
