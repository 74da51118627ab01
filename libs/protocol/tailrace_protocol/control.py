"""Control events: what the stream says about itself, as data of events of type `tailrace`."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from tailrace_protocol.closing import CloseReason

CONTROL_TYPE = "tailrace"
"""The reserved event type. Native EventSource users may ignore these events; clients act on them."""


class Mode(StrEnum):
    """How a stream begins."""

    LIVE = "live"
    """No id was given."""
    RESUMED = "resumed"
    """What follows the id given comes next, all of it."""
    GAP = "gap"
    """Events after the id given are gone; a `gap` says which."""
    RESET = "reset"
    """The id given is of another stream, or ahead of this one; a `reset` says why."""


class GapReason(StrEnum):
    """Why stored events are gone."""

    RETENTION = "retention"
    """They grew older than the log keeps, or were purged."""


class ResetReason(StrEnum):
    """Why an id cannot be carried on from."""

    EPOCH = "epoch"
    """It is of another stream: this one was made anew, or restored."""
    AHEAD = "ahead"
    """It lies after the newest event: the log lost its end."""


Seconds = Annotated[float, msgspec.Meta(ge=0)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0)]


class _Control(msgspec.Struct, frozen=True, tag_field="kind", rename={"from_": "from"}, omit_defaults=True):
    pass


class Open(_Control, frozen=True, tag="open"):
    """First on every connection."""

    mode: Mode
    cursor: str
    """The position from which the stream goes on, exclusive."""
    heartbeat: Seconds
    """At most this long and a little more is nothing sent."""
    edge: str
    """The edge's name."""


class Gap(_Control, frozen=True, tag="gap"):
    """Stored events from `from_` to `to`, both inclusive, are gone. What is left follows."""

    from_: str
    to: str
    why: GapReason


class Reset(_Control, frozen=True, tag="reset"):
    """The id is of another stream or ahead of it: state must be read anew. The stream goes on after `cursor`."""

    why: ResetReason
    cursor: str


class Cursor(_Control, frozen=True, tag="cursor"):
    """On an idle stream: nothing was missed up to `cursor`."""

    cursor: str


class Lag(_Control, frozen=True, tag="lag"):
    """This client read too slowly for `seconds`, and has caught up; `conflated` events were left out on its wish."""

    seconds: Seconds
    conflated: int = 0


class Closing(_Control, frozen=True, tag="closing"):
    """The edge ends the stream; come back after `retry` milliseconds, never if it is None."""

    reason: CloseReason
    retry: Milliseconds | None = None


class Challenge(_Control, frozen=True, tag="challenge"):
    """The token expires soon."""

    expires: datetime


Control = Open | Gap | Reset | Cursor | Lag | Closing | Challenge
