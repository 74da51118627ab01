"""Clusters whose brokers can be cut off from each other: every route goes through a relay that may hold it."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from itertools import permutations
from pathlib import Path
from typing import Any

from support.broker import Broker, Cluster, pick_ports

_CHUNK = 1 << 16


class Links:
    """The ways between some servers, from each to each. What is cut off is held: TCP sends lost packets again.

    A thread of its own relays, so that a busy test slows no broker down.
    """

    def __init__(self, ports: list[int]) -> None:
        """Make relays to the servers that listen on `ports`; `start` opens them."""
        self._targets = ports
        pairs = list(permutations(range(len(ports)), 2))
        self.ports = dict(zip(pairs, pick_ports(len(pairs)), strict=True))
        """Where a server, by its number, reaches another."""
        self._open: dict[tuple[int, int], asyncio.Event] = {}
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="links", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._run(self._listen())

    def close(self) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self, source: int, target: int) -> None:
        """Let nothing through from one to another; what the other sends still comes."""
        self._run(self._set(source, target, passing=False))

    def heal(self) -> None:
        """Let everything through again, what was held first."""
        for source, target in self.ports:
            self._run(self._set(source, target, passing=True))

    def isolate(self, number: int) -> None:
        """Cut one off from all others, in both directions."""
        for source, target in self.ports:
            if number in {source, target}:
                self.cut(source, target)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self) -> None:
        for pair in self.ports:
            self._open[pair] = asyncio.Event()
            self._open[pair].set()
        for (source, target), port in self.ports.items():
            self._servers.append(await asyncio.start_server(self._make_relay(source, target), "127.0.0.1", port))

    async def _set(self, source: int, target: int, *, passing: bool) -> None:
        gate = self._open[source, target]
        if passing:
            gate.set()
        else:
            gate.clear()

    def _make_relay(self, source: int, target: int) -> Any:
        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._targets[target])
            except OSError:
                writer.close()
                return
            there = asyncio.create_task(self._pump(reader, far_writer, self._open[source, target]))
            back = asyncio.create_task(self._pump(far_reader, writer, self._open[target, source]))
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
            for pump in (there, back):
                pump.cancel()
            for side in (writer, far_writer):
                side.transport.abort()

        return relay

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await gate.wait()
                writer.write(data)
                await writer.drain()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


class PartitionedCluster(Cluster):
    """Three brokers that reach each other through `links` alone."""

    def __init__(self, folder: Path) -> None:
        ports = pick_ports(7)
        self.links = Links(ports[3:6])
        self.brokers = [
            Broker(
                folder / f"n{number}",
                port=ports[number],
                name=f"n{number}",
                routes=[port for (source, _), port in self.links.ports.items() if source == number],
                route_port=ports[3 + number],
                # What they tell each other leads nowhere: they would go past the relays.
                advertise=ports[6],
            )
            for number in range(3)
        ]
        self.url = ",".join(broker.url for broker in self.brokers)

    def start(self) -> None:
        self.links.start()
        super().start()

    def kill(self) -> None:
        super().kill()
        self.links.close()

    def isolate(self, broker: Broker) -> None:
        """Cut a broker off from both others."""
        self.links.isolate(self.brokers.index(broker))

    def heal(self) -> None:
        """Let all brokers reach each other again."""
        self.links.heal()

    def others(self, broker: Broker) -> list[Broker]:
        return [other for other in self.brokers if other is not broker]
