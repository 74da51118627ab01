"""The connection, and that nats-py is inside as the connection takes it to be."""

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
import support.broker
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from producer.faults import CALM, wait_until
from support.broker import PATIENCE, Broker, pick_ports
from tailrace_producer import Producer
from tailrace_producer.commands import Commands
from tailrace_producer.connection import (
    Ack,
    AckParser,
    Connection,
    Refusal,
    add_servers,
    choose_inbox_prefix,
    connect,
    hide_login,
    parse_servers,
)
from tailrace_producer.settings import Settings
from tailrace_protocol.errors import BrokerUnavailable, SetupError
from tailrace_protocol.positions import derive_epoch
from tailrace_protocol.stream import DUPLICATE_WINDOW, STREAM

INBOX = "_INBOX.0123abcd"
ACK = b'MSG _INBOX.0123abcd.%d 1 %d\r\n{"stream":"EVENTS","seq":%d%s}\r\n'


def encode_ack(number: int, sequence: int, *, duplicate: bool = False) -> bytes:
    more = b',"duplicate": true' if duplicate else b""
    return ACK % (number, 26 + len(str(sequence)) + len(more), sequence, more)


def open_connection(
    url: str,
    on_acks: Callable[[Sequence[Ack]], object] = lambda _: None,
    on_refusal: Callable[[Refusal], object] = lambda _: None,
) -> AbstractAsyncContextManager[Connection]:
    return connect([url], CALM, INBOX, on_acks, on_refusal, Commands("default"))


