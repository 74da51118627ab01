"""The async shell: sends what sessions and exchanges say, over httpx."""

import asyncio
from asyncio import sleep
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from inspect import isawaitable
from typing import Any, TypeVar, cast

import httpx

from tailrace_client.calls import Call, Exchange, Paging
from tailrace_client.cancelling import see_through, send
from tailrace_client.core import NETWORK_ERRORS, UNSENT, describe, make_http
from tailrace_client.edges import Edges
from tailrace_client.items import Item
from tailrace_client.pages import Snapshot
from tailrace_client.session import Session
from tailrace_client.tokens import TokenReason

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
        self._asking = asyncio.Lock()

    @property
    def http(self) -> httpx.AsyncClient:
        """Made when it is first needed, for its connections belong to the event loop they were made in."""
        if self._http is None:
            self._http = make_http(httpx.AsyncClient, self._settings)
        return self._http

    async def aclose(self) -> None:
        """Close every connection."""
        http, self._http = self._http, None
        self._asking = asyncio.Lock()  # it, too, belongs to the event loop it was waited for in
        if http is not None:
            await http.aclose()

    async def renew(self, reason: TokenReason, used: str | None) -> None:
        """Have another token than the one used, from whoever asks first; raises what the callable does."""
        credential = self._edges.credential
        async with self._asking:
            if credential.token == used:
                answer = credential.ask(reason)
                credential.keep(await answer if isawaitable(answer) else answer)

    async def authorize(self, session: Session) -> bool:
        """Have the token that a session wants, and return whether it may connect; raises what the callable does."""
        if session.wants is not None:
            try:
                await self.renew(session.wants, session.token)
            except NETWORK_ERRORS as error:
                session.lose(f"no token is to be had: {type(error).__name__}")
                return False
            session.authorize()
        return True

    async def call(self, call: Call[T]) -> T:
        """Return the answer of the first edge that gives one; raises what `Exchange` does."""
        exchange = Exchange(call, self._edges)
        while not exchange.done:
            if exchange.wants is not None:
                await self.renew(exchange.wants, exchange.token)
                exchange.authorize()
            request = exchange.request
            try:
                http_request = self.http.build_request(
                    request.method, request.url, headers=dict(request.headers), content=request.content
                )
                response = await send(self.http, http_request, follow_redirects=request.redirectable)
            except NETWORK_ERRORS as error:
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
        try:
            # Waiting is timed here and in `read`, since what is waited for changes while the connection is open.
            http_request = self._http.build_request("GET", request.url, headers=dict(request.headers), timeout=None)
            async with asyncio.timeout(self._session.patience):
                self._response = await send(self._http, http_request, stream=True, follow_redirects=True)
                body = b"" if self._response.status_code == 200 else await self._response.aread()
        except NETWORK_ERRORS as error:
            self._session.lose(describe(error))
            return
        self._session.respond(self._response.status_code, self._response.headers, body)
        if self._session.reading:
            # Not over a body that was read: httpcore would take that for one that is yet to come.
            self._chunks = aiter(cast("httpx.AsyncByteStream", self._response.stream))

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
        except NETWORK_ERRORS as error:
            self._session.lose(describe(error))
        return b""

    async def aclose(self) -> None:
        """Close it, whatever it does, and whoever is cancelled."""
        if self._response is not None:
            await see_through(self._close(self._response))

    async def _close(self, response: httpx.Response) -> None:
        await response.aclose()
        if self._chunks is not None:
            # On a closed connection the chain of iterators within runs to its end at once. Left as it stands, each
            # of its links would be finalised by a task of its own, some time later.
            with suppress(*NETWORK_ERRORS):
                async for _ in self._chunks:
                    pass


class Reader:
    """Reads a stream over all its connections, a step at a time."""

    def __init__(self, transport: Transport, session: Session) -> None:
        """Begin, unconnected."""
        self._transport = transport
        self._http = transport.http
        self._session = session
        self._connection: Connection | None = None

    async def step(self) -> Iterable[Item] | None:
        """Do what comes next, an attempt to connect or a read, and return the items of it; None at the end.

        The cursor moves with each item that is taken from what is returned.
        """
        if self._connection is not None and self._session.reading:
            return self._session.receive(await self._connection.read())
        await self.aclose()
        if self._session.ended:
            return None
        await sleep(self._session.delay)
        if await self._transport.authorize(self._session):
            self._connection = Connection(self._http, self._session)
            await self._connection.open()
        return ()

    def stop(self) -> None:
        """Read no more: nothing goes on between two steps."""

    async def aclose(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()
