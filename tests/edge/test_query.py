"""Queries of streams: what they are read as. What they cannot be is in tests/integration/test_hostile.py."""

from datetime import UTC, datetime

import pytest
from tailrace_edge.engine.entry import Format
from tailrace_edge.query import InvalidQuery, StreamQuery, parse_paths, parse_stream_query
from tailrace_protocol.errors import InvalidInput, InvalidPattern
from tailrace_protocol.positions import Position
from tailrace_protocol.starts import Start

ID = "5f2c91ab-42"


def parse(query: str | bytes, tenant: str = "acme", **headers: str) -> StreamQuery:
    encoded = query if isinstance(query, bytes) else query.encode()
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return parse_stream_query(tenant, encoded, fields, max_patterns=4)


def test_the_least() -> None:
    query = parse("topic=a.b")
    assert query.interest.patterns == ("acme.a.b",)
    assert (query.interest.types, query.interest.max_rate, query.interest.until_terminal) == (None, None, False)
    assert (query.interest.form, query.position, query.start) == (Format.SSE, None, Start.NOW)


def test_everything() -> None:
    query = parse("topic=a&topic=b.*&types=log,%20x&types=y&max_rate=2.5&until=terminal&from=start&_=123")
    assert query.interest.patterns == ("acme.a", "acme.b.*")
    assert query.interest.types == frozenset({"log", "x", "y", "complete", "failed", "cancelled"})
    assert (query.interest.max_rate, query.interest.until_terminal, query.start) == (2.5, True, Start.BEGINNING)


def test_the_same_interest_however_it_is_asked_for() -> None:
    """Subscribers with the same interest share their frames."""
    assert parse("topic=a&topic=b&topic=a").interest == parse("topic=b&topic=a").interest
    assert parse("topic=a.*&topic=a.b").interest == parse("topic=a.*").interest


@pytest.mark.parametrize(
    ("query", "header", "expected"),
    [
        ("", ID, 42),
        (f"&last_event_id={ID}", None, 42),
        (f"&lastEventId={ID}", None, 42),
        (f"&from={ID}", None, 42),
        ("&last_event_id=5f2c91ab-1", ID, 42),
        (f"&last_event_id={ID}&from=5f2c91ab-1", None, 42),
        ("&from=5f2c91ab-1", ID, 42),
        (f"&last_event_id={ID}", "", 42),
        ("&last_event_id=", "", None),
    ],
)
def test_where_a_client_was_cut_off(query: str, header: str | None, expected: int | None) -> None:
    """The header wins over the query, and that over `from`."""
    headers = {} if header is None else {"last_event_id": header}
    position = parse(f"topic=a{query}", **headers).position
    assert position == (None if expected is None else Position("5f2c91ab", expected))


def test_a_start_is_kept_beside_an_id() -> None:
    """For the case that the id is of another stream."""
    assert parse("topic=a&from=last", last_event_id=ID).start is Start.LAST
    assert parse("topic=a&from=2026-01-31T12:00:00Z").start == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/event-stream", Format.SSE),
        ("*/*", Format.SSE),
        ("application/x-ndjson", Format.NDJSON),
        ("Application/X-NDJSON; q=1, */*", Format.NDJSON),
    ],
)
def test_the_format(accept: str, form: Format) -> None:
    assert parse("topic=a", accept=accept).interest.form is form


@pytest.mark.parametrize("query", ["topic=ü.x", "topic=%C3%BC.x", b"topic=\xc3\xbc.x"])
def test_letters_of_all_scripts(query: str | bytes) -> None:
    """Some clients send them as they are, some percent-encoded."""
    assert parse(query).interest.patterns == ("acme.ü.x",)


def test_a_space_may_be_a_plus() -> None:
    assert parse("topic=a&from=2026-01-31T12:00:00+01:00").start == datetime(2026, 1, 31, 11, tzinfo=UTC)


@pytest.mark.parametrize("query", ["topic=a&x=1", "topic=a&until=end", "topic=a&max_rate=1_0", b"topic=\xff"])
def test_what_is_none(query: str | bytes) -> None:
    with pytest.raises(InvalidQuery):
        parse(query)


def test_how_many_patterns() -> None:
    assert len(parse("topic=a&topic=b&topic=c&topic=d").interest.patterns) == 4
    with pytest.raises(InvalidPattern, match="5 topics were given, 4 are allowed"):
        parse("topic=a&topic=b&topic=c&topic=d&topic=a")
    with pytest.raises(InvalidPattern, match="no topic was given"):
        parse_paths("acme", [], 4)
    with pytest.raises(InvalidInput):
        parse_paths("A", ["a"], 4)
