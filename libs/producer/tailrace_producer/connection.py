"""Connections to the broker: the only module that imports nats, but for its client and that one's base.

A connection that breaks is not repaired but replaced, so that the first connection, a restart of the broker and a
refused login are one case. nats-py does the handshake, TLS, logins and pings. Acknowledgements go past it: its own
receive path costs some 30 us a message, the parser here 1 us. What that parser does not know, nats-py's reads.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser
from tailrace_protocol.commands import COMMANDS_PREFIX
from tailrace_protocol.errors import BrokerUnavailable, SetupError
from tailrace_protocol.positions import derive_epoch
from tailrace_protocol.stream import DUPLICATE_WINDOW, STREAM, hears_quorum, read_generation

from tailrace_producer.client import BrokerClient
from tailrace_producer.commands import Commands
from tailrace_producer.login import explain, find_login
from tailrace_producer.settings import Settings

PING_INTERVAL = 20
"""Seconds. Two that are not answered end the connection."""

_LEADERLESS = 0.2
"""Seconds between two questions to a broker that knows of no leader, as where it is cut off from the others."""

_NO_RESPONDERS = "503"
_PUBLISHED = re.compile(r'publish to "(events|rollups|\$js)\.')  # as nats-py tells it, in small letters
_NANOSECONDS = 1_000_000_000


class Ack(NamedTuple):
    """The broker has stored the event with this number; at `sequence`, or there before if it is a duplicate."""

    number: int
    sequence: int
    duplicate: bool


class Refusal(NamedTuple):
    """The broker has not stored the event with this number. The code is as in HTTP; 503 if nobody took it."""

    number: int
    code: int
    description: str


class Log(NamedTuple):
    """What a producer needs to know of the log's stream.

    Attributes:
        epoch: the first part of event ids.
        duplicate_window: seconds in which a second message with the same id is not stored again.
    """

    epoch: str
    duplicate_window: float


class _Config(msgspec.Struct, frozen=True):
    duplicate_window: int = int(DUPLICATE_WINDOW * _NANOSECONDS)
    metadata: dict[str, str] = {}


class _Error(msgspec.Struct, frozen=True):
    code: int = 500
    description: str = ""


class _Replica(msgspec.Struct, frozen=True):
    active: int = 0


class _Cluster(msgspec.Struct, frozen=True):
    leader: str = ""
    replicas: list[_Replica] = []

    @property
    def leads(self) -> bool:
        return bool(self.leader) and hears_quorum(replica.active for replica in self.replicas)


class _StreamInfo(msgspec.Struct, frozen=True):
    created: str = ""
    config: _Config = _Config()
    cluster: _Cluster | None = None
    error: _Error | None = None


class _Answer(msgspec.Struct, frozen=True):
    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


_info_decoder = msgspec.json.Decoder(_StreamInfo)
_answer_decoder = msgspec.json.Decoder(_Answer)


class AckParser(Parser):
    """Takes acknowledgements straight from the bytes received, and leaves the rest to nats-py's parser."""

    def __init__(self, client: BrokerClient, inbox: str, on_acks: Callable[[Sequence[Ack]], object]) -> None:
        super().__init__(client)
        self._on_acks = on_acks
        self._start = b"MSG %b." % inbox.encode()
        # As nats-server writes it: {"stream":"EVENTS","seq":17,"duplicate": true}
        self._ack = re.compile(
            re.escape(self._start) + rb'(\d+) \d+ \d+\r\n\{"stream":"[^"\r\n]*", ?(?:"domain":"[^"\r\n]*", ?)?"seq":'
            rb'(\d+)(, ?"duplicate": ?true)?\}\r\n'
        )

    async def parse(self, data: bytes = b"") -> None:
        """Called by nats-py with what the broker sent."""
        if self.state == AWAITING_CONTROL_LINE:
            if self.buf:
                data = bytes(self.buf) + data
                self.buf.clear()
            data = data[self._take_acks(data) :]
            if self._is_part_of_ack(data):
                self.buf.extend(data)
                return
        await super().parse(data)

    def _take_acks(self, data: bytes) -> int:
        acks = []
        end = 0
        while match := self._ack.match(data, end):
            number, sequence, duplicate = match.groups()
            acks.append(Ack(int(number), int(sequence), duplicate is not None))
            end = match.end()
        if acks:
            self._on_acks(acks)
        return end

    def _is_part_of_ack(self, data: bytes) -> bool:
        return data.startswith(self._start) and data.count(b"\r\n", 0, 1024) < 2


