"""Batched direct gets (NATS ADR-31): many messages for one request, answered by any replica, however stale."""

import asyncio
from typing import Any

import msgspec
from tailrace_protocol.stream import STREAM

from tailrace_edge.engine.entry import Entry
from tailrace_edge.jetstream import JetStream, JetStreamError, JetStreamUnavailable
from tailrace_edge.messages import find_header, make_entry, parse_status, parse_time


async def read_batch(jetstream: JetStream, epoch: str, query: dict[str, Any], *, timeout: float = 2.0) -> list[Entry]:
    """Return what one replica holds of what `query` asks for; a stale one answers with less, never with other.

    Args:
        jetstream: the connection.
        epoch: of the log.
        query: of `DIRECT.GET`: `{"seq": 5, "batch": 512}`, `{"start_time": ..., "batch": 1}`,
            `{"multi_last": [...], "batch": 1000}`.
        timeout: seconds for all of it.

    Raises:
        JetStreamUnavailable: the answer did not come, or not to its end.
        JetStreamError: 413 if `multi_last` matches more than 1,024 subjects.
    """
    answer = _Answer(epoch)
    listening = await jetstream.listen(answer)
    try:
        await jetstream.publish(f"$JS.API.DIRECT.GET.{STREAM}", msgspec.json.encode(query), reply=listening.subject)
        async with asyncio.timeout(timeout):
            return await answer.done
    except TimeoutError:
        raise JetStreamUnavailable("a batch of messages did not come to its end in time") from None
    finally:
        await listening.close()


class _Answer:
    """Collects the messages of one request until its end is marked."""

    def __init__(self, epoch: str) -> None:
        self.done: asyncio.Future[list[Entry]] = asyncio.get_running_loop().create_future()
        self._epoch = epoch
        self._entries: list[Entry] = []

    def receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        status = parse_status(header)
        if status is not None:
            self._end(status, header)
            return
        sequence = find_header(header, b"Nats-Sequence")
        stored_subject = find_header(header, b"Nats-Subject")
        stored_at = find_header(header, b"Nats-Time-Stamp")
        if sequence is None or stored_subject is None or stored_at is None:
            raise JetStreamUnavailable("a direct get answered without the headers of NATS ADR-31")
        entry = make_entry(self._epoch, int(sequence), stored_subject, header, payload, parse_time(stored_at))
        if entry is not None:
            self._entries.append(entry)

    def flush(self) -> None:
        """Nothing is held back."""

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    def _end(self, status: int, header: bytes) -> None:
        if self.done.done():
            return
        if status in (204, 404):
            self.done.set_result(self._entries)
        elif status == 503:
            self.done.set_exception(JetStreamUnavailable("no replica answers direct gets"))
        else:
            description = header[13 : header.find(b"\r\n", 13)].decode(errors="replace")
            self.done.set_exception(JetStreamError(status, 0, description))
