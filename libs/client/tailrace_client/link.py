"""Links: how a stream is connected at the moment, for those who show it."""

from dataclasses import dataclass
from enum import StrEnum


class LinkState(StrEnum):
    """How a stream is connected."""

    CONNECTING = "connecting"
    """Not yet, or on the way to another edge because the last one asked for it."""
    LIVE = "live"
    """An edge has opened the stream, and it is not known to be lost."""
    STALE = "stale"
    """Neither events nor heartbeats came for 2.5 heartbeat intervals: what is shown may be old."""
    OFFLINE = "offline"
    """The connection was lost, or none could be made; the next attempt is on its way."""
    ENDED = "ended"
    """Nothing more comes: the stream is finished, or an edge refused it."""
    UNAUTHORIZED = "unauthorized"
    """Nothing more comes: an edge refused the token, and another one asked for did not help."""


@dataclass(frozen=True, slots=True)
class Link:
    """How a stream is connected.

    Attributes:
        state: see `LinkState`.
        edge: the name of the edge that serves the stream, or served it last; None before the first.
        reconnects: how many times the stream was opened again.
        retry_in: seconds from this change to the next attempt, where one is waited for.
        reason: why the state is not `live`, in words, where there is a reason.
    """

    state: LinkState = LinkState.CONNECTING
    edge: str | None = None
    reconnects: int = 0
    retry_in: float | None = None
    reason: str | None = None