class Connection:
    """One connection, until it is lost.

    Attributes:
        lost: done as soon as nothing comes from the broker any more.
    """

    def __init__(self, client: BrokerClient, error: "_LastError") -> None:
        self._client = client
        self._error = error
        self._transport = client.transport  # publish() costs 50 us and two task switches
        # However a connection of nats-py ends, this task ends with it; its callbacks are not called on every path.
        self.lost: asyncio.Task[None] | asyncio.Future[None] = client._reading_task or _done()  # noqa: SLF001  # see above

    def write(self, lines: list[bytes]) -> None:
        """Send protocol lines in this tick, past nats-py's queue; nothing if the connection is lost.

        The first answer of `read_log` has to come before: it proves that the broker knows the inbox.
        """
        if not self.lost.done():
            self._transport.write(b"".join(lines))

    async def read_log(self, timeout: float) -> Log:
        """Ask for the log's stream, for so long while it has no leader: another broker may know of one.

        Raises:
            BrokerUnavailable: there is none, it has no leader now, or the broker does not answer in time.
        """
        deadline = time.monotonic() + timeout
        while True:
            info = await self._read_info(timeout)
            if info.error is not None:
                if info.error.code == 404:
                    raise BrokerUnavailable(f"the broker has no stream {STREAM}: create it with `tailrace init`")
                raise BrokerUnavailable(f"the stream {STREAM} is not available: {info.error.description}")
            if info.cluster is None or info.cluster.leads:
                epoch = derive_epoch(STREAM, info.created, read_generation(info.config.metadata))
                return Log(epoch, info.config.duplicate_window / _NANOSECONDS)
            if time.monotonic() >= deadline:
                raise BrokerUnavailable(f"the stream {STREAM} has no leader: the brokers lack a quorum, or elect one")
            await asyncio.sleep(_LEADERLESS)

    async def _read_info(self, timeout: float) -> _StreamInfo:
        try:
            return _info_decoder.decode((await self._ask(f"$JS.API.STREAM.INFO.{STREAM}", timeout)).data)
        except nats.errors.NoRespondersError:
            raise BrokerUnavailable("the broker runs without JetStream, or JetStream has not started yet") from None
        except (nats.errors.Error, ValueError, OSError) as error:  # of which the second is what is no answer
            raise BrokerUnavailable(self._error.describe(f"no answer about the stream {STREAM}: {error}")) from error

    async def _ask(self, subject: str, timeout: float) -> Msg:
        asking = asyncio.ensure_future(self._client.request(subject, timeout=timeout))
        ends: list[asyncio.Future[Any]] = [asking, self.lost]
        try:
            # nats-py waits on although the connection is gone.
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise ConnectionError("the connection was lost")
            return asking.result()
        finally:
            asking.cancel()

    @property
    def discovered(self) -> list[str]:
        """`host:port` of all brokers of the cluster, as this one knew them when it was connected to."""
        # nats-py tells only of those that it was not given, and so forgets them in the second connection.
        return list(self._client._server_info.get("connect_urls") or [])  # noqa: SLF001  # see above

    @property
    def trouble(self) -> str:
        """What the broker complained of last, such as a missing permission; empty if it did not."""
        return self._error.describe("")

    def drop(self) -> None:
        """Let go of what the broker did not take: closing would wait until it does, or TCP gives up on it."""
        transport = self._transport.writer.transport  # nats-py has no way to close at once
        if transport.get_write_buffer_size():
            transport.abort()

    def fileno(self) -> int | None:
        """Return the file descriptor of the connection's socket; None if it is closed."""
        socket = self._transport.writer.get_extra_info("socket")  # for fork only
        number = -1 if socket is None else int(socket.fileno())
        return None if number < 0 else number


class _LastError:
    """nats-py tells of refused logins and permissions only here."""

    def __init__(self, commands: Commands) -> None:
        self._error: Exception | None = None
        self._commands = commands

    async def note(self, error: Exception) -> None:
        reason = str(error)
        if f'subscription to "{COMMANDS_PREFIX}' in reason:
            self._commands.refuse(reason)
        elif 'publish to "' in reason and _PUBLISHED.search(reason) is None:
            self._commands.refuse_answer(reason)
        else:
            self._error = error

    def forget(self) -> None:
        self._error = None

    def describe(self, otherwise: str) -> str:
        if self._error is None:
            return otherwise
        return f"{type(self._error).__name__}: {explain(self._error)}"


