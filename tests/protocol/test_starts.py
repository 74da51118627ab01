from datetime import UTC, datetime, timedelta

import pytest
from tailrace_protocol.errors import InvalidStart
from tailrace_protocol.positions import Position
from tailrace_protocol.starts import AnyStart, Start, parse_start

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("now", Start.NOW),
        ("last", Start.LAST),
        ("start", Start.BEGINNING),
        ("5f2c91ab-1842", Position("5f2c91ab", 1842)),
        ("5f2c91ab-0", Position("5f2c91ab", 0)),
        ("-10m", NOW - timedelta(minutes=10)),
        ("-1s", NOW - timedelta(seconds=1)),
        ("-36h", NOW - timedelta(hours=36)),
        ("-7d", NOW - timedelta(days=7)),
        ("-999999999s", NOW - timedelta(seconds=999999999)),
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31t12:00:00z", NOON),
        ("2026-01-31 12:00:00Z", NOON),
        ("2026-01-31T12:00:00.5Z", NOON + timedelta(seconds=0.5)),
        ("2026-01-31T12:00:00.123456Z", NOON + timedelta(microseconds=123456)),
        ("2026-01-31T17:30:00+05:30", NOON),
        ("2026-01-31T17:30:00 05:30", NOON),  # a plus that a query has turned into a space
        ("2026-01-31 17:30:00 05:30", NOON),
        ("2026-01-31T11:00:00-01:00", NOON),
    ],
)
def test_reads(text: str, start: AnyStart) -> None:
    parsed = parse_start(text, NOW)

    assert parsed == start
    assert type(parsed) is type(start)
    if isinstance(parsed, datetime):
        assert parsed.tzinfo is UTC


def test_counts_from_the_present_by_default() -> None:
    before = datetime.now(UTC)
    start = parse_start("-10m")

    assert isinstance(start, datetime)
    assert before <= start + timedelta(minutes=10) <= datetime.now(UTC)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "NOW",
            "now ",
            " now",
            "now\n",
            "first",
            "end",
            "0",
            "1842",
            "-",
            "-0m",
            "-010m",
            "-10",
            "-m",
            "10m",
            "+10m",
        ),
        *("--10m", "-1.5h", "-10M", "-10w", "-10m ", "-10m\n", "-1h30m", "-1_0m", "-\u0661m", "-1000000000s"),
        *("2026-01-31", "12:00:00Z", "2026-01-31T12:00:00", "2026-01-31T12:00Z", "2026-13-31T12:00:00Z", "1767225600"),
        *("2026-02-30T12:00:00Z", "2026-01-31T25:00:00Z", "2026-01-31T12:00:00Z\n", "2026-01-31T12:00:00+99:00"),
        *("0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00", "5f2c91ab-", "5F2C91AB-1", "5f2c91ab-01", "\ud800"),
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(InvalidStart, match="use now, last, start, an event id"):
        parse_start(text, NOW)


def test_refuses_what_lies_before_the_beginning_of_time() -> None:
    for text in ("-999999999d", "-999999h999"):
        with pytest.raises(InvalidStart):
            parse_start(text, NOW)
    with pytest.raises(InvalidStart, match="'start' is everything stored"):
        parse_start("-800000d", NOW)


def test_shortens_what_it_shows() -> None:
    with pytest.raises(InvalidStart) as caught:
        parse_start("x" * 1_000_000)
    assert len(str(caught.value)) < 300
