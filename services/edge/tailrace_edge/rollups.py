"""Roll-ups: events that a later one has taken the place of are removed from the log.

Producers ask for it, and may not do it themselves: whoever may purge a stream may purge all of it.
"""

import asyncio

import msgspec
import structlog
from tailrace_protocol.commands import EDGES, ROLLUPS_PREFIX, RollUp
from tailrace_protocol.positions import Position, parse_position
from tailrace_protocol.tenants import check_tenant
from tailrace_protocol.topics import check_topic, format_subject

from tailrace_edge.engine.log import Log
from tailrace_edge.jetstream import JetStream, JetStreamError, JetStreamUnavailable

_MOST = 10_000
"""Topics that wait. What is asked for beyond is left to the next roll-up of the same topic, or to retention."""

_AGAIN = 0.5
"""Seconds until the broker is asked again after it was away, or refused."""

_NO_LEADER = 503

_log = structlog.get_logger(__name__)


class RollUps:
    """Removes what was rolled up, one topic after the other; what is asked for twice meanwhile is done once."""

    def __init__(self, jetstream: JetStream, log: Log) -> None:
        self._jetstream = jetstream
        self._log = log
        self._waiting: dict[str, Position] = {}
        self._asked = asyncio.Event()

    async def remove(self, subject: str, before: Position) -> None:
        """Remove the messages of a subject that are older than a position; none if that is of another log.

        Raises:
            JetStreamUnavailable: they are not known to be gone; they will be, as soon as the broker can do it.
            JetStreamError: the stream refused it.
        """
        # A log that was made anew gives the same sequences to other messages.
        if before.epoch != self._log.epoch:
            return
        try:
            await self._jetstream.purge(subject, before.sequence)
        except JetStreamUnavailable:
            self.ask(subject, before)
            raise
        except JetStreamError as error:
            if error.code == _NO_LEADER:
                self.ask(subject, before)
            raise

    def ask(self, subject: str, before: Position) -> None:
        """Have the messages of a subject that are older than a position removed, as soon as that is possible."""
        known = self._waiting.get(subject)
        if known is None and len(self._waiting) >= _MOST:
            return
        if known is None or known.epoch != before.epoch or known.sequence < before.sequence:
            self._waiting[subject] = before
        self._asked.set()

    async def answer(self) -> None:
        """Do what producers ask for until cancelled; the writer has to be connected."""
        listening = await self._jetstream.writer.listen(self, f"{ROLLUPS_PREFIX}>", queue=EDGES)
        try:
            while True:
                await self._asked.wait()
                self._asked.clear()
                await self._remove_all()
        finally:
            await listening.close()

    async def _remove_all(self) -> None:
        while self._waiting:
            subject = next(iter(self._waiting))
            try:
                # It is asked for again where something newer comes meanwhile.
                await self.remove(subject, self._waiting.pop(subject))
            except (JetStreamUnavailable, JetStreamError) as error:
                _log.warning("roll-up failed", waiting=len(self._waiting), error=str(error))
                await asyncio.sleep(_AGAIN)

    # Receiver

    def receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """Take in what a producer asks for."""
        tenant, _, topic = subject.decode().removeprefix(ROLLUPS_PREFIX).partition(".")
        request = msgspec.json.decode(payload, type=RollUp)
        self.ask(format_subject(check_tenant(tenant), check_topic(topic)), parse_position(request.id))

    def flush(self) -> None:
        """Nothing is held back."""

    def fail(self, error: Exception) -> None:
        """Learn that a request made no sense; the next one may."""
        _log.warning("roll-up not understood", error=str(error))
