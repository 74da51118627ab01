"""The edge: everything one process holds, and its life from start to drain."""

import asyncio
import random
import time

import structlog
from tailrace_protocol.closing import CloseReason

from tailrace_edge.admission import Admission
from tailrace_edge.auth.guard import make_guard
from tailrace_edge.engine.engine import Engine
from tailrace_edge.follower import Follow, Follower
from tailrace_edge.jetstream import JetStream
from tailrace_edge.pump import Pump
from tailrace_edge.replay import Replay
from tailrace_edge.rollups import RollUps
from tailrace_edge.settings import Settings
from tailrace_edge.snapshot import Snapshots
from tailrace_edge.stats import Stats
from tailrace_edge.workers import Workers

_CANCEL_AGAIN = 0.02
"""Seconds after which a task that did not hear that it is cancelled is told again."""

_BETWEEN_WORDS = 2.0
"""Seconds that may pass between two words of the log's leader while all is well."""

_log = structlog.get_logger(__name__)


class Edge:
    """One edge process.

    Attributes:
        settings: it was started with.
        jetstream: its connection to the broker.
        engine: the log, the tail and the cursors.
        pump: drives the engine.
        follower: reads the log.
        snapshots: the newest event of each topic.
        stats: of this edge and of the others.
        admission: keeps the limits.
        guard: lets requests in.
        rollups: removes what later events have taken the place of.
        workers: watches the leases of running jobs.
        draining: it was told to stop.
    """

    def __init__(self, settings: Settings) -> None:
        """Make an edge that `start` sets going in the running event loop.

        Raises:
            SetupError: a file of its login at the broker, or of its keys, cannot be used.
        """
        self.settings = settings
        self._writer: JetStream | None = None
        if settings.publish_nats_url:
            self._writer = JetStream(settings.publish_nats_url, name=settings.name, login=settings.publish_login)
        self.jetstream = JetStream(settings.nats_url, name=settings.name, writer=self._writer, login=settings.login)
        self.engine = Engine(settings.name, settings.limits)
        self.pump = Pump(self.engine)
        self.follower = Follower(self.jetstream, self.pump, Follow(read_back=settings.read_back))
        self.snapshots = Snapshots(self.jetstream, self.engine.log, max_topics=settings.max_topics)
        self.stats = Stats(self)
        self.admission = Admission(settings)
        self.guard = make_guard(settings)
        self.rollups = RollUps(self.jetstream, self.engine.log)
        self.workers = Workers(self.jetstream, self.follower, self.snapshots)
        self.draining = False
        self._replay = Replay(self.jetstream, self.pump, concurrency=settings.replay_concurrency)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to connect and to follow, in the background."""
        self.pump.start()
        self._tasks.append(asyncio.create_task(self._run(), name="edge"))
        if self._writer is not None:
            self._tasks.append(asyncio.create_task(self._write(self._writer), name="writer"))

    async def stop(self) -> None:
        """End everything. Streams that are still open are cut off."""
        for task in self._tasks:
            # Once may not be enough: nats-py takes a cancellation within an attempt to connect for its failure.
            while not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=_CANCEL_AGAIN)
        self.pump.stop()
        await self.guard.close()
        await self.jetstream.close()
        if self._writer is not None:
            await self._writer.close()

    async def drain(self) -> None:
        """Stop being ready, and end all streams, spread over the drain window."""
        self.draining = True
        _log.info("draining", streams=len(self.engine.subscribers), window=self.settings.drain_window)
        await self.pump.drain(self.settings.drain_window)

    def hurry(self) -> None:
        """End all streams at once."""
        for subscriber in self.engine.subscribers:
            self.pump.close(subscriber, CloseReason.DRAIN)

    def explain_unready(self) -> str | None:
        """Return why no new clients should come here; None if they may."""
        if self.draining:
            return "draining"
        if not self.follower.ready:
            return "the head of the log is not reached yet"
        away = time.monotonic() - self.follower.heard_at
        if away > self.settings.broker_away + _BETWEEN_WORDS:
            return f"the broker has been away for {away:.0f} s"
        return None

    @property
    def alive(self) -> bool:
        """Whether all that has to run is running."""
        return all(not task.done() for task in self._tasks)

    def choose_expiry(self) -> float:
        """Return when a stream that begins now reaches its maximum age, on the monotonic clock."""
        return time.monotonic() + self.settings.max_age * random.uniform(0.8, 1.0)

    def choose_retry(self) -> int:
        """Return the milliseconds a client should wait when its connection is lost."""
        return int(self.settings.retry * 1000 * random.uniform(0.5, 1.5))

    async def _run(self) -> None:
        try:
            await self.jetstream.connect()
            async with asyncio.TaskGroup() as group:
                group.create_task(self.follower.run(), name="follower")
                group.create_task(self._replay.run(), name="replay")
                group.create_task(self.stats.answer(), name="stats")
                group.create_task(self.workers.watch(), name="workers")
                if self._writer is None:
                    group.create_task(self.rollups.answer(), name="rollups")
                await self.guard.warm()
        except Exception:
            # The liveness probe tells of it, and the edge is restarted.
            _log.exception("edge failed")
            raise

    async def _write(self, writer: JetStream) -> None:
        """Connect, however long that takes, while the edge runs; without this connection it streams all the same."""
        await writer.connect()
        await self.rollups.answer()
