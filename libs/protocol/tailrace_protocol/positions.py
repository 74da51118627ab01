"""Positions: places in the log. An event's position is its id."""

import hashlib
import re
from typing import NamedTuple

from tailrace_protocol.errors import InvalidPosition

_POSITION = re.compile(r"([0-9a-f]{8})-(0|[1-9][0-9]{0,18})")


class Position(NamedTuple):
    """A place in one stream, `5f2c91ab-1842` as text. Clients take the text as it is.

    Attributes:
        epoch: the stream's identity, 8 hex digits, see `derive_epoch`.
        sequence: the JetStream sequence; 0 lies before the first event.
    """

    epoch: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.sequence}"


def parse_position(text: str) -> Position:
    """Return the position that `text` writes.

    Raises:
        InvalidPosition: it is not `<8 hex digits>-<sequence>`.
    """
    match = _POSITION.fullmatch(text)
    if match is None:
        raise InvalidPosition(f"{text[:64]!r} is not an event id; pass one back exactly as it came")
    return Position(match[1], int(match[2]))


def derive_epoch(stream: str, created: str, generation: int) -> str:
    """Return the epoch of a stream: 8 hex digits that change when it is made anew or restored from a backup.

    Args:
        stream: its name.
        created: its creation time, the raw string of `STREAM.INFO` (nats-py's datetime drops the nanoseconds).
        generation: from its metadata; raised by an edge that saw the sequence go back.
    """
    return hashlib.sha256(f"{stream}\n{created}\n{generation}".encode()).hexdigest()[:8]
