"""Sessions: the whole policy of a stream that resumes by itself. No I/O: a shell owns sockets and sleeps.

    while not session.ended:
        sleep(session.delay)
        if session.wants: ask for a token, then session.authorize()
        request = session.connect()          # GET it; wait for bytes for `session.patience` at most, here and below
        session.respond(status, headers, body)
        while session.reading:
            for item in session.receive(read()):
                hand it over
        # lose(...) whenever the connection cannot be made, breaks, ends or is silent for too long

The cursor moves when an item is taken from `receive`, never before: what was read from the socket but not handed over
is asked for again. So the cursor is all there is to know about what was served, for resuming as for dropping doubles.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import CONTROL_TYPE, Challenge, Closing, Gap, Mode, Open, Reset
from tailrace_protocol.errors import EdgeRefused, InvalidPosition, MalformedStream, StreamError
from tailrace_protocol.events import Event
from tailrace_protocol.positions import Position, parse_position
from tailrace_protocol.sse import SseDecoder, SseEvent

from tailrace_client.answers import (
    STREAM_TYPE,
    describe_no_stream,
    is_stream,
    is_transient,
    read_refusal,
    read_retry_after,
)
from tailrace_client.backoff import MAX_FLOOR, Backoff
from tailrace_client.edges import Edges, Fields
from tailrace_client.errors import Unauthorized
from tailrace_client.items import Item, decode_control, decode_event
from tailrace_client.link import Link, LinkState
from tailrace_client.tokens import TokenReason

HEALTHY_AFTER = 10.0
"""Seconds of bytes coming in after which a connection counts as good, events or none."""

MISSED_HEARTBEATS = 2.5
"""Heartbeat intervals without a byte after which a connection counts as dead."""

MAX_EVENT_BYTES = 8 << 20
"""Of one event on the wire. The log takes 1 MiB from foreign writers, and as JSON text it grows."""

logger = logging.getLogger(__name__)

Observe = Callable[[Link], object]


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What to GET."""

    url: str
    headers: Mapping[str, str] = field(repr=False)


