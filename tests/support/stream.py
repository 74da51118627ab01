"""Streams as tests read them: a bare socket, whose reader can stop, and the record of what came."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from tailrace_protocol.control import CONTROL_TYPE
from tailrace_protocol.sse import SseDecoder, SseEvent


class RawStream:
    """One response, read from a socket.

    Attributes:
        status: of HTTP.
        headers: by name in lower case.
        decoder: of the body.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: list[SseEvent] = []
        self.status = 0
        self.headers: dict[str, str] = {}
        self.decoder = SseDecoder()

    async def read_head(self) -> None:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        self.status = int(head[0].split(" ")[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}

    async def read_raw(self, size: int = 65536) -> bytes:
        return await self._reader.read(size)

    async def next(self) -> SseEvent | None:
        """Return the next event, the control events included; None at the stream's end."""
        while not self._waiting:
            chunk = await self._reader.read(65536)
            if not chunk:
                return None
            self._waiting = self.decoder.feed(chunk)
        return self._waiting.pop(0)

    async def next_event(self) -> SseEvent:
        """Return the next event that is not a control event."""
        while True:
            event = await self.next()
            assert event is not None, "the stream ended"
            if event.event != CONTROL_TYPE:
                return event

    async def next_control(self, kind: str) -> dict[str, Any]:
        """Return the next control event of a kind; fails if an event comes before it."""
        while True:
            event = await self.next()
            assert event is not None, f"the stream ended before a {kind!r} came"
            assert event.event == CONTROL_TYPE, f"an event came before a {kind!r}: {event}"
            control: dict[str, Any] = msgspec.json.decode(event.data)
            if control["kind"] == kind:
                return control

    async def read_events(self, number: int) -> list[SseEvent]:
        """Return the next events that are not control events."""
        return [await self.next_event() for _ in range(number)]

    async def read_to_end(self) -> list[SseEvent]:
        """Return everything up to the stream's end."""
        events: list[SseEvent] = []
        while (event := await self.next()) is not None:
            events.append(event)
        return events

    def abort(self) -> None:
        """Cut the connection off."""
        self._writer.transport.abort()


@asynccontextmanager
async def open_stream(
    url: str,
    *topics: str,
    tenant: str = "acme",
    last_event_id: str | None = None,
    accept: str = "text/event-stream",
    receive_buffer: int | None = None,
    tls: ssl.SSLContext | None = None,
    **query: str,
) -> AsyncIterator[RawStream]:
    """Open a stream, and cut it off at the end.

    Args:
        url: the edge's.
        topics: and patterns.
        tenant: of them.
        last_event_id: header.
        accept: header.
        receive_buffer: of the kernel; small for a slow reader.
        tls: how the edge's certificate is checked, if it has one.
        query: further fields; `from_` is `from`.
    """
    fields = [("topic", topic) for topic in topics] + [(name.rstrip("_"), value) for name, value in query.items()]
    head = f"GET /v1/{quote(tenant)}/events?{urlencode(fields)} HTTP/1.1\r\nhost: edge\r\naccept: {accept}\r\n"
    if last_event_id is not None:
        head += f"last-event-id: {last_event_id}\r\n"
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    reader, writer = await _connect(address.hostname, address.port, receive_buffer, tls)
    stream = RawStream(reader, writer)
    try:
        writer.write(head.encode() + b"\r\n")
        await stream.read_head()
        yield stream
    finally:
        stream.abort()


async def _connect(
    host: str, port: int, receive_buffer: int | None, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if receive_buffer is None:
        return await asyncio.open_connection(host, port, ssl=tls)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (host, port))
    return await asyncio.open_connection(sock=sock, limit=1 << 10, ssl=tls, server_hostname=host if tls else None)
