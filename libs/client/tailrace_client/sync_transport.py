"""The sync shell: sends what sessions and exchanges say, over httpx."""

import socket
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from inspect import isawaitable
from time import sleep
from typing import Any, TypeVar, cast

import httpx
from tailrace_protocol.errors import InvalidInput

from tailrace_client.calls import Call, Exchange, Paging
from tailrace_client.core import NETWORK_ERRORS, UNSENT, describe, make_http
from tailrace_client.deadline import Deadline
from tailrace_client.edges import Edges
from tailrace_client.items import Item
from tailrace_client.pages import Snapshot
from tailrace_client.session import Session
from tailrace_client.tokens import TokenReason

T = TypeVar("T")


def require_plain(answer: T, what: str) -> T:
    """Return what a user's function returned.

    Raises:
        InvalidInput: it is an awaitable, which only the async client can await.
    """
    if isawaitable(answer):
        if isinstance(answer, Coroutine):
            answer.close()
        raise InvalidInput(f"{what} is async; SyncClient takes a plain one")
    return answer


class SyncTransport:
    """The connections of one client."""

    def __init__(self, edges: Edges, settings: dict[str, Any]) -> None:
        """Keep the settings.

        Args:
            edges: to send to.
            settings: of the httpx client.
        """
        self._edges = edges
        self._settings = settings
        self._http: httpx.Client | None = None
        self._asking = threading.Lock()

    @property
    def http(self) -> httpx.Client:
        """Made when it is first needed, so that it belongs to the process it is used in."""
        if self._http is None:
            self._http = make_http(httpx.Client, self._settings)
        return self._http

    def close(self) -> None:
        """Close every connection."""
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def renew(self, reason: TokenReason, used: str | None) -> None:
        """Have another token than the one used, from whoever asks first; raises what the callable does."""
        credential = self._edges.credential
        with self._asking:
            if credential.token == used:
                credential.keep(cast("str", require_plain(credential.ask(reason), "the token's callable")))

    def authorize(self, session: Session) -> bool:
        """Have the token that a session wants, and return whether it may connect; raises what the callable does."""
        if session.wants is not None:
            try:
                self.renew(session.wants, session.token)
            except NETWORK_ERRORS as error:
                session.lose(f"no token is to be had: {type(error).__name__}")
                return False
            session.authorize()
        return True

    def call(self, call: Call[T]) -> T:
        """Return the answer of the first edge that gives one; raises what `Exchange` does."""
        exchange = Exchange(call, self._edges)
        while not exchange.done:
            if exchange.wants is not None:
                self.renew(exchange.wants, exchange.token)
                exchange.authorize()
            request = exchange.request
            try:
                response = self.http.request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    content=request.content,
                    follow_redirects=request.redirectable,
                )
            except NETWORK_ERRORS as error:
                exchange.fail(describe(error), unsent=isinstance(error, UNSENT))
            else:
                exchange.answer(response.status_code, response.headers, response.content)
        return exchange.result

    def read_all(self, paging: Paging[T]) -> Snapshot[T]:
        """Return the items of all pages."""
        snapshot = Snapshot[T]()
        while paging.call is not None:
            snapshot += paging.take(self.call(paging.call))
        snapshot.cursor = paging.cursor
        return snapshot


class SyncConnection:
    """One connection of a stream. What goes wrong with it, its session hears of."""

    def __init__(self, http: httpx.Client, session: Session, deadline: Deadline) -> None:
        """Begin, unconnected."""
        self._http = http
        self._session = session
        self._deadline = deadline
        self._response: httpx.Response | None = None
        self._iterations: list[Iterator[bytes]] = []
        self._timeouts: dict[str, float] = {}

    def open(self) -> None:
        """Connect; raises what `Session.respond` does."""
        request = self._session.connect()
        timeout = self._deadline.cut(self._session.patience)
        try:
            http_request = self._http.build_request("GET", request.url, headers=dict(request.headers), timeout=timeout)
            self._response = self._http.send(http_request, stream=True, follow_redirects=True)
            body = b"" if self._response.status_code == 200 else self._response.read()
        except NETWORK_ERRORS as error:
            self._session.lose(describe(error))
            return
        self._timeouts = self._response.request.extensions["timeout"]
        self._iterate(timeout)
        self._session.respond(self._response.status_code, self._response.headers, body)

    def read(self) -> bytes:
        """Return bytes when some have come; none if the connection is lost."""
        timeout = self._deadline.cut(self._session.patience)
        if self._timeouts["read"] != timeout:
            self._iterate(timeout)
        try:
            return next(self._iterations[-1])
        except StopIteration:
            self._session.lose("the edge closed the connection")
        except httpx.ReadTimeout:
            self._session.lose(f"no byte came in {timeout:g} s", silent=True)
        except NETWORK_ERRORS as error:
            self._session.lose(describe(error))
        return b""

    def close(self) -> None:
        """Close it, whatever it does."""
        if self._response is not None:
            self._response.close()

    def abort(self) -> None:
        """Have a `read` in another thread come to its end."""
        if self._response is not None and not self._response.is_closed:
            connected = self._response.extensions["network_stream"].get_extra_info("socket")
            with suppress(OSError):
                # Of the plain socket also under TLS, whose own shutdown is no business of another thread.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)

    def _iterate(self, timeout: float) -> None:
        # httpcore looks at the timeout when an iteration over the body begins, so a new timeout takes a new
        # iteration, which carries on where the last one stood. An iteration that is let go closes the connection;
        # hence they are all kept.
        self._timeouts["read"] = timeout
        response = cast("httpx.Response", self._response)
        self._iterations.append(iter(cast("httpx.SyncByteStream", response.stream)))


class SyncReader:
    """Reads a stream over all its connections, a step at a time."""

    def __init__(
        self,
        transport: SyncTransport,
        session: Session,
        wait: Callable[[float], bool] | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        """Begin, unconnected.

        Args:
            transport: to connect with.
            session: the stream's policy.
            wait: waits for seconds between two attempts, and returns whether to leave it at that.
            deadline: after which a step raises TimeoutError; none by default.
        """
        self._transport = transport
        self._http = transport.http
        self._session = session
        self._wait = wait
        self._deadline = deadline or Deadline(None)
        self._connection: SyncConnection | None = None

    def step(self) -> Iterable[Item] | None:
        """Do what comes next, an attempt to connect or a read, and return the items of it; None at the end.

        The cursor moves with each item that is taken from what is returned.
        """
        if self._connection is not None and self._session.reading:
            return self._session.receive(self._connection.read())
        self.close()
        if self._session.ended:
            return None
        if self._wait is None:
            sleep(self._deadline.cut(self._session.delay))
        elif self._wait(self._session.delay):
            return ()
        if self._transport.authorize(self._session):
            self._connection = SyncConnection(self._http, self._session, self._deadline)
            self._connection.open()
        return ()

    def abort(self) -> None:
        """Have a `step` in another thread come to its end."""
        connection = self._connection
        if connection is not None:
            connection.abort()

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
