"""The producer for code without an event loop: scripts, threads, Celery, Django."""

import asyncio
import atexit
import os
import socket
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import WeakSet

from tailrace_protocol.errors import ProducerClosed, PublishError
from tailrace_protocol.events import MESSAGE

from tailrace_producer.core import AnyEvent, Batch, Core, NewEvent
from tailrace_producer.environment import find_tenant, find_url
from tailrace_producer.job import SyncJob
from tailrace_producer.log import Logger
from tailrace_producer.producer import PUBLISH_TIMEOUT
from tailrace_producer.publisher import Outcome
from tailrace_producer.settings import Settings
from tailrace_producer.signals import leave_signals
from tailrace_producer.text import SyncTextStream

_log = Logger()

T = TypeVar("T")


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that finds a broker by its name at the exit of the interpreter too."""

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        """Look a name up; its resolver's time is all that closing may take longer then."""
        try:
            return await super().getaddrinfo(*args, **kwargs)
        except RuntimeError:  # executors take no work any more
            return socket.getaddrinfo(*args, **kwargs)


class _Worker:
    """A core, and the thread with the event loop that it lives in."""

    def __init__(self, url: str, tenant: str, settings: Settings) -> None:
        self.core = Core(url, tenant, settings)
        self._loop = _Loop()
        self._thread = threading.Thread(target=self._run, name="tailrace-producer", daemon=True)
        started = threading.Event()
        self._loop.call_soon(self.core.start, self._loop)
        self._loop.call_soon(started.set)
        try:
            self._thread.start()
        except RuntimeError as error:
            self._loop.close()
            raise PublishError(f"the producer cannot start: {error}; one used before runs until the end") from error
        started.wait()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run `coroutine` in the worker's thread, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        try:
            self.run(self.core.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def abandon(self) -> None:
        """Let go of the connection in a forked process, without a word to the broker: it is the parent's."""
        descriptor = self.core.publisher.fileno()
        if descriptor is not None:
            with open(os.devnull, "rb") as nowhere:  # closed, its number could become another file's
                os.dup2(nowhere.fileno(), descriptor)

    def _run(self) -> None:
        leave_signals()
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


class SyncProducer:
    """Publishes events and reports progress, from any thread.

    A thread of its own does the work; it starts and connects when the producer is first used. A process forked from
    this one gets its own, and what waits here is published by this process alone. At the exit of the interpreter what
    waits is published, for at most `Settings.close_timeout` seconds. Use one for the whole process.

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
        given = find_url(url), find_tenant(tenant), settings or Settings()
        self._make_worker = partial(_Worker, *given)
        Core(*given)  # tells of mistakes now and not at the first event
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        self._closed = False
        _all.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except PublishError as failure:
            if error is None:
                raise
            _log.error("events lost", reason=str(failure))

    def publish(
        self,
        topic: str,
        data: Any = None,
        *,
        type: str = MESSAGE,
        id: str | None = None,
        timeout: float | None = PUBLISH_TIMEOUT,
    ) -> str:
        """Publish an event, and return its event id once it is stored. As `Producer.publish`."""
        future: Future[str] = Future()
        self._core.publisher.submit(
            topic, data, type, event_key=id, timeout=timeout, settle=partial(_settle, future), awaited=True
        )
        return future.result()

    def publish_many(self, events: Iterable[AnyEvent], *, timeout: float | None = PUBLISH_TIMEOUT) -> list[str]:
        """Publish events in order, and return their event ids once all are stored. As `Producer.publish_many`."""
        worker = self._started
        publisher = worker.core.publisher
        batch = Batch(publisher, timeout)
        for event in events:
            if publisher.crowded:
                worker.run(publisher.wait_for_room())
            batch.submit(event)
        worker.run(publisher.wait_settled(batch.last))
        return batch.take_ids()

    def enqueue(self, topic: str, data: Any = None, *, type: str = MESSAGE, id: str | None = None) -> None:
        """Publish an event without waiting. As `Producer.enqueue`."""
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
    ) -> SyncJob:
        """Return a job that reports its progress, to be entered with `with`. As `Producer.job`."""
        return self._core.jobs.make(SyncJob, id, user, title, total, metadata, attempt=attempt)

    def stream(self, topic: str, *, title: str | None = None, metadata: dict[str, Any] | None = None) -> SyncTextStream:
        """Return a text that grows while it is watched, to be entered with `with`. As `Producer.stream`."""
        return self._core.texts.make(SyncTextStream, topic, title, metadata)

    def flush(self, timeout: float | None = None) -> None:
        """Return when all events taken up to now have an outcome. As `Producer.flush`."""
        worker = self._started
        worker.run(worker.core.flush(timeout))

    def close(self) -> None:
        """Flush for at most `Settings.close_timeout` seconds, and disconnect. As `Producer.close`."""
        with self._lock:
            worker, self._worker, self._closed = self._worker, None, True
        _started.discard(self)
        if worker is not None:
            worker.close()

    @property
    def _started(self) -> _Worker:
        worker = self._worker
        if worker is not None:
            return worker
        with self._lock:
            if self._closed:
                raise ProducerClosed("the producer is closed; events have to be published before")
            if self._worker is None:
                self._worker = self._make_worker()
                _started.add(self)
            return self._worker

    @property
    def _core(self) -> Core:
        return self._started.core

    def _forget(self) -> None:
        """Start anew in a forked process. The parent's threads do not exist here, but their locks may be held."""
        self._lock = threading.Lock()
        worker, self._worker = self._worker, None
        if worker is not None:
            _abandoned.append(worker)
            worker.abandon()


_all: WeakSet[SyncProducer] = WeakSet()

_started: set[SyncProducer] = set()
"""Those with a thread; they have to be closed at exit, whoever else remembers them."""

_abandoned: list[_Worker] = []
"""The parent's, kept for ever: finalizing an event loop would act on descriptors that the parent uses."""


def _forget_all() -> None:
    _started.clear()
    for producer in list(_all):
        producer._forget()  # noqa: SLF001  # this module's own


def _close_all() -> None:
    for producer in list(_started):
        try:
            producer.close()
        except PublishError as error:
            _log.error("events lost", reason=str(error))


def _settle(future: Future[str], outcome: Outcome) -> None:
    if isinstance(outcome, PublishError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


os.register_at_fork(after_in_child=_forget_all)
atexit.register(_close_all)
