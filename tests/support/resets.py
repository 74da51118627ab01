"""Servers that reset what connects to them, and loops too busy to see it at once."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

RESET = struct.pack("ii", 1, 0)


@contextmanager
def accepting(treat: Callable[[socket.socket], None]) -> Iterator[int]:
    """Have each connection treated by a function, then closed, and yield the port."""

    def accept() -> None:
        while not done.is_set():
            connected, _ = listening.accept()
            with connected:
                treat(connected)

    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield port
        finally:
            done.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


def reset(connected: socket.socket) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@asynccontextmanager
async def busy_loop() -> AsyncIterator[None]:
    """Let the loop be so busy that what happens to a new connection happens before anyone looks at it."""

    async def block() -> None:
        while True:
            time.sleep(0.003)  # noqa: ASYNC251  # as an application does that computes
            await asyncio.sleep(0)

    blocking = asyncio.create_task(block())
    try:
        yield
    finally:
        blocking.cancel()
        await asyncio.wait([blocking])
