"""Queries: what a stream was asked for, read from its request."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from urllib.parse import parse_qsl

from tailrace_protocol.errors import InvalidInput, InvalidPattern
from tailrace_protocol.events import TERMINAL_TYPES, check_type
from tailrace_protocol.patterns import check_pattern, cover_patterns
from tailrace_protocol.positions import Position, parse_position
from tailrace_protocol.starts import AnyStart, Start, parse_start
from tailrace_protocol.tenants import check_tenant

from tailrace_edge.engine.entry import Format
from tailrace_edge.engine.hub import Interest
from tailrace_edge.problems import LimitExceeded

_NAMES = frozenset({"topic", "from", "last_event_id", "lastEventId", "types", "max_rate", "until", "ticket"})
_MAX_FIELDS = 1000
MEDIA_TYPES = {Format.SSE: "text/event-stream; charset=utf-8", Format.NDJSON: "application/x-ndjson"}
"""Of streams, by their format."""

_RATE = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?")


class InvalidQuery(InvalidInput):
    """A stream's query has a field that is unknown, given twice, or has a value it cannot have."""


class StreamQuery(NamedTuple):
    """What a stream was asked for.

    Attributes:
        interest: patterns, types, format and the like.
        position: where the client was cut off; None on its first connection.
        start: where to begin then.
        asked: the same two as the query has them, and a ticket is bound to them.
        ticket: empty without one.
    """

    interest: Interest
    position: Position | None
    start: Start | datetime
    asked: str
    ticket: str


def parse_stream_query(
    tenant: str, query: bytes, headers: Iterable[tuple[bytes, bytes]], *, max_patterns: int
) -> StreamQuery:
    """Return what a request for a stream asks for.

    The `Last-Event-ID` header wins over `last_event_id`, and that over `from`: native EventSource keeps its URL.

    Args:
        tenant: from the path.
        query: the query string.
        headers: of the request, their names in lower case.
        max_patterns: that one stream may have.

    Raises:
        InvalidInput: something cannot be what it was given as.
    """
    fields = _parse_fields(query)
    accept = last_event_id = ""
    for name, value in headers:
        if name == b"last-event-id":
            last_event_id = value.decode("latin-1")
        elif name == b"accept":
            accept = value.decode("latin-1")
    until_terminal = _parse_until(_take_one(fields, "until"))
    interest = Interest(
        patterns=parse_paths(tenant, fields.get("topic", []), max_patterns),
        types=_parse_types(fields.get("types", []), until_terminal=until_terminal),
        form=Format.NDJSON if "application/x-ndjson" in accept.lower() else Format.SSE,
        max_rate=_parse_rate(_take_one(fields, "max_rate")),
        until_terminal=until_terminal,
    )
    queried = _take_one(fields, "last_event_id") or _take_one(fields, "lastEventId")
    begins = _take_one(fields, "from") or "now"
    start: AnyStart = parse_start(begins)
    text = last_event_id or queried
    position = parse_position(text) if text else None
    if isinstance(start, Position):
        position, start = position or start, Start.NOW
    return StreamQuery(interest, position, start, queried or begins, _take_one(fields, "ticket") or "")


def parse_paths(tenant: str, patterns: Iterable[str], max_patterns: int) -> tuple[str, ...]:
    """Return patterns of a tenant as paths, sorted, without those inside another.

    Raises:
        InvalidTenant: it is none.
        InvalidPattern: one is none, there is none at all, or (LimitExceeded) there are too many.
    """
    check_tenant(tenant)
    checked = [check_pattern(pattern) for pattern in patterns]
    if not checked:
        raise InvalidPattern("no topic was given: ask with topic=..., once for each topic or pattern")
    if len(checked) > max_patterns:
        told = f"{len(checked)} topics were given, {max_patterns} are allowed; use wildcards"
        raise LimitExceeded(told, "max_patterns")
    return tuple(sorted(f"{tenant}.{pattern}" for pattern in cover_patterns(checked)))


def _parse_fields(query: bytes) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(query.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except (UnicodeDecodeError, ValueError) as error:
        raise InvalidQuery(f"the query cannot be read: {error}") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in _NAMES and not name.startswith("_"):
            known = ", ".join(sorted(_NAMES - {"lastEventId"}))
            raise InvalidQuery(f"the query has an unknown field {name[:64]!r}; known are {known}")
        fields.setdefault(name, []).append(value)
    return fields


def _take_one(fields: dict[str, list[str]], name: str) -> str | None:
    values = fields.get(name, [])
    if len(values) > 1:
        raise InvalidQuery(f"{name} was given {len(values)} times, once is allowed")
    return values[0] if values else None


def _parse_types(values: list[str], *, until_terminal: bool) -> frozenset[str] | None:
    types = frozenset(check_type(name.strip()) for value in values for name in value.split(","))
    if not types:
        return None
    return types | TERMINAL_TYPES if until_terminal else types


def _parse_rate(value: str | None) -> float | None:
    if value is None:
        return None
    rate = float(value) if _RATE.fullmatch(value) else 0.0
    if not 0.001 <= rate <= 1000:
        raise InvalidQuery(f"max_rate is {value[:64]!r}; it is events a second and topic, 0.001 to 1000")
    return rate


def _parse_until(value: str | None) -> bool:
    if value not in (None, "terminal"):
        raise InvalidQuery(f"until is {value[:64]!r}; the one value it can have is terminal")
    return value is not None
