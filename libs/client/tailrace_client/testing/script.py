"""What a script is made of: answers, and the parts of a stream."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import msgspec
from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import (
    CONTROL_TYPE,
    Challenge,
    Closing,
    Control,
    Gap,
    GapReason,
    Mode,
    Open,
    Reset,
    ResetReason,
)
from tailrace_protocol.events import MESSAGE
from tailrace_protocol.jobs import JobState, JobStatus, format_job_topic
from tailrace_protocol.sse import HEARTBEAT, encode_sse

from tailrace_client.testing.server import WAIT, Over, Peer, Play

EPOCH = "5f2c91ab"
"""Of the ids of a scripted edge."""

STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def event_id(number: int) -> str:
    """Return the id of the n-th event that a scripted edge sends; the first one is 1."""
    return f"{EPOCH}-{number}"


# Answers


def stream(*parts: Play, heartbeat: float = 15.0, name: str = "scripted", retry: int | None = None) -> Play:
    """Answer with a stream: `open`, then the parts, then silence until the client leaves.

    Args:
        parts: `event(...)`, `gap(...)` and the like. `drop()`, `closing(...)` and `finished()` end it.
        heartbeat: the interval that it announces, in seconds. The client gives it up after 2.5 of them in silence.
        name: of the edge.
        retry: milliseconds to wait before coming back after a lost connection.
    """

    async def play(peer: Peer) -> None:
        last = peer.request.last_event_id
        cursor = last or event_id(peer.edge.number)
        mode = Mode.LIVE if last is None else Mode.RESUMED
        await peer.send(STREAM_HEAD + _write_control(Open(mode, cursor, heartbeat, name), cursor, retry))
        for part in parts:
            await part(peer)
        await peer.read_eof()

    return play


def answer(body: Any = None, status: int = 200, **headers: str) -> Play:
    """Answer a call.

    Args:
        body: any JSON, or bytes as they are.
        status: of HTTP.
        headers: besides the usual ones; `retry_after="1"` is `retry-after: 1`.
    """
    content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
    fields = {"content-type": "application/json", "content-length": str(len(content)), "connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return raw(f"HTTP/1.1 {status} {_phrase(status)}\r\n{lines}\r\n".encode() + content)


def problem(status: int, kind: str = "scripted", detail: str = "as scripted", retry_after: float | None = None) -> Play:
    """Answer with an error, as edges put it (RFC 9457).

    Args:
        status: of HTTP.
        kind: the last part of its type: `no-such-job`, `job-ended`, `no-worker`, ...
        detail: for people.
        retry_after: seconds.
    """
    headers = {} if retry_after is None else {"retry_after": f"{retry_after:g}"}
    body = {"type": f"urn:tailrace:problem:{kind}", "title": _phrase(status), "status": status, "detail": detail}
    return answer(body, status, content_type="application/problem+json", **headers)


def unauthorized() -> Play:
    """Answer that the token is no good."""
    return problem(401, "token-expired", "the token has expired")


def silence() -> Play:
    """Say nothing more, until the client leaves. As an answer: not even that."""

    async def play(peer: Peer) -> None:
        await peer.read_eof()

    return play


# Parts of a stream


def event(topic: str, data: Any = None, *, type: str = MESSAGE, number: int | None = None) -> Play:
    """Send an event.

    Args:
        topic: it is on.
        data: any JSON.
        type: of the event.
        number: its place in the log, after that of the last one by default. See `event_id`.
    """

    async def play(peer: Peer) -> None:
        peer.edge.number = peer.edge.number + 1 if number is None else number
        line = {"topic": topic, "type": type, "time": datetime.now(UTC), "data": data}
        await peer.send(encode_sse(type, msgspec.json.encode(line), event_id(peer.edge.number)))

    return play


def job_event(job: str, status: JobStatus | str = JobStatus.RUNNING, *, user: str | None = None, **state: Any) -> Play:
    """Send an event of a job.

    Args:
        job: its id.
        status: what it is doing; the end of it, if it is one.
        user: its owner.
        state: other fields of `JobState`.
    """
    status = JobStatus(status)
    whole = JobState(job, status, user, **state)
    return event(format_job_topic(job, user), whole, type=status.value if status.terminal else "progress")


def gap(first: int, last: int) -> Play:
    """Say that the events with these numbers, both included, are gone; the next one has the number after them."""

    async def play(peer: Peer) -> None:
        peer.edge.number = last
        await peer.send(_write_control(Gap(event_id(first), event_id(last), GapReason.RETENTION), event_id(last)))

    return play


def reset() -> Play:
    """Say that the client's id is ahead of the log, which goes on after the last event."""

    async def play(peer: Peer) -> None:
        here = event_id(peer.edge.number)
        await peer.send(_write_control(Reset(ResetReason.AHEAD, here), here))

    return play


def challenge(seconds: float = 60.0) -> Play:
    """Say that the token expires in so many seconds."""

    async def play(peer: Peer) -> None:
        await peer.send(_write_control(Challenge(datetime.now(UTC) + timedelta(seconds=seconds))))

    return play


def closing(reason: CloseReason | str = CloseReason.DRAIN, retry: int | None = 0) -> Play:
    """End the stream.

    Args:
        reason: that is given.
        retry: milliseconds after which the client is to come back; None if it is not to.
    """

    async def play(peer: Peer) -> None:
        await peer.send(_write_control(Closing(CloseReason(reason), retry)))
        raise Over

    return play


def finished() -> Play:
    """End the stream because nothing more is to come."""
    return closing(CloseReason.FINISHED, None)


def drop() -> Play:
    """Close the connection without a word."""

    async def play(_: Peer) -> None:
        raise Over

    return play


def heartbeat() -> Play:
    """Send a heartbeat."""
    return raw(HEARTBEAT)


def raw(data: bytes) -> Play:
    """Send bytes as they are."""

    async def play(peer: Peer) -> None:
        await peer.send(data)

    return play


def when(gate: threading.Event) -> Play:
    """Go on when the test has set an event."""

    async def play(_: Peer) -> None:
        if not await asyncio.to_thread(gate.wait, WAIT):
            raise AssertionError(f"the script waited for {WAIT:g} s at a gate that nobody opened")

    return play


def _write_control(control: Control, cursor: str | None = None, retry: int | None = None) -> bytes:
    return encode_sse(CONTROL_TYPE, msgspec.json.encode(control), cursor, retry)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
