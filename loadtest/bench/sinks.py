"""Sinks: how a publisher hands events to each contender, many in flight, over connections that stay open."""

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import quote_plus, urlsplit

from tailrace_producer import Producer, Settings

WINDOW = 512
"""Events in flight, at most, where the contender answers each."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Sink(Protocol):
    """Takes events for one contender."""

    async def open(self) -> None:
        """Connect."""

    async def send(self, topic: str, data: dict[str, Any]) -> None:
        """Hand one event over; waits while too many are in flight."""

    async def send_all(self, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Hand over many, as fast as they are taken."""

    async def settle(self) -> None:
        """Return when everything is taken by the contender."""

    async def close(self) -> None:
        """Disconnect."""


class TailraceSink:
    """The producer library: pipelined, each event acknowledged by JetStream."""

    def __init__(self, address: str) -> None:
        self._producer = Producer(address, settings=Settings(outbox_events=2_000_000, outbox_bytes=1 << 30))

    async def open(self) -> None:
        await self._producer.publish("bench.warm", None)

    async def send(self, topic: str, data: dict[str, Any]) -> None:
        self._producer.enqueue(topic, data)

    async def send_all(self, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
        await self._producer.publish_many(events)

    async def settle(self) -> None:
        await self._producer.flush()

    async def close(self) -> None:
        await self._producer.close()


class _EachSink:
    """Hands over many one by one."""

    async def send(self, topic: str, data: dict[str, Any]) -> None:
        raise NotImplementedError

    async def send_all(self, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
        for topic, data in events:
            await self.send(topic, data)


class LineSink(_EachSink):
    """One line of JSON an event over TCP: the limit. Nothing is answered."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.partition(":")
        self._port = int(port)

    async def open(self) -> None:
        _, self._writer = await asyncio.open_connection(self._host, self._port)

    async def send(self, topic: str, data: dict[str, Any]) -> None:
        self._writer.write(encode(data) + b"\n")
        await self._writer.drain()

    async def settle(self) -> None:
        await self._writer.drain()

    async def close(self) -> None:
        self._writer.close()


class AnsweredSink(_EachSink):
    """A connection on which each event is answered, and up to `WINDOW` wait for that."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or 80
        self._unanswered = 0
        self._changed = asyncio.Event()

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self.host, self.port)
        self._listening = asyncio.create_task(self._listen())

    async def send(self, topic: str, data: dict[str, Any]) -> None:
        self._writer.write(self.format(topic, encode(data)))
        self._unanswered += 1
        await self._wait_below(WINDOW)

    async def settle(self) -> None:
        await self._wait_below(1)

    async def close(self) -> None:
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listening
        self._writer.close()

    def format(self, topic: str, data: bytes) -> bytes:
        """Return an event as it is sent."""
        raise NotImplementedError

    async def read_answer(self, reader: asyncio.StreamReader) -> None:
        """Read one answer.

        Raises:
            OSError: the event was refused.
        """
        raise NotImplementedError

    async def _wait_below(self, limit: int) -> None:
        while self._unanswered >= limit:
            if self._listening.done():
                await self._listening
                raise ConnectionError("the contender closed the publisher's connection")
            self._changed.clear()
            await self._changed.wait()

    async def _listen(self) -> None:
        try:
            while True:
                await self.read_answer(self._reader)
                self._unanswered -= 1
                self._changed.set()
        finally:
            self._changed.set()


class HttpSink(AnsweredSink):
    """Pipelined POST requests: nchan, Mercure, Centrifugo.

    Args:
        address: URL of the server.
        path: of the request; `{topic}` is replaced.
        headers: of each request.
        form: how the body is made: the data itself (`data`), or how Mercure (`mercure`) and Centrifugo
            (`centrifugo`) take it.
    """

    def __init__(self, address: str, path: str, headers: Mapping[str, str], form: str) -> None:
        super().__init__(address)
        self._path = path
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._encode_body = _BODIES[form]

    def format(self, topic: str, data: bytes) -> bytes:
        body = self._encode_body(topic, data)
        head = (
            f"POST {self._path.format(topic=topic)} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"{self._headers}Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def read_answer(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        found = _LENGTH.search(head)
        if found is None:
            raise OSError(f"an answer without a length: {head[:200]!r}")
        body = await reader.readexactly(int(found[1]))
        if not head.startswith(b"HTTP/1.1 2"):
            raise OSError(f"an event was refused: {head[:100]!r} {body[:200]!r}")


class RedisSink(AnsweredSink):
    """PUBLISH in Redis' own protocol (RESP)."""

    def format(self, topic: str, data: bytes) -> bytes:
        name = topic.encode()
        return b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(name), name, len(data), data)

    async def read_answer(self, reader: asyncio.StreamReader) -> None:
        line = await reader.readuntil(b"\r\n")
        if not line.startswith(b":"):
            raise OSError(f"an event was refused: {line!r}")


def make_sink(spec: Mapping[str, Any]) -> Sink:
    """Return the sink that a contender described: its `kind`, and what that needs."""
    kind, address = spec["kind"], spec["address"]
    match kind:
        case "tailrace":
            return TailraceSink(address)
        case "lines":
            return LineSink(address)
        case "redis":
            return RedisSink(address)
        case "http":
            return HttpSink(address, spec["path"], spec.get("headers", {}), spec.get("form", "data"))
        case _:
            raise ValueError(f"there is no sink {kind!r}")


def encode(data: Any) -> bytes:
    """Return data as JSON without spaces, on one line."""
    return json.dumps(data, separators=(",", ":")).encode()


def _encode_mercure(topic: str, data: bytes) -> bytes:
    return f"topic={topic}&data={quote_plus(data)}".encode()


def _encode_centrifugo(topic: str, data: bytes) -> bytes:
    return b'{"channel":"%b","data":%b}' % (topic.encode(), data)


_BODIES: dict[str, Callable[[str, bytes], bytes]] = {
    "data": lambda _, data: data,
    "mercure": _encode_mercure,
    "centrifugo": _encode_centrifugo,
}
