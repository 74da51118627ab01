"""Tailrace, complete: producer, JetStream with one replica on file, edges, SSE. Without authentication."""

import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import httpx

from bench.contenders.contender import Contender, Place, make_request
from bench.contenders.nats import NatsBroker, find_nats_server
from bench.errors import BenchError
from bench.machine import ask_version
from bench.processes import Process, pick_port
from bench.waiting import wait_until


class Tailrace(Contender):
    """One edge, or several that share a port."""

    name = "tailrace"
    title = "Tailrace"

    def __init__(self, *, edges: int = 1, **settings: object) -> None:
        """Make it.

        Args:
            edges: how many share the port.
            settings: of each edge.
        """
        super().__init__()
        self._edges = edges
        self._settings = settings
        self.broker_url = ""
        self.url = ""

    def prepare(self, *, install: bool) -> None:
        find_nats_server()

    def find_version(self) -> str:
        return f"{version('tailrace-edge')}, {ask_version(find_nats_server(), '--version')}"

    def start(self, place: Place) -> None:
        broker = NatsBroker(place.folder / "nats", place.cores.broker)
        self.after(broker.forget)
        self.brokers = [self.keep(broker.process)]
        self.broker_url = broker.url
        self.start_edges(place)

    def start_edges(self, place: Place, **settings: object) -> None:
        """Start the edges at a broker that runs; they are ready on return.

        Args:
            place: where they run.
            settings: on top of those this was made with.
        """
        port = pick_port()
        self.url = f"http://127.0.0.1:{port}"
        self.targets = [f"127.0.0.1:{port}"]
        spread = place.cores.spread(self._edges)
        self.cores = sorted({core for cores in spread for core in cores} - place.cores.find_load())
        for number, cores in enumerate(spread):
            values = {
                "nats_url": self.broker_url,
                "port": port,
                "reuse_port": "true",
                "name": f"edge-{number}",
                "log_level": "warning",
                "log_format": "json",
                **self._settings,
                **settings,
            }
            environment = {f"TAILRACE_{key.upper()}": str(value) for key, value in values.items()}
            command = [sys.executable, "-m", "tailrace_edge"]
            edge = Process(f"edge-{number}", command, cores=cores, folder=place.folder, environment=environment)
            self.servers.append(self.keep(edge))
        self._wait_ready()

    def stop_edges(self) -> None:
        """End the edges; the broker stays."""
        for edge in self.servers:
            edge.stop(hard=True)
        self.servers = []

    def describe_sink(self) -> Mapping[str, Any]:
        return {"kind": "tailrace", "address": self.broker_url}

    def make_request(self, topic: str = "bench.0") -> str:
        return make_request(f"/v1/default/events?topic={topic}")

    def read_stats(self) -> dict[str, Any]:
        """Return what one of the edges is doing."""
        stats: dict[str, Any] = httpx.get(f"{self.url}/v1/stats", timeout=30).raise_for_status().json()
        return stats

    def wait_read(self, head: int, *, seconds: float = 60.0) -> None:
        """Return once an edge has read the log up to `head`."""
        wait_until(lambda: int(self.read_stats()["head"]) >= head, f"the edge to read up to {head}", seconds=seconds)

    def _wait_ready(self) -> None:
        # Edges share the port, so each is asked through a connection of its own until as many answered in a row.
        ready = 0

        def are_ready() -> bool:
            nonlocal ready
            for edge in self.servers:
                if not edge.running:
                    raise BenchError(f"{edge.name} has ended: {edge.read_log_end()}")
            try:
                ready = ready + 1 if httpx.get(f"{self.url}/readyz", timeout=5).is_success else 0
            except httpx.HTTPError:
                ready = 0
            return ready >= (1 if len(self.servers) == 1 else 8 * len(self.servers))

        wait_until(are_ready, "the edges to be ready", seconds=120)
