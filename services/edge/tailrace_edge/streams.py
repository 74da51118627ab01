"""Streams: the route that takes a client's connection over and gives it to the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import formatdate
from functools import partial
from typing import NamedTuple

from starlette.types import Receive, Scope, Send
from tailrace_protocol.control import Mode
from tailrace_protocol.starts import Start

from tailrace_edge.admission import Seat
from tailrace_edge.auth.guard import Stream
from tailrace_edge.connection import EXTENSION, AsgiConnection, SocketConnection
from tailrace_edge.direct import read_batch
from tailrace_edge.edge import Edge
from tailrace_edge.engine.entry import Entry, Format
from tailrace_edge.engine.hub import Interest
from tailrace_edge.engine.leases import Lease
from tailrace_edge.engine.subscriber import Subscriber, Watch
from tailrace_edge.jetstream import JetStreamUnavailable
from tailrace_edge.problems import Problem, describe
from tailrace_edge.query import MEDIA_TYPES, StreamQuery, parse_stream_query

_OPEN_WAIT = 5.0
"""Seconds a stream waits for an edge that has just been started to know the log."""

_CHALLENGE = 60.0
"""Seconds before its token's end in which a client is told of it; half of what is left if that is less."""

_ATTEMPTS = 100
_PAUSE = 0.02


class Beginning(NamedTuple):
    """Where a stream begins.

    Attributes:
        mode: see `control.Mode`; gaps are found out by the engine.
        cursor: exclusive.
        snapshot: the newest event of each topic, if it was asked for.
        watch: the jobs to wait for, if it was asked for.
        over: nothing will ever come: the answer is 204.
    """

    mode: Mode
    cursor: int
    snapshot: list[Entry] | None = None
    watch: Watch | None = None
    over: bool = False


class StreamRoute:
    """`GET /v1/{tenant}/events`, a plain ASGI application: FastAPI's own routing costs more than all the rest."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, which ends when the stream has been handed over, or is over."""
        try:
            tenant: str = scope["path_params"]["tenant"]
            query = parse_stream_query(
                tenant, scope["query_string"], scope["headers"], max_patterns=self._edge.settings.max_patterns
            )
            caller = await self._edge.guard.admit(scope, _describe_stream(tenant, query), query.ticket)
            seat = Seat(tenant, caller.name, self._edge.admission.find_address(scope))
            self._edge.admission.enter(seat)
        except Exception as error:
            await self._answer_error(error, scope, receive, send)
            return
        leave = partial(self._edge.admission.leave, seat)
        try:
            beginning = await self._begin(query)
        except BaseException as error:
            leave()
            if not isinstance(error, Exception):
                raise
            await self._answer_error(error, scope, receive, send)
            return
        if beginning.over:
            leave()
            await send({"type": "http.response.start", "status": 204, "headers": self._headers(scope, Format.SSE)[1:]})
            await send({"type": "http.response.body"})
            return
        lease = choose_lease(caller.expires)
        if not self._hand_over(scope, query.interest, beginning, lease, leave):
            await self._stream(scope, receive, send, query.interest, beginning, lease, leave)

    async def _answer_error(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        problem = describe(error)
        if problem.status == 500:
            raise error
        problem.count(self._edge.admission.refusals)
        problem.headers |= self._allow_origin(scope)
        await problem.render()(scope, receive, send)

    def _hand_over(
        self, scope: Scope, interest: Interest, beginning: Beginning, lease: Lease | None, leave: Callable[[], None]
    ) -> bool:
        """Take the connection over from the server, and return whether it lets that happen."""
        detach = (scope.get("extensions") or {}).get(EXTENSION)
        if detach is None:
            return False
        transport: asyncio.Transport | None = detach()
        if transport is None:
            leave()
            return True
        try:
            connection = SocketConnection(transport, self._edge.pump, self._edge.settings.send_buffer)
        except OSError:
            # The socket died in between; nobody would call `leave` at its end.
            leave()
            transport.abort()
            return True
        subscriber = Subscriber(connection, expires=self._edge.choose_expiry(), lease=lease)
        connection.serve(subscriber, leave)
        self._attach(subscriber, connection, interest, beginning, self._encode_head(scope, interest.form))
        return True

    def _attach(
        self,
        subscriber: Subscriber,
        connection: SocketConnection | AsgiConnection,
        interest: Interest,
        beginning: Beginning,
        head: bytes = b"",
    ) -> None:
        self._edge.pump.attach(
            subscriber,
            connection,
            interest=interest,
            mode=beginning.mode,
            cursor=beginning.cursor,
            retry=self._edge.choose_retry(),
            head=head,
            snapshot=beginning.snapshot,
            watch=beginning.watch,
        )

    async def _stream(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        interest: Interest,
        beginning: Beginning,
        lease: Lease | None,
        leave: Callable[[], None],
    ) -> None:
        connection = AsgiConnection(self._edge.pump, send)
        subscriber = Subscriber(connection, expires=self._edge.choose_expiry(), lease=lease)
        try:
            self._attach(subscriber, connection, interest, beginning)
            headers = self._headers(scope, interest.form)
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await connection.run(subscriber, receive)
        finally:
            self._edge.pump.lose(subscriber)
            leave()

    # Where it begins

    async def _begin(self, query: StreamQuery) -> Beginning:
        beginning = await self._find_beginning(query)
        # Asked last, since nobody ends a stream that begins after the drain has looked for streams.
        if self._edge.draining:
            raise Problem(503, "draining", "this edge is being stopped; try again", headers={"retry-after": "1"})
        return beginning

    async def _find_beginning(self, query: StreamQuery) -> Beginning:
        log = self._edge.engine.log
        deadline = time.monotonic() + _OPEN_WAIT
        while not log.epoch:
            if time.monotonic() > deadline:
                raise JetStreamUnavailable("this edge has not reached the broker yet; try again")
            await asyncio.sleep(_PAUSE)
        found = await find_time(self._edge, query.start) if isinstance(query.start, datetime) else None
        newest: list[Entry] | None = None
        if query.interest.until_terminal and self._resumes(query) and query.position is not None:
            # Another edge was further; how the jobs stand has to be known as far as its client knows it.
            await self._edge.snapshots.reach(query.position.sequence)
        if query.interest.until_terminal or (query.start is Start.LAST and not self._resumes(query)):
            newest = await self._edge.snapshots.read(query.interest.patterns)
        # From here on nothing is awaited, so that the log stays where it is until the stream is attached.
        watch = self._watch(query, newest) if query.interest.until_terminal else None
        if self._resumes(query) and query.position is not None:
            cursor = query.position.sequence
            past = max((entry.sequence for entry in newest or ()), default=0) <= cursor
            return Beginning(Mode.RESUMED, cursor, None, watch, over=watch is not None and watch.ended and past)
        mode = Mode.LIVE if query.position is None else Mode.RESET
        match query.start:
            case Start.LAST:
                shown = [entry for entry in newest or () if not entry.tombstone and _wants(query.interest, entry)]
                return Beginning(mode, log.head, shown, watch)
            case Start.BEGINNING:
                return Beginning(mode, log.oldest - 1, None, watch)
            case _:
                return Beginning(mode, log.head if found is None else found, None, watch)

    def _resumes(self, query: StreamQuery) -> bool:
        return query.position is not None and query.position.epoch == self._edge.engine.log.epoch

    def _watch(self, query: StreamQuery, newest: list[Entry] | None) -> Watch:
        terminal = {entry.path: entry.terminal or entry.tombstone for entry in newest or ()}
        return Watch(query.interest.patterns, self._edge.engine.log.head, terminal)

    # What is answered

    def _headers(self, scope: Scope, form: Format) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", MEDIA_TYPES[form].encode()),
            (b"cache-control", b"no-cache, no-store, no-transform"),
            (b"x-accel-buffering", b"no"),
            *((name.encode(), value.encode()) for name, value in self._allow_origin(scope).items()),
        ]

    def _allow_origin(self, scope: Scope) -> dict[str, str]:
        origin = _find_header(scope["headers"], b"origin")
        allowed = self._edge.settings.cors_origins
        if origin is None or not ("*" in allowed or origin in allowed):
            return {}
        if "*" in allowed:
            return {"access-control-allow-origin": "*", "vary": "origin"}
        credentials = {"access-control-allow-credentials": "true"} if self._edge.settings.takes_cookies else {}
        return {"access-control-allow-origin": origin, "vary": "origin", **credentials}

    def _encode_head(self, scope: Scope, form: Format) -> bytes:
        lines = [b"HTTP/1.1 200 OK", b"date: " + formatdate(usegmt=True).encode()]
        lines += [b"%b: %b" % header for header in self._headers(scope, form)]
        # The body ends with the connection (RFC 9112, 6.3), which saves framing every event anew.
        return b"\r\n".join([*lines, b"connection: close", b"", b""])


