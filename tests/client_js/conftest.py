"""Chromium, a page for it, and somebody who publishes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext
from support.broker import Broker
from tailrace_producer import Producer

from client_js.chromium import launch, serve


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with launch() as browser:
        yield browser


@pytest.fixture
async def context(browser: Browser) -> BrowserContext:
    return await browser.new_context()


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[str]:
    """The origin of a server that has the page and the client."""
    async with serve(tmp_path) as origin:
        yield origin


@pytest.fixture
async def producer(broker: Broker) -> AsyncIterator[Producer]:
    async with Producer(broker.url, tenant="acme") as producer:
        yield producer
