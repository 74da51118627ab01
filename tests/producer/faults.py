"""What the producer's tests share: a proxy that loses acknowledgements, a look into the log, a wait for a condition."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import nats.errors
import pytest
import stamina
from support.broker import PATIENCE, Broker, Cluster, connect, read_stream, request
from tailrace_producer import Producer, Settings, publisher
from tailrace_protocol.stream import STREAM

CALM = Settings(ack_timeout=PATIENCE, connect_timeout=PATIENCE)
"""Nothing is tried again because it took long."""

_FRAME = re.compile(rb"(?:MSG|HMSG) \S+ \d+ (?:\d+ )?(\d+)\r\n|[^\r\n]*\r\n")


class Proxy:
    """Between a producer and its broker. Loses what `loses` says of what the broker sends; cuts connections."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.loses: Callable[[bytes], bool] = lambda _frame: False
        self.lost = 0
        self._broker_port = port
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self._broker_port)
        self._writers |= {writer, broker_writer}
        upwards = asyncio.create_task(self._pump(reader, broker_writer, whole=False))
        try:
            await self._pump(broker_reader, writer, whole=True)
        finally:
            await asyncio.wait([upwards])
            self._writers -= {writer, broker_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, whole: bool) -> None:
        buffer = b""
        try:
            while data := await reader.read(65536):
                if not whole:
                    writer.write(data)
                    continue
                frames, buffer = _split(buffer + data)
                for frame in frames:
                    if self.loses(frame):
                        self.lost += 1
                    else:
                        writer.write(frame)
        except OSError:
            pass  # the other side was cut
        finally:
            writer.transport.abort()


@asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    async with server:
        yield proxy
        server.close()
        proxy.cut()


def is_ack(frame: bytes) -> bool:
    """Whether a frame acknowledges a publish."""
    return frame.startswith(b"MSG ") and b'\r\n{"stream":"EVENTS","seq":' in frame


def _split(data: bytes) -> tuple[list[bytes], bytes]:
    frames, start = [], 0
    while match := _FRAME.match(data, start):
        end = match.end() + (int(match[1]) + 2 if match[1] else 0)
        if end > len(data):
            break
        frames.append(data[start:end])
        start = end
    return frames, data[start:]


async def read_events(url: str, tenant: str = "default") -> list[tuple[int, str, str, Any]]:
    """Return sequence, topic, type and data of all events in the log, as soon as a cluster has leaders again."""
    events = []
    for sequence, subject, payload in await _read_stream(url):
        event = msgspec.json.decode(payload)
        events.append((sequence, subject.removeprefix(f"events.{tenant}."), event["type"], event["data"]))
    return events


# A leader that is missing is a StopIteration in there, which Python turns into a RuntimeError.
@stamina.retry(on=(nats.errors.Error, RuntimeError), attempts=None, timeout=PATIENCE, wait_max=0.5)
async def find_leader(cluster: Cluster) -> Broker:
    return await cluster.leader()


@stamina.retry(on=nats.errors.Error, attempts=None, timeout=PATIENCE, wait_max=0.5)
async def _read_stream(url: str) -> list[tuple[int, str, bytes]]:
    return await read_stream(url)


async def shorten_retries(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have events sent again for a second at most, of the minute for which the broker knows them again."""
    async with await connect(broker.url) as client:
        config = (await request(client, f"STREAM.INFO.{STREAM}"))["config"]
        await request(client, f"STREAM.UPDATE.{STREAM}", config | {"duplicate_window": 60_000_000_000})
    monkeypatch.setattr(publisher, "RETRY_SHARE", 1 / 60)


async def wait_for_reason(producer: Producer, text: str) -> None:
    """Wait until a producer says so when asked why nothing is acknowledged."""
    await wait_until(lambda: text in producer._core.publisher.describe_trouble())


async def wait_until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110  # what is waited for happens in a broker or another thread
            await anyio.sleep(0.01)
