"""The SSE codec: an encoder for the one profile every client reads right, and a decoder for all that WHATWG allows.

The profile: UTF-8, LF only, no BOM; `id`, `event` and `data` on one line each; `retry` inside an event, never alone;
a heartbeat is a comment and ONE newline; no block without data. Source: HTML Living Standard, 9.2 Server-sent events.
"""

import msgspec

from tailrace_protocol.errors import MalformedStream

HEARTBEAT = b": hb\n"
"""One newline: with two, three widespread clients emit an empty message."""

MAX_EVENT_BYTES = 8 << 20
"""Of one event on the wire, for the decoder: the log takes messages of 1 MiB, whose JSON may be six times as long."""

_BOM = b"\xef\xbb\xbf"


def encode_sse(event: str, data: bytes, event_id: str | None = None, retry: int | None = None) -> bytes:
    """Return one event as it goes over the wire, to be written in one piece.

    Args:
        event: its type, without line ends.
        data: one line of UTF-8, usually JSON. CR and LF must not stand in it.
        event_id: ASCII, without CR, LF and NUL; left out where None.
        retry: milliseconds the client should wait before it comes back.
    """
    fields = f"event: {event}\ndata: "
    if event_id is not None:
        fields = f"id: {event_id}\n{fields}"
    if retry is not None:
        fields = f"retry: {retry}\n{fields}"
    return b"%b%b\n\n" % (fields.encode(), data)


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

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        """Make a decoder at the start of a stream.

        Args:
            max_event_bytes: of the data of one event with all its lines, or of any other line; more raises
                MalformedStream. 8 MiB by default, more than an edge can send.
        """
        self.last_event_id = ""
        self.retry: int | None = None
        self._max_event_bytes = max_event_bytes

        # Bytes not yet processed
        self._rest = bytearray()
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
            MalformedStream: an event grows beyond `max_event_bytes`. The events before it have been returned.
        """
        events: list[SseEvent] = []
        for line in self._split_lines(chunk):
            if self._size + len(line) > self._max_event_bytes:
                self._rest = bytearray(line)  # too large here, and too large again in the next call
                break
            if line:
                self._read_field(line)
            elif (event := self._dispatch()) is not None:
                events.append(event)
        if not events and self._size + len(self._rest) > self._max_event_bytes:
            raise MalformedStream(f"an event is larger than {self._max_event_bytes} bytes")
        return events

    def _split_lines(self, chunk: bytes) -> list[bytes]:
        if self._at_start:
            chunk = bytes(self._rest) + chunk
            self._rest.clear()
            if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
                self._rest += chunk
                return []
            self._at_start = False
            chunk = chunk.removeprefix(_BOM)
        if self._skip_lf and chunk:
            self._skip_lf = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            # A CR at the end ends its line now; an LF that follows in the next chunk belongs to it.
            self._skip_lf = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *others = chunk.split(b"\n")
        self._rest += first  # in place: joining anew would copy a long line as often as it has chunks
        if not others:
            return []
        lines = [bytes(self._rest), *others[:-1]]
        self._rest = bytearray(others[-1])
        return lines

    def _read_field(self, line: bytes) -> None:
        name, _, raw = line.partition(b":")
        if raw.startswith(b" "):
            raw = raw[1:]
        if name == b"data":
            self._size += len(line)
            self._data.append(raw.decode(errors="replace"))
        elif name == b"id":
            if b"\0" not in raw:
                self._id = raw.decode(errors="replace")
        elif name == b"event":
            self._event = raw.decode(errors="replace")
        elif name == b"retry" and raw.isdigit():
            # 15 digits are 30,000 years, and exact in every language.
            self.retry = int(raw.lstrip(b"0")[:15] or b"0")

    def _dispatch(self) -> SseEvent | None:
        self.last_event_id = self._id
        event = SseEvent(self._event or "message", "\n".join(self._data), self._id) if self._data else None
        self._event = ""
        self._data = []
        self._size = 0
        return event