@contextlib.asynccontextmanager
async def connect(
    servers: Sequence[str],
    settings: Settings,
    inbox: str,
    on_acks: Callable[[Sequence[Ack]], object],
    on_refusal: Callable[[Refusal], object],
    commands: Commands,
) -> AsyncIterator[Connection]:
    """Connect to one of `servers`, and listen for acknowledgements on `<inbox>.<number>`.

    Args:
        servers: URLs.
        settings: of the producer.
        inbox: a subject; no other producer's.
        on_acks: gets what the broker has stored.
        on_refusal: gets what it has not.
        commands: to listen for.

    Raises:
        BrokerUnavailable: none of them can be reached, or takes the login.
    """

    async def take_answer(message: Msg) -> None:
        number = int(message.subject.rpartition(".")[2])
        if (message.headers or {}).get("Status") == _NO_RESPONDERS:
            on_refusal(Refusal(number, 503, "no stream takes the event, or its leader is just being elected"))
            return
        answer = _answer_decoder.decode(message.data)
        if answer.error is None:
            on_acks([Ack(number, answer.seq, answer.duplicate)])
        else:
            on_refusal(Refusal(number, answer.error.code, answer.error.description))

    client = BrokerClient(commands, find_login(settings))
    client._ps = AckParser(client, inbox, on_acks)  # noqa: SLF001  # the one place where nats-py lets a parser in
    error = _LastError(commands)
    try:
        try:
            await _open(client, list(servers), settings, inbox, error)
            error.forget()
            await client.subscribe(f"{inbox}.*", cb=take_answer)
        except (nats.errors.Error, OSError) as failure:
            names = ", ".join(hide_login(server) for server in servers)
            raise BrokerUnavailable(f"no broker at {names}: {error.describe(str(failure))}") from failure
        connection = Connection(client, error)
        commands.attach(lambda line: connection.write([line]))
        try:
            yield connection
        finally:
            connection.drop()
    finally:
        commands.detach()
        with contextlib.suppress(OSError):  # the socket may be gone already
            await client.close()


async def _open(client: BrokerClient, servers: list[str], settings: Settings, inbox: str, error: _LastError) -> None:
    await client.connect(
        servers=servers,
        name=settings.name,
        allow_reconnect=False,
        max_reconnect_attempts=1,  # 0 and less mean: try without end
        reconnect_time_wait=0,
        connect_timeout=settings.connect_timeout,  # type: ignore[arg-type]  # nats-py hands floats on as they are
        ping_interval=PING_INTERVAL,
        max_outstanding_pings=2,
        error_cb=error.note,
        inbox_prefix=inbox.rpartition(".")[0],
    )


def _done() -> asyncio.Future[None]:
    future = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


def parse_servers(url: str) -> list[str]:
    """Return the URLs in a comma-separated list of them.

    Raises:
        SetupError: one is none that a producer can connect to.
    """
    servers = [server.strip() for server in url.split(",")]
    for server in servers:
        try:
            parts = urlsplit(server)
            valid = parts.scheme in {"nats", "tls"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise SetupError(f"{hide_login(server)!r} is not a NATS URL: nats://host:4222 or tls://host:4222")
    return servers


def choose_inbox_prefix(server: str) -> str:
    """Return the subject below which the broker's answers to the user in the URL `server` come."""
    parts = urlsplit(server)
    if not parts.username or parts.password is None:  # what stands alone is a token, which must not be seen
        return "_INBOX"
    # Dots, wildcards and spaces would make another subject of it.
    return "_INBOX_" + re.sub(r"[^A-Za-z0-9_-]", "_", unquote(parts.username))


def add_servers(servers: list[str], discovered: list[str]) -> list[str]:
    """Return `servers` and the `host:port`s of `discovered` that are not among them, with the first one's login."""
    known = {urlsplit(server).netloc.rpartition("@")[2] for server in servers}
    first = urlsplit(servers[0])
    login, at, _ = first.netloc.rpartition("@")
    return servers + [
        first._replace(netloc=f"{login}{at}{netloc}").geturl() for netloc in discovered if netloc not in known
    ]


def hide_login(url: str) -> str:
    """Return `url` without user, password or token, as it may stand in logs."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
