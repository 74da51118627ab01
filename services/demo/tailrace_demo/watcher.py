"""The watcher: a client that receives everything the worker reports, and keeps what it needs for display and audit."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from tailrace_cli.job_table import JobTable
from tailrace_client import Client, Event, JobState, Link, LinkState
from tailrace_protocol.errors import StreamError
from tailrace_protocol.positions import parse_position

from tailrace_demo.audit import Record
from tailrace_demo.worker import JOB, TENANT

_LOG_LINES = 4


class Watcher:
    """Receives the demo's events through the edges.

    Attributes:
        received: every event, in the order it came.
        jobs: their newest states.
        job: the state of the whole; None before it began.
        lines: the newest of its log.
        link: how the stream is connected.
        opened_at: when it was opened last, on the monotonic clock.
    """

    def __init__(self, url: str) -> None:
        self.received: list[Record] = []
        self.jobs = JobTable()
        self.job: JobState | None = None
        self.lines: deque[str] = deque(maxlen=_LOG_LINES)
        self.link = Link()
        self.opened_at = 0.0
        self._url = url
        self._changed = asyncio.Event()

    @property
    def percent(self) -> float:
        """Of the whole."""
        return (self.job.percent if self.job is not None else None) or 0.0

    @property
    def newest(self) -> int:
        """The sequence of the last event; 0 before the first."""
        return self.received[-1].sequence if self.received else 0

    def nudge(self) -> None:
        """Have the conditions looked at, since something else has changed."""
        self._changed.set()

    async def run(self) -> None:
        """Receive until cancelled.

        Raises:
            StreamError: a gap or a reset came, which this log has no reason for.
        """
        # An edge is killed here to show how soon the other one serves: no crowd that has to be spread over time.
        async with Client(self._url, tenant=TENANT, backoff_base=0.2, backoff_cap=1.0) as client:
            async for item in client.stream(">", start="start", observe=self._observe):
                if not isinstance(item, Event):
                    raise StreamError(f"the stream was interrupted: {item}")
                self._take(item)
                self.nudge()

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return once a condition holds; it is looked at after each event and each change of the link."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def _take(self, event: Event) -> None:
        self.received.append(Record(parse_position(event.id).sequence, event.topic))
        if event.topic == f"jobs.{JOB}.log":
            self.lines.append(event.data["message"])
        elif event.topic.startswith("jobs."):
            state = self.jobs.take(event)
            if state is not None and state.id == JOB:
                self.job = state

    def _observe(self, link: Link) -> None:
        self.link = link
        self.jobs.observe(link)
        if link.state is LinkState.LIVE:
            self.opened_at = time.monotonic()
        self.nudge()
