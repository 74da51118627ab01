"""The receive path: every way the bytes may be cut, and what it rests on inside nats-py."""

import ast
import asyncio
import inspect
import re
import textwrap
from typing import Any

import nats.aio.client
import pytest
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import ProtocolError
from nats.protocol.parser import Parser
from support.broker import PATIENCE, Broker
from support.waiting import wait_until
from tailrace_edge.jetstream import JetStream
from tailrace_edge.wire import MessageParser

HEADER = b"NATS/1.0\r\nA: b\r\n\r\n"
BYTES = (
    b'INFO {"server_id":"x"}\r\n'
    b"MSG events.a 1 5\r\nhello\r\n"
    b"+OK\r\n"
    b"MSG events.b 1 $JS.ACK.x 7\r\nMSG\r\n +\r\n"
    b"PING\r\n"
    b"HMSG events.c 1 $JS.ACK.y 18 21\r\n" + HEADER + b"abc\r\n"
    b"MSG stock 2 3\r\nxyz\r\n"
    b"HMSG stock 2 18 18\r\n" + HEADER + b"\r\n"
    b"PONG\r\n"
    b"MSG events.d\x0be\x0cf\xff 1 0\r\n\r\n"
    b"HMSG events.e 1 18 18\r\n" + HEADER + b"\r\n"
)
RECEIVED = [
    (b"events.a", b"", b"", b"hello"),
    (b"events.b", b"$JS.ACK.x", b"", b"MSG\r\n +"),
    (b"events.c", b"$JS.ACK.y", HEADER, b"abc"),
    (b"events.d\x0be\x0cf\xff", b"", b"", b""),
    (b"events.e", b"", HEADER, b""),
]
STOCK = ["info", "ping", (2, b"stock", b"", b"xyz", None), (2, b"stock", b"", b"", HEADER), "pong"]


class FakeClient:
    """Notes what nats-py's parser calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    async def _process_info(self, _info: object) -> None:
        self.calls.append("info")

    async def _process_ping(self) -> None:
        self.calls.append("ping")

    async def _process_pong(self) -> None:
        self.calls.append("pong")

    async def _process_msg(self, *message: Any) -> None:
        self.calls.append(message)


class Recorder:
    def __init__(self, *, raises: bool = False, raises_late: bool = False) -> None:
        self.received: list[tuple[bytes, ...]] = []
        self.flushed_at: list[int] = []
        self.errors: list[Exception] = []
        self._raises = raises
        self._raises_late = raises_late

    def receive(self, *message: bytes) -> None:
        self.received.append(message)
        if self._raises:
            raise ValueError("a message it cannot take")

    def flush(self) -> None:
        self.flushed_at.append(len(self.received))
        if self._raises_late:
            raise ValueError("messages it cannot pass on")

    def fail(self, error: Exception) -> None:
        self.errors.append(error)


def make_parser(recorder: Recorder) -> tuple[MessageParser, FakeClient]:
    client = FakeClient()
    parser = MessageParser(Parser(client))
    parser.receivers[1] = recorder
    return parser, client


async def test_every_cut() -> None:
    for cut in range(len(BYTES) + 1):
        recorder = Recorder()
        parser, client = make_parser(recorder)
        await parser.parse(BYTES[:cut])
        await parser.parse(BYTES[cut:])
        assert (recorder.received, client.calls) == (RECEIVED, STOCK), cut
        assert recorder.flushed_at[-1] == len(RECEIVED)


async def test_byte_by_byte() -> None:
    recorder = Recorder()
    parser, client = make_parser(recorder)
    for position in range(len(BYTES)):
        await parser.parse(BYTES[position : position + 1])
    assert (recorder.received, client.calls) == (RECEIVED, STOCK)
    assert recorder.flushed_at == [1, 2, 3, 4, 5]


async def test_one_flush_for_all_that_is_at_hand() -> None:
    recorder = Recorder()
    await make_parser(recorder)[0].parse(BYTES)
    assert recorder.flushed_at == [len(RECEIVED)]


@pytest.mark.parametrize("fault", ["raises", "raises_late"])
async def test_a_receiver_that_raises_hurts_nobody_else(fault: str) -> None:
    bad, good = Recorder(**{fault: True}), Recorder()
    parser, client = make_parser(bad)
    parser.receivers[2] = good
    await parser.parse(BYTES)
    assert len(bad.received) == len(RECEIVED)
    assert len(bad.errors) == (len(RECEIVED) if fault == "raises" else 1)
    assert len(good.received) == 2
    assert client.calls == ["info", "ping", "pong"]


async def test_reset_forgets_what_is_half_read() -> None:
    recorder = Recorder()
    parser, _ = make_parser(recorder)
    await parser.parse(b"MSG events.a 1 5\r\nhel")
    parser.reset()
    await parser.parse(b"MSG events.b 1 2\r\nhi\r\n")
    assert recorder.received == [(b"events.b", b"", b"", b"hi")]


async def test_what_the_stock_parser_had_read_is_taken_over() -> None:
    client = FakeClient()
    stock = Parser(client)
    await stock.parse(b"MSG events.a")
    recorder = Recorder()
    parser = MessageParser(stock)
    parser.receivers[1] = recorder
    await parser.parse(b" 1 2\r\nhi\r\n")
    assert recorder.received == [(b"events.a", b"", b"", b"hi")]


async def test_what_is_no_nats_is_a_protocol_error() -> None:
    parser, _ = make_parser(Recorder())
    with pytest.raises(ProtocolError):
        await parser.parse(b"HTTP/1.1 400 Bad Request\r\n")


# Before the read loop


async def read_all(reader: asyncio.StreamReader, parser: MessageParser) -> None:
    """Do what nats-py's read loop does, until the connection ends."""
    while data := await reader.read(7):
        await parser.parse(data)


