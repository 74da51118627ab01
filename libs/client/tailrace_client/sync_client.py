"""The sync client: the same as the async one, for threads, scripts and notebooks."""

from collections.abc import Collection, Generator, Sequence
from contextlib import closing
from functools import cached_property
from types import TracebackType
from typing import Any, Self, Unpack

from tailrace_protocol.control import Gap
from tailrace_protocol.events import MESSAGE, Event
from tailrace_protocol.jobs import JobState, JobStatus
from tailrace_protocol.topics import check_topic

from tailrace_client import calls
from tailrace_client.ahead import ReadAhead
from tailrace_client.calls import Paging
from tailrace_client.core import Core, StreamOptions
from tailrace_client.cursors import Cursor
from tailrace_client.deadline import Deadline
from tailrace_client.handlers import blame
from tailrace_client.pages import Snapshot
from tailrace_client.queries import Start, Until, format_selection
from tailrace_client.session import Observe
from tailrace_client.sync_job import SyncJob
from tailrace_client.sync_stream import SyncStream
from tailrace_client.sync_transport import SyncReader, SyncTransport, require_plain
from tailrace_client.texts import Text, TextFold


class SyncClient(Core):
    """Reads a tenant's events without `async`; takes what `Client` takes, and does what it does.

        with SyncClient("http://localhost:8080", tenant="acme") as client:
            for item in client.stream("users.42.>", start="last"):
                ...

    Threads may share it, each with streams of its own. A process that forks opens one on either side.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()

    def stream(
        self,
        *patterns: str,
        start: Start = "now",
        types: Sequence[str] | None = None,
        max_rate: float | None = None,
        until: Until | None = None,
        observe: Observe | None = None,
        cursor: Cursor | None = None,
        read_ahead: ReadAhead | int | None = None,
        conflate: Collection[str] = (),
    ) -> SyncStream:
        """Return what happens on all topics that match one of the patterns, as `Client.stream`.

        With `read_ahead`, a thread reads. `observe` and the token's callable are called in it then.
        """
        plan = self._plan(patterns, start, types, max_rate, until, observe, cursor, read_ahead, conflate)
        return SyncStream(self._transport, plan)

    def run(self, *patterns: str, **options: Unpack[StreamOptions]) -> None:
        """Call the handlers that `on` has registered with what a stream brings, until it ends, as `Client.run`."""
        with closing(iter(self.stream(*patterns, **options))) as items:
            for item in items:
                for handler in self._handlers.find(item):
                    with blame(handler, item):
                        require_plain(handler(item), "the handler")

    def text(self, topic: str, *, observe: Observe | None = None) -> Generator[Text]:
        """Yield a text that grows, as it is and each time more of it has come, as `Client.text`."""
        fold = TextFold(topic)
        plan = self._plan((check_topic(topic),), "start", None, None, None, observe, None, None, ())
        with closing(SyncReader(self._transport, plan.session)) as reader:
            while (items := reader.step()) is not None:
                text = fold.take(items)
                if text is not None:
                    yield text
                    if text.status.terminal:
                        return

    def last(self, pattern: str) -> Snapshot[Event]:
        """Return the newest event of each topic that matches, as `Client.last`."""
        return self._transport.read_all(Paging(calls.list_topics(pattern)))

    def topic(self, topic: str) -> Event:
        """Return the newest event of a topic, as `Client.topic`."""
        return self._transport.call(calls.read_topic(topic))

    def history(self, *patterns: str, start: Start = "start", limit: int | None = None) -> Generator[Event | Gap]:
        """Yield stored events in order, as `Client.history`."""
        paging = Paging(calls.read_history(format_selection(patterns, start)), by="from", limit=limit)
        while paging.call is not None:
            yield from paging.take(self._transport.call(paging.call))

    def publish(self, topic: str, data: Any = None, *, type: str = MESSAGE, message_id: str | None = None) -> str:
        """Publish an event, and return its id once it is stored, as `Client.publish`."""
        return self._transport.call(calls.publish_event(topic, data, type, message_id)).ids[0]

    def delete(self, topic: str) -> str:
        """Delete a topic with all its events, and return the tombstone's id, as `Client.delete`."""
        return self._transport.call(calls.delete_topic(topic)).id

    def job(self, job: str, *, user: str | None = None) -> SyncJob:
        """Return a job to look at or watch, as `Client.job`."""
        return SyncJob(self._open_reader, self._transport, job, user)

    def jobs(self, *, user: str | None = None, status: JobStatus | str | None = None) -> Snapshot[JobState]:
        """Return the states of all jobs, or of those with one owner or status, as `Client.jobs`."""
        return self._transport.read_all(Paging(calls.list_jobs(user, status)))

    def _open_reader(self, topic: str, observe: Observe | None, deadline: Deadline) -> SyncReader:
        plan = self._plan((topic,), "last", None, None, "terminal", observe, None, None, ())
        return SyncReader(self._transport, plan.session, deadline=deadline)

    @cached_property
    def _transport(self) -> SyncTransport:
        return SyncTransport(self._edges, self._http_settings)
