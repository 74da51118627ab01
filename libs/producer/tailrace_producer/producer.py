"""The async producer."""

import asyncio
from collections.abc import Iterable
from functools import partial
from types import TracebackType
from typing import Any, Self

from tailrace_protocol.errors import PublishError
from tailrace_protocol.events import MESSAGE

from tailrace_producer.core import AnyEvent, Batch, Core, NewEvent
from tailrace_producer.environment import find_tenant, find_url
from tailrace_producer.errors import WrongEventLoop
from tailrace_producer.job import Job
from tailrace_producer.log import Logger
from tailrace_producer.publisher import Outcome
from tailrace_producer.settings import Settings
from tailrace_producer.text import TextStream

PUBLISH_TIMEOUT = 30.0
"""Seconds to wait for an acknowledgement, unless the caller says otherwise."""

_log = Logger()


class Producer:
    """Publishes events and reports progress, from an event loop.

    It connects when it is first used, and for as long as it takes; what it is given meanwhile waits in memory. Leaving
    the context waits until all is acknowledged. Use one for the whole process; it is made for many tasks at a time.

    It lives in the event loop that it is entered or first used in. Once it does, other threads may use what waits for
    nothing: `enqueue`, `job`, `stream`, and what these return. Where no event loop runs at all, use `SyncProducer`.

    Args:
        url: of the broker, or several of a cluster, separated by commas. By default what `TAILRACE_NATS_URL` says, or
            `nats://127.0.0.1:4222`.
        tenant: whose events these are. By default what `TAILRACE_TENANT` says, or `default`.
        settings: limits, timeouts, logins.

    Raises:
        SetupError: the URL is none, or a file of the login cannot be used.
        InvalidTenant: the tenant's name breaks the rules.
    """

    def __init__(self, url: str | None = None, *, tenant: str | None = None, settings: Settings | None = None) -> None:
        self._core = Core(find_url(url), find_tenant(tenant), settings or Settings())
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        self._start_here()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        try:
            await self.close()
        except PublishError as failure:
            if error is None:
                raise
            _log.error("events lost", reason=str(failure))

    async def publish(
        self,
        topic: str,
        data: Any = None,
        *,
        type: str = MESSAGE,
        id: str | None = None,
        timeout: float | None = PUBLISH_TIMEOUT,
    ) -> str:
        """Publish an event, and return its event id once it is stored.

        While the broker is away the event waits. It is sent again if no acknowledgement comes, and stored once.

        Args:
            topic: what clients watch.
            data: any JSON; also dataclasses, msgspec structs, pydantic models, datetimes and UUIDs.
            type: `message`, one of the types Tailrace knows, or your own.
            id: your own id for it; a second event of the tenant with it, within two minutes, is not stored, and
                the id of the first is returned.
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            InvalidInput: topic, type, data or id break a rule, or the event is too large; nothing was sent.
            BrokerUnavailable: not acknowledged in time; the error says why, and whether the event may be stored.
            OutboxFull: too many events wait for the broker; this one was not taken.
            PublishError: the broker refused the event.
            ProducerClosed: the producer is closed.
        """
        future: asyncio.Future[str] = self._start_here().create_future()
        number = self._core.publisher.submit(
            topic, data, type, event_key=id, timeout=timeout, settle=partial(_settle, future), awaited=True
        )
        try:
            return await future
        except asyncio.CancelledError:
            self._core.publisher.withdraw(number)
            raise

    async def publish_many(self, events: Iterable[AnyEvent], *, timeout: float | None = PUBLISH_TIMEOUT) -> list[str]:
        """Publish events in order, many at a time, and return their event ids in the same order once all are stored.

        Takes from `events` only as fast as the broker acknowledges.

        Args:
            events: tuples `(topic, data)` or `(topic, data, type)`, or `NewEvent`s.
            timeout: seconds to wait for each of them; None for as long as it takes.

        Raises:
            InvalidInput: an event breaks a rule; those before it are published, it and those after it are not.
            PublishError: as `publish` raises them, the first one that came; other events may be stored.
        """
        self._start_here()
        publisher = self._core.publisher
        batch = Batch(publisher, timeout)
        for event in events:
            if publisher.crowded:
                await publisher.wait_for_room()
            batch.submit(event)
        await publisher.wait_settled(batch.last)
        return batch.take_ids()

    def enqueue(
        self,
        topic: str,
        data: Any = None,
        *,
        type: str = MESSAGE,
        id: str | None = None,
    ) -> None:
        """Publish an event without waiting. It is stored after those before it; if it is not, the log says so.

        For many small events, such as tokens and log lines. `flush` waits for them.

        Args:
            topic: as for `publish`.
            data: as for `publish`.
            type: as for `publish`.
            id: as for `publish`.

        Raises:
            InvalidInput: as for `publish`.
            OutboxFull: as for `publish`.
            ProducerClosed: the producer is closed.
            WrongEventLoop: this thread has no event loop, and the producer was not used in one before.
        """
        self._start()
        self._core.enqueue(NewEvent(topic, data, type, id))

    def job(
        self,
        id: str,
        *,
        user: str | None = None,
        title: str | None = None,
        total: float | None = None,
        metadata: dict[str, Any] | None = None,
        attempt: int = 1,
    ) -> Job:
        """Return a job that reports its progress, to be entered with `async with`.

        Leaving it well completes it; an exception ends it as failed, and a cancellation as cancelled.

        Args:
            id: unique among the jobs of its user.
            user: its owner; decides about the topic: `users.<user>.jobs.<id>`, without one `jobs.<id>`.
            title: what people call it.
            total: units there are to do, as far as it is known.
            metadata: whatever watchers should know, 24 KiB at most.
            attempt: 1 at first, one more after each `retry`.

        Raises:
            InvalidInput: id or user make no topic, or metadata, total or attempt cannot be carried.
            WrongEventLoop: this thread has no event loop, and the producer was not used in one before.
        """
        self._start()
        return self._core.jobs.make(Job, id, user, title, total, metadata, attempt=attempt)

    def stream(self, topic: str, *, title: str | None = None, metadata: dict[str, Any] | None = None) -> TextStream:
        """Return a text that grows while it is watched, such as a model's answer, to be entered with `async with`.

        Leaving it well completes it; an exception ends it as failed, and a cancellation as cancelled.

        Args:
            topic: what readers of the text watch; nothing else should be published there.
            title: what people call it.
            metadata: whatever readers should know, 4 KiB at most.

        Raises:
            InvalidInput: the topic is none, or the metadata cannot be carried.
            WrongEventLoop: this thread has no event loop, and the producer was not used in one before.
        """
        self._start()
        return self._core.texts.make(TextStream, topic, title, metadata)

    async def flush(self, timeout: float | None = None) -> None:
        """Return when all events taken up to now have an outcome, and jobs have said what they had to say.

        Args:
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            BrokerUnavailable: it took longer. The events go on waiting.
        """
        self._start_here()
        await self._core.flush(timeout)

    async def close(self) -> None:
        """Flush for at most `Settings.close_timeout` seconds, and disconnect. Closing twice does no harm.

        Raises:
            BrokerUnavailable: events were left that are not acknowledged.
        """
        self._start_here()
        await self._core.close()

    def _start(self) -> None:
        """Live in the event loop that runs here; in a thread without one, in that of the first use."""
        loop = _find_running_loop()
        if loop is not None:
            self._start_in(loop)
        elif self._loop is None or self._loop.is_closed():
            raise WrongEventLoop(
                "no event loop runs in this thread, and none in which this Producer lives: enter it with `async with` "
                "before other threads use it, or use SyncProducer"
            )

    def _start_here(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        self._start_in(loop)
        return loop

    def _start_in(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is None:
            self._core.start(loop)
            self._loop = loop  # from now on, other threads may come
        elif self._loop is not loop:
            raise WrongEventLoop("this Producer belongs to another event loop; make one for each, or use SyncProducer")


def _find_running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _settle(future: asyncio.Future[str], outcome: Outcome) -> None:
    if future.done():  # nobody waits any more
        return
    if isinstance(outcome, PublishError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
