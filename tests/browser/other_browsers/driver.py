"""Firefox and WebKit with nothing but themselves: over Marionette, and over WebDriver (W3C)."""

import asyncio
import base64
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import httpx
from support.broker import PATIENCE, pick_ports
from support.waiting import wait_until

PREFERENCES = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}
"""Of Firefox: it asks nobody but the tests' own servers."""

CAPABILITIES = {"capabilities": {"alwaysMatch": {"timeouts": {"script": 100_000, "pageLoad": 100_000}}}}

EVALUATE = """
const done = arguments[arguments.length - 1];
(async () => (%s))().then((value) => done([value]), (error) => done([null, `${error}`]));
"""

TAB = "\ue004"
ENTER = "\ue007"
ESCAPE = "\ue00c"


class BrowserError(Exception):
    """What a browser answered in place of what it was asked for."""


class Wire(Protocol):
    """How a browser is told what to do."""

    async def send(self, name: str, method: str, path: str, body: dict[str, Any]) -> Any:
        """Return what a command of WebDriver answers.

        Args:
            name: of the command.
            method: of its endpoint.
            path: of its endpoint, below the session's.
            body: what goes along.
        """
        ...


class Marionette:
    """Firefox's own protocol: `length:[0, number, name, body]`, with WebDriver's commands by name."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def receive(self) -> Any:
        length = int((await self._reader.readuntil(b":"))[:-1])
        return json.loads(await self._reader.readexactly(length))

    async def send(self, name: str, method: str, path: str, body: dict[str, Any]) -> Any:
        text = json.dumps([0, 1, f"WebDriver:{name}", body]).encode()
        self._writer.write(b"%d:%b" % (len(text), text))
        _, _, error, result = await self.receive()
        if error:
            raise BrowserError(f"{name}: {error['error']}: {error['message']}")
        return result["value"] if isinstance(result, dict) and "value" in result else result


class WebDriver:
    """WebDriver over HTTP."""

    def __init__(self, client: httpx.AsyncClient, session: str = "") -> None:
        self._client = client
        self._session = session

    async def send(self, name: str, method: str, path: str, body: dict[str, Any]) -> Any:
        content = json.dumps(body) if method == "POST" else None
        response = await self._client.request(method, f"/session{self._session}{path}", content=content)
        value = response.json()["value"]
        if response.is_error:
            raise BrowserError(f"{name}: {value['error']}: {value['message']}")
        return value


class Tab:
    """One tab. What is asked of its page is JavaScript: an expression, which may be a promise."""

    def __init__(self, browser: "Browser", handle: str) -> None:
        self.browser = browser
        self._handle = handle

    async def send(self, name: str, method: str, path: str, **body: Any) -> Any:
        async with self.browser.lock:
            await self.browser.wire.send("SwitchToWindow", "POST", "/window", {"handle": self._handle})
            return await self.browser.wire.send(name, method, path, body)

    async def goto(self, url: str) -> None:
        await self.send("Navigate", "POST", "/url", url=url)

    async def reload(self) -> None:
        await self.send("Refresh", "POST", "/refresh")

    async def go_back(self) -> None:
        await self.send("Back", "POST", "/back")

    async def close(self) -> None:
        await self.send("CloseWindow", "DELETE", "/window")

    async def resize(self, width: int, height: int) -> None:
        await self.send("SetWindowRect", "POST", "/window/rect", x=0, y=0, width=width, height=height)

    async def evaluate(self, expression: str) -> Any:
        script = EVALUATE % expression
        value, *error = await self.send("ExecuteAsyncScript", "POST", "/execute/async", script=script, args=[])
        if error:
            raise BrowserError(error[0])
        return value

    async def wait_for(self, condition: str) -> None:
        async def holds() -> bool:
            return bool(await self.evaluate(condition))

        try:
            async with asyncio.timeout(PATIENCE):
                await wait_until(holds)
        except TimeoutError:
            raise AssertionError(f"never came true: {condition}") from None

    async def type(self, text: str) -> None:
        """Press keys one after the other; those without a letter as WebDriver names them."""
        strokes = [{"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")]
        await self.send("PerformActions", "POST", "/actions", actions=[{"type": "key", "id": "k", "actions": strokes}])

    async def take_picture(self) -> bytes:
        """Return what is to be seen, as PNG."""
        return base64.b64decode(await self.send("TakeScreenshot", "GET", "/screenshot", full=False))


class Browser:
    """A browser that runs.

    Attributes:
        wire: to it.
        lock: of whoever speaks over the wire: a command is for the tab that was switched to last.
        name: `firefox` or `webkit`.
    """

    def __init__(self, wire: Wire, name: str) -> None:
        self.wire = wire
        self.lock = asyncio.Lock()
        self.name = name

    async def open_tab(self, *, hidden: bool = False) -> Tab:
        """Open one that is seen, in a window of its own, or one that is behind another."""
        async with self.lock:
            kind = "tab" if hidden else "window"
            opened = await self.wire.send("NewWindow", "POST", "/window/new", {"type": kind})
        return Tab(self, opened["handle"])


@asynccontextmanager
async def run(
    *command: str, log: Path, environment: dict[str, str] | None = None, pass_fds: Sequence[int] = ()
) -> AsyncIterator[None]:
    """Run a program, and end it with all that it has started."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdout=output,
            stderr=output,
            env=os.environ | (environment or {}),
            pass_fds=pass_fds,
            start_new_session=True,
        )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        await process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@asynccontextmanager