class Listener:
    """Takes nats-py's client's place under the parser: what it gets, the fast path left over."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.pings = 0

    async def _process_msg(self, _sid: int, _subject: bytes, _reply: bytes, data: bytes, _headers: Any) -> None:
        self.messages.append(data)

    async def _process_ping(self) -> None:
        self.pings += 1


FRAMES = [
    *(encode_ack(number, 100 + number, duplicate=number % 3 == 0) for number in range(1, 9)),
    b"PING\r\n",
    b'MSG _INBOX.0123abcd.9 1 33\r\n{"error":{"code":503},"stream":""}\r\n'.replace(b" 33\r", b" 34\r"),
    b"MSG _INBOX.other.1 2 5\r\nhello\r\n",
    b"HMSG _INBOX.0123abcd.10 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n",
    *(encode_ack(number, 100 + number) for number in range(11, 14)),
]


@given(st.lists(st.integers(0, sum(map(len, FRAMES)))), st.permutations(FRAMES))
def test_any_chunking_gives_the_same(cuts: list[int], frames: list[bytes]) -> None:
    data = b"".join(frames)
    edges = [0, *sorted(cuts), len(data)]
    listener, acks = Listener(), list[Ack]()
    parser = AckParser(listener, INBOX, acks.extend)  # type: ignore[arg-type]  # a listener is all it needs

    async def feed() -> None:
        for start, end in pairwise(edges):
            await parser.parse(data[start:end])

    anyio.run(feed)
    # Behind something that is no acknowledgement they come the slow way.
    slow = [message for message in listener.messages if message.startswith(b'{"stream"')]

    assert sorted([ack.sequence for ack in acks] + [msgspec.json.decode(ack)["seq"] for ack in slow]) == [
        100 + number for number in [*range(1, 9), *range(11, 14)]
    ]
    assert all(ack == Ack(ack.number, 100 + ack.number, ack.number in {3, 6}) for ack in acks)
    assert len(listener.messages) == len(slow) + 3
    assert listener.pings == 1


async def test_split_acknowledgements_take_the_fast_path_too() -> None:
    data = encode_ack(1, 101) + encode_ack(2, 102)
    for cut in range(len(data) - len(encode_ack(2, 102)), len(data)):
        listener, acks = Listener(), list[Ack]()
        parser = AckParser(listener, INBOX, acks.extend)  # type: ignore[arg-type]  # a listener is all it needs
        await parser.parse(data[:cut])
        await parser.parse(data[cut:])

        assert [ack.number for ack in acks] == [1, 2] or cut - len(encode_ack(1, 101)) < len(parser._start)
        assert len(acks) + len(listener.messages) == 2


def test_nats_py_is_inside_as_expected() -> None:
    client = Client()

    assert type(client._ps).__name__ == "Parser"
    assert client._reading_task is None
    assert client._transport is None
    assert client._server_info == {}
    assert "self._ps.parse(b)" in inspect.getsource(Client._read_loop)
    assert "self._reading_task = " in inspect.getsource(Client._process_connect_init)
    assert list(inspect.signature(type(client._ps).parse).parameters) == ["self", "data"]
    names = ["self", "sid", "subject", "reply", "data", "headers"]
    assert list(inspect.signature(Client._process_msg).parameters) == names
    assert "self.nc._process_msg(sid, subject, reply, payload, hdr)" in inspect.getsource(type(client._ps).parse)


async def test_acknowledgements_take_the_fast_path(broker: Broker) -> None:
    acks: list[Ack] = []
    refusals: list[Refusal] = []
    async with open_connection(broker.url, acks.extend, refusals.append) as connection:
        await connection.read_log(PATIENCE)
        for number in range(100):
            connection.write([b"PUB events.t.x %b.%d 2\r\n{}\r\n" % (INBOX.encode(), number)])
        await wait_until(lambda: len(acks) == 100)
        subscription = connection._client._subs[1]
        assert acks == [Ack(number, number + 1, duplicate=False) for number in range(100)]
        assert subscription.subject == f"{INBOX}.*"
        assert subscription._received == 0
        assert refusals == []


async def test_refusals_are_told(bare_broker: Broker) -> None:
    async with await support.broker.connect(bare_broker.url):
        pass  # it is up
    refusals: list[Refusal] = []

    def fail(acks: Sequence[Ack]) -> None:
        raise AssertionError(acks)

    async with open_connection(bare_broker.url, fail, refusals.append) as connection:
        with pytest.raises(BrokerUnavailable):
            await connection.read_log(PATIENCE)
        connection.write([b"PUB events.t.x %b.7 2\r\n{}\r\n" % INBOX.encode()])
        await wait_until(lambda: bool(refusals))

    assert refusals[0][:2] == (7, 503)


async def test_log_is_described(broker: Broker) -> None:
    async with open_connection(broker.url) as connection:
        log = await connection.read_log(PATIENCE)
        info = await connection._client.jetstream()._jsm._api_request(f"$JS.API.STREAM.INFO.{STREAM}")

    assert log.epoch == derive_epoch(STREAM, info["created"], 0)
    assert log.duplicate_window == DUPLICATE_WINDOW


async def test_missing_stream_is_told_with_what_to_do(bare_broker: Broker) -> None:
    reasons: set[str] = set()

    async def ask() -> None:
        try:
            async with open_connection(bare_broker.url) as connection:
                await connection.read_log(PATIENCE)
        except BrokerUnavailable as error:
            reasons.add(str(error))

    with anyio.fail_after(PATIENCE):
        while not any("tailrace init" in reason for reason in reasons):
            await ask()


async def test_killed_broker_ends_the_connection(broker: Broker) -> None:
    async with open_connection(broker.url) as connection:
        assert not connection.lost.done()
        broker.kill()
        await wait_until(connection.lost.done)
        connection.write([b"PING\r\n"])
        with pytest.raises(BrokerUnavailable):
            await connection.read_log(1)


async def test_unreachable_broker_is_told_without_its_password() -> None:
    port = pick_ports(1)[0]
    with pytest.raises(BrokerUnavailable) as failure:
        async with open_connection(f"nats://me:secret@127.0.0.1:{port}"):
            pass

    assert f"nats://127.0.0.1:{port}" in str(failure.value)
    assert "secret" not in str(failure.value)


def test_servers_of_a_cluster() -> None:
    assert parse_servers("nats://a:4222, tls://b") == ["nats://a:4222", "tls://b"]


@pytest.mark.parametrize("url", ["", "a:4222", "http://a", "nats://", "nats://a,", "nats://a:x", "ws://a"])
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(SetupError, match="nats://host:4222"):
        parse_servers(url)


def test_discovered_servers_get_the_login_of_the_first() -> None:
    servers = ["nats://u:p@a:4222", "nats://u:p@b:4222"]

    assert add_servers(servers, ["b:4222", "c:4222"]) == [*servers, "nats://u:p@c:4222"]


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        ("nats://h", "_INBOX"),
        ("nats://acme:secret@h", "_INBOX_acme"),
        ("nats://a.b%20%3E*:secret@h", "_INBOX_a_b___"),
        ("nats://a-token@h", "_INBOX"),
        ("nats://:secret@h", "_INBOX"),
    ],
)
def test_inbox_of_a_user(url: str, prefix: str) -> None:
    assert choose_inbox_prefix(url) == prefix


def test_logins_are_hidden() -> None:
    assert hide_login("nats://u:p@ss@h:4222") == "nats://h:4222"
    assert hide_login("nats://h:4222") == "nats://h:4222"


async def test_broker_that_hangs_with_what_it_did_not_take_is_left_for_another(broker: Broker, tmp_path: Path) -> None:
    other = Broker(tmp_path / "other", port=pick_ports(1)[0])
    settings = Settings(window_bytes=1 << 26, ack_timeout=1, connect_timeout=1)
    async with Producer(f"{broker.url},{other.url}", settings=settings) as producer:
        await producer.publish("t", 0)
        other.start()
        try:
            await support.broker.create_stream(other.url)
            broker.suspend()
            for number in range(400):  # more than all buffers on the way hold
                producer.enqueue("t", [number, "x" * 60_000])
            await producer.flush(PATIENCE)
        finally:
            broker.resume()
            other.kill()
