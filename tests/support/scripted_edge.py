"""Scripts for the client's own tests, byte for byte; the server is the one that ships with the client."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

import msgspec
from tailrace_client.testing import Peer, Play, Request, ScriptedEdge
from tailrace_client.testing.script import EPOCH, STREAM_HEAD
from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import CONTROL_TYPE, Closing, Control, Mode, Open
from tailrace_protocol.positions import parse_position
from tailrace_protocol.sse import encode_sse

__all__ = ["EPOCH", "STREAM_HEAD", "Peer", "Play", "Request", "ScriptedEdge"]

TIME = "2026-01-31T12:00:00Z"


def format_id(sequence: int, epoch: str = EPOCH) -> str:
    return f"{epoch}-{sequence}"


def write_event(sequence: int, *, topic: str = "a.b", type: str = "message", data: Any = None) -> bytes:
    """Return an event as an edge sends it; its data is its sequence unless another is passed."""
    line = {"topic": topic, "type": type, "time": TIME, "data": sequence if data is None else data}
    return encode_sse(type, msgspec.json.encode(line), format_id(sequence))


def write_control(
    control: Control, sequence: int | None = None, *, epoch: str = EPOCH, retry: int | None = None
) -> bytes:
    event_id = None if sequence is None else format_id(sequence, epoch)
    return encode_sse(CONTROL_TYPE, msgspec.json.encode(control), event_id, retry)


def write_open(
    sequence: int | None = 0,
    *,
    mode: Mode = Mode.LIVE,
    heartbeat: float = 15.0,
    edge: str = "edge-1",
    retry: int | None = None,
) -> bytes:
    opening = Open(mode, format_id(sequence or 0), heartbeat, edge)
    return write_control(opening, sequence, retry=retry)


FINISHED = write_control(Closing(CloseReason.FINISHED))


def write_answer(status: int, body: Any = None, *, content_type: str = "application/json", **headers: str) -> bytes:
    """Return a whole answer; `retry_after="1"` is the header `retry-after: 1`."""
    content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
    fields = {"content-type": content_type, "content-length": str(len(content)), "connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + content


def write_problem(status: int, title: str, detail: str, **headers: str) -> bytes:
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return write_answer(status, problem, content_type="application/problem+json", **headers)


def send(*pieces: bytes) -> Play:
    """Return the play that sends the pieces and closes."""

    async def play(peer: Peer) -> None:
        for piece in pieces:
            await peer.send(piece)

    return play


def send_and_hold(*pieces: bytes) -> Play:
    """Return the play that sends the pieces, and stays until the client closes."""

    async def play(peer: Peer) -> None:
        for piece in pieces:
            await peer.send(piece)
        await peer.read_eof()

    return play


async def time_out(edge: ScriptedEdge, work: Awaitable[object]) -> None:
    """Await something with a timeout around it that strikes a while after the first request has come."""

    async def strike() -> None:
        await asyncio.to_thread(edge.wait_requests, 1)
        limit.reschedule(asyncio.get_running_loop().time() + 0.2)

    async with asyncio.timeout(None) as limit:
        striking = asyncio.create_task(strike())
        try:
            await work
        finally:
            await striking


async def fill(peer: Peer, data: bytes, limit: int, full: float) -> tuple[int, asyncio.Task[None] | None]:
    """Send `data` over and over until nothing has gone out for `full` seconds or `limit` bytes are sent.

    Returns:
        The bytes sent, and the sending that is under way still, to be awaited.
    """
    sent = 0
    pending: asyncio.Task[None] | None = None
    while sent < limit:
        pending = asyncio.ensure_future(peer.send(data))
        done, _ = await asyncio.wait([pending], timeout=full)
        if not done:
            break
        sent += len(data)
    return sent, pending


LOG = [write_event(sequence, data=f"ünï {sequence}") for sequence in range(1, 4)]
"""Three events, as an edge sends them."""


def serve_log(log: Sequence[bytes], *, cut: int | None = None, reset: bool = False) -> Play:
    """Return the play of a right edge: what follows the client's id, cut off after `cut` bytes of the answer."""

    async def play(peer: Peer) -> None:
        last = peer.request.last_event_id
        after = 0 if last is None else parse_position(last).sequence
        opening = write_open(after, mode=Mode.LIVE if last is None else Mode.RESUMED, retry=1000)
        answer = STREAM_HEAD + opening + b": hb\n".join(log[after:]) + (FINISHED if cut is None else b"")
        await peer.send(answer[:cut])
        if reset:
            peer.reset()

    return play