async def run_firefox(program: str, folder: Path) -> AsyncIterator[Browser]:
    """Run a Firefox that needs no display."""
    profile = folder / "profile"
    profile.mkdir()
    port = pick_ports(1)[0]
    preferences = PREFERENCES | {"marionette.port": port}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()]
    (profile / "user.js").write_text("\n".join(lines))
    options = ["--headless", "--marionette", "--no-remote", "--profile", str(profile), "about:blank"]
    async with run(program, *options, log=folder / "firefox.log"):
        streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

        async def listens() -> bool:
            with suppress(OSError):
                streams.append(await asyncio.open_connection("127.0.0.1", port, limit=1 << 26))
            return bool(streams)

        async with asyncio.timeout(PATIENCE):
            await wait_until(listens)
        ((reader, writer),) = streams
        marionette = Marionette(reader, writer)
        await marionette.receive()
        await marionette.send("NewSession", "", "", CAPABILITIES)
        try:
            yield Browser(marionette, "firefox")
        finally:
            writer.close()


@asynccontextmanager
async def run_display(folder: Path) -> AsyncIterator[str]:
    """Run a display that nobody sees, and yield its name."""
    readable, writable = os.pipe()
    with os.fdopen(readable) as told:
        options = ["-displayfd", str(writable), "-screen", "0", "1280x1024x24"]
        async with run("Xvfb", *options, log=folder / "xvfb.log", pass_fds=[writable]):
            os.close(writable)
            yield f":{(await asyncio.to_thread(told.readline)).strip()}"


@asynccontextmanager
async def run_webkit(program: str, folder: Path) -> AsyncIterator[Browser]:
    """Run WebKitGTK's MiniBrowser on a display of its own."""
    port = pick_ports(1)[0]
    homes = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
    async with (
        run_display(folder) as display,
        run(program, f"--port={port}", log=folder / "webkit.log", environment=homes | {"DISPLAY": display}),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client,
    ):

        async def listens() -> bool:
            with suppress(httpx.HTTPError):
                return (await client.get("/status")).is_success
            return False

        async with asyncio.timeout(PATIENCE):
            await wait_until(listens)
        opened = await WebDriver(client).send("NewSession", "POST", "", CAPABILITIES)
        driver = WebDriver(client, f"/{opened['sessionId']}")
        try:
            yield Browser(driver, "webkit")
        finally:
            await driver.send("DeleteSession", "DELETE", "", {})
