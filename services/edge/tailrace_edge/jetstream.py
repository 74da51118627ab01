"""The broker: one NATS connection and the JetStream calls an edge makes. It and its client alone import nats."""

from __future__ import annotations

import asyncio
import base64
import itertools
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError
from tailrace_protocol.stream import GENERATION_KEY, STREAM

from tailrace_edge.client import BrokerClient
from tailrace_edge.leader import (
    JetStreamError,
    JetStreamUnavailable,
    StoredMessage,
    StreamState,
    check_leader,
    parse_state,
)
from tailrace_edge.login import Login, choose_inbox, explain
from tailrace_edge.wire import MessageParser, Receiver

__all__ = ["JetStream", "JetStreamError", "JetStreamUnavailable", "Listening"]

INFO_TIMEOUT = 0.5
CREATE_TIMEOUT = 2.0

_log = structlog.get_logger(__name__)


class Listening:
    """A subscription whose messages go straight to a receiver."""

    def __init__(self, subscription: Subscription, receivers: dict[int, Receiver]) -> None:
        self.subject: str = subscription.subject
        self._subscription = subscription
        self._receivers = receivers

    async def close(self) -> None:
        """End it. Messages still under way are ignored."""
        self._receivers.pop(self._subscription._id, None)  # noqa: SLF001 - nats-py names the id nowhere else
        try:
            await self._subscription.unsubscribe()
        except NatsError:
            # The connection is gone, and the subscription with it.
            _log.debug("unsubscribe failed", exc_info=True)


