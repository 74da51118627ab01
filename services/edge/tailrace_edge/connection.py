"""Connections: a socket taken over from uvicorn, and its stand-in for any other ASGI server.

uvicorn hands a WebSocket's transport to another protocol in the same way. What is saved: a task, a queue and
uvloop's write queue for each client.
"""

import asyncio
import fcntl
import os
import socket
import struct
import termios
from collections import Counter
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar, cast

from starlette.types import Receive, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tailrace_edge.engine.subscriber import Subscriber
from tailrace_edge.problems import MEDIA_TYPE, Problem
from tailrace_edge.pump import Pump

EXTENSION = "tailrace.detach"
"""In `scope["extensions"]`: a callable that returns the transport, which the application owns from then on; None if
the client has gone."""

_TOO_SLOW = "the request did not come in full within {:g} s"
_TOO_LARGE = "the request's line and headers have more than {} bytes; ask for fewer topics, with wildcards"

_LINGER = 5.0
"""Seconds a connection that is being closed may take to send what it has."""

_UNSENT = 16 * 1024
"""Bytes the kernel may hold unsent before it says that a socket takes no more."""


class DetachableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which lets the application take the connection over, and bounds request heads."""

    max_header_bytes = 32 << 10
    """Of a request's line and headers; 431 beyond that (RFC 6585)."""

    request_timeout = 60.0
    """Seconds until a request has come in full; 408 after that."""

    refusals: ClassVar[Counter[str]] = Counter()
    """Where requests that are refused are counted, by limit."""

    _in_head = True
    _head_bytes = 0
    _refused = False
    _earlier: tuple[RequestResponseCycle, ...] = ()
    """Requests that are answered still, before the newest one: the client did not wait."""
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Called by the transport at the start of the connection."""
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport at the end of the connection."""
        self._clear_deadline()
        self._silence(*self._earlier)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Called by the transport with what the client sends."""
        if self._refused:
            return
        super().data_received(data)
        if self._in_head and not self._refused:
            self._head_bytes += len(data)
            if self._head_bytes > self.max_header_bytes:
                self._refuse_head()

    def on_headers_complete(self) -> None:
        """Called by the parser at the end of a request's headers."""
        self._in_head = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.max_header_bytes:
            self._refuse_head()
            raise ValueError("the request's head is too large")
        last = cast("RequestResponseCycle | None", self.cycle)
        if last is not None and not last.response_complete:
            self._earlier = (*(cycle for cycle in self._earlier if not cycle.response_complete), last)
        super().on_headers_complete()
        if self.scheme == "http":
            scope: dict[str, Any] = cast("Any", self.scope)
            scope["extensions"] = {EXTENSION: partial(self._detach, self.cycle)}

    def on_message_complete(self) -> None:
        """Called by the parser at the end of a request."""
        self._clear_deadline()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Called where a request is not HTTP."""
        if not self._refused:
            self._refuse(Problem(400, "invalid-http", msg))

    def on_message_begin(self) -> None:
        """Called by the parser at the start of a request."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        if self._deadline is None:
            self._set_deadline()

    def _refuse_head(self) -> None:
        told = _TOO_LARGE.format(self.max_header_bytes)
        self._refuse(Problem(431, "header-too-large", told, limit="max_header_bytes"))

    def _refuse(self, problem: Problem) -> None:
        problem.count(self.refusals)
        body = problem.encode()
        head = (
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self._refused = True
        self._clear_deadline()
        if self.cycle is not None:
            self._silence(*self._earlier, self.cycle)
        if self.transport.is_closing():
            return
        self.transport.write(head.encode() + body)
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        # Closing while the client still sends would reset the connection, and the answer with it.
        self.transport.write_eof()
        self.loop.call_later(_LINGER, self.transport.close)

    def _silence(self, *cycles: RequestResponseCycle) -> None:
        """Have requests answer nothing more; uvicorn does so with the newest one alone, and only once all is over."""
        for cycle in cycles:
            cycle.disconnected = True
            cycle.waiting_for_100_continue = False

    def _set_deadline(self) -> None:
        self._deadline = self.loop.call_later(self.request_timeout, self._expire)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        if self.transport.is_closing():
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if self._in_head:
            answerable = self._head_bytes > 0 and (cycle is None or cycle.response_complete)
        else:
            answerable = cycle is not None and not cycle.response_started
        if answerable:
            told = _TOO_SLOW.format(self.request_timeout)
            self._refuse(Problem(408, "too-slow", told, limit="request_timeout"))
        else:
            self.transport.close()

    def _detach(self, cycle: RequestResponseCycle) -> asyncio.Transport | None:
        # Tells the cycle that nobody waits for its response any more.
        cycle.disconnected = True
        if self.transport.is_closing() or self._refused:
            return None
        self._clear_deadline()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        self.server_state.total_requests += 1
        # What the client sent behind the request is not answered, but its end has to be heard.
        self.pipeline.clear()
        self.flow.resume_reading()
        # What was needed until here refers to each other in circles, and would wait for the collector.
        cycle.scope["extensions"] = {}
        self._earlier = ()
        self.parser = None  # type: ignore[assignment]  # as uvicorn does at the end of a connection
        self.cycle = None  # type: ignore[assignment]  # the same
        return self.transport


class SocketConnection(asyncio.Protocol):
    """A stream's own protocol on a transport taken over."""

    __slots__ = ("_backlog", "_on_lost", "_pump", "_subscriber", "_transport", "fd")

    def __init__(self, transport: asyncio.Transport, pump: Pump, send_buffer: int) -> None:
        """Take a transport over.

        Args:
            transport: plain TCP, with nothing buffered.
            pump: to be told of what happens.
            send_buffer: bytes of the kernel's buffer, so that a slow reader's share of memory stays small.
        """
        self._transport = transport
        self._pump = pump
        self._subscriber: Subscriber | None = None
        self._on_lost: Callable[[], None] | None = None
        self._backlog = 0
        sock: socket.socket = transport.get_extra_info("socket")
        self.fd = sock.fileno()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        transport.set_write_buffer_limits(high=0)
        transport.set_protocol(self)

    def serve(self, subscriber: Subscriber, on_lost: Callable[[], None]) -> None:
        """Learn whose connection this is, and what to call at its end."""
        self._subscriber = subscriber
        self._on_lost = on_lost

    # For the pump

    @property
    def idle(self) -> bool:
        """Whether the transport holds nothing."""
        buffered: int = self._transport.get_write_buffer_size()
        return buffered == 0

    def write(self, data: bytes) -> int:
        """Write as much as goes at once; nothing to a dead socket, of which the transport tells soon."""
        try:
            return os.write(self.fd, data)
        except OSError:
            return 0

    def send(self, data: bytes) -> None:
        """Let the transport send it."""
        self._transport.write(data)

    def finish(self) -> None:
        """Close once everything is sent."""
        self._transport.close()
        asyncio.get_running_loop().call_later(_LINGER, self._transport.abort)

    def made_headway(self) -> bool:
        """Return whether the backlog, the kernel's included, is smaller than it was at the last call."""
        (unsent,) = struct.unpack("i", fcntl.ioctl(self.fd, termios.TIOCOUTQ, b"\0\0\0\0"))
        backlog: int = self._transport.get_write_buffer_size() + unsent
        before, self._backlog = self._backlog, backlog
        return backlog < before

    # For the transport

    def data_received(self, data: bytes) -> None:
        """Called with what a client sends after its request, which is nothing we wait for."""

    def eof_received(self) -> bool:
        """Called when the client closed its side: nobody reads on."""
        return False

    def resume_writing(self) -> None:
        """Called when the transport has sent all it held."""
        if self._subscriber is not None:
            self._pump.unblock(self._subscriber)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called when the connection is gone, for whatever reason."""
        self.fd = -1
        subscriber, self._subscriber = self._subscriber, None
        if subscriber is not None:
            self._pump.lose(subscriber)
        if self._on_lost is not None:
            self._on_lost()
            self._on_lost = None


class AsgiConnection:
    """The same on any ASGI server, and under TLS: one task a stream sends what is written."""

    def __init__(self, pump: Pump, send: Send) -> None:
        """Make a connection that `run` serves."""
        self.fd = -1
        self._pump = pump
        self._send = send
        self._buffer: list[bytes] = []
        self._wanted = asyncio.Event()
        self._expired = asyncio.Event()
        self._sent = False
        self._finished = False

    @property
    def idle(self) -> bool:
        """Whether all is sent."""
        return not self._buffer

    def write(self, data: bytes) -> int:
        """Take all, unless something else is still being sent."""
        if self._buffer:
            return 0
        self.send(data)
        return len(data)

    def send(self, data: bytes) -> None:
        """Have it sent."""
        self._buffer.append(data)
        self._wanted.set()

    def finish(self) -> None:
        """End the response once all is sent, or some seconds later."""
        self._finished = True
        self._wanted.set()
        asyncio.get_running_loop().call_later(_LINGER, self._expired.set)

    def made_headway(self) -> bool:
        """Return whether a send has been taken since the last call."""
        sent, self._sent = self._sent, False
        return sent

    async def run(self, subscriber: Subscriber, receive: Receive) -> None:
        """Send what is written, until the stream ends, the client goes, or takes too long to take the end."""
        tasks = [
            asyncio.create_task(self._wait_gone(receive)),
            asyncio.create_task(self._send_all(subscriber)),
            asyncio.create_task(self._expired.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            self._pump.lose(subscriber)
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                # An OSError is the server's word for a client that went (ASGI 2.4).
                if isinstance(ended, Exception) and not isinstance(ended, OSError):
                    raise ended

    async def _send_all(self, subscriber: Subscriber) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._buffer:
                number = len(self._buffer)
                await self._send({"type": "http.response.body", "body": b"".join(self._buffer), "more_body": True})
                self._sent = True
                del self._buffer[:number]
            if self._finished:
                await self._send({"type": "http.response.body", "body": b""})
                return
            self._pump.unblock(subscriber)

    async def _wait_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
