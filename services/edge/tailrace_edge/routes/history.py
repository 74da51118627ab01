"""`/v1/{tenant}/history`: stored events, page by page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response
from tailrace_protocol.errors import InvalidStart
from tailrace_protocol.positions import Position
from tailrace_protocol.starts import Start, parse_start

from tailrace_edge.auth.guard import Right
from tailrace_edge.cold import ColdRead, find_sentinel
from tailrace_edge.edge import Edge
from tailrace_edge.engine.entry import Entry
from tailrace_edge.engine.tail import PathMatcher
from tailrace_edge.jetstream import JetStreamUnavailable
from tailrace_edge.problems import Problem
from tailrace_edge.query import parse_paths
from tailrace_edge.routes.answers import Caller, OpenEdge, answer_json, encode_entries
from tailrace_edge.streams import find_time

router = APIRouter(tags=["history"])


@router.get("/v1/{tenant}/history", summary="Stored events")
async def read_history(
    tenant: str,
    caller: Caller,
    edge: OpenEdge,
    topic: Annotated[list[str], Query(description="Topic or pattern; several are allowed.")],
    start: Annotated[str, Query(alias="from", description="start, an event id, a time, or a time ago.")] = "start",
    limit: Annotated[int, Query(ge=1, le=10_000, description="Events on one page.")] = 1000,
) -> Response:
    """Return `events`, `cursor`, and `next`: the `from` of the following page, null at the head of the log.

    The events are all that a stream would bring, in order. If some after the id given are gone, `gap` says which; else
    it is null.
    """
    patterns = parse_paths(tenant, topic, edge.settings.max_patterns)
    caller.require(tenant, Right.SUBSCRIBE, patterns)
    log = edge.engine.log
    asked = await _find_cursor(edge, start)
    cursor = max(asked, log.oldest - 1)
    entries, reached = await read_range(edge, patterns, cursor, limit)
    gap = None
    if cursor > asked and start != Start.BEGINNING:
        gap = {"from": str(log.position(asked + 1)), "to": str(log.position(cursor))}
    answer: dict[str, Any] = {
        "events": encode_entries(entries),
        "cursor": str(log.position(reached)),
        "next": str(log.position(reached)) if reached < log.head else None,
        "gap": gap,
    }
    return answer_json(answer)


async def read_range(edge: Edge, patterns: Sequence[str], cursor: int, limit: int) -> tuple[list[Entry], int]:
    """Return stored events after a cursor, in order, and the sequence they reach to.

    Args:
        edge: the edge.
        patterns: as paths.
        cursor: not older than the log.
        limit: events to return at most.

    Raises:
        JetStreamUnavailable: the broker does not answer.
    """
    log = edge.engine.log
    entries: list[Entry] = []
    while len(entries) < limit and cursor < log.head:
        wanted = limit - len(entries)
        if cursor < log.tail.start - 1:
            found, cursor = await _read_cold(edge, patterns, cursor, wanted)
        else:
            found, reached = log.tail.read(patterns, cursor, wanted)
            cursor = log.head if reached is None else reached
        entries += found
    return entries, cursor


async def _read_cold(edge: Edge, patterns: Sequence[str], cursor: int, limit: int) -> tuple[list[Entry], int]:
    covered = edge.engine.log.tail.start - 1
    sentinel = await find_sentinel(edge.jetstream, covered + 1)
    if sentinel is None or sentinel.sequence <= cursor:
        return [], covered
    matcher = PathMatcher(patterns)
    entries: list[Entry] = []
    async with ColdRead(edge.jetstream, edge.engine.log.epoch, cursor, patterns, sentinel) as cold:
        while True:
            fetched = await cold.fetch()
            if not fetched:
                raise JetStreamUnavailable("a replica lags; try again")
            for entry in fetched:
                if entry.sequence > covered:
                    return entries, covered
                if matcher.matches(entry.path):
                    entries.append(entry)
                    if len(entries) == limit:
                        return entries, entry.sequence
            if fetched[-1].sequence >= sentinel.sequence:
                return entries, covered


async def _find_cursor(edge: Edge, text: str) -> int:
    log = edge.engine.log
    start = parse_start(text)
    match start:
        case Start.BEGINNING:
            return log.oldest - 1
        case Start():
            raise InvalidStart(f"a history cannot begin at {text!r}; use start, an event id, a time, or a time ago")
        case Position():
            if not await _is_known(edge, start):
                raise Problem(410, "reset", "the id is of another stream or ahead of this one; begin with from=start")
            return start.sequence
        case datetime():
            return await find_time(edge, start)


async def _is_known(edge: Edge, position: Position) -> bool:
    """Whether a position is one of the log. An edge that has read further than this one may have told it."""
    log = edge.engine.log
    if position.epoch != log.epoch or position.sequence <= log.head:
        return position.epoch == log.epoch
    state = await edge.jetstream.read_state()
    return position.epoch == state.epoch and position.sequence <= state.last
