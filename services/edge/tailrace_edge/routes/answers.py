"""Answers: JSON made of events that are encoded already, and what all routes need."""

from collections.abc import Iterable
from typing import Annotated, Any, cast

import msgspec
from fastapi import Depends, Request
from starlette.responses import Response
from tailrace_protocol.events import encode_line

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


def answer_json(body: Any, status: int = 200) -> Response:
    """Return `body` as JSON."""
    return Response(msgspec.json.encode(body), status, {"cache-control": "no-store"}, "application/json")


def encode_entry(entry: Entry) -> msgspec.Raw:
    """Return an event as JSON."""
    return msgspec.Raw(encode_line(entry.topic, entry.event, entry.id))


def encode_entries(entries: Iterable[Entry]) -> list[msgspec.Raw]:
    """Return events as JSON."""
    return [encode_entry(entry) for entry in entries]
