"""Connections: one attempt of a client, from the request to the end of the answer."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import httptools
from history.client import Client
from tailrace_client.items import Item
from tailrace_client.session import StreamRequest

_CHUNK = 1 << 16

Take = Callable[[list[Item]], None]
"""Gets what a user of the client gets."""


async def read(client: Client, take: Take) -> None:
    """Connect a client once, and read until the connection is over or the client leaves it.

    Raises:
        OSError: the connection cannot be made, broke, or brought no HTTP.
        TimeoutError: not in time, or no byte came for too long.
    """
    request = client.connect()
    url = urlsplit(request.url)
    async with asyncio.timeout(client.session.patience):
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
    try:
        writer.write(_encode(request))
        await _Reading(client, take).run(reader)
    except httptools.HttpParserError as error:
        raise ConnectionError(f"this is no HTTP: {error}") from error
    finally:
        writer.close()


class _Reading:
    """What has come of an answer; the methods `on_...` are called by the parser."""

    def __init__(self, client: Client, take: Take) -> None:
        self._client = client
        self._take = take
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._headed = False
        self._responded = False
        self._over = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._headed = True

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._over = True

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Read until the answer is over or the client leaves it."""
        session = self._client.session
        while not self._over:
            async with asyncio.timeout(session.patience):
                data = await reader.read(_CHUNK)
            if data:
                self._parser.feed_data(data)
            else:
                self._over = True  # most answers end with their connection
            self._respond()
            if session.reading:
                self._take(self._client.receive(self._take_body()))
            if self._responded and not session.reading:
                return

    def _respond(self) -> None:
        if self._over and not self._headed:
            raise ConnectionError("the connection ended without an answer")
        status = self._parser.get_status_code() if self._headed else 0
        # A refusal is taken whole, for its body says why.
        if not self._responded and (status == 200 or (status and self._over)):
            self._responded = True
            self._client.respond(status, self._headers, b"" if status == 200 else self._take_body())

    def _take_body(self) -> bytes:
        body = bytes(self._body)
        self._body.clear()
        return body


def _encode(request: StreamRequest) -> bytes:
    url = urlsplit(request.url)
    lines = [f"GET {url.path}?{url.query} HTTP/1.1", f"host: {url.netloc}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
