"""Pages: lists that are longer than one answer."""

from typing import Generic, TypeVar

import msgspec
from tailrace_protocol.control import Gap, GapReason
from tailrace_protocol.events import Event
from tailrace_protocol.jobs import JobState

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One answer's part of a list.

    Attributes:
        cursor: the place in the log that it was read at.
        next: what to ask for the next page with; None on the last one.
    """

    cursor: str | None = None
    next: str | None = None

    @property
    def items(self) -> list[T]:
        """What is on it."""
        raise NotImplementedError


class EventPage(Page[Event], frozen=True, kw_only=True):
    """A page of newest events."""

    events: list[Event]

    @property
    def items(self) -> list[Event]:
        """The events."""
        return self.events


class JobPage(Page[JobState], frozen=True, kw_only=True):
    """A page of jobs."""

    jobs: list[JobState]

    @property
    def items(self) -> list[JobState]:
        """The jobs."""
        return self.jobs


class _Missing(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    from_: str
    to: str


class HistoryPage(Page[Event | Gap], frozen=True, kw_only=True):
    """A page of stored events, before which some may be gone."""

    events: list[Event]
    gap: _Missing | None = None

    @property
    def items(self) -> list[Event | Gap]:
        """The gap, if there is one, and the events."""
        if self.gap is None:
            return [*self.events]
        return [Gap(self.gap.from_, self.gap.to, GapReason.RETENTION), *self.events]


class Snapshot(list[T]):
    """What was newest, and the place in the log that it was read at.

    Attributes:
        cursor: pass it as `start` to `stream`, and nothing that came since is missed. What came while the pages
            were being read may be in both.
    """

    cursor: str | None = None
