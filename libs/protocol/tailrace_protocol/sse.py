"""The SSE codec: an encoder for the one profile every client reads right, and a decoder for all that WHATWG allows.

The profile: UTF-8, LF only, no BOM; `id`, `event` and `data` on one line each; `retry` inside an event, never alone;
a heartbeat is a comment and ONE newline; no block without data. Source: HTML Living Standard, 9.2 Server-sent events.
"""

import msgspec

from tailrace_protocol.errors import MalformedStream

HEARTBEAT = b": hb\n"
"""One newline: with two, three widespread clients emit an empty message."""

_BOM = b"\xef\xbb\xbf"


def encode_sse(event: str, data: bytes, event_id: str | None = None, retry: int | None = None) -> bytes:
    """Return one event as it goes over the wire, to be written in one piece.

    Args:
        event: its type, without line ends.
        data: one line of UTF-8, usually JSON. CR and LF must not stand in it.
        event_id: ASCII, without CR, LF and NUL; left out where None.
        retry: milliseconds the client should wait before it comes back.
    """
    fields = b"" if retry is None else b"retry: %d\n" % retry
    if event_id is not None:
        fields += b"id: %b\n" % event_id.encode()
    return b"%bevent: %b\ndata: %b\n\n" % (fields, event.encode(), data)


class SseEvent(msgspec.Struct, frozen=True):
    """An event as the decoder dispatches it.

    Attributes:
        event: its type, `message` where none was sent.
        data: its lines joined by LF.
        last_event_id: the last id the stream sent up to and with this event; empty if none.
    """

    event: str
    data: str
    last_event_id: str


class SseDecoder:
    """Turns the bytes of a stream into events, however they are cut into chunks.

    Attributes:
        last_event_id: the id to send as `Last-Event-ID` when reconnecting; empty if none came.
        retry: milliseconds to wait before reconnecting, if the stream said so.
    """

    def __init__(self, *, max_event_bytes: int = 1 << 20) -> None:
        """Make a decoder at the start of a stream.

        Args:
            max_event_bytes: of one event with all its lines; more raises MalformedStream.
        """
        self.last_event_id = ""
        self.retry: int | None = None
        self._max_event_bytes = max_event_bytes

        # Bytes not yet processed
        self._rest = b""
        self._at_start = True
        self._skip_lf = False

        # The event that is being read
        self._id = ""
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Return the events that `chunk` completes, in order.

        An event that the stream's end cuts off is never returned, as the standard wants it.

        Raises:
            MalformedStream: an event grows beyond `max_event_bytes`.
        """
        events: list[SseEvent] = []
        for line in self._split_lines(chunk):
            if line:
                self._read_field(line)
            elif (event := self._dispatch()) is not None:
                events.append(event)
        if self._size + len(self._rest) > self._max_event_bytes:
            raise MalformedStream(f"an event is larger than {self._max_event_bytes} bytes")
        return events

    def _split_lines(self, chunk: bytes) -> list[bytes]:
        if self._skip_lf and chunk:
            self._skip_lf = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        text = self._rest + chunk if self._rest else chunk
        if self._at_start:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                self._rest = text
                return []
            self._at_start = False
            text = text.removeprefix(_BOM)
        if b"\r" in text:
            # A CR at the end ends its line now; an LF that follows in the next chunk belongs to it.
            self._skip_lf = text.endswith(b"\r")
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = text.split(b"\n")
        return lines

    def _read_field(self, line: bytes) -> None:
        self._size += len(line)
        name, _, raw = line.partition(b":")
        if raw.startswith(b" "):
            raw = raw[1:]
        if name == b"data":
            self._data.append(raw.decode(errors="replace"))
        elif name == b"id":
            if b"\0" not in raw:
                self._id = raw.decode(errors="replace")
        elif name == b"event":
            self._event = raw.decode(errors="replace")
        elif name == b"retry" and raw.isdigit():
            self.retry = int(raw[:12])

    def _dispatch(self) -> SseEvent | None:
        self.last_event_id = self._id
        event = SseEvent(self._event or "message", "\n".join(self._data), self._id) if self._data else None
        self._event = ""
        self._data = []
        self._size = 0
        return event
