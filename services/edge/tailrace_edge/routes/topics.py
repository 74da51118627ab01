"""`/v1/{tenant}/topics`: the newest event of each topic, and the end of a topic."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response
from tailrace_protocol.commands import ROLLUP_HEADER
from tailrace_protocol.events import DELETED, encode_stored
from tailrace_protocol.patterns import is_wildcard
from tailrace_protocol.positions import Position
from tailrace_protocol.tenants import check_tenant
from tailrace_protocol.topics import check_topic, format_subject

from tailrace_edge.auth.guard import Right
from tailrace_edge.edge import Edge
from tailrace_edge.engine.entry import Entry
from tailrace_edge.messages import make_entry, parse_time
from tailrace_edge.problems import Problem
from tailrace_edge.query import parse_paths
from tailrace_edge.routes.answers import Caller, OpenEdge, answer_json, encode_entries, encode_entry

TOMBSTONE_TTL = "300s"
"""How long a tombstone is kept, so that clients that are cut off for a moment hear of it too."""

MAX_PAGE = 10_000

router = APIRouter(tags=["topics"])

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Topics on one page.")]
Page = Annotated[str | None, Query(description="`next` of the page before.")]


@router.get("/v1/{tenant}/topics", summary="Newest event of each topic")
async def list_topics(
    tenant: str,
    caller: Caller,
    edge: OpenEdge,
    match: Annotated[str, Query(description="Topic or pattern.")],
    limit: Limit = 1000,
    page: Page = None,
    names: Annotated[bool, Query(description="Names alone, without the events.")] = False,
) -> Response:
    """Return `events`, by topic, `next` for the following page or null, and `cursor`.

    With `names`, `topics` in their place: what there is, at a fraction of the cost.

    A stream that begins at the first page's cursor, `from=<cursor>`, misses nothing. What is newer than the cursor
    comes there again, under the same id.
    """
    patterns = parse_paths(tenant, [match], 1)
    caller.require(tenant, Right.SUBSCRIBE, patterns)
    cursor = find_cursor(edge)
    # Of one topic, its event alone tells whether it is there.
    if names and is_wildcard(patterns[0]):
        topics, following = await list_page(edge, patterns, limit, page)
        return answer_json({"topics": topics, "cursor": cursor, "next": following})
    entries, following = await read_page(edge, patterns, limit, page)
    if names:
        return answer_json({"topics": [entry.topic for entry in entries], "cursor": cursor, "next": following})
    return answer_json({"events": encode_entries(entries), "cursor": cursor, "next": following})


@router.get("/v1/{tenant}/topics/{topic:path}", summary="Newest event of a topic")
async def read_topic(tenant: str, topic: str, caller: Caller, edge: OpenEdge) -> Response:
    """Return the newest event as the broker's leader has it: what was acknowledged before is in it."""
    caller.require(tenant, Right.SUBSCRIBE, [check_topic(topic)])
    return answer_json(encode_entry(await read_newest(edge, tenant, topic)))


@router.delete("/v1/{tenant}/topics/{topic:path}", summary="Delete a topic")
async def delete_topic(tenant: str, topic: str, caller: Caller, edge: OpenEdge) -> Response:
    """Remove all events of a topic; watchers get one of type `deleted`. Returns its `id`."""
    caller.require(tenant, Right.DELETE, [check_topic(topic)])
    await read_newest(edge, tenant, topic)
    return answer_json({"id": await bury(edge, tenant, topic)})


async def read_page(
    edge: Edge, patterns: tuple[str, ...], limit: int, page: str | None
) -> tuple[list[Entry], str | None]:
    """Return the newest events of a page of topics, by topic, and what the next page is asked for with."""
    chosen, following = await _choose_paths(edge, patterns, limit, page)
    found = await edge.snapshots.read_paths(chosen) if chosen else []
    entries = sorted((entry for entry in found if not entry.tombstone), key=lambda entry: entry.path)
    return entries, following


async def list_page(
    edge: Edge, patterns: tuple[str, ...], limit: int, page: str | None
) -> tuple[list[str], str | None]:
    """Return the names of a page of topics, and what the next page is asked for with.

    One that was deleted counts as there while its tombstone is stored, unless the tail knows better.
    """
    chosen, following = await _choose_paths(edge, patterns, limit, page)
    deleted = {entry.path for entry in edge.engine.log.tail.newest(chosen) if entry.tombstone}
    return [path.partition(".")[2] for path in chosen if path not in deleted], following


async def _choose_paths(
    edge: Edge, patterns: tuple[str, ...], limit: int, page: str | None
) -> tuple[list[str], str | None]:
    paths = [path for path in await edge.snapshots.list_paths(patterns) if page is None or path > page]
    return paths[:limit], paths[limit - 1] if len(paths) > limit else None


async def read_newest(edge: Edge, tenant: str, topic: str) -> Entry:
    """Return the newest event of a topic.

    Raises:
        Problem: 404 if there is none, or it was deleted.
    """
    subject = format_subject(check_tenant(tenant), check_topic(topic))
    stored = await edge.jetstream.read_message(last_by_subj=subject)
    entry = stored and make_entry(
        edge.engine.log.epoch, stored.sequence, subject.encode(), b"", stored.payload, parse_time(stored.time.encode())
    )
    if entry is None or entry.tombstone:
        raise Problem(404, "no-such-topic", f"the topic {topic!r} has no events, or was deleted")
    return entry


async def bury(edge: Edge, tenant: str, topic: str) -> str:
    """Put a tombstone in the place of all events of a topic, and return its id."""
    subject = format_subject(tenant, topic)
    headers = {ROLLUP_HEADER: "sub", "Nats-TTL": TOMBSTONE_TTL}
    sequence = await edge.jetstream.publish_event(subject, encode_stored(DELETED, None), headers)
    position = Position(edge.engine.log.epoch, sequence)
    await edge.rollups.remove(subject, position)
    return str(position)


def find_cursor(edge: Edge) -> str:
    """Return the position up to which an answer is complete of which the reading begins now.

    Not the one at its end: a topic made meanwhile may be in neither the list nor the stream then.
    """
    log = edge.engine.log
    return str(log.position(log.head))
