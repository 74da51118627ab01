"""Starts: where in the log a stream begins when no event id says it."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from tailrace_protocol.errors import InvalidPosition, InvalidStart
from tailrace_protocol.positions import Position, parse_position

_AGO = re.compile(r"-([1-9][0-9]{0,8})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Start(StrEnum):
    """The starts that have a name."""

    NOW = "now"
    """What comes from now on."""
    LAST = "last"
    """The newest event of each topic, then what comes."""
    BEGINNING = "start"
    """All that is stored, then what comes."""


_NAMED = frozenset(start.value for start in Start)

AnyStart = Start | Position | datetime
"""A named start, an event id (what comes after it), or a time (what was stored at it or later; aware, UTC)."""


def parse_start(text: str, now: datetime | None = None) -> AnyStart:
    """Return the start that `text` writes: `now`, `last`, `start`, an event id, an RFC 3339 time, or `-10m`.

    Args:
        text: as it stands in a query.
        now: what `-10m` counts from, the present by default. The units are `s`, `m`, `h` and `d`.

    Raises:
        InvalidStart: it is none of these.
    """
    if text in _NAMED:
        return Start(text)
    if ago := _AGO.fullmatch(text):
        try:
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            raise InvalidStart(f"{text!r} lies before the beginning of time; 'start' is everything stored") from None
    try:
        return parse_position(text)
    except InvalidPosition:
        return _parse_time(text)


def _parse_time(text: str) -> datetime:
    # A '+' that nobody percent-encoded reaches the server as a space; the date is 10 characters, then comes T or space.
    candidate = text[:11] + text[11:].replace(" ", "+")
    try:
        time = msgspec.convert(candidate, datetime)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError, UnicodeEncodeError):
        pass
    raise InvalidStart(
        f"{text[:64]!r} is no start: use now, last, start, an event id, "
        "a time like 2026-01-31T12:00:00Z, or a time ago like -10m"
    )
