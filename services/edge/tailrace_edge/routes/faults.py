"""`POST /console/faults/...`: what goes wrong in the field, at the push of a button. For development only."""

import asyncio
import os
import signal
import time
from enum import StrEnum
from typing import Annotated

import structlog
from fastapi import APIRouter, FastAPI, Query, Request
from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tailrace_edge.connection import SocketConnection
from tailrace_edge.edge import Edge
from tailrace_edge.engine.subscriber import Place, Subscriber
from tailrace_edge.problems import Problem
from tailrace_edge.routes.answers import answer_json

_log = structlog.get_logger(__name__)


class Fault(StrEnum):
    """What can be made to go wrong."""

    CLOSE = "close"
    """All streams of this edge end in an orderly way, as when it is deployed anew."""
    KILL = "kill"
    """This edge dies as in a crash."""
    REFUSE = "refuse"
    """New streams get a 503 for some seconds."""
    SILENCE = "silence"
    """Streams that are open get no byte for some seconds, heartbeats included: a dead link that nobody closed."""


class _Muted(SocketConnection):
    """A connection that takes no bytes, and does not say so."""

    __slots__ = ()

    @property
    def idle(self) -> bool:
        return False

    def write(self, data: bytes) -> int:
        return 0

    def made_headway(self) -> bool:
        return False

    def send(self, data: bytes) -> None:
        """Hold what was begun; the engine gives one frame at most."""
        _held[self] = _held.get(self, b"") + data


_held: dict[SocketConnection, bytes] = {}


class Faults:
    """The faults of one edge. An ASGI application around the route of its streams."""

    def __init__(self, edge: Edge, streams: ASGIApp) -> None:
        self._edge = edge
        self._streams = streams
        self._refuse_until = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a stream."""
        left = self._refuse_until - time.monotonic()
        if left > 0:
            problem = Problem(503, "fault", f"a fault was asked for: no new streams for another {left:.0f} s")
            await problem.render()(scope, receive, send)
            return
        await self._streams(scope, receive, send)

    def install(self, app: FastAPI) -> None:
        """Let the app take faults."""
        app.include_router(_make_router(self, self._edge))

    async def cause(self, fault: Fault, seconds: float) -> None:
        """Have it happen, in the event loop."""
        _log.warning("fault asked for", fault=fault, seconds=seconds)
        match fault:
            case Fault.CLOSE:
                self._edge.hurry()
            case Fault.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Fault.REFUSE:
                self._refuse_until = time.monotonic() + seconds
            case Fault.SILENCE:
                self._mute(seconds)

    def _mute(self, seconds: float) -> None:
        muted: list[tuple[Subscriber, SocketConnection, int]] = []
        for subscriber in self._edge.engine.subscribers:
            connection = subscriber.handle
            if type(connection) is SocketConnection:
                muted.append((subscriber, connection, connection.fd))
                connection.__class__ = _Muted
                connection.fd = -1
        asyncio.get_running_loop().call_later(seconds, self._unmute, muted)

    def _unmute(self, muted: list[tuple[Subscriber, SocketConnection, int]]) -> None:
        for subscriber, connection, fd in muted:
            connection.__class__ = SocketConnection
            rest = _held.pop(connection, b"")
            if subscriber.place is Place.CLOSED:
                continue
            connection.fd = fd
            if rest:
                connection.send(rest)
            if connection.idle:
                self._edge.pump.unblock(subscriber)


def _make_router(faults: Faults, edge: Edge) -> APIRouter:
    router = APIRouter(tags=["faults"], include_in_schema=False)

    @router.post("/console/faults/{fault}")
    async def cause(
        request: Request,
        fault: Fault,
        name: Annotated[str | None, Query(alias="edge", description="Whom it is meant for.")] = None,
        seconds: Annotated[float, Query(gt=0, le=600)] = 10.0,
    ) -> Response:
        # A page of another origin cannot send this without asking first, and is told no then.
        if request.headers.get("content-type") != "application/json":
            raise Problem(400, "invalid-request", "a fault is asked for with the content type application/json")
        own = edge.settings.name
        if name not in (None, own):
            detail = f"this is the edge {own!r}, not {name!r}; another connection may get there"
            raise Problem(421, "other-edge", detail, headers={"connection": "close"})
        answer = answer_json({"edge": own, "fault": fault, "seconds": seconds}, 202)
        answer.background = BackgroundTask(faults.cause, fault, seconds)
        return answer

    return router
