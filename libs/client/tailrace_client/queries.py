"""Queries: what a stream or a piece of history is asked for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from tailrace_protocol.errors import InvalidInput, InvalidStart
from tailrace_protocol.events import check_type
from tailrace_protocol.patterns import check_pattern
from tailrace_protocol.starts import parse_start

Start = str | datetime
"""`now`, `last`, `start`, an event id, a time (RFC 3339 if a text, aware if a datetime), or a time ago like `-10m`."""

Until = Literal["terminal"]


def format_selection(patterns: Sequence[str], start: Start) -> list[tuple[str, str]]:
    """Return the query's fields for patterns and start.

    Raises:
        InvalidInput: there is no pattern.
        InvalidPattern: one cannot be a pattern.
        InvalidStart: `start` names no place in the log.
    """
    if not patterns:
        raise InvalidInput("no pattern was given; '>' is every topic of the tenant")
    fields = [("topic", check_pattern(pattern)) for pattern in patterns]
    return [*fields, ("from", format_start(start))]


def format_start(start: Start) -> str:
    """Return a start as a query writes it.

    Raises:
        InvalidStart: it names no place in the log.
    """
    if isinstance(start, datetime):
        if start.tzinfo is None:
            raise InvalidStart(f"the time {start.isoformat()} has no time zone; make it aware, with tz=UTC for one")
        return start.isoformat()
    parse_start(start)
    return start


def format_filters(types: Sequence[str] | None, max_rate: float | None, until: Until | None) -> list[tuple[str, str]]:
    """Return the query's fields for what a stream is narrowed to.

    Raises:
        InvalidEventType: one of `types` cannot be one.
        InvalidInput: `types` is one text, `max_rate` is not above 0, or `until` is neither None nor `terminal`.
    """
    fields = []
    if isinstance(types, str):  # which is a sequence too, of types of one letter
        raise InvalidInput(f"types={types!r} is a text; it takes a list of types, [{types!r}]")
    if types is not None:
        fields.append(("types", ",".join(check_type(event_type) for event_type in types)))
    if max_rate is not None:
        if not max_rate > 0:
            raise InvalidInput(f"max_rate={max_rate} is no rate: events per topic and second, above 0")
        fields.append(("max_rate", f"{max_rate:g}"))
    if until is not None:
        if until != "terminal":
            raise InvalidInput(f"until={until!r} is unknown; 'terminal' is the only one")
        fields.append(("until", until))
    return fields
