"""What the stream's leader says: of the log, of one message, that it refuses, and whether it still leads."""

from __future__ import annotations

from typing import Any, NamedTuple

from tailrace_protocol.errors import TailraceError
from tailrace_protocol.positions import derive_epoch
from tailrace_protocol.stream import STREAM, hears_quorum, read_generation


class JetStreamUnavailable(TailraceError):
    """The broker is away, or did not answer in time."""


class JetStreamError(TailraceError):
    """The broker refused a call.

    Attributes:
        code: HTTP-like status.
        error_code: JetStream's own number.
    """

    def __init__(self, code: int, error_code: int, description: str) -> None:
        super().__init__(f"JetStream answered {code}/{error_code}: {description}")
        self.code = code
        self.error_code = error_code


class StreamState(NamedTuple):
    """What the stream's leader says of the log.

    Attributes:
        created: when it was made.
        generation: raised when its sequence was seen to go back.
        first: its oldest sequence; one more than `last` if it is empty.
        last: the newest sequence it ever gave out.
        config: as it stands, for an update.
        asked_at: when the leader was asked, on the monotonic clock.
        bytes: that it takes on each broker.
    """

    created: str
    generation: int
    first: int
    last: int
    config: dict[str, Any]
    asked_at: float
    bytes: int = 0

    @property
    def epoch(self) -> str:
        """Its identity."""
        return derive_epoch(STREAM, self.created, self.generation)


class StoredMessage(NamedTuple):
    """One message of the log, as the stream's leader has it."""

    sequence: int
    subject: str
    payload: bytes
    time: str


def parse_state(info: dict[str, Any], asked_at: float) -> StreamState:
    """Return the state that an answer to `STREAM.INFO` tells."""
    config: dict[str, Any] = info["config"]
    state = info["state"]
    generation = read_generation(config.get("metadata") or {})
    last = state["last_seq"]
    first = max(1, min(state["first_seq"], last + 1))
    return StreamState(info["created"], generation, first, last, config, asked_at, state["bytes"])


def check_leader(info: dict[str, Any]) -> None:
    """Return if an answer to `STREAM.INFO` is a leader's.

    Without a quorum any replica answers, which may lag, or a leader that is cut off, which does not know it yet.

    Raises:
        JetStreamUnavailable: it is not.
    """
    cluster = info.get("cluster")
    if not cluster:
        return
    if not cluster.get("leader"):
        raise JetStreamUnavailable("the log has no leader: the brokers lack a quorum, or elect one")
    if not hears_quorum(replica.get("active", 0) for replica in cluster.get("replicas") or []):
        raise JetStreamUnavailable("the log's leader hears no quorum of the brokers: it is cut off from them")
