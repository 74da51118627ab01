"""Nodes: a broker, its stream and some edges on one port, all on this machine, for development and the demo."""

import asyncio
import http.client
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import stamina
from tailrace_edge.creation import create_stream
from tailrace_edge.jetstream import JetStreamError, JetStreamUnavailable
from tailrace_protocol.errors import SetupError

from tailrace_cli import nats_server
from tailrace_cli.child import Child, Tell, read_last_line

START_TIMEOUT = 60.0
"""Seconds for everything to be ready."""

_DRAIN_WINDOW = "1"
"""Seconds over which a stopping edge ends its streams; somebody waits at the terminal."""

_BROKER_VARIABLES = ("TAILRACE_NATS_", "TAILRACE_PUBLISH_NATS_")

_EDGE_GRACE = 15.0
_BROKER_GRACE = 10.0
_POLL = 0.05


class Node:
    """A broker and edges that share one port (SO_REUSEPORT). What dies is started again.

        async with Node(store=Path("data"), port=8080, edges=2) as node:
            print(node.url)

    Leaving it stops the edges first, then the broker. No process outlives the one that made it, on Linux not even
    where that is killed. Use it in the main thread.

    Attributes:
        url: where the edges are.
        nats_url: where the broker is.
        edges: by name; the name is what a stream's `open` event says.
        broker: the broker.
    """

    def __init__(
        self,
        *,
        store: Path,
        port: int = 8080,
        edges: int = 2,
        nats_port: int = 4222,
        max_age: float | None = None,
        edge_settings: Mapping[str, str] | None = None,
        tell: Tell = lambda _line: None,
    ) -> None:
        """Describe the node that entering it starts.

        Args:
            store: folder of the log and of the `logs`.
            port: of the edges; 0 for any that is free.
            edges: how many.
            nats_port: of the broker; 0 for any that is free.
            max_age: seconds events are kept; None leaves it as it is, a day for a new log.
            edge_settings: `TAILRACE_*` variables for the edges, over those of this process.
            tell: hears in lines what happens.
        """
        # Settings
        self.store = store.resolve()
        self._port = port
        self._nats_port = nats_port
        self._count = edges
        self._max_age = max_age
        self._edge_settings = edge_settings or {}
        self._tell = tell

        # What runs
        self.url = ""
        self.nats_url = ""
        self.broker: Child | None = None
        self.edges: dict[str, Child] = {}

    async def __aenter__(self) -> Self:
        """Start everything, and return when all edges are ready.

        Raises:
            SetupError: a port is taken, the folder is in use, or a process ended at once.
            OSError: the folder cannot be used.
        """
        # Before the folder is made, so that none is left behind where a port is taken.
        nats_server.check_port("127.0.0.1", self._port, option="--port")
        nats_server.check_port("127.0.0.1", self._nats_port, option="--nats-port")
        self._lock = nats_server.lock_store(self.store)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._start()
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError):
                raise SetupError(
                    f"broker and edges were not ready within {START_TIMEOUT:g} s; see {self._logs}"
                ) from None
            raise
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop the edges, which drain, then the broker."""
        await asyncio.gather(*(edge.stop(_EDGE_GRACE) for edge in self.edges.values()))
        if self.broker is not None:
            await self.broker.stop(_BROKER_GRACE)
        os.close(self._lock)

    def kill(self) -> None:
        """End all processes as a crash does; while the node is being stopped, that makes it quick."""
        for child in self._children:
            child.kill()

    @property
    def _children(self) -> list[Child]:
        return [*self.edges.values(), *([self.broker] if self.broker else [])]

    @property
    def _logs(self) -> Path:
        return self.store / "logs"

    async def _start(self) -> None:
        self._logs.mkdir(exist_ok=True)
        with nats_server.reserve_port("127.0.0.1", self._port, option="--port") as holder:
            await self._start_broker()
            await self._start_edges(holder.getsockname()[1])

    async def _start_broker(self) -> None:
        with nats_server.reserve_port("127.0.0.1", self._nats_port, option="--nats-port") as holder:
            port = holder.getsockname()[1]
        self.nats_url = f"nats://127.0.0.1:{port}"
        command = nats_server.build_command("127.0.0.1", port, self.store)
        self.broker = self._make_child("broker", command, pass_fds=[self._lock])
        self.broker.start()
        await self._wait_for_port(port)
        async for attempt in stamina.retry_context(
            on=(JetStreamUnavailable, JetStreamError), attempts=None, timeout=START_TIMEOUT, wait_max=0.5
        ):
            with attempt:
                self._check_children()
                await create_stream(self.nats_url, max_age=self._max_age)

    async def _start_edges(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        # How to get to another broker, and with what login, is of no use to edges of this one.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_BROKER_VARIABLES)}
        environment = {"TAILRACE_DRAIN_WINDOW": _DRAIN_WINDOW, **inherited, **self._edge_settings}
        for name in (f"edge-{number}" for number in range(1, self._count + 1)):
            command = [sys.executable, "-m", "tailrace_cli", "edge", "--reuse-port", "--name", name]
            command += ["--host", "127.0.0.1", "--port", str(port), "--nats", self.nats_url]
            self.edges[name] = self._make_child(name, command, env=environment)
            self.edges[name].start()
        while await asyncio.to_thread(_find_ready_edges, port) != set(self.edges):
            self._check_children()
            await asyncio.sleep(_POLL)

    def _make_child(self, name: str, command: list[str], **options: Any) -> Child:
        return Child(name, command, log=self._logs / f"{name}.log", tell=self._tell, **options)

    async def _wait_for_port(self, port: int) -> None:
        while True:
            self._check_children()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(_POLL)
            else:
                writer.close()
                await writer.wait_closed()
                return

    def _check_children(self) -> None:
        for child in self._children:
            if child.ends:
                raise SetupError(f"{child.name} ended at once: {read_last_line(child.log)} (log: {child.log})")


def _find_ready_edges(port: int) -> set[str]:
    """Return the names of the edges that may be used, as one of them says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/v1/stats?cluster=true")
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return set()  # not yet
    finally:
        connection.close()
    return {edge["name"] for edge in answer.get("edges", ()) if edge["ready"]}
