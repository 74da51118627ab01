"""Stats: what an edge is doing, and, asked over NATS, what all of them are doing."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from tailrace_edge.jetstream import JetStreamUnavailable

if TYPE_CHECKING:
    from tailrace_edge.edge import Edge

SUBJECT = "tailrace.stats"
"""Outside of `events.>`: edges answer each other here."""

_WAIT = 0.3
"""Seconds in which the other edges have to answer."""

_log = structlog.get_logger(__name__)


class EdgeStats(msgspec.Struct, frozen=True):
    """What one edge is doing.

    Attributes:
        name: the edge's.
        ready: whether new clients may come.
        uptime: seconds since it was started.
        epoch: of the log.
        first: the oldest sequence the log holds.
        head: the newest one the edge has read.
        lag: messages the log holds beyond it.
        tail_start: from here on, all is in the edge's memory.
        tail_events: how many that are.
        tail_bytes: what they take.
        connections: open streams.
        live: of these, at the head.
        behind: of these, not.
        events: read from the log so far.
        deliveries: events handed to connections so far.
        bytes: of them.
        replays: streams that began behind the head, by source.
        consumers: made so far to follow the log.
        closes: streams that ended, by reason.
    """

    name: str
    ready: bool
    uptime: float
    epoch: str
    first: int
    head: int
    lag: int
    tail_start: int
    tail_events: int
    tail_bytes: int
    connections: int
    live: int
    behind: int
    events: int
    deliveries: int
    bytes: int
    replays: dict[str, int]
    consumers: int
    closes: dict[str, int]


class Stats:
    """Tells of this edge, and asks the others."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._started = time.monotonic()
        self._asking: asyncio.Task[list[EdgeStats]] | None = None

    def read(self) -> EdgeStats:
        """Return what this edge is doing."""
        edge = self._edge
        engine = edge.engine
        live = engine.count_live()
        connections = engine.count_subscribers()
        return EdgeStats(
            name=edge.settings.name,
            ready=edge.explain_unready() is None,
            uptime=round(time.monotonic() - self._started, 1),
            epoch=engine.log.epoch,
            first=engine.log.first,
            head=engine.log.head,
            lag=edge.follower.lag,
            tail_start=engine.log.tail.start,
            tail_events=len(engine.log.tail),
            tail_bytes=engine.log.tail.size,
            connections=connections,
            live=live,
            behind=connections - live,
            events=engine.counts.events,
            deliveries=engine.counts.deliveries,
            bytes=engine.counts.bytes,
            replays=dict(engine.counts.replays),
            consumers=edge.follower.consumers,
            closes={reason.value: number for reason, number in edge.pump.closes.items()},
        )

    async def read_all(self) -> list[EdgeStats]:
        """Return what all edges that answer in time are doing, this one included, by name.

        Whoever asks while the others are being asked already gets the same answers: however many ask, each edge is
        asked three times a second at most.
        """
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_all(), name="stats of all")
            self._asking.add_done_callback(self._end_asking)
        # One that goes must not take the answers from the others.
        return await asyncio.shield(self._asking)

    def _end_asking(self, _asked: asyncio.Task[list[EdgeStats]]) -> None:
        self._asking = None

    async def _ask_all(self) -> list[EdgeStats]:
        answers = _Answers()
        try:
            listening = await self._edge.jetstream.listen(answers)
            try:
                await self._edge.jetstream.publish(SUBJECT, reply=listening.subject)
                await asyncio.sleep(_WAIT)
            finally:
                await listening.close()
        except JetStreamUnavailable as error:
            _log.warning("other edges not asked", error=str(error))
        found = {stats.name: stats for stats in answers.found} | {self._edge.settings.name: self.read()}
        return [found[name] for name in sorted(found)]

    async def answer(self) -> None:
        """Answer the other edges until cancelled."""
        asked = _Questions()
        listening = await self._edge.jetstream.listen(asked, SUBJECT)
        try:
            while True:
                reply = await asked.queue.get()
                try:
                    await self._edge.jetstream.publish(reply, msgspec.json.encode(self.read()))
                except JetStreamUnavailable as error:
                    _log.debug("stats not sent", error=str(error))
        finally:
            await listening.close()


class _Answers:
    def __init__(self) -> None:
        self.found: list[EdgeStats] = []

    def receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        if not header:  # a header means that nobody else is there
            self.found.append(msgspec.json.decode(payload, type=EdgeStats))

    def flush(self) -> None:
        """Nothing is held back."""

    def fail(self, error: Exception) -> None:
        _log.warning("an edge answered with something else", error=str(error))


class _Questions:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[str] = asyncio.Queue()

    def receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        if reply:
            self.queue.put_nowait(reply.decode())

    def flush(self) -> None:
        """Nothing is held back."""

    def fail(self, error: Exception) -> None:
        _log.warning("not asked properly", error=str(error))


def collect(stats: list[EdgeStats]) -> dict[str, Any]:
    """Return the stats of all edges as one answer."""
    return {"edges": stats, "connections": sum(edge.connections for edge in stats)}