class Session:
    """A stream's life over all its connections.

    Attributes:
        ended: whether nothing more comes, ever.
        delay: seconds to wait before the next `connect`.
        reading: whether the connection is to be read on.
        patience: seconds to wait for bytes before `lose(..., silent=True)`. Only waiting counts: a consumer that
            takes its time with what has come does not make the link stale.
        link: how the stream is connected.
        wants: why a token has to be asked for before the next `connect`; None if none has to.
        token: that the newest request carried, or would carry if there was none yet.
        size: of the item handed over last, in characters of its JSON.
    """

    def __init__(
        self,
        edges: Edges,
        fields: Fields,
        *,
        cursor: Position | None = None,
        timeout: float = 10.0,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
        observe: Observe | None = None,
    ) -> None:
        """Begin, unconnected.

        Args:
            edges: to connect to, another one each time.
            fields: of the query.
            cursor: the position to go on from, if there is one.
            timeout: seconds for an edge to answer and open the stream.
            backoff: of this stream alone.
            clock: monotonic seconds.
            observe: called with each new `link`.
        """
        # Settings
        self._edges = edges
        self._fields = fields
        self._timeout = timeout
        self._clock = clock
        self._observe = observe

        # The stream
        self.ended = False
        self.delay = 0.0
        self.link = Link()
        self._position = cursor
        self._backoff = backoff or Backoff()
        self._moved = False
        self._number = edges.first
        self.size = 0

        # The token
        self.wants = edges.credential.missing
        self.token = edges.credential.token
        self._renewed = False
        self._challenged: str | None = None

        # The connection
        self.reading = False
        self.patience = timeout
        self._decoder = SseDecoder()
        self._opened_at = 0.0
        self._heard_at = 0.0

    @property
    def cursor(self) -> str | None:
        """The id to go on from, None while none is known: behind the last item taken from `receive`."""
        return None if self._position is None else str(self._position)

    def rewind(self, cursor: str | None) -> None:
        """Leave the connection, and go on after `cursor`, from the start if it is None.

        Raises:
            InvalidPosition: `cursor` is no event id.
        """
        self.reading = False
        self.ended = False
        self._position = None if cursor is None else parse_position(cursor)

    def authorize(self) -> None:
        """Learn that a token was asked for, and is there."""
        self.wants = None

    def connect(self) -> StreamRequest:
        """Begin an attempt, and return what to GET."""
        self.token = self._edges.credential.token
        self.delay = 0.0
        self.reading = False
        self.patience = self._timeout
        headers = {
            **self._edges.headers,
            "accept": STREAM_TYPE,
            "accept-encoding": "identity",
            "cache-control": "no-store",
        }
        if self.cursor is not None:
            headers["last-event-id"] = self.cursor
        url = self._edges.format_url(self._number, ("events",), self._fields)
        self._number += 1
        return StreamRequest(url, headers)

    def respond(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Take in the head of an answer.

        Args:
            status: of the answer.
            headers: by lower-case name.
            body: whole, unless the status is 200.

        Raises:
            EdgeRefused: trying again does not mend it.
            NotFound: the status is 404.
            Unauthorized: the status is 401, and there is nobody to ask for another token, or that was done.
        """
        renewed, self._renewed = self._renewed, False
        if status == 401 and self._edges.credential.renewable and not renewed:
            self._renewed = True
            self._renew(TokenReason.UNAUTHORIZED, str(read_refusal(status, headers, body)))
        elif status == 200 and is_stream(headers):
            retry = self._decoder.retry
            self._decoder = SseDecoder(max_event_bytes=MAX_EVENT_BYTES)
            self._decoder.retry = retry
            self._opened_at = self._heard_at = self._clock()
            self.reading = True
        elif status == 200:
            raise self._refuse(describe_no_stream(status, headers))
        elif status == 204:
            self._end("the stream is finished")
        elif is_transient(status):
            self._back_off(str(read_refusal(status, headers, body)), read_retry_after(headers))
        else:
            raise self._refuse(read_refusal(status, headers, body))

    def receive(self, chunk: bytes) -> Iterator[Item]:
        """Yield what the chunk completes; take all of it, or leave the connection.

        Raises:
            MalformedStream: no edge sends such bytes.
            EdgeRefused: the edge closes the stream, and does not want to be asked again.
        """
        self._heard_at = self._clock()
        try:
            for sse in self._decoder.feed(chunk):
                item = self._obey(sse) if sse.event == CONTROL_TYPE else self._accept(sse)
                if item is not None:
                    yield item
                if not self.reading:
                    return
        except MalformedStream as error:
            self._refuse(error)
            raise

    def lose(self, reason: str, *, silent: bool = False) -> None:
        """Learn that the connection could not be made, broke or came to its end.

        Args:
            reason: in words.
            silent: whether it was given up because no byte came within `patience`.
        """
        if self.reading and self._heard_at - self._opened_at >= HEALTHY_AFTER:
            self._make_headway()
        self._renewed = False
        if self.wants is TokenReason.CHALLENGE:
            # Nobody could be asked. The token in use is good still, and the next challenge will ask anew.
            self.wants = self._challenged = None
        stale = silent and self.link.state is LinkState.LIVE
        floor = (self._decoder.retry or 0) / 1000
        self._back_off(reason, floor, LinkState.STALE if stale else LinkState.OFFLINE)

    # Events

    def _accept(self, sse: SseEvent) -> Event | None:
        position = _parse_id(sse.last_event_id)
        if self._has_passed(position):
            return None
        event = decode_event(sse)
        self._position = position
        self.size = len(sse.data)
        self._make_headway()
        return event

    def _has_passed(self, position: Position) -> bool:
        here = self._position
        return here is not None and here.epoch == position.epoch and position.sequence <= here.sequence

    def _make_headway(self) -> None:
        self._backoff.reset()
        self._moved = False

    # Control events

    def _obey(self, sse: SseEvent) -> Item | None:
        control = decode_control(sse)
        match control:
            case Open():
                self._open(control)
                if control.mode is Mode.RESET:
                    return None  # the `reset` that follows moves the cursor, once it has been handed over
            case Reset():
                # Without an id the edge sends the start anew, and so it has to if this connection breaks.
                self._position = _parse_id(sse.last_event_id) if sse.last_event_id else None
                return control
            case Closing():
                self._close(control)
            case Challenge():
                self._answer_challenge()
        if sse.last_event_id and not self._has_passed(position := _parse_id(sse.last_event_id)):
            self._position = position
        return control if isinstance(control, Gap) else None

    def _open(self, control: Open) -> None:
        self.patience = MISSED_HEARTBEATS * control.heartbeat or self._timeout
        self._edges.first = (self._number - 1) % len(self._edges)
        first = self.link.edge is None
        self._set_link(Link(LinkState.LIVE, edge=control.edge, reconnects=0 if first else self.link.reconnects + 1))

    def _close(self, control: Closing) -> None:
        reason = f"the edge closed the stream: {control.reason}"
        if control.reason is CloseReason.FINISHED:
            self._end(reason)
        elif control.reason is CloseReason.TOKEN_EXPIRED and self._edges.credential.renewable:
            self.wants = TokenReason.UNAUTHORIZED
            self._move(reason, (control.retry or 0) / 1000)
        elif control.retry is None:
            raise self._refuse(EdgeRefused(200, "Stream closed", f"{control.reason}; it is not to be asked for again"))
        else:
            self._move(reason, control.retry / 1000)

    # The token

    def _answer_challenge(self) -> None:
        # Once for each token: who has no newer one to give goes on with this one until it expires.
        if self._edges.credential.renewable and self._challenged != self.token:
            self._challenged = self.token
            self._renew(TokenReason.CHALLENGE, "the token expires soon")

    def _renew(self, reason: TokenReason, words: str) -> None:
        self.wants = reason
        self.reading = False
        self.delay = 0.0
        self._change_link(LinkState.CONNECTING, words, self.delay)

    # Endings

    def _move(self, reason: str, delay: float) -> None:
        if self._moved:
            # Sent on again without any headway: edges that send everybody away must not be asked in a hot loop.
            self._back_off(reason, delay)
            return
        self._moved = True
        self.reading = False
        self.delay = min(delay, MAX_FLOOR)
        self._change_link(LinkState.CONNECTING, reason, self.delay)

    def _back_off(self, reason: str, floor: float, state: LinkState = LinkState.OFFLINE) -> None:
        self.reading = False
        self.delay = self._backoff.fail(floor)
        self._change_link(state, reason, self.delay)

    def _end(self, reason: str) -> None:
        self.reading = False
        self.ended = True
        self._change_link(LinkState.ENDED, reason)

    def _refuse(self, error: StreamError) -> StreamError:
        self.reading = False
        state = LinkState.UNAUTHORIZED if isinstance(error, Unauthorized) else LinkState.ENDED
        self._change_link(state, str(error))
        return error

    def _change_link(self, state: LinkState, reason: str, retry_in: float | None = None) -> None:
        self._set_link(replace(self.link, state=state, reason=reason, retry_in=retry_in))

    def _set_link(self, link: Link) -> None:
        self.link = link
        logger.debug("stream is %s: %s", link.state, link)
        if self._observe is not None:
            self._observe(link)


def _parse_id(event_id: str) -> Position:
    try:
        return parse_position(event_id)
    except InvalidPosition as error:
        raise MalformedStream(f"an event came with a wrong id: {error}") from None
