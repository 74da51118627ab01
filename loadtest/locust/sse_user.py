"""`SSEUser`: a locust user that holds one stream open, and comes back as a real client does."""

import contextlib
import random
import socket
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPResponse
from typing import Any, ClassVar

import gevent
from edge_http import UNREACHABLE, connect, format_target, read_headers, read_token
from history import Client
from locust import User, task
from locust.exception import StopUser
from referee import find_referee
from tailrace_client.items import Item
from tailrace_client.link import LinkState
from tailrace_protocol.control import Gap, Reset
from tailrace_protocol.events import Event

_CHUNK = 65536


class SSEUser(User):
    """One client with one stream, driven by Tailrace's own session.

    It resumes from the last id it saw, waits 0 to 1 s, then to 2 s, up to 30 s between attempts, begins anew with
    that only once it made headway, honours `retry`, `Retry-After` and `closing`, and gives up a connection on which
    no heartbeat comes. Its record goes to the auditor.

    It reports to locust's statistics, in milliseconds, under its label:

    - `connect`: from the attempt until the edge has opened the stream; a failure is an attempt that did not get there.
    - `first event`: from the first attempt until the first event.
    - `event`: from the event's own time until it was read here; clocks of different machines differ.
    - `event, missed`: the same of events that were published while the client was away.
    - `resume`: from the loss of the connection until the stream was open again, the back-off included.
    - `gap`, `reset`: failures; events were gone before the client came back, and it was told so.

    Attributes:
        label: stands in locust's column `Type`.
        beginning: of the stream: `now`, `last`, `start`, a time.
        edge: the name of the edge that serves it; None while it is not connected.
    """

    abstract = True
    label: ClassVar[str] = "SSE"
    beginning: ClassVar[str] = "now"

    def __init__(self, environment: Any) -> None:
        """Make one that is not connected."""
        super().__init__(environment)
        self.referee = find_referee(environment)
        self.options = environment.parsed_options
        self.edge: str | None = None
        self._client: Client | None = None
        self._socket: socket.socket | None = None

        # Of the stream
        self._begun_at = 0.0
        self._got_first = False
        self._lost_at: float | None = None

        # Of the connection
        self._connected_at = 0.0
        self._opened_at = 0.0
        self._opened = 0

    def choose_patterns(self) -> Sequence[str]:
        """Return what to watch; inside of `self.referee.root`, the topic below which all topics of the run lie."""
        raise NotImplementedError

    def cut(self) -> None:
        """Break the connection, as an edge or a network that dies does."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def on_start(self) -> None:
        """Begin to be audited."""
        name = f"{self.label} {random.randrange(1 << 32):08x}"
        self._client = Client(
            name,
            self.host or "",
            list(self.choose_patterns()),
            tenant=self.options.tenant,
            start=self.beginning,
            token=read_token(),
        )
        self.referee.auditor.watch(self._client)
        self._begun_at = time.perf_counter()

    def on_stop(self) -> None:
        """Close the connection, and let what came be checked."""
        self._close()
        if self._client is not None:
            self.referee.auditor.leave(self._client)

    @task
    def watch(self) -> None:
        """Hold the stream open until it is finished, or the user is stopped."""
        client = self._client
        assert client is not None
        while not client.session.ended:
            gevent.sleep(client.session.delay)
            self._attempt(client)
        raise StopUser

    # One connection

    def _attempt(self, client: Client) -> None:
        request = client.connect()
        self._connected_at = time.perf_counter()
        connection = connect(request.url, client.session.patience)
        try:
            response = self._send(connection, request.url, request.headers)
            body = b"" if response.status == 200 else response.read(_CHUNK)
            client.respond(response.status, read_headers(response), body)
            if not client.session.reading:
                self._fire("connect", self._connected_at, error=f"status {response.status}")
            self._read(client, response)
        except UNREACHABLE as error:
            self._lose(client, describe(error), silent=isinstance(error, TimeoutError))
        finally:
            self._close()
            connection.close()

    def _send(self, connection: HTTPConnection, url: str, headers: Mapping[str, str]) -> HTTPResponse:
        connection.connect()
        # http.client lets go of it once the head has come.
        self._socket = connection.sock
        connection.request("GET", format_target(url), headers=dict(headers))
        return connection.getresponse()

    def _read(self, client: Client, response: HTTPResponse) -> None:
        session = client.session
        with response:
            while session.reading:
                if self._socket is not None and self._socket.gettimeout() != session.patience:
                    self._socket.settimeout(session.patience)
                chunk = response.read1(_CHUNK)
                if not chunk:
                    self._lose(client, "the connection ended")
                    return
                self._receive(client, chunk)
        if self.edge is not None:  # closed in an orderly way
            self._note_loss()

    def _receive(self, client: Client, chunk: bytes) -> None:
        now = time.time()
        items = client.receive(chunk)
        if self.edge is None and client.session.link.edge is not None and self._has_opened(client):
            self._note_open(client, now)
        for item in items:
            self._report(item, now)

    def _has_opened(self, client: Client) -> bool:
        # A stream may be opened and closed in one chunk.
        return client.session.link.state is LinkState.LIVE or not client.session.reading

    def _lose(self, client: Client, reason: str, *, silent: bool = False) -> None:
        if self.edge is None:
            self._fire("connect", self._connected_at, error=reason)
        else:
            self._note_loss()
        client.lose(reason, silent=silent)

    def _note_open(self, client: Client, now: float) -> None:
        self.edge = client.session.link.edge
        self._opened_at = now
        self._opened += 1
        self._fire("connect", self._connected_at)
        if self._lost_at is not None:
            self._fire("resume", self._lost_at)
            self._lost_at = None

    def _note_loss(self) -> None:
        self.edge = None
        self._lost_at = time.perf_counter()

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    # Statistics

    def _report(self, item: Item, now: float) -> None:
        match item:
            case Event():
                if not self._got_first:
                    self._got_first = True
                    self._fire("first event", self._begun_at)
                self._report_event(item, now)
            case Gap():
                self._fire("gap", None, error=f"announced: {item.why}")
            case Reset():
                self._fire("reset", None, error=f"announced: {item.why}")

    def _report_event(self, event: Event, now: float) -> None:
        at = event.time.timestamp()
        if at >= self._opened_at or (self._opened == 1 and self.beginning == "now"):
            self._fire("event", None, milliseconds=max(0.0, now - at) * 1000)
        elif self._opened > 1:
            self._fire("event, missed", None, milliseconds=(now - at) * 1000)
        # Else it is older than the stream: of `from=last` or `from=start`, which has no latency.

    def _fire(self, name: str, since: float | None, *, milliseconds: float = 0.0, error: str | None = None) -> None:
        if since is not None:
            milliseconds = (time.perf_counter() - since) * 1000
        self.environment.events.request.fire(
            request_type=self.label,
            name=name,
            response_time=milliseconds,
            response_length=0,
            exception=None if error is None else StreamTrouble(error),
            context={},
        )


class StreamTrouble(Exception):
    """What went wrong with one connection; locust groups failures by its text."""


def describe(error: BaseException) -> str:
    """Return an error without what differs from connection to connection."""
    if isinstance(error, TimeoutError):
        return "silent for too long"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
