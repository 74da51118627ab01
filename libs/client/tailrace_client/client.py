"""The async client."""

from asyncio import sleep
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import cached_property
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
from tailrace_client.transport import Connection, Transport


class Client(Core):
    """Reads a tenant's events, from asyncio.

        async with Client("http://localhost:8080", tenant="acme") as client:
            async for item in client.stream("users.42.>", start="last"):
                ...

    Leaving the `async with` closes every connection; a stream that another task is reading then raises RuntimeError.
    The client may be entered again afterwards, in another event loop too. Within one loop any number of tasks may
    use it at once.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    def stream(
        self,
        *patterns: str,
        start: Start = "now",
        types: Sequence[str] | None = None,
        max_rate: float | None = None,
        until: Until | None = None,
        observe: Observe | None = None,
    ) -> "Stream":
        """Return what happens on all topics that match one of the patterns, to be read with `async for`.

        The stream resumes by itself: through lost connections, edges that stop and brokers that restart, each event
        comes once, in order. See `Stream`.

        Args:
            patterns: topics, or patterns with `*` and `>`.
            start: `now`, `last` (the newest event of each topic, then what comes), `start` (all that is stored), an
                event id (what comes after it), a time, or a time ago like `-10m`.
            types: leave out events of other types.
            max_rate: events per second and topic. The newest win; terminal events always come.
            until: `terminal` ends the stream after the last watched job's terminal event.
            observe: called with each new `Link`, to show or log how the stream is connected. It must not block.

        Raises:
            InvalidInput: one of these cannot be asked for.
        """
        return Stream(self._transport, self._open_session(patterns, start, types, max_rate, until, observe))

    async def last(self, pattern: str) -> Snapshot[Event]:
        """Return the newest event of each topic that matches, deleted ones left out.

        `snapshot.cursor` is where to stream on from without a gap. `stream(pattern, start="last")` does both at once.

        Raises:
            InvalidPattern: `pattern` cannot be one.
            StreamError: see `topic`.
        """
        return await self._transport.read_all(Paging(calls.list_topics(pattern)))

    async def topic(self, topic: str) -> Event:
        """Return the newest event of a topic.

        Raises:
            InvalidTopic: `topic` cannot be one.
            NotFound: it has no event, or was deleted.
            EdgeRefused: trying again does not mend it.
            EdgeUnavailable: no edge answered; trying again later may help.
            MalformedStream: the answer is not what an edge says.
        """
        return await self._transport.call(calls.read_topic(topic))

    async def history(
        self, *patterns: str, start: Start = "start", limit: int | None = None
    ) -> AsyncGenerator[Event | Gap]:
        """Yield stored events in order, up to the newest, read page by page. A `Gap` stands where some are gone.

        Args:
            patterns: topics, or patterns with `*` and `>`.
            start: as for `stream`, but neither `now` nor `last`.
            limit: items to yield at most; None for all.

        Raises:
            InvalidInput: one of these cannot be asked for.
            StreamError: see `topic`.
        """
        paging = Paging(calls.read_history(format_selection(patterns, start)), by="from", limit=limit)
        while paging.call is not None:
            for event in paging.take(await self._transport.call(paging.call)):
                yield event

    async def publish(self, topic: str, data: Any = None, *, type: str = MESSAGE, message_id: str | None = None) -> str:
        """Publish an event, and return its id once it is stored.

        Args:
            topic: to publish to.
            data: any JSON.
            type: of the event.
            message_id: makes sending it again harmless: within two minutes, what has the same id is stored once.

        Raises:
            InvalidInput: topic, type, size or data break a rule of the protocol.
            EdgeUnavailable: no edge answered; without a `message_id` the event may be stored all the same.
            EdgeRefused: trying again does not mend it.
        """
        return (await self._transport.call(calls.publish_event(topic, data, type, message_id))).ids[0]

    async def delete(self, topic: str) -> str:
        """Delete a topic with all its events, and return the tombstone's id.

        Raises:
            InvalidTopic: `topic` cannot be one.
            StreamError: see `topic`.
        """
        return (await self._transport.call(calls.delete_topic(topic))).id

    def job(self, job: str, *, user: str | None = None) -> "Job":
        """Return a job to look at or watch; nothing is asked yet.

        Args:
            job: its id.
            user: its owner, if it has one.

        Raises:
            InvalidTopic: one of them is empty.
        """
        return Job(self, self._transport, job, user)

    async def jobs(self, *, user: str | None = None, status: JobStatus | str | None = None) -> Snapshot[JobState]:
        """Return the states of all jobs, or of those with one owner or status.

        Raises:
            InvalidInput: `status` is none.
            StreamError: see `topic`.
        """
        return await self._transport.read_all(Paging(calls.list_jobs(user, status)))

    @cached_property
    def _transport(self) -> Transport:
        return Transport(self._edges, self._http_settings)


class Stream(StreamCore):
    """What happens on some topics, to be read with `async for`: events, and where some are gone, `Gap` and `Reset`.

        async for item in stream:
            match item:
                case Event():
                    show(item)
                case Gap() | Reset():
                    await read_state_anew()

    Loss is never silent: a `Gap` stands exactly where events are missing in the order (they were older than the log
    keeps), a `Reset` where the log itself is another one or lost its end. Both are items, not a hook, so that they
    come in order and a type checker asks what happens to them. Who only wants the newest state can skip them if every
    event carries the whole state, as jobs do (`Client.job`).

    Nothing runs in the background and nothing is queued: bytes are read when the loop asks for the next item. A slow
    loop makes the edge wait, up to the point where it closes the stream, which then resumes where the loop is.

    Each `async for` opens a connection, and closes it when it is left. A new loop over the same stream carries on
    after the last item that was taken; two loops at once are a mistake. To be sure that the connection is closed
    before the next statement, even if an exception's traceback keeps the loop alive:
    `async with aclosing(aiter(stream)) as items`.

    Reading raises EdgeRefused (NotFound for 404) where trying again does not mend it, and MalformedStream for bytes
    that no edge sends. All else is tried again, without end: `link` and `observe` tell how it goes.
    """

    def __init__(self, transport: Transport, session: Session) -> None:
        super().__init__(session)
        self._transport = transport

    async def __aiter__(self) -> AsyncGenerator[Item]:
        session = self._session
        http = self._transport.http
        while not session.ended:
            await sleep(session.delay)
            connection = Connection(http, session)
            try:
                await connection.open()
                while session.reading:
                    for item in session.receive(await connection.read()):
                        yield item
            finally:
                await connection.aclose()


class Job(JobCore):
    """A job to look at or watch."""

    def __init__(self, client: Client, transport: Transport, job: str, user: str | None) -> None:
        super().__init__(job, user)
        self._client = client
        self._transport = transport

    async def state(self) -> JobState:
        """Return its state.

        Raises:
            NotFound: there is no such job, or it was deleted.
            StreamError: see `Client.topic`.
        """
        return await self._transport.call(calls.read_job(self.id, self.user))

    async def watch(self, *, observe: Observe | None = None) -> AsyncGenerator[JobState]:
        """Yield its state now and each time it changes; the last one is terminal. Waits for a job that is yet to come.

        Args:
            observe: see `Client.stream`.

        Raises:
            NotFound: the job was deleted.
            StreamError: see `Stream`.
        """
        stream = self._client.stream(self.topic, start="last", until="terminal", observe=observe)
        async with aclosing(aiter(stream)) as items:
            async for item in items:
                state = decode_state(item) if isinstance(item, Event) else await self.state()
                if state is not None:
                    yield state
                    if state.status.terminal:
                        return
        yield await self.state()

    async def finished(self) -> JobState:
        """Wait for its end, and return the terminal state, whether that is success or not; raises what `watch` does."""
        async with aclosing(self.watch()) as states:
            async for state in states:
                if state.status.terminal:
                    return state
        return await self.state()

    async def delete(self) -> str:
        """Delete the job with all its events, and return the tombstone's id.

        Raises:
            NotFound: there is no such job.
            StreamError: see `Client.topic`.
        """
        return (await self._transport.call(calls.delete_job(self.id, self.user))).id
