"""The balancer: a real HAProxy before the edges, as it is set up for streams."""

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import httpx
from bench.contenders.packages import require_programs
from bench.machine import ask_version
from bench.processes import Process, pick_port
from bench.waiting import wait_until

from rolling.edge import READY_SECONDS, Edge, list_cores

_CONFIG = """\
global
    maxconn {connections}

defaults
    mode http
    timeout connect 2s
    timeout check 2s
    # An idle stream brings a heartbeat every {heartbeat:g} s.
    timeout client {idle:g}s
    timeout server {idle:g}s
    option http-no-delay
    # A request that an edge did not take goes to another one at once. Nothing else is safe to send again.
    option redispatch 1
    retries 3
    retry-on conn-failure empty-response

frontend streams
    bind 127.0.0.1:{port}
    default_backend edges

backend edges
    balance leastconn
    option httpchk GET /readyz
    # Without on-marked-down shutdown-sessions: an edge that drains counts as down while its streams still run.
    default-server check inter 500ms fall 2 rise 1
{servers}

frontend status
    bind 127.0.0.1:{status_port}
    stats enable
    stats uri /
"""


class Balancer:
    """HAProxy. A context manager: running on entry, gone on exit.

    Attributes:
        url: for clients.
    """

    def __init__(self, edges: Sequence[Edge], folder: Path, *, clients: int, heartbeat: float) -> None:
        """Start it.

        Args:
            edges: behind it.
            folder: for its configuration and log.
            clients: that it has to take.
            heartbeat: of the edges, seconds.
        """
        port, status_port = pick_port(), pick_port()
        self.url = f"http://127.0.0.1:{port}"
        self._status_url = f"http://127.0.0.1:{status_port}/;csv"
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "haproxy.cfg"
        config.write_text(
            _CONFIG.format(
                # A client that comes back may be there before its old connection is gone.
                connections=2 * clients + 100,
                heartbeat=heartbeat,
                idle=4 * heartbeat,
                port=port,
                status_port=status_port,
                servers="\n".join(f"    server {edge.name} 127.0.0.1:{edge.port}" for edge in edges),
            )
        )
        command = [find_haproxy(), "-db", "-f", config]
        self._process = Process("haproxy", command, cores=list_cores(), folder=folder)
        try:
            self._process.wait_port(port)
        except BaseException:
            self._process.stop(hard=True)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def wait_up(self, edge: Edge) -> None:
        """Return once it sends clients to an edge.

        Raises:
            BenchError: it does not in time.
        """
        wait_until(lambda: edge.name in self._list_up(), f"haproxy to see {edge.name}", seconds=READY_SECONDS)

    def _list_up(self) -> set[str]:
        """Return the names of the edges that it takes for ready."""
        answer = httpx.get(self._status_url, timeout=5).raise_for_status()
        rows = csv.DictReader(answer.text.removeprefix("# ").splitlines())
        return {row["svname"] for row in rows if row["pxname"] == "edges" and row["status"] == "UP"}


def prepare(*, install: bool) -> None:
    """Make sure that HAProxy can be run.

    Args:
        install: it may be installed, if this is root on Debian.

    Raises:
        Unavailable: it is missing, and how to get it.
    """
    require_programs([find_haproxy()], ["haproxy"], install=install)


def find_haproxy() -> str:
    """Return the path of HAProxy; where Debian has it, if that is not on the PATH."""
    return shutil.which("haproxy") or "/usr/sbin/haproxy"


def find_version() -> str:
    """Return HAProxy's version."""
    return ask_version(find_haproxy(), "-v").removeprefix("HAProxy version ").partition(" ")[0]
