"""The sync client: the same as the async one, for threads, scripts and notebooks."""

from collections.abc import Generator, Sequence
from contextlib import closing
from functools import cached_property
from time import sleep
from types import TracebackType
from typing import Any, Self

from tailrace_protocol.control import Gap
from tailrace_protocol.events import MESSAGE, Event
from tailrace_protocol.jobs import JobState, JobStatus

from tailrace_client import calls
from tailrace_client.calls import Paging
from tailrace_client.core import Core, JobCore, StreamCore
from tailrace_client.items import Item, decode_state
from tailrace_client.pages import Snapshot
from tailrace_client.queries import Start, Until, format_selection
from tailrace_client.session import Observe, Session
from tailrace_client.sync_transport import SyncConnection, SyncTransport


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
    ) -> "SyncStream":
        """Return what happens on all topics that match one of the patterns, as `Client.stream`."""
        return SyncStream(self._transport, self._open_session(patterns, start, types, max_rate, until, observe))

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

    def job(self, job: str, *, user: str | None = None) -> "SyncJob":
        """Return a job to look at or watch, as `Client.job`."""
        return SyncJob(self, self._transport, job, user)

    def jobs(self, *, user: str | None = None, status: JobStatus | str | None = None) -> Snapshot[JobState]:
        """Return the states of all jobs, or of those with one owner or status, as `Client.jobs`."""
        return self._transport.read_all(Paging(calls.list_jobs(user, status)))

    @cached_property
    def _transport(self) -> SyncTransport:
        return SyncTransport(self._edges, self._http_settings)


class SyncStream(StreamCore):
    """What happens on some topics, to be read with `for`; see `Stream`.

    Each `for` opens a connection, and closes it when it is left: at once, unless an exception's traceback keeps the
    loop alive. `with closing(iter(stream)) as items` closes it in any case.
    """

    def __init__(self, transport: SyncTransport, session: Session) -> None:
        super().__init__(session)
        self._transport = transport

    def __iter__(self) -> Generator[Item]:
        session = self._session
        http = self._transport.http
        while not session.ended:
            sleep(session.delay)
            connection = SyncConnection(http, session)
            try:
                connection.open()
                while session.reading:
                    yield from session.receive(connection.read())
            finally:
                connection.close()


class SyncJob(JobCore):
    """A job to look at or watch."""

    def __init__(self, client: SyncClient, transport: SyncTransport, job: str, user: str | None) -> None:
        super().__init__(job, user)
        self._client = client
        self._transport = transport

    def state(self) -> JobState:
        """Return its state, as `Job.state`."""
        return self._transport.call(calls.read_job(self.id, self.user))

    def watch(self, *, observe: Observe | None = None) -> Generator[JobState]:
        """Yield its state now and each time it changes, as `Job.watch`."""
        stream = self._client.stream(self.topic, start="last", until="terminal", observe=observe)
        with closing(iter(stream)) as items:
            for item in items:
                state = decode_state(item) if isinstance(item, Event) else self.state()
                if state is not None:
                    yield state
                    if state.status.terminal:
                        return
        yield self.state()

    def finished(self) -> JobState:
        """Wait for its end, and return the terminal state, as `Job.finished`."""
        with closing(self.watch()) as states:
            for state in states:
                if state.status.terminal:
                    return state
        return self.state()

    def delete(self) -> str:
        """Delete the job with all its events, as `Job.delete`."""
        return self._transport.call(calls.delete_job(self.id, self.user)).id
