"""Cold reads: the part of the log that is older than the tail, through a short-lived consumer.

A replica that lags gives no sign of it, and "nothing pending" from one proves nothing. So the consumer's filters
include the subject of the first message behind the part wanted: replicas apply in order, and once that one has
come, everything before it was there.
"""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
from tailrace_protocol.patterns import cover_patterns
from tailrace_protocol.stream import MAX_MESSAGE_BYTES, STREAM
from tailrace_protocol.topics import SUBJECT_PREFIX

from tailrace_edge.engine.entry import Entry
from tailrace_edge.jetstream import JetStream, JetStreamError, JetStreamUnavailable, Listening
from tailrace_edge.leader import StoredMessage
from tailrace_edge.messages import is_delivery, make_entry, parse_delivery, parse_status

_BATCH = 2000
_EXPIRES = 1.0
_OVERLAPPING_FILTERS = 10138


async def find_sentinel(jetstream: JetStream, tail_start: int) -> StoredMessage | None:
    """Return the message whose arrival proves that all before `tail_start` came; None if nothing is stored."""
    behind = await jetstream.read_message(seq=tail_start, next_by_subj=">")
    while behind is not None and "\ufffd" in behind.subject:
        # The subject is not UTF-8, and the answer does not say what it is.
        behind = await jetstream.read_message(seq=behind.sequence + 1, next_by_subj=">")
    return behind or await jetstream.read_message(last_by_subj=">")


class ColdRead:
    """One consumer that reads on from a place in the log. An async context manager."""

    def __init__(
        self, jetstream: JetStream, epoch: str, after: int, patterns: Sequence[str] | None, sentinel: StoredMessage
    ) -> None:
        """Prepare a read.

        Args:
            jetstream: the connection.
            epoch: of the log.
            after: the sequence after which to begin.
            patterns: as paths; None for everything.
            sentinel: see `find_sentinel`.
        """
        self._jetstream = jetstream
        self._epoch = epoch
        self._after = after
        self._filters = None
        if patterns is not None:
            wanted = [SUBJECT_PREFIX + pattern for pattern in patterns]
            self._filters = cover_patterns([*wanted, sentinel.subject])
        self._until = sentinel.sequence
        self._name = jetstream.new_name("replay")
        self._listening: Listening | None = None

        # The request under way
        self._fetched: asyncio.Future[None] | None = None
        self._entries: list[Entry] = []
        self._deliveries = 0
        self._requested = 0

    async def __aenter__(self) -> Self:
        """Make the consumer.

        Raises:
            JetStreamUnavailable: the broker does not answer.
            JetStreamError: it refuses.
        """
        try:
            await self._create(self._filters)
        except JetStreamError as error:
            if error.error_code != _OVERLAPPING_FILTERS:
                raise
            await self._create(None)
        self._listening = await self._jetstream.listen(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete the consumer."""
        if self._listening is not None:
            await self._listening.close()
        await self._jetstream.delete_consumer(self._name)

    async def fetch(self) -> list[Entry]:
        """Return the next entries, in order; none if the replica that has the consumer lags.

        Raises:
            JetStreamUnavailable: the consumer is gone.
        """
        if self._listening is None:
            raise JetStreamUnavailable("the read was not begun")
        self._fetched = asyncio.get_running_loop().create_future()
        self._requested = _BATCH
        query = {"batch": _BATCH, "max_bytes": 2 * MAX_MESSAGE_BYTES, "expires": int(_EXPIRES * 1e9)}
        await self._jetstream.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{self._name}", msgspec.json.encode(query), self._listening.subject
        )
        try:
            async with asyncio.timeout(_EXPIRES + 1):
                await self._fetched
        except TimeoutError:
            raise JetStreamUnavailable("a consumer stopped answering") from None
        entries, self._entries = self._entries, []
        return entries

    # Receiver

    def receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """Take in a message, or the end of the request."""
        if not is_delivery(reply):
            if parse_status(header) != 100:
                self._end()
            return
        delivery = parse_delivery(reply)
        self._deliveries += 1
        if delivery.consumer_sequence != self._deliveries:
            raise JetStreamUnavailable("a consumer's sequence broke")
        self._requested -= 1
        entry = make_entry(self._epoch, delivery.sequence, subject, header, payload, delivery.stored_at)
        if entry is not None:
            self._entries.append(entry)
        if self._requested == 0 or delivery.sequence >= self._until:
            self._end()

    def flush(self) -> None:
        """Nothing is held back."""

    def fail(self, error: Exception) -> None:
        """Have the read fail."""
        if self._fetched is not None and not self._fetched.done():
            self._fetched.set_exception(error)

    def _end(self) -> None:
        if self._fetched is not None and not self._fetched.done():
            self._fetched.set_result(None)

    async def _create(self, filters: Sequence[str] | None) -> None:
        config: dict[str, Any] = {
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._after + 1,
            "inactive_threshold": 10_000_000_000,
        }
        if filters is not None:
            config["filter_subjects"] = filters
        await self._jetstream.create_consumer(self._name, config)
