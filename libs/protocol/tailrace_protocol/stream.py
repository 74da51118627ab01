"""The JetStream stream that is the log: its name and configuration, as plain data (NATS ADR-2, ADR-31, ADR-43)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tailrace_protocol.errors import InvalidInput

STREAM = "EVENTS"

DUPLICATE_WINDOW = 120.0
"""Seconds in which a second message with the same `Nats-Msg-Id` is not stored again."""

GENERATION_KEY = "tailrace_generation"
"""In the stream's metadata: raised when the sequence was seen to go back. Part of the epoch."""

MAX_MESSAGE_BYTES = 1 << 20
"""The stream takes more than one event may have, so that foreign writers are not refused without need."""

_KEY = re.compile(r"[!-~]{1,128}")
_NANOSECONDS = 1_000_000_000


_SILENT = 5 * _NANOSECONDS
"""Replicas answer their leader every second, and after 4 s without it they may elect another one."""


def hears_quorum(silences: Iterable[int]) -> bool:
    """Return whether a leader has heard from so many replicas lately that it leads.

    One that is cut off goes on leading for some 15 s, in which the others have elected another one and gone on.

    Args:
        silences: nanoseconds since each replica was heard, as `active` in an answer to `STREAM.INFO`; 0 for one that
            was not heard since this one leads.
    """
    late = [silence > _SILENT for silence in silences]
    return 2 * sum(late) <= len(late)


def build_stream_config(*, replicas: int, max_age: float, max_bytes: int = -1) -> dict[str, Any]:
    """Return the configuration of the log, as `STREAM.CREATE` and `STREAM.UPDATE` take it.

    No limit per subject: what it drops cannot be seen as a gap. No RePublish: its live copy can be lost. An update has
    to carry over the `metadata` that the stream has, which holds the generation.

    Args:
        replicas: 1 in development, 3 in production.
        max_age: seconds an event is kept; 0 for ever.
        max_bytes: of all events on disk; the oldest go first. None for no limit.
    """
    return {
        "name": STREAM,
        "subjects": ["events.>"],
        "storage": "file",
        "num_replicas": replicas,
        "retention": "limits",
        "discard": "old",
        "max_age": int(max_age * _NANOSECONDS),
        "max_bytes": max_bytes,
        "max_msg_size": MAX_MESSAGE_BYTES,
        "max_msgs_per_subject": -1,
        "duplicate_window": int(min(DUPLICATE_WINDOW, max_age or DUPLICATE_WINDOW) * _NANOSECONDS),
        "allow_direct": True,
        "allow_msg_ttl": True,
        # Whoever may store on one subject could empty the whole stream with `Nats-Rollup: all`.
        "allow_rollup_hdrs": False,
    }


def check_key(key: str) -> str:
    """Return a caller's own id for an event as it is.

    Raises:
        InvalidInput: it cannot be one.
    """
    if _KEY.fullmatch(key) is None:
        raise InvalidInput(f"{key[:80]!r} cannot be an event's id: 1 to 128 visible ASCII characters")
    return key


def read_generation(metadata: Mapping[str, str]) -> int:
    """Return the generation that a stream's metadata says; 0 if they say none, or what is no number."""
    text = metadata.get(GENERATION_KEY, "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def format_message_id(tenant: str, key: str) -> str:
    """Return the `Nats-Msg-Id` for a caller's own key.

    The broker compares message ids in the whole stream: without the tenant's name, one tenant could suppress
    another's events.
    """
    return f"{tenant}:{key}"