async def test_every_cut_of_what_is_tapped() -> None:
    for cut in range(len(BYTES) + 1):
        recorder = Recorder()
        parser, client = make_parser(recorder)
        reader = asyncio.StreamReader()
        parser.tap(reader)
        reader.feed_data(BYTES[:cut])
        reader.feed_data(BYTES[cut:])
        reader.feed_eof()
        await read_all(reader, parser)
        assert (recorder.received, client.calls) == (RECEIVED, STOCK), cut
        assert recorder.flushed_at[-1] == len(RECEIVED)


async def test_messages_for_receivers_need_no_read_loop() -> None:
    recorder = Recorder()
    parser, _ = make_parser(recorder)
    reader = asyncio.StreamReader()
    parser.tap(reader)
    reader.feed_data(b"MSG events.a 1 2\r\nhi\r\nMSG events.b 1 5\r\nhel")
    reader.feed_data(b"lo\r\n")

    assert recorder.received == [(b"events.a", b"", b"", b"hi"), (b"events.b", b"", b"", b"hello")]
    assert recorder.flushed_at == [1, 2]


async def test_what_comes_while_the_loop_is_busy_waits_its_turn() -> None:
    recorder = Recorder()
    parser, client = make_parser(recorder)
    reader = asyncio.StreamReader()
    parser.tap(reader)

    async def process_ping() -> None:
        reader.feed_data(b"MSG events.b 1 2\r\nho\r\n")
        client.calls.append([*recorder.received])

    client._process_ping = process_ping  # type: ignore[method-assign]
    reader.feed_data(b"PING\r\nMSG events.a 1 2\r\nhi\r\n")
    assert recorder.received == []
    reader_task = asyncio.create_task(read_all(reader, parser))
    await wait_until(lambda: len(recorder.received) == 2)
    reader.feed_eof()
    await reader_task

    assert [subject for subject, *_ in recorder.received] == [b"events.a", b"events.b"]
    assert client.calls == [[]]


# What it rests on


def test_the_parser_of_nats_py_is_where_it_was() -> None:
    client = Client()
    assert isinstance(client._ps, Parser)
    assert list(inspect.signature(Parser.parse).parameters) == ["self", "data"]
    assert list(inspect.signature(Parser.reset).parameters) == ["self"]
    assert inspect.iscoroutinefunction(Parser.parse)
    assert not inspect.iscoroutinefunction(Parser.reset)
    assert client._ps.buf == b""


async def test_readers_are_where_they_were_after_a_reconnect_too(bare_broker: Broker) -> None:
    jetstream = JetStream(bare_broker.url, name="test")
    await jetstream.connect()
    reconnected = asyncio.Event()
    jetstream.on_reconnect(reconnected.set)
    for _ in range(2):
        reader = jetstream._client._transport._io_reader  # type: ignore[union-attr]
        assert reader.feed_data.__qualname__.startswith("MessageParser.tap")
        assert isinstance(reader._buffer, bytearray)
        recorder = Recorder()
        listening = await jetstream.listen(recorder, "some.subject")
        await jetstream.publish("some.subject", b"x")
        await jetstream.request("INFO", timeout=PATIENCE)  # what comes behind it on the connection
        assert len(recorder.received) == 1
        await listening.close()
        reconnected.clear()
        await jetstream._client.force_reconnect()
        await reconnected.wait()
    await jetstream.close()


def find_calls(function: Any) -> list[str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_the_read_loop_asks_for_the_parser_each_time() -> None:
    assert "self._ps.parse(b)" in find_calls(Client._read_loop)


def test_a_new_connection_resets_the_parser_and_keeps_it() -> None:
    source = inspect.getsource(nats.aio.client)
    assert len(re.findall(r"self\._ps\b.*= ", source)) == 1, "it is made once, with the client"
    assert "self._ps.reset()" in source


async def test_subscriptions_have_their_id_where_they_had(broker: Broker) -> None:
    jetstream = JetStream(broker.url, name="test")
    await jetstream.connect()
    recorder = Recorder()
    listening = await jetstream.listen(recorder, "some.subject")
    subscription = listening._subscription
    assert isinstance(subscription, Subscription)
    assert list(listening._receivers) == [subscription._id]
    assert subscription._id in jetstream._client._subs
    await jetstream.publish("some.subject", b"x", reply="some.reply")
    await jetstream.request("INFO", timeout=PATIENCE)  # what comes behind it on the connection
    assert recorder.received == [(b"some.subject", b"some.reply", b"", b"x")]
    await listening.close()
    assert not listening._receivers
    await jetstream.close()
