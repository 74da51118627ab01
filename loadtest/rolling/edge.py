"""Edges that are rolled: each a real process on a port of its own, which is started again after its end."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
from bench.errors import BenchError
from bench.processes import Process, pick_port
from bench.waiting import wait_until

READY_SECONDS = 60.0
"""For an edge to be ready, and for the balancer to see it."""

_STOP_SECONDS = 30.0
"""On top of the drain window, for an edge to end."""


class Edge:
    """One edge. Whatever of it runs is gone once `stop` was called.

    Attributes:
        name: as clients and the balancer see it.
        port: the same for each of its processes.
    """

    def __init__(self, name: str, nats_url: str, folder: Path, *, drain_window: float, heartbeat: float) -> None:
        """Make one that is not started.

        Args:
            name: of the edge.
            nats_url: of the broker.
            folder: for its log.
            drain_window: seconds.
            heartbeat: seconds.
        """
        self.name = name
        self.port = pick_port()
        self._folder = folder
        self._drain_window = drain_window
        settings = {
            "nats_url": nats_url,
            "name": name,
            "port": self.port,
            "drain_window": drain_window,
            "heartbeat": heartbeat,
            "log_format": "json",
        }
        self._environment = {f"TAILRACE_{key.upper()}": str(value) for key, value in settings.items()}
        self._process: Process | None = None

    def start(self) -> None:
        """Start a process of it."""
        self._process = Process(
            self.name,
            [sys.executable, "-m", "tailrace_edge"],
            cores=list_cores(),
            folder=self._folder,
            environment=self._environment,
        )

    def wait_ready(self) -> None:
        """Return once it is ready.

        Raises:
            BenchError: it has ended, or is not ready in time.
        """
        process = self._get_process()

        def is_ready() -> bool:
            if not process.running:
                raise BenchError(f"{self.name} has ended: {process.read_log_end()}")
            try:
                return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).is_success
            except httpx.HTTPError:
                return False

        wait_until(is_ready, f"{self.name} to be ready", seconds=READY_SECONDS)

    def drain(self) -> int:
        """End it in an orderly way, and return its exit status.

        Raises:
            BenchError: it does not end.
        """
        return self._end(signal.SIGTERM, self._drain_window + _STOP_SECONDS)

    def kill(self) -> int:
        """End it as a crash does, and return its exit status."""
        return self._end(signal.SIGKILL, _STOP_SECONDS)

    def stop(self) -> None:
        """End what runs of it, if anything does."""
        if self._process is not None:
            self._process.stop(hard=True)

    def _end(self, number: signal.Signals, seconds: float) -> int:
        process = self._get_process()
        os.kill(process.pid, number)
        return process.wait(seconds)

    def _get_process(self) -> Process:
        if self._process is None:
            raise BenchError(f"{self.name} was not started")
        return self._process


def list_cores() -> Sequence[int]:
    """Return all cores: everything here shares them."""
    return sorted(os.sched_getaffinity(0))