class JetStream:
    """The connection to the broker, which comes back by itself for as long as it takes."""

    def __init__(self, url: str, *, name: str, writer: JetStream | None = None, login: Login | None = None) -> None:
        """Make a connection that `connect` opens.

        Answers come below `_INBOX_<user>`, so that a broker can keep its users off each other's; without a user in the
        URL, below `_INBOX`; and where the login says so, if it does.

        Args:
            url: of one or more servers, comma-separated, with user and password in them if needed.
            name: the edge's, as the broker's monitoring shows it.
            writer: a connection whose user may change the log, where this one's may not. Whoever made it opens and
                closes it.
            login: at the broker, besides the user in the URL.

        Raises:
            SetupError: a file of the login cannot be used.
        """
        self._login = login or Login()
        self._login.check()
        self._servers = [server.strip() for server in url.split(",")]
        self._name = name
        self._writer = writer or self
        self._client = BrokerClient(self._login, plain=not url.startswith("ws"))
        self._parser: MessageParser | None = None
        self._numbers = itertools.count(1)
        self._on_reconnect: list[Callable[[], None]] = []
        self._last_error = ""

    async def connect(self) -> None:
        """Connect, however long that takes."""
        while True:
            try:
                await self._client.connect(
                    servers=self._servers,
                    name=self._name,
                    inbox_prefix=self._login.inbox_prefix or choose_inbox(self._servers[0]),
                    connect_timeout=2,
                    reconnect_time_wait=0.1,  # type: ignore[arg-type]  # it is only slept for
                    max_reconnect_attempts=-1,
                    ping_interval=1,
                    max_outstanding_pings=2,
                    error_cb=self._log_error,
                    disconnected_cb=self._log_disconnect,
                    reconnected_cb=self._tell_reconnect,
                )
                break
            except (NatsError, OSError) as error:
                _log.warning("broker not reached", servers=self.hosts, error=explain(error))
                await asyncio.sleep(0.5)
        stock = self._client._ps  # noqa: SLF001 - nats-py is pinned, and a test holds on to what is used here
        self._parser = MessageParser(stock)
        self._client._ps = self._parser  # type: ignore[assignment]  # noqa: SLF001 - the same
        self._tap()
        _log.info("broker connected", server=_strip(self._client.connected_url))

    async def close(self) -> None:
        """Close the connection for good."""
        if self._parser is not None:
            await self._client.close()

    @property
    def connected(self) -> bool:
        """Whether the connection stands at the moment."""
        return self._client.is_connected

    @property
    def trouble(self) -> str:
        """What went wrong with the connection last."""
        return self._last_error

    @property
    def hosts(self) -> list[str]:
        """Hosts and ports of the brokers."""
        return [_strip(urlsplit(server)) for server in self._servers]

    async def move(self) -> None:
        """Connect to another broker, if more than one is known, and have the writer do so: this one may be cut off."""
        if self._writer is not self:
            await self._writer.move()
        if len(self._client.servers) > 1:
            await self._client.force_reconnect()

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Have `callback` called after each time the connection came back."""
        self._on_reconnect.append(callback)

    # Messages

    async def listen(self, receiver: Receiver, subject: str | None = None, *, queue: str = "") -> Listening:
        """Have all messages on a subject, a new inbox by default, go to `receiver`.

        Args:
            receiver: takes them.
            subject: or pattern.
            queue: a group, of whose members one gets each message.
        """
        if self._parser is None:
            raise JetStreamUnavailable("there is no connection to the broker yet")
        try:
            subscription = await self._client.subscribe(subject or self._client.new_inbox(), queue, _ignore)
        except NatsError as error:
            raise JetStreamUnavailable(f"subscribing failed: {error}") from error
        self._parser.receivers[subscription._id] = receiver  # noqa: SLF001 - nats-py names the id nowhere else
        return Listening(subscription, self._parser.receivers)

    async def publish(self, subject: str, payload: bytes = b"", reply: str = "") -> None:
        """Send a plain NATS message."""
        try:
            await self._client.publish(subject, payload, reply=reply)
        except NatsError as error:
            raise JetStreamUnavailable(f"publishing failed: {error}") from error

    async def ask(self, subject: str, payload: bytes, *, timeout: float) -> bytes | None:
        """Return the answer to a plain NATS request, asked as the writer; None if nobody answered.

        Raises:
            JetStreamUnavailable: there is no connection.
        """
        if self._writer is not self:
            return await self._writer.ask(subject, payload, timeout=timeout)
        try:
            return (await self._client.request(subject, payload, timeout=timeout)).data
        except (NoRespondersError, NatsTimeoutError):
            return None
        except (NatsError, OSError) as error:
            raise JetStreamUnavailable(f"asking failed: {explain(error)}") from error

    def new_name(self, kind: str) -> str:
        """Return a name for a consumer that no other one had."""
        # JetStream takes no dots, wildcards, slashes or spaces there, of which host names have some.
        owner = re.sub(r"[^A-Za-z0-9_-]", "_", self._name)[:64]
        return f"{kind}-{owner}-{next(self._numbers)}-{time.time_ns() // 1000:x}"

    # JetStream

    async def request(self, call: str, body: Any = None, *, timeout: float = INFO_TIMEOUT) -> dict[str, Any]:
        """Return the answer of a call of the JetStream API.

        Args:
            call: without `$JS.API.`.
            body: what JSON can carry; None for an empty one.
            timeout: seconds.

        Raises:
            JetStreamUnavailable: nobody answered in time.
            JetStreamError: the answer is an error.
        """
        payload = b"" if body is None else msgspec.json.encode(body)
        try:
            message = await self._client.request(f"$JS.API.{call}", payload, timeout=timeout)
        except (NatsError, OSError) as error:
            raise JetStreamUnavailable(f"no answer to {call}: {explain(error)}") from error
        answer: dict[str, Any] = msgspec.json.decode(message.data)
        if (refusal := answer.get("error")) is not None:
            raise JetStreamError(refusal["code"], refusal.get("err_code", 0), refusal.get("description", ""))
        return answer

    async def read_info(self, query: Any = None, *, timeout: float = INFO_TIMEOUT) -> dict[str, Any]:
        """Return what the stream's leader tells of it.

        Raises:
            JetStreamUnavailable: nobody answered in time, or one who leads nothing.
            JetStreamError: 404 if there is no stream; `tailrace init` creates it.
        """
        info = await self.request(f"STREAM.INFO.{STREAM}", query, timeout=timeout)
        check_leader(info)
        return info

    async def read_state(self) -> StreamState:
        """Return what the stream's leader says of the log.

        Raises:
            JetStreamUnavailable: it did not answer in time.
            JetStreamError: 404 if there is no stream; `tailrace init` creates it.
        """
        asked_at = time.monotonic()
        return parse_state(await self.read_info(), asked_at)

    @property
    def writer(self) -> JetStream:
        """The connection whose user may change the log."""
        return self._writer

    async def purge(self, subject: str, before: int) -> None:
        """Remove the messages of a subject that are older than a sequence.

        Raises:
            JetStreamUnavailable: they are not known to be gone.
            JetStreamError: the stream refused it.
        """
        await self._writer.request(f"STREAM.PURGE.{STREAM}", {"filter": subject, "seq": before}, timeout=CREATE_TIMEOUT)

    async def raise_generation(self, state: StreamState) -> None:
        """Give the log a new epoch, since its sequence went back."""
        metadata = (state.config.get("metadata") or {}) | {GENERATION_KEY: str(state.generation + 1)}
        config = state.config | {"metadata": metadata}
        await self._writer.request(f"STREAM.UPDATE.{STREAM}", config, timeout=CREATE_TIMEOUT)

    async def read_message(self, **query: Any) -> StoredMessage | None:
        """Return one message as the leader has it, which is never stale; None if there is none.

        Args:
            query: of `STREAM.MSG.GET`: `seq=5`, `seq=5, next_by_subj=">"`, `last_by_subj="events.acme.x"`.
        """
        try:
            answer = await self.request(f"STREAM.MSG.GET.{STREAM}", query, timeout=CREATE_TIMEOUT)
        except JetStreamError as error:
            if error.code == 404:
                return None
            raise
        message = answer["message"]
        payload = base64.b64decode(message.get("data", ""))
        return StoredMessage(message["seq"], message["subject"], payload, message["time"])

    async def create_consumer(self, name: str, config: dict[str, Any]) -> dict[str, Any]:
        """Create an ephemeral consumer in memory, without acknowledgements; return what the broker says of it."""
        full = {"name": name, "ack_policy": "none", "mem_storage": True, "num_replicas": 1, "replay_policy": "instant"}
        body = {"stream_name": STREAM, "config": full | config}
        return await self.request(f"CONSUMER.CREATE.{STREAM}.{name}", body, timeout=CREATE_TIMEOUT)

    async def delete_consumer(self, name: str) -> None:
        """Delete a consumer; if that fails, it goes by itself once it is inactive for long enough."""
        try:
            await self.request(f"CONSUMER.DELETE.{STREAM}.{name}")
        except (JetStreamUnavailable, JetStreamError) as error:
            _log.debug("consumer not deleted", consumer=name, error=str(error))

    async def publish_event(self, subject: str, payload: bytes, headers: dict[str, str]) -> int:
        """Store a message, and return its sequence.

        Raises:
            JetStreamUnavailable: it is not known to be stored.
            JetStreamError: the stream refused it.
        """
        if self._writer is not self:
            return await self._writer.publish_event(subject, payload, headers)
        try:
            message = await self._client.request(subject, payload, timeout=CREATE_TIMEOUT, headers=headers)
        except (NatsError, OSError) as error:
            raise JetStreamUnavailable(f"the event was not acknowledged: {explain(error)}") from error
        answer = msgspec.json.decode(message.data)
        if (refusal := answer.get("error")) is not None:
            raise JetStreamError(refusal["code"], refusal.get("err_code", 0), refusal.get("description", ""))
        sequence: int = answer["seq"]
        return sequence

    # Callbacks of nats-py

    async def _log_error(self, error: Exception) -> None:
        described = explain(error)
        # While the broker is away, this is called ten times a second.
        log = _log.debug if described == self._last_error else _log.warning
        self._last_error = described
        log("broker error", servers=self.hosts, error=described)

    async def _log_disconnect(self) -> None:
        if not self._client.is_closed:
            _log.warning("broker connection lost", servers=self.hosts)

    async def _tell_reconnect(self) -> None:
        self._last_error = ""
        self._tap()
        _log.info("broker connected again", server=_strip(self._client.connected_url))
        for callback in self._on_reconnect:
            callback()

    def _tap(self) -> None:
        # A connection over WebSocket has no such reader; nats-py's read loop alone serves it.
        reader = getattr(self._client._transport, "_io_reader", None)  # noqa: SLF001 - as above
        if reader is not None and self._parser is not None:
            self._parser.tap(reader)


async def _ignore(_message: object) -> None:
    """Never called: the parser hands the messages to the receiver."""


def _strip(url: Any) -> str:
    """Return host and port of a URL, without the password that may stand before them."""
    return "" if url is None else f"{url.hostname}:{url.port or 4222}"
