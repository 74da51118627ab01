"""The async shell: sends what sessions and exchanges say, over httpx."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, TypeVar, cast

import httpx

from tailrace_client.calls import Call, Exchange, Paging
from tailrace_client.core import UNSENT, describe
from tailrace_client.edges import Edges
from tailrace_client.pages import Snapshot
from tailrace_client.session import Session

T = TypeVar("T")


class Transport:
    """The connections of one client."""

    def __init__(self, edges: Edges, settings: dict[str, Any]) -> None:
        """Keep the settings.

        Args:
            edges: to send to.
            settings: of the httpx client.
        """
        self._edges = edges
        self._settings = settings
        self._http: httpx.AsyncClient | None = None

    @property
    def http(self) -> httpx.AsyncClient:
        """Made when it is first needed, for its connections belong to the event loop they were made in."""
        if self._http is None:
            self._http = httpx.AsyncClient(**self._settings)
        return self._http

    async def aclose(self) -> None:
        """Close every connection."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def call(self, call: Call[T]) -> T:
        """Return the answer of the first edge that gives one; raises what `Exchange` does."""
        exchange = Exchange(call, self._edges)
        while not exchange.done:
            request = exchange.request
            try:
                response = await self.http.request(
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

    async def read_all(self, paging: Paging[T]) -> Snapshot[T]:
        """Return the items of all pages."""
        snapshot = Snapshot[T]()
        while paging.call is not None:
            snapshot += paging.take(await self.call(paging.call))
        snapshot.cursor = paging.cursor
        return snapshot


class Connection:
    """One connection of a stream. What goes wrong with it, its session hears of."""

    def __init__(self, http: httpx.AsyncClient, session: Session) -> None:
        """Begin, unconnected."""
        self._http = http
        self._session = session
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None

    async def open(self) -> None:
        """Connect; raises what `Session.respond` does."""
        request = self._session.connect()
        # Waiting is timed here and in `read`, since what is waited for changes while the connection is open.
        http_request = self._http.build_request("GET", request.url, headers=dict(request.headers), timeout=None)
        try:
            async with asyncio.timeout(self._session.patience):
                self._response = await self._http.send(http_request, stream=True, follow_redirects=True)
                body = b"" if self._response.status_code == 200 else await self._response.aread()
        except (httpx.RequestError, TimeoutError) as error:
            self._session.lose(describe(error))
            return
        self._chunks = aiter(cast("httpx.AsyncByteStream", self._response.stream))
        self._session.respond(self._response.status_code, self._response.headers, body)

    async def read(self) -> bytes:
        """Return bytes when some have come; none if the connection is lost."""
        if self._chunks is None:
            return b""
        try:
            async with asyncio.timeout(self._session.patience):
                return await anext(self._chunks)
        except StopAsyncIteration:
            self._session.lose("the edge closed the connection")
        except TimeoutError:
            self._session.lose(f"no byte came in {self._session.patience:g} s", silent=True)
        except httpx.RequestError as error:
            self._session.lose(describe(error))
        return b""

    async def aclose(self) -> None:
        """Close it, whatever it does."""
        if self._response is None:
            return
        await self._response.aclose()
        if self._chunks is not None:
            # On a closed connection the chain of iterators within runs to its end at once. Left as it stands, each
            # of its links would be finalised by a task of its own, some time later.
            with suppress(httpx.RequestError):
                async for _ in self._chunks:
                    pass
