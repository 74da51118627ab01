"""The sync shell: sends what sessions and exchanges say, over httpx."""

from collections.abc import Iterator
from typing import Any, TypeVar, cast

import httpx

from tailrace_client.calls import Call, Exchange, Paging
from tailrace_client.core import UNSENT, describe
from tailrace_client.edges import Edges
from tailrace_client.pages import Snapshot
from tailrace_client.session import Session

T = TypeVar("T")


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

    @property
    def http(self) -> httpx.Client:
        """Made when it is first needed, so that it belongs to the process it is used in."""
        if self._http is None:
            self._http = httpx.Client(**self._settings)
        return self._http

    def close(self) -> None:
        """Close every connection."""
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def call(self, call: Call[T]) -> T:
        """Return the answer of the first edge that gives one; raises what `Exchange` does."""
        exchange = Exchange(call, self._edges)
        while not exchange.done:
            request = exchange.request
            try:
                response = self.http.request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    content=request.content,
                    follow_redirects=request.redirectable,
                )
            except httpx.RequestError as error:
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

    def __init__(self, http: httpx.Client, session: Session) -> None:
        """Begin, unconnected."""
        self._http = http
        self._session = session
        self._response: httpx.Response | None = None
        self._iterations: list[Iterator[bytes]] = []
        self._timeouts: dict[str, float] = {}

    def open(self) -> None:
        """Connect; raises what `Session.respond` does."""
        request = self._session.connect()
        http_request = self._http.build_request(
            "GET", request.url, headers=dict(request.headers), timeout=self._session.patience
        )
        try:
            self._response = self._http.send(http_request, stream=True, follow_redirects=True)
            body = b"" if self._response.status_code == 200 else self._response.read()
        except httpx.RequestError as error:
            self._session.lose(describe(error))
            return
        self._timeouts = self._response.request.extensions["timeout"]
        self._iterate()
        self._session.respond(self._response.status_code, self._response.headers, body)

    def read(self) -> bytes:
        """Return bytes when some have come; none if the connection is lost."""
        if self._timeouts["read"] != self._session.patience:
            self._iterate()
        try:
            return next(self._iterations[-1])
        except StopIteration:
            self._session.lose("the edge closed the connection")
        except httpx.ReadTimeout:
            self._session.lose(f"no byte came in {self._session.patience:g} s", silent=True)
        except httpx.RequestError as error:
            self._session.lose(describe(error))
        return b""

    def close(self) -> None:
        """Close it, whatever it does."""
        if self._response is not None:
            self._response.close()

    def _iterate(self) -> None:
        # httpcore looks at the timeout when an iteration over the body begins, so a new timeout takes a new
        # iteration, which carries on where the last one stood. An iteration that is let go closes the connection;
        # hence they are all kept.
        self._timeouts["read"] = self._session.patience
        response = cast("httpx.Response", self._response)
        self._iterations.append(iter(cast("httpx.SyncByteStream", response.stream)))