def choose_lease(expires: float | None) -> Lease | None:
    """Return how long a stream may go on whose token is good until `expires`, in Unix seconds; None without an end."""
    if expires is None:
        return None
    left = expires - time.time()
    until = time.monotonic() + left
    return Lease(until - min(_CHALLENGE, left / 2), until, datetime.fromtimestamp(expires, UTC))


async def find_time(edge: Edge, start: datetime) -> int:
    """Return the cursor before the first event stored at a time or later; the head if there is none.

    Raises:
        JetStreamUnavailable: the broker does not answer.
    """
    log = edge.engine.log
    stored_at = int(start.timestamp() * 1e9)
    query = {"start_time": start.isoformat().replace("+00:00", "Z"), "batch": 1}
    for _ in range(_ATTEMPTS):
        sequence = log.tail.find_time(stored_at)
        if sequence is not None:
            return sequence - 1
        first = log.tail.first
        if first is None and log.head + 1 == log.first:
            return log.head
        # A replica that lags may know nothing so new, but whatever it knows first is right.
        found = await read_batch(edge.jetstream, log.epoch, query)
        if found:
            return found[0].sequence - 1
        if first is None or first.stored_at < stored_at:
            return log.head
        await asyncio.sleep(_PAUSE)
    raise JetStreamUnavailable("no replica of the log is fresh enough; try again")


def _describe_stream(tenant: str, query: StreamQuery) -> Stream:
    patterns = tuple(path.removeprefix(f"{tenant}.") for path in query.interest.patterns)
    return Stream(tenant, patterns, query.asked)


def _wants(interest: Interest, entry: Entry) -> bool:
    return interest.types is None or entry.event.type in interest.types


def _find_header(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str | None:
    for name, value in headers:
        if name == wanted:
            return value.decode("latin-1")
    return None
