"""Limits: what an engine is bounded by."""

from typing import NamedTuple


class Limits(NamedTuple):
    """The settings of an engine.

    Attributes:
        tail_bytes: memory of the tail.
        heartbeat: seconds between two heartbeats of one connection.
        cursor_interval: seconds between two `cursor` events on an idle stream, at least.
        lag_after: seconds behind the head after which a slow reader is told of it.
        slow_after: seconds without any headway after which a blocked connection is closed.
        batch_events: that one subscriber is given at once from the tail.
        batch_bytes: the same in bytes, passed by one event at most.
    """

    tail_bytes: int = 128 << 20
    heartbeat: float = 15.0
    cursor_interval: float = 30.0
    lag_after: float = 1.0
    slow_after: float = 180.0
    batch_events: int = 512
    batch_bytes: int = 64 << 10
