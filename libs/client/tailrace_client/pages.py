"""Pages: lists that are longer than one answer."""

from typing import Generic, TypeVar

import msgspec
from tailrace_protocol.events import Event
from tailrace_protocol.jobs import JobState

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One answer's part of a list.

    Attributes:
        cursor: the place in the log that it was read at.
        next: what to ask for the next page with; None on the last one.
    """

    items: list[T]
    cursor: str | None = None
    next: str | None = None


class EventPage(Page[Event], frozen=True, kw_only=True):
    """A page of events."""

    items: list[Event] = msgspec.field(name="events")


class JobPage(Page[JobState], frozen=True, kw_only=True):
    """A page of jobs."""

    items: list[JobState] = msgspec.field(name="jobs")


class Snapshot(list[T]):
    """What was newest, and the place in the log that it was read at.

    Attributes:
        cursor: pass it as `start` to `stream`, and nothing that came since is missed. What came while the pages
            were being read may be in both.
    """

    cursor: str | None = None
