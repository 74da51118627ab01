"""A TCP server that plays a script to each connection, byte for byte, on a thread of its own."""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import msgspec
from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import CONTROL_TYPE, Closing, Control, Mode, Open
from tailrace_protocol.sse import encode_sse

EPOCH = "5f2c91ab"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
TIME = "2026-01-31T12:00:00Z"
WAIT = 40.0
"""Seconds after which a script that does not go on fails the test."""


def format_id(sequence: int, epoch: str = EPOCH) -> str:
    return f"{epoch}-{sequence}"


def write_event(sequence: int, *, topic: str = "a.b", type: str = "message", data: Any = None) -> bytes:
    """Return an event as an edge sends it; its data is its sequence unless another is passed."""
    line = {"topic": topic, "type": type, "time": TIME, "data": sequence if data is None else data}
    return encode_sse(type, msgspec.json.encode(line), format_id(sequence))


def write_control(
    control: Control, sequence: int | None = None, *, epoch: str = EPOCH, retry: int | None = None
) -> bytes:
    event_id = None if sequence is None else format_id(sequence, epoch)
    return encode_sse(CONTROL_TYPE, msgspec.json.encode(control), event_id, retry)


def write_open(
    sequence: int | None = 0,
    *,
    mode: Mode = Mode.LIVE,
    heartbeat: float = 15.0,
    edge: str = "edge-1",
    retry: int | None = None,
) -> bytes:
    opening = Open(mode, format_id(sequence or 0), heartbeat, edge)
    return write_control(opening, sequence, retry=retry)


FINISHED = write_control(Closing(CloseReason.FINISHED))


def write_answer(status: int, body: Any = None, *, content_type: str = "application/json", **headers: str) -> bytes:
    """Return a whole answer; `retry_after="1"` is the header `retry-after: 1`."""
    content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
    fields = {"content-type": content_type, "content-length": str(len(content)), "connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + content


def write_problem(status: int, title: str, detail: str, **headers: str) -> bytes:
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return write_answer(status, problem, content_type="application/problem+json", **headers)


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query)

    @property
    def last_event_id(self) -> str | None:
        return self.headers.get("last-event-id")


class Peer:
    """A client's connection, with its request already read."""

    def __init__(self, request: Request, connection: socket.socket) -> None:
        self.request = request
        self._socket = connection

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def read_eof(self) -> None:
        """Return when the client has closed."""
        try:
            while await asyncio.get_running_loop().sock_recv(self._socket, 65536):
                pass
        except ConnectionResetError:
            pass

    def reset(self) -> None:
        """Let the closing of the connection drop what was not sent yet."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def fill(self, data: bytes, limit: int, full: float) -> int:
        """Send `data` over and over until nothing has gone out for `full` seconds or `limit` bytes are sent.

        Returns:
            The bytes sent, and nothing of the last piece is left over.
        """
        loop = asyncio.get_running_loop()
        sent = 0
        pending: asyncio.Task[None] | None = None
        while sent < limit:
            pending = asyncio.ensure_future(loop.sock_sendall(self._socket, data))
            done, _ = await asyncio.wait([pending], timeout=full)
            if not done:
                break
            sent += len(data)
        self._pending = pending
        return sent

    async def flush(self) -> None:
        """Wait for what `fill` left under way."""
        if self._pending is not None:
            await self._pending


Play = Callable[[Peer], Awaitable[None]]


def send(*pieces: bytes) -> Play:
    """Return the play that sends the pieces and closes."""

    async def play(peer: Peer) -> None:
        for piece in pieces:
            await peer.send(piece)

    return play


def send_and_hold(*pieces: bytes) -> Play:
    """Return the play that sends the pieces, and stays until the client closes."""

    async def play(peer: Peer) -> None:
        for piece in pieces:
            await peer.send(piece)
        await peer.read_eof()

    return play


@dataclass
class ScriptedEdge:
    """Plays `plays[i]` to the i-th connection; after the last one it answers 204.

    Attributes:
        requests: in the order they came.
        left: how many connections are closed, by whichever side.
    """

    plays: Sequence[Play] = ()
    requests: list[Request] = field(default_factory=list)
    left: int = 0
    errors: list[BaseException] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._stopped: Future[None] = Future()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set_result(None)
        self._thread.join(WAIT)
        self._loop.close()
        self._listener.close()
        if error is None and self.errors:
            raise self.errors[0]

    def wait_left(self, count: int) -> None:
        """Return when `count` connections are closed."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.left >= count, WAIT), f"only {self.left} of {count} closed"

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            accepting = group.create_task(self._accept(group))
            await asyncio.wrap_future(self._stopped)
            accepting.cancel()

    async def _accept(self, group: asyncio.TaskGroup) -> None:
        number = 0
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            play = self.plays[number] if number < len(self.plays) else send(write_answer(204))
            number += 1
            group.create_task(self._play(connection, play))

    async def _play(self, connection: socket.socket, play: Play) -> None:
        connection.setblocking(False)
        try:
            async with asyncio.timeout(WAIT):
                request = await _read_request(connection)
                if request is not None:
                    self.requests.append(request)
                    await play(Peer(request, connection))
        except (ConnectionResetError, BrokenPipeError):
            pass  # the client left in the middle, as it may
        except Exception as error:
            self.errors.append(error)
        finally:
            connection.close()
            with self._changed:
                self.left += 1
                self._changed.notify_all()


async def _read_request(connection: socket.socket) -> Request | None:
    loop = asyncio.get_running_loop()
    raw = b""
    while b"\r\n\r\n" not in raw:
        data = await loop.sock_recv(connection, 65536)
        if not data:
            return None
        raw += data
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += await loop.sock_recv(connection, 65536)
    return Request(method, target, headers, body)
