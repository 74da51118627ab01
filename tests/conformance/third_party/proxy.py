"""A proxy between one client and two edges, which breaks the stream twice, in the middle of an event each time."""

import asyncio
import fcntl
import itertools
import socket
import struct
import termios
from types import TracebackType
from typing import Self

from support.waiting import wait_until
from tailrace_protocol.sse import HEARTBEAT

_CHUNK = 1 << 16
_KEPT = 32
"""Bytes of what came before, since what is looked for may come in two pieces. It is shorter."""


class BreakingProxy:
    """Stands where a load balancer would. An async context manager: listens on entry, gone on exit.

    The first connection goes to the first edge. Once the first cut is reached, the client gets no more until that edge
    is gone, and then the end of its stream. Who comes back first finds that edge refusing it; all others get to the
    second edge. At the second cut their connection is reset.

    Attributes:
        held: set once the first cut is reached.
        idle: set once a heartbeat has come, of all that is there.
    """

    def __init__(self, ports: tuple[int, int], cuts: tuple[bytes, bytes], last: bytes) -> None:
        """Make one that does not listen yet.

        Args:
            ports: of the two edges.
            cuts: bytes of the stream after which it breaks.
            last: bytes of the last event before the stream is idle.
        """
        first, second = ports
        self.held = asyncio.Event()
        self.idle = asyncio.Event()
        self._ports = itertools.chain((first, first), itertools.repeat(second))
        self._cuts = list(cuts)
        self._signs = [last, HEARTBEAT]
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def _accept(self, request: asyncio.StreamReader, response: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(request, response))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, request: asyncio.StreamReader, response: asyncio.StreamWriter) -> None:
        try:
            source, target = await asyncio.open_connection("127.0.0.1", next(self._ports))
        except OSError:
            response.close()
            return
        upwards = asyncio.create_task(_copy(request, target))
        try:
            await self._copy_down(source, response)
        except ConnectionError:
            pass  # the client left
        finally:
            upwards.cancel()
            target.close()
            response.close()

    async def _copy_down(self, source: asyncio.StreamReader, response: asyncio.StreamWriter) -> None:
        seen = b""
        while chunk := await _read(source):
            kept, seen = len(seen), seen + chunk
            if self._cuts and (found := seen.find(self._cuts[0])) >= 0:
                response.write(chunk[: found + len(self._cuts.pop(0)) - kept])
                await (_reset(response) if self.held.is_set() else self._hold(source, response))
                return
            response.write(chunk)
            await response.drain()
            seen = self._see(seen)[-_KEPT:]

    def _see(self, seen: bytes) -> bytes:
        """Take note of signs, and return what follows the last of them."""
        while not self.idle.is_set() and (found := seen.find(self._signs[0])) >= 0:
            seen = seen[found + len(self._signs.pop(0)) :]
            if not self._signs:
                self.idle.set()
        return seen

    async def _hold(self, source: asyncio.StreamReader, response: asyncio.StreamWriter) -> None:
        await response.drain()
        self.held.set()
        while await _read(source):
            pass


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await _read(source):
        target.write(chunk)
    target.close()


async def _read(source: asyncio.StreamReader) -> bytes:
    try:
        return await source.read(_CHUNK)
    except ConnectionError:
        return b""


async def _reset(response: asyncio.StreamWriter) -> None:
    connection: socket.socket = response.get_extra_info("socket")
    transport = response.transport
    # A reset takes back what the other side's kernel doesn't have yet.
    await wait_until(lambda: not transport.get_write_buffer_size() and not _count_unsent(connection))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _count_unsent(connection: socket.socket) -> int:
    answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    number: int = struct.unpack("i", answer)[0]
    return number
