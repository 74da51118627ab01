"""Deliveries: what is written, and what the pump adds to the writing."""

import asyncio
import math
import os
import socket
from collections.abc import Sequence
from contextlib import ExitStack

from tailrace_edge.engine.engine import Engine
from tailrace_edge.engine.entry import Entry
from tailrace_edge.engine.subscriber import Subscriber
from tailrace_edge.pump import Pump
from tailrace_protocol.control import Mode

from bench.steps.messages import EPOCH, make_entries, make_messages
from bench.steps.step import TICK, Sizes, Step, Stopwatch
from bench.steps.streams import RETRY, make_interests

_FRAME = bytes(316)
"""As long as a frame of the other scenarios' events."""

_PUMPED = 50
"""One in so many events goes through the pump, as each makes many deliveries."""


class Sink:
    """A connection to nowhere that takes everything."""

    idle = True

    def __init__(self, fd: int) -> None:
        """Make one of an open file."""
        self.fd = fd

    def write(self, data: bytes) -> int:
        """Write all."""
        return os.write(self.fd, data)

    def send(self, data: bytes) -> None:
        """Refuse: nothing is ever left to send."""
        raise AssertionError(f"{len(data)} bytes were not taken")

    def finish(self) -> None:
        """Close; the file's owner does."""

    def made_headway(self) -> bool:
        """Return whether bytes were taken."""
        return True


def write(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Write frames to one socket, whose other end reads after each tick's."""
    return _write(1, TICK, sizes.events, stopwatch)


def write_many(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Write a frame to each of many sockets, and so on once all are read."""
    return _write(sizes.connections, 1, sizes.events, stopwatch)


def pump(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Have the pump write events to many watchers, whose connections take no time."""
    entries = make_entries(make_messages(sizes.events // _PUMPED, 1))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        asyncio.run(_pump(entries, [Sink(nowhere) for _ in range(sizes.watchers)], stopwatch))
    finally:
        os.close(nowhere)
    return len(entries) * sizes.watchers


def _write(connections: int, frames: int, least: int, stopwatch: Stopwatch) -> int:
    """Write so many frames to each connection before they are read, until there are enough."""
    written = 0
    with ExitStack() as stack:
        pairs = [_connect(stack) for _ in range(connections)]
        fds = [server.fileno() for server, _ in pairs] * frames
        while written < least:
            with stopwatch:
                for fd in fds:
                    os.write(fd, _FRAME)
            written += len(fds)
            for _, client in pairs:
                _read(client, frames * len(_FRAME))
    return written


def _connect(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Return both ends of a connection, the server's first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = stack.enter_context(socket.create_connection(listener.getsockname()))
        server = stack.enter_context(listener.accept()[0])
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server, client


def _read(client: socket.socket, size: int) -> None:
    while size:
        size -= len(client.recv(size))


async def _pump(entries: Sequence[Entry], sinks: Sequence[Sink], stopwatch: Stopwatch) -> None:
    [interest] = make_interests(1)
    pump = Pump(Engine("edge-0"))
    pump.start()
    pump.open_log(EPOCH, 1, 0)
    for sink in sinks:
        subscriber = Subscriber(sink, expires=math.inf)
        pump.attach(subscriber, sink, interest=interest, mode=Mode.LIVE, cursor=0, retry=RETRY)
    while pump.engine.count_live() < len(sinks):  # noqa: ASYNC110  # the pump has no event for it
        await asyncio.sleep(0)
    with stopwatch:
        for entry in entries:
            pump.append([entry])
    pump.stop()


STEPS = (
    Step("write, one connection", "deliveries", write),
    Step("write, {connections:,} connections", "deliveries", write_many),
    Step("pump, {watchers:,} watchers", "deliveries", pump),
)
