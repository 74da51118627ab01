"""The async client."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from functools import cached_property
from inspect import isawaitable
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
from tailrace_client.handlers import blame
from tailrace_client.job import Job
from tailrace_client.pages import Snapshot
from tailrace_client.queries import Start, Until, format_selection
from tailrace_client.session import Observe
from tailrace_client.stream import Stream
from tailrace_client.texts import Text, TextFold
from tailrace_client.transport import Reader, Transport


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
        cursor: Cursor | None = None,
        read_ahead: ReadAhead | int | None = None,
        conflate: Collection[str] = (),
    ) -> Stream:
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
            cursor: where to keep how far the loop has got, so that a restarted process goes on there: a file's path,
                a `CursorStore`, or a pair of functions `(load, save)`. What is kept there wins over `start`.
            read_ahead: how many items may wait for a slow loop, read in the background; or a `ReadAhead`.
            conflate: types of events of which, while they wait, only the newest of each topic is kept.

        Raises:
            InvalidInput: one of these cannot be asked for.
        """
        plan = self._plan(patterns, start, types, max_rate, until, observe, cursor, read_ahead, conflate)
        return Stream(self._transport, plan)

    async def run(self, *patterns: str, **options: Unpack[StreamOptions]) -> None:
        """Call the handlers that `on` has registered with what a stream brings, until it ends.

        One after the other, in the order of the events: what a handler awaits, the next event waits for. An event
        counts as processed, see `cursor`, when all its handlers have returned.

        Args:
            patterns: topics, or patterns with `*` and `>`.
            options: see `stream`.

        Raises:
            InvalidInput: one of these cannot be asked for.
            Exception: whatever a handler raises, with a note that names it and its event. That ends the run.
            StreamError: see `Stream`.
        """
        async with aclosing(aiter(self.stream(*patterns, **options))) as items:
            async for item in items:
                for handler in self._handlers.find(item):
                    with blame(handler, item):
                        result = handler(item)
                        if isawaitable(result):
                            await result

    async def text(self, topic: str, *, observe: Observe | None = None) -> AsyncGenerator[Text]:
        """Yield a text that grows, as a language model writes it: as it is, and each time more of it has come.

        What has come at once is yielded at once, so that who comes late, or takes his time, gets all so far in one
        step or few. The last one is terminal. Waits for a text that is yet to come.

        Args:
            topic: where its events are.
            observe: see `stream`.

        Raises:
            InvalidTopic: `topic` cannot be one.
            NotFound: it was deleted.
            StreamError: see `Stream`.
        """
        fold = TextFold(topic)
        plan = self._plan((check_topic(topic),), "start", None, None, None, observe, None, None, ())
        async with aclosing(Reader(self._transport, plan.session)) as reader:
            while (items := await reader.step()) is not None:
                text = fold.take(items)
                if text is not None:
                    yield text
                    if text.status.terminal:
                        return

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

    def job(self, job: str, *, user: str | None = None) -> Job:
        """Return a job to look at or watch; nothing is asked yet.

        Args:
            job: its id.
            user: its owner, if it has one.

        Raises:
            InvalidTopic: one of them is empty.
        """
        return Job(self.stream, self._transport, job, user)

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
