"""A TCP server that plays a script to each connection, on a thread of its own."""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

WAIT = 40.0
"""Seconds after which a script that does not go on fails the test."""

_DONE = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """What a client asked for.

    Attributes:
        method: `GET`, `POST`, ...
        target: path and query, as they came.
        headers: by lower-case name.
        body: whole.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's fields, decoded."""
        return parse_qsl(urlsplit(self.target).query)

    @property
    def last_event_id(self) -> str | None:
        """The id to go on after; None if there is none."""
        return self.headers.get("last-event-id")

    @property
    def token(self) -> str | None:
        """The bearer token; None if there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" else None


class Peer:
    """A client's connection.

    Attributes:
        edge: that it came to.
        request: of the client, already read.
        connection: the socket.
    """

    def __init__(self, edge: "ScriptedEdge", request: Request, connection: socket.socket) -> None:
        self.edge = edge
        self.request = request
        self.connection = connection

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        await asyncio.get_running_loop().sock_sendall(self.connection, data)

    async def read_eof(self) -> None:
        """Return when the client has closed."""
        try:
            while await asyncio.get_running_loop().sock_recv(self.connection, 65536):
                pass
        except ConnectionResetError:
            pass

    def reset(self) -> None:
        """Let the closing of the connection drop what was not sent yet."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Play = Callable[[Peer], Awaitable[None]]
"""What happens on a connection, or a part of that. The connection is closed after it."""


class Over(Exception):
    """Raised by a play that ends the connection, whatever was to follow."""


class ScriptedEdge:
    """Plays the i-th answer of a script to the i-th connection; after the last one it answers 204.

    Use it in a `with`. Leaving it raises what went wrong in a play.

    Attributes:
        requests: in the order they came.
        number: of the event sent last; the first one gets 1.
        left: how many connections are closed, by whichever side.
    """

    def __init__(self, script: Sequence[Play] = ()) -> None:
        """Take a script; `stream`, `answer`, `problem` and the like make it.

        Args:
            script: an answer for each connection.
        """
        self.script = script
        self.requests: list[Request] = []
        self.number = 0
        self.left = 0
        self._errors: list[BaseException] = []
        self._changed = threading.Condition()
        self._port = 0

    @property
    def url(self) -> str:
        """Where it is, to be passed to a client."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._port = self._listener.getsockname()[1]
        self._stopping = False
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # An accept that is cancelled may have a connection in hand, which would never be closed. This one ends it.
        self._stopping = True
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self._port), timeout=WAIT).close()
        self._thread.join(WAIT)
        self._loop.close()
        self._listener.close()
        if error is None and self._errors:
            raise self._errors[0]

    def wait_requests(self, count: int) -> None:
        """Return when so many requests have come; in asyncio, call it with `asyncio.to_thread`.

        Raises:
            AssertionError: they did not come in time.
        """
        self._wait(lambda: len(self.requests) >= count, lambda: f"{len(self.requests)} of {count} requests came")

    def wait_left(self, count: int) -> None:
        """Return when so many connections are closed; in asyncio, call it with `asyncio.to_thread`.

        Raises:
            AssertionError: they were not in time.
        """
        self._wait(lambda: self.left >= count, lambda: f"{self.left} of {count} connections are closed")

    def _wait(self, is_so: Callable[[], bool], describe: Callable[[], str]) -> None:
        with self._changed:
            if not self._changed.wait_for(is_so, WAIT):
                raise AssertionError(f"only {describe()} after {WAIT:g} s")

    async def _serve(self) -> None:
        number = 0
        async with asyncio.TaskGroup() as group:
            while True:
                connection, _ = await asyncio.get_running_loop().sock_accept(self._listener)
                if self._stopping:
                    connection.close()
                    return
                play = self.script[number] if number < len(self.script) else _finish
                group.create_task(self._play(connection, play))
                number += 1

    async def _play(self, connection: socket.socket, play: Play) -> None:
        connection.setblocking(False)
        try:
            async with asyncio.timeout(WAIT):
                request = await _read_request(connection)
                if request is not None:
                    with self._changed:
                        self.requests.append(request)
                        self._changed.notify_all()
                    await play(Peer(self, request, connection))
        except (Over, ConnectionResetError, BrokenPipeError):
            pass  # the play ends here, or the client left in the middle, as it may
        except Exception as error:
            self._errors.append(error)
        finally:
            connection.close()
            with self._changed:
                self.left += 1
                self._changed.notify_all()


async def _finish(peer: Peer) -> None:
    await peer.send(_DONE)


async def _read_request(connection: socket.socket) -> Request | None:
    loop = asyncio.get_running_loop()
    received = b""
    while b"\r\n\r\n" not in received:
        data = await loop.sock_recv(connection, 65536)
        if not data:
            return None
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += await loop.sock_recv(connection, 65536)
    return Request(method, target, headers, body)
