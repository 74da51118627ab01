"""Real edges for tests: each a process of its own, which can be killed, stopped and started again."""

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import stamina

from support.broker import PATIENCE, pick_ports


class _NotReady(Exception):
    """Another edge has answered, or this one too early."""


class EdgeProcess:
    """One edge. An async context manager: ready on entry, gone on exit."""

    def __init__(
        self,
        nats_url: str,
        folder: Path,
        *,
        name: str = "edge",
        port: int | None = None,
        command: Sequence[str] = ("-m", "tailrace_edge"),
        tls: ssl.SSLContext | None = None,
        **settings: Any,
    ) -> None:
        """Make one that is not started.

        Args:
            nats_url: of the broker.
            folder: for its log.
            name: of the edge.
            port: one that is free by default.
            command: what Python runs.
            tls: how clients check its certificate; None if it has none.
            settings: of the edge.
        """
        self.name = name
        self.port = port or pick_ports(1)[0]
        self.tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._command = command
        self._folder = folder
        self._settings = {
            "nats_url": nats_url,
            "name": name,
            "port": self.port,
            "log_level": "debug",
            "log_format": "json",
            "drain_window": 1,
        } | settings
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        self.start()
        await self.wait_ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.signal(signal.SIGCONT)
        self.kill()

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {f"TAILRACE_{name.upper()}": str(value) for name, value in self._settings.items()}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", *self._command], stdout=log, stderr=log, env=environment
            )

    @property
    def log_path(self) -> Path:
        return self._folder / "edge.log"

    async def wait_ready(self) -> None:
        # Each time on a connection of its own, since it may share its port with another edge.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(timeout=PATIENCE, verify=self.tls or False, limits=limits) as client:
            async for attempt in stamina.retry_context(
                on=(httpx.HTTPError, _NotReady), attempts=None, timeout=PATIENCE, wait_initial=0.02, wait_max=0.1
            ):
                with attempt:
                    assert self.running, self.log_path.read_text()
                    (await client.get(f"{self.url}/readyz")).raise_for_status()
                    if "reuse_port" in self._settings:
                        stats = (await client.get(f"{self.url}/v1/stats")).raise_for_status().json()
                        if not stats["ready"] or stats["name"] != self.name:
                            raise _NotReady

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a crash does, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int | None:
        """End it in an orderly way, and return its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int | None:
        if self._process is None:
            return None
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        self._process = None
        return status

    def read_log(self) -> list[dict[str, Any]]:
        """Return the lines of its log. One that is no JSON, as of a traceback, counts as an error."""
        records: list[dict[str, Any]] = []
        for line in self.log_path.read_text().splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                records.append({"level": "error", "event": line})
        return records

    def find_errors(self) -> list[dict[str, Any]]:
        """Return what it logged as an error."""
        return [record for record in self.read_log() if record["level"] in ("error", "critical")]

    def read_memory(self) -> int:
        """Return the resident memory, bytes."""
        fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
