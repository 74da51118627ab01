"""The server: one edge in the foreground, from the first request to the last byte of its drain."""

import asyncio
import contextlib
import errno
import gc
import os
import socket
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI
from tailrace_protocol.errors import SetupError

from tailrace_edge.app import create_app
from tailrace_edge.connection import DetachableProtocol
from tailrace_edge.edge import Edge
from tailrace_edge.logs import configure_logs
from tailrace_edge.settings import Settings, find_unknown

_BACKLOG = 4096
_LISTENERS = 4

_GC_THRESHOLDS = (20_000, 20, 50)
"""Young containers, and younger collections, before one. Python's own look through all streams several times a second.
"""

_GRACE = 5
"""Seconds that other requests have to end after the drain."""

_ADVICE = {
    errno.EADDRNOTAVAIL: "name an address of this machine, or 0.0.0.0 for all of them",
    errno.EACCES: "choose a port of 1024 or more",
}
"""What to do where it is not the port that is taken."""

_log = structlog.get_logger(__name__)


class EdgeServer(uvicorn.Server):
    """uvicorn's server, which drains the streams before it stops."""

    def __init__(self, config: uvicorn.Config, edge: Edge) -> None:
        super().__init__(config)
        self._edge = edge
        self._hurried = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called on SIGTERM and SIGINT; the second signal cuts the drain short.

        uvicorn would raise the signal again at the end, which makes an orderly stop look like a crash.
        """
        self._hurried = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn once it has to exit."""
        # Stop accepting: other edges on the port, or behind the load balancer, get what comes.
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        drain = asyncio.create_task(self._edge.drain())
        while not drain.done() and not self._hurried:
            await asyncio.wait([drain], timeout=0.1)
        drain.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await drain
        self._edge.hurry()
        await super().shutdown(sockets)
        # Left are clients that do not take the end of their responses.
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def run(settings: Settings) -> None:
    """Run an edge until it is told to stop.

    Raises:
        SetupError: it cannot listen on its address.
    """
    configure_logs(settings.log_level, settings.log_format)
    for line in find_unknown(os.environ):
        _log.warning("unknown setting", problem=line)
    listeners = _listen(settings)
    host, port = listeners[0].getsockname()[:2]
    _log.info("edge starting", name=settings.name, url=format_url(host, port))
    if settings.insecure:
        _log.warning("everybody is let in, from wherever this address can be reached", host=host)
    app = create_app(settings)
    server = EdgeServer(make_config(app, settings), app.state.edge)
    # What is loaded by now stays for good: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    server.run(sockets=listeners)
    _log.info("edge stopped", name=settings.name)


def format_url(host: str, port: int) -> str:
    """Return where an edge is to be reached; an IPv6 address stands in brackets (RFC 3986, 3.2.2)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Return uvicorn's configuration for an edge."""
    bounds = {
        "max_header_bytes": settings.max_header_bytes,
        "request_timeout": settings.request_timeout,
        "refusals": app.state.edge.admission.refusals,
    }
    protocol = type("Protocol", (DetachableProtocol,), bounds)
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whom to believe is a setting of ours
        backlog=_BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE,
    )


def _listen(settings: Settings) -> list[socket.socket]:
    """Return listeners on one port, among which the kernel spreads what comes.

    One alone holds no more connections than `net.core.somaxconn`, 4,096 by default. In a storm of more the kernel
    drops what is too much, and those clients try again after 1, 3 and 7 seconds.
    """
    listeners: list[socket.socket] = []
    try:
        if not settings.reuse_port:
            # Refused where another process has the port, though it may share it.
            _bind(settings, settings.port, shared=False).close()
        port = settings.port
        for _ in range(_LISTENERS):
            listeners.append(_bind(settings, port, shared=True))
            port = listeners[0].getsockname()[1]
        for listener in listeners:
            _detect_dead_peers(listener, settings.slow_after)
            listener.listen(_BACKLOG)
            listener.setblocking(False)
    except OSError as error:
        for listener in listeners:
            listener.close()
        advice = _ADVICE.get(error.errno or 0, "choose another port, or share it with --reuse-port")
        raise SetupError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; {advice}") from error
    return listeners


def _bind(settings: Settings, port: int, *, shared: bool) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((settings.host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _detect_dead_peers(listener: socket.socket, slow_after: float) -> None:
    """Have the kernel end connections whose other end is gone; those that are accepted inherit it (Linux)."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # It also counts for a peer that lives and takes nothing, of which the edge itself gets rid by name before.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1500 * slow_after))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20)
