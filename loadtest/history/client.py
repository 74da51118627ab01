"""Clients whose record is kept: Tailrace's own session, with all that the wire brings written down before it."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from tailrace_client.backoff import Backoff
from tailrace_client.edges import Edges
from tailrace_client.items import Item, decode_control
from tailrace_client.queries import format_selection
from tailrace_client.session import Session, StreamRequest
from tailrace_protocol.control import CONTROL_TYPE, Closing, Cursor, Gap, Open, Reset
from tailrace_protocol.errors import InvalidPosition, MalformedStream, StreamError
from tailrace_protocol.positions import parse_position
from tailrace_protocol.sse import SseDecoder, SseEvent

from history.record import Announced, Closed, Ended, Entry, Opened, Reached, Received, Record, Restarted


class _Line(msgspec.Struct):
    topic: str


_line_decoder = msgspec.json.Decoder(_Line)


class Client:
    """One client without I/O, to be driven as a `Session` is.

    The session drops what comes twice, as it does for every user. So what came is recorded before it gets it.

    Attributes:
        record: what came.
        session: the policy: when to connect, where to go on, how long to wait.
    """

    def __init__(
        self,
        name: str,
        url: str | Sequence[str],
        patterns: Sequence[str],
        *,
        tenant: str,
        start: str = "now",
        token: str | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make one that is not connected.

        Args:
            name: for the verdict.
            url: of the edge or the load balancer; or several.
            patterns: to watch.
            tenant: whose events.
            start: `now`, `last`, `start`, an id or a time.
            token: a bearer token.
            backoff: of this client.
            clock: Unix seconds.

        Raises:
            InvalidInput: one of these cannot be asked for.
        """
        self.record = Record(name, tuple(patterns), start)
        self.session = Session(
            Edges(url, tenant, token),
            format_selection(patterns, start),
            backoff=backoff,
        )
        self._clock = clock
        self._decoder = SseDecoder()

    def connect(self) -> StreamRequest:
        """Begin an attempt, and return what to GET."""
        self._decoder = SseDecoder()
        return self.session.connect()

    def respond(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Take in the head of an answer. A refusal ends the client, and is recorded."""
        try:
            self.session.respond(status, headers, body)
        except StreamError as error:
            self._end(error)
        else:
            if not self.session.reading:
                self._note(Closed(self._clock(), f"status {status}"))

    def receive(self, chunk: bytes) -> list[Item]:
        """Take in bytes, and return what a user of the client gets of them."""
        try:
            for sse in self._decoder.feed(chunk):
                self._write_down(sse)
            return list(self.session.receive(chunk))
        except StreamError as error:
            self._end(error)
            return []

    def lose(self, reason: str, *, silent: bool = False) -> None:
        """Learn that the connection could not be made, broke or came to its end."""
        self._note(Closed(self._clock(), reason))
        self.session.lose(reason, silent=silent)

    def _write_down(self, sse: SseEvent) -> None:
        if sse.event == CONTROL_TYPE:
            entries = self._read_control(decode_control(sse))
        else:
            epoch, sequence = _parse(sse.last_event_id)
            entries = [Received(epoch, sequence, _read_topic(sse.data))]
        for entry in entries:
            self._note(entry)

    def _read_control(self, control: Any) -> Iterable[Entry]:
        match control:
            case Open():
                yield Opened(self._clock(), control.mode, *_parse(control.cursor), sys.intern(control.edge))
            case Gap():
                epoch, first = _parse(control.from_)
                yield Announced(epoch, first, _parse(control.to)[1])
            case Reset():
                yield Restarted(*_parse(control.cursor))
            case Cursor():
                yield Reached(*_parse(control.cursor))
            case Closing():
                yield Closed(self._clock(), str(control.reason))
            case _:
                pass

    def _end(self, error: StreamError) -> None:
        self.session.ended = True
        self._note(Ended(str(error)))

    def _note(self, entry: Entry) -> None:
        self.record.entries.append(entry)


def _parse(text: str) -> tuple[str, int]:
    try:
        epoch, sequence = parse_position(text)
    except InvalidPosition as error:
        raise MalformedStream(f"an event came with a wrong id: {error}") from None
    return sys.intern(epoch), sequence


def _read_topic(data: str) -> str:
    try:
        return sys.intern(_line_decoder.decode(data).topic)
    except msgspec.DecodeError as error:
        raise MalformedStream(f"what came is not an event: {error}") from error
