"""Messages of the log as JetStream delivers them: what their reply subjects and headers say."""

from datetime import datetime

import msgspec
from tailrace_protocol.commands import ROLLUP_HEADER
from tailrace_protocol.jobs import LEASE_HEADER
from tailrace_protocol.topics import SUBJECT_PREFIX

from tailrace_edge.engine.entry import Entry

_MARKER = b"Nats-Marker-Reason:"
_ROLLUP = b"\r\n%b: sub\r\n" % ROLLUP_HEADER.encode()
_LEASE = LEASE_HEADER.encode()
_LONGEST_LEASE = 86400.0
_PREFIX = len(SUBJECT_PREFIX)


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """What the reply subject of a consumer's message says (NATS ADR-15).

    Attributes:
        sequence: of the stream.
        consumer_sequence: counts the consumer's deliveries from 1, without holes.
        stored_at: nanoseconds since 1970.
        pending: messages the consumer still has to deliver.
    """

    sequence: int
    consumer_sequence: int
    stored_at: int
    pending: int


def parse_delivery(reply: bytes) -> Delivery:
    """Return what an acknowledgement subject says, in its old form of 9 tokens or the new one of 11 or 12.

    Raises:
        ValueError: it is none.
    """
    tokens = reply.split(b".")
    if len(tokens) == 9:
        return Delivery(int(tokens[5]), int(tokens[6]), int(tokens[7]), int(tokens[8]))
    if len(tokens) >= 11:
        return Delivery(int(tokens[7]), int(tokens[8]), int(tokens[9]), int(tokens[10]))
    raise ValueError(f"{reply!r} is not the subject of an acknowledgement")


def is_delivery(reply: bytes) -> bool:
    """Return whether a consumer's message is one of the log, whatever its header says: publishers write that."""
    return reply.startswith(b"$JS.ACK.")


def parse_status(header: bytes) -> int | None:
    """Return the status of a header (`NATS/1.0 100 FlowControl Request`); None if it has none."""
    status = header[9:12]
    return int(status) if status.isdigit() else None


def find_header(header: bytes, name: bytes) -> bytes | None:
    """Return a header's last value: the server appends its own behind those a publisher may have forged."""
    start = header.rfind(b"\r\n" + name + b":")
    if start < 0:
        return None
    start += len(name) + 3
    return header[start : header.find(b"\r\n", start)].strip()


def make_entry(
    epoch: str, sequence: int, subject: bytes, header: bytes, payload: bytes, stored_at: int
) -> Entry | None:
    """Return the entry for a message; None for the marker that the server leaves where messages have expired."""
    if header and _MARKER in header:
        return None
    path = subject[_PREFIX:].decode(errors="replace")
    if not header:
        return Entry(epoch, sequence, path, payload, stored_at)
    return Entry(epoch, sequence, path, payload, stored_at, _ROLLUP in header, _read_lease(header))


def _read_lease(header: bytes) -> float:
    value = find_header(header, _LEASE) if _LEASE in header else None
    try:
        seconds = float(value or 0)
    except ValueError:
        return 0.0
    return seconds if 0 < seconds <= _LONGEST_LEASE else 0.0


def parse_time(text: bytes) -> int:
    """Return a time as JetStream writes it, RFC 3339 with up to 9 digits, in nanoseconds since 1970."""
    date, _, rest = text.decode().partition(".")
    fraction = rest.rstrip("Z") if rest else ""
    seconds = int(datetime.fromisoformat(date.rstrip("Z") + "Z").timestamp())
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0")[:9] or 0)
