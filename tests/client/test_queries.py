"""What a stream is asked for is checked before anything is sent."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tailrace_client import Client
from tailrace_client.queries import format_start
from tailrace_protocol.errors import InvalidEventType, InvalidInput, InvalidPattern, InvalidStart


@pytest.mark.parametrize(
    ("patterns", "options", "error"),
    [
        ((), {}, InvalidInput),
        (("a..b",), {}, InvalidPattern),
        (("a.>.b",), {}, InvalidPattern),
        (("a",), {"start": "yesterday"}, InvalidStart),
        (("a",), {"start": datetime(2026, 1, 31)}, InvalidStart),
        (("a",), {"types": ["Progress"]}, InvalidEventType),
        (("a",), {"types": "progress"}, InvalidInput),
        (("a",), {"max_rate": 0}, InvalidInput),
        (("a",), {"max_rate": float("nan")}, InvalidInput),
        (("a",), {"until": "forever"}, InvalidInput),
    ],
)
def test_wrong_questions_are_refused(
    patterns: tuple[str, ...], options: dict[str, Any], error: type[Exception]
) -> None:
    """The call itself raises, not the loop."""
    with pytest.raises(error):
        Client("http://edge", tenant="acme").stream(*patterns, **options)


@pytest.mark.parametrize("start", ["now", "last", "start", "5f2c91ab-1842", "-10m", "2026-01-31T12:00:00Z"])
def test_starts_go_as_they_are(start: str) -> None:
    """A text is for the edge to read."""
    assert format_start(start) == start


def test_datetimes_are_written_with_their_zone() -> None:
    """An aware datetime becomes RFC 3339."""
    assert format_start(datetime(2026, 1, 31, 12, tzinfo=UTC)) == "2026-01-31T12:00:00+00:00"
