"""Replay: performs the readings that the engine plans, a few at a time."""

import asyncio
import contextlib
import random
import time

import structlog

from tailrace_edge.cold import ColdRead, find_sentinel
from tailrace_edge.engine.reading import Reading
from tailrace_edge.jetstream import JetStream, JetStreamError, JetStreamUnavailable
from tailrace_edge.pump import Pump

_STORM = 10
"""Newcomers within `_PAUSE` that let expect more."""

_PAUSE = 0.01
_GATHERING = 2.0
"""Seconds a reading is put off at most while newcomers keep coming. One for all of them costs as much as one for the
first alone, and a storm keeps the edge busy anyway.
"""

_PATIENCE = 1.0
"""Seconds a reading waits for members that cannot take more at the moment."""

_log = structlog.get_logger(__name__)


class Replay:
    """Serves subscribers that are older than the tail."""

    def __init__(self, jetstream: JetStream, pump: Pump, *, concurrency: int) -> None:
        """Make a replay that `run` sets going.

        Args:
            jetstream: the connection.
            pump: drives the engine.
            concurrency: readings at a time.
        """
        self._jetstream = jetstream
        self._pump = pump
        self._concurrency = concurrency

    async def run(self) -> None:
        """Perform readings until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._concurrency):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self._pump.cold.wait()
            await self._gather()
            reading = self._pump.plan_reading()
            if reading is None:
                self._pump.cold.clear()
                continue
            try:
                await self._perform(reading)
            except (JetStreamUnavailable, JetStreamError) as error:
                _log.warning("reading failed", error=str(error), after=reading.after, members=len(reading.members))
                await asyncio.sleep(random.uniform(0.2, 0.5))
            finally:
                self._pump.end_reading(reading)
                # Those it served are moved on before the next is planned.
                await asyncio.sleep(0)

    async def _gather(self) -> None:
        deadline = time.monotonic() + _GATHERING
        grows = True
        while grows and time.monotonic() < deadline:
            waiting = self._pump.engine.count_cold()
            await asyncio.sleep(_PAUSE)
            grows = self._pump.engine.count_cold() - waiting >= _STORM

    async def _perform(self, reading: Reading) -> None:
        log = self._pump.engine.log
        sentinel = await find_sentinel(self._jetstream, reading.covers + 1)
        # Asked after what may be missing: what retention drops first is told as a gap.
        await self._settle(log.epoch)
        if reading.after + 1 < log.oldest:
            return
        if sentinel is None or sentinel.sequence <= reading.after:
            reading.until = reading.after
            return  # nothing is stored behind them
        reading.until = sentinel.sequence
        async with ColdRead(self._jetstream, log.epoch, reading.after, reading.patterns, sentinel) as cold:
            while not (reading.empty or reading.complete):
                entries = await cold.fetch()
                if not entries:
                    raise JetStreamUnavailable("a replica lags; another may not")
                await self._settle(log.epoch)
                self._pump.feed(reading, entries)
                await self._wait_for_members(reading)

    async def _settle(self, epoch: str) -> None:
        state = await self._jetstream.read_state()
        if state.epoch != epoch:
            raise JetStreamUnavailable("the log was replaced; the follower has not seen that yet")
        self._pump.settle(state.first, state.last, state.asked_at)

    async def _wait_for_members(self, reading: Reading) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE
        while reading.lagging and loop.time() < deadline:
            # Cleared first: a connection that takes again while others are served must not be missed.
            self._pump.moved.clear()
            self._pump.catch_up(reading)
            if reading.stuck:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(deadline):
                        await self._pump.moved.wait()
            else:
                await asyncio.sleep(0)
