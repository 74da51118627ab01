"""The browsers that are there, a page for them, and somebody who publishes."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from browser.other_browsers.driver import Browser, Tab, run_firefox, run_webkit
from support.broker import Broker
from support.edge import EdgeProcess
from tailrace_producer import Producer

WEBKIT = ("WebKitWebDriver", "/usr/libexec/WebKitWebDriver")


def _find(package: str, *names: str) -> str:
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"{names[0]} is missing; on Debian: apt-get install -y {package}")
    return found


@pytest.fixture(params=["firefox", "webkit"])
async def browser(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Browser]:
    folder = tmp_path / "browser"
    folder.mkdir()
    if request.param == "firefox":
        running = run_firefox(_find("firefox-esr", "firefox-esr", "firefox"), folder)
    else:
        _find("xvfb", "Xvfb")
        running = run_webkit(_find("webkit2gtk-driver", *WEBKIT), folder)
    async with running as browser:
        yield browser


@pytest.fixture
async def tab(browser: Browser) -> Tab:
    """One that is seen."""
    return await browser.open_tab()


@pytest.fixture
async def edge(broker: Broker, tmp_path: Path, origin: str) -> AsyncIterator[EdgeProcess]:
    async with EdgeProcess(broker.url, tmp_path / "edge", cors_origins=origin, heartbeat=1, retry=0.1) as edge:
        yield edge


@pytest.fixture
async def producer(broker: Broker) -> AsyncIterator[Producer]:
    async with Producer(broker.url, tenant="acme") as producer:
        yield producer
