"""Tokens that expire while a page in a real Chromium follows: new ones, none, and signing in again."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path

import jwt
import pytest
from playwright.async_api import BrowserContext, Page, Request
from support.broker import Broker
from support.edge import EdgeProcess
from support.waiting import wait_until
from tailrace_producer import Producer

from client_js.chromium import open_page, reach, see, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SECRET = "s" * 48
EXPIRED = "closed: token_expired"
RENEWING = {"live", "connecting"}
"""The states of a link that nobody has to mind."""


@pytest.fixture
async def edge(broker: Broker, tmp_path: Path, origin: str) -> AsyncIterator[EdgeProcess]:
    async with EdgeProcess(
        broker.url, tmp_path / "edge", cors_origins=origin, auth="jwt", jwt_secret=SECRET, jwt_leeway=0, retry=0.1
    ) as edge:
        yield edge


class Issuer:
    """Gives the pages of a browser their tokens, good for 5 s and what is left of the second."""

    def __init__(self) -> None:
        self.signed_in = True
        self.given: list[str] = []
        """Why each token was asked for that was given."""
        self.denied: list[str] = []
        """The same where nobody was signed in."""

    async def mint(self, reason: str) -> str | None:
        if not self.signed_in:
            self.denied.append(reason)
            return None
        self.given.append(reason)
        claims = {"tenant": "acme", "sub": "7", "subscribe": ["orders.>"], "exp": int(time.time()) + 6}
        return jwt.encode(claims, SECRET, algorithm="HS384")


class Line:
    """Publishes one number after the other."""

    def __init__(self, producer: Producer) -> None:
        self.length = 0
        self._producer = producer

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        over = asyncio.Event()
        task = asyncio.create_task(self._publish(over))
        try:
            yield
        finally:
            over.set()
            await task

    async def grow(self, number: int) -> None:
        """Return once so many more are published."""
        goal = self.length + number
        await wait_until(lambda: self.length >= goal)

    async def _publish(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await self._producer.publish("orders.1", self.length)
            self.length += 1
            await asyncio.sleep(0.01)  # a hundred a second at most: what counts is that it never stops


@pytest.mark.parametrize("principal", [None, "7"], ids=["alone", "shared"])
async def test_an_expired_token_is_replaced_and_none_is_waited_for(
    context: BrowserContext, origin: str, edge: EdgeProcess, producer: Producer, principal: str | None
) -> None:
    issuer, line = Issuer(), Line(producer)
    errors: list[str] = []
    streams: list[str] = []

    def note(request: Request) -> None:
        if "/events?" in request.url:
            streams.append(request.url)

    context.on("weberror", lambda error: errors.append(str(error.error)))
    context.on("request", note)
    await context.expose_function("mint", issuer.mint)
    async with line.run():
        pages = [await open_page(context, origin) for _ in range(2 if principal else 1)]
        for page in pages:
            await follow(page, edge, principal)
            await reach(page, "live")
        for page in pages:
            await wait_for(page, f"links.filter((link) => link.reason === '{EXPIRED}').length >= 3")
            await reach(page, "live")
        assert issuer.given.count("expired") >= 3
        for page in pages:
            assert set(await read_states(page)) == RENEWING

        issuer.signed_in = False
        for page in pages:
            await reach(page, "unauthorized")
        asked = len(streams), len(issuer.given)
        await line.grow(200)
        # Asked once, whoever reads along; and the edge not at all.
        assert issuer.denied == ["expired"]
        assert (len(streams), len(issuer.given)) == asked
        for page in pages:
            assert (await read_states(page))[-3:] == ["live", "connecting", "unauthorized"]
            assert await page.evaluate("stream.link.state") == "unauthorized"

        issuer.signed_in = True
        # One tab is enough, and it need not be the one that connects.
        await pages[-1].evaluate("client.authorize()")
        for page in pages:
            await reach(page, "live")
            states = await read_states(page)
            assert states.count("unauthorized") == 1
            assert set(states) == RENEWING | {"unauthorized"}
            assert states[states.index("unauthorized") + 1] == "connecting"
        await line.grow(20)
    for page in pages:
        await see(page, range(line.length))
    assert errors == []
    assert issuer.denied == ["expired"]
    assert not any("ey" in url.partition("?")[2] for url in streams)


async def follow(page: Page, edge: EdgeProcess, principal: str | None) -> None:
    await page.evaluate(
        """([url, principal]) => follow(
            { url, tenant: "acme", principal, getToken: ({ reason }) => mint(reason) },
            { topics: "orders.1", from: "start" },
        )""",
        [edge.url, principal],
    )


async def read_states(page: Page) -> list[str]:
    """Return the states that a page's link went through."""
    return [state for state, _ in groupby(await page.evaluate("links.map((link) => link.state)"))]
