"""The audit: what a client received, compared with what the log holds."""

from collections.abc import Sequence
from typing import NamedTuple

from tailrace_edge.jetstream import JetStream
from tailrace_protocol.topics import format_subject, parse_subject


class Record(NamedTuple):
    """An event, as far as the audit goes."""

    sequence: int
    topic: str


class Audit(NamedTuple):
    """What came of it.

    Attributes:
        published: events in the log.
        received: events that the client got, each time it got them.
        lost: in the log, and never received.
        duplicated: received once more.
        disordered: received after a newer one.
        unknown: received, and not in the log.
    """

    published: int
    received: int
    lost: int
    duplicated: int
    disordered: int
    unknown: int

    @property
    def clean(self) -> bool:
        """Whether the client got exactly the log."""
        return not (self.lost or self.duplicated or self.disordered or self.unknown)


def compare(stored: Sequence[Record], received: Sequence[Record]) -> Audit:
    """Return how what was received differs from what is stored."""
    unique = set(received)
    newest = 0
    disordered = 0
    for record in received:
        disordered += record.sequence < newest
        newest = max(newest, record.sequence)
    return Audit(
        published=len(stored),
        received=len(received),
        lost=len(set(stored) - unique),
        duplicated=len(received) - len(unique),
        disordered=disordered,
        unknown=len(unique - set(stored)),
    )


async def read_log(nats_url: str, tenant: str) -> list[Record]:
    """Return all events of a tenant, read from the broker one by one, past every edge.

    Raises:
        JetStreamUnavailable: the broker does not answer.
    """
    jetstream = JetStream(nats_url, name="tailrace-audit")
    await jetstream.connect()
    try:
        records: list[Record] = []
        pattern = format_subject(tenant, ">")
        sequence = 1
        while (message := await jetstream.read_message(seq=sequence, next_by_subj=pattern)) is not None:
            records.append(Record(message.sequence, parse_subject(message.subject)[1]))
            sequence = message.sequence + 1
        return records
    finally:
        await jetstream.close()
