"""Answers: JSON made of events that are encoded already, and what all routes need."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NamedTuple, cast

import msgspec
from fastapi import Depends, Request
from starlette.responses import Response
from tailrace_protocol.events import encode_line

from tailrace_edge.auth.guard import Guard, Right
from tailrace_edge.auth.principal import Principal
from tailrace_edge.edge import Edge
from tailrace_edge.engine.entry import Entry
from tailrace_edge.jetstream import JetStreamUnavailable


def _get_edge(request: Request) -> Edge:
    edge = cast("Edge", request.app.state.edge)
    if not edge.engine.log.epoch:
        raise JetStreamUnavailable("this edge has not reached the broker yet; try again")
    return edge


OpenEdge = Annotated[Edge, Depends(_get_edge)]
"""The edge, which knows the log."""


class Sender(NamedTuple):
    """Who sends a request."""

    guard: Guard
    principal: Principal

    def require(self, tenant: str, right: Right, paths: Sequence[str]) -> None:
        """Return if they have a right to all topics of all patterns, given as paths.

        Raises:
            Forbidden: they have not.
        """
        patterns = [path.removeprefix(f"{tenant}.") for path in paths]
        self.guard.authorize(self.principal, tenant, right, patterns)


async def _find_sender(request: Request) -> Sender:
    guard = cast("Edge", request.app.state.edge).guard
    return Sender(guard, await guard.authenticate(request.scope))


Caller = Annotated[Sender, Depends(_find_sender)]
"""Who sends the request; without a good token, the answer is 401."""


def answer_json(body: Any, status: int = 200) -> Response:
    """Return `body` as JSON."""
    return Response(msgspec.json.encode(body), status, {"cache-control": "no-store"}, "application/json")


def encode_entry(entry: Entry) -> msgspec.Raw:
    """Return an event as JSON."""
    return msgspec.Raw(encode_line(entry.topic, entry.event, entry.id))


def encode_entries(entries: Iterable[Entry]) -> list[msgspec.Raw]:
    """Return events as JSON."""
    return [encode_entry(entry) for entry in entries]
