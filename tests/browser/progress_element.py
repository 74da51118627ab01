"""The progress element in a real Chromium, as its tests use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from client_js.package import PACKAGE, bundle, run_module
from conformance.programs import require_chromium
from playwright.async_api import Page, async_playwright
from playwright.async_api import TimeoutError as PlaywrightTimeout

HERE = Path(__file__).parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
WAIT = 120_000
"""Milliseconds for whatever is waited for; only a hung test takes so long."""

RUNNING = {"id": "x", "status": "running", "title": "Import", "done": 42, "total": 100, "percent": 42}
"""A job that the tests begin with."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src http:; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The strictest there is for a page that connects: nothing inline, no markup out of text."""


@asynccontextmanager
async def serve(folder: Path, *, apart: bool = False) -> AsyncIterator[str]:
    """Serve the page, and yield its origin.

    Args:
        folder: for what is built.
        apart: whether each module is a file of its own, so that the page loads what it does not need at once later.
    """
    element = folder / "tailrace-element.js"
    modules: dict[str, tuple[str, Path]] = {}
    if apart:
        made = folder / "dist"
        run_module("typescript/bin/tsc", "-p", "tsconfig.build.json", "--outDir", str(made))
        modules = {f"/{file.relative_to(folder)}": ("text/javascript", file) for file in made.rglob("*.js")}
        element.write_text('export * from "/dist/element/index.js";')
    else:
        bundle(PACKAGE / "src" / "element" / "index.ts", element)
    shim = bundle(PACKAGE / "src" / "shim.ts", folder / "shim.js")
    pages = modules | {
        "/": ("text/html", HERE / "progress_element.html"),
        "/progress_element.css": ("text/css", HERE / "progress_element.css"),
        "/progress_element.js": ("text/javascript", HERE / "progress_element.js"),
        "/tailrace-element.js": ("text/javascript", element),
        "/shim.js": ("text/javascript", shim),
    }

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        except asyncio.IncompleteReadError:
            writer.close()  # a connection that the browser opened in advance
            return
        kind, file = pages.get(path, ("text/plain", None))
        content = file.read_bytes() if file else b""
        writer.write(
            f"HTTP/1.1 200 OK\r\ncontent-type: {kind}; charset=utf-8\r\ncontent-length: {len(content)}\r\n"
            f"content-security-policy: {POLICY}\r\nconnection: close\r\n\r\n".encode()
            + content
        )
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


@asynccontextmanager
async def open_page(origin: str, *, clock: bool = False, **options: Any) -> AsyncIterator[Page]:
    """Open the page; what the browser has to complain of is an error at the end.

    Args:
        origin: of the page.
        clock: whether the page's clock stands still until the test moves it.
        options: of the browser's context.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=require_chromium(), args=FLAGS, timeout=120_000)
        try:
            page = await (await browser.new_context(**options)).new_page()
            page.set_default_timeout(WAIT)
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            if clock:
                await page.clock.install()
            await page.goto(f"{origin}/")
            await page.wait_for_function("window.ready")
            yield page
            # Connections that are refused, broken or not authorized are what some tests are about.
            expected = ("ERR_", "401", "403", "409")
            assert [each for each in complaints if not any(part in each for part in expected)] == []
        finally:
            await browser.close()


async def place(page: Page, *, link: str | None = "live", **attributes: str) -> None:
    """Place an element for the job `x`, whose job does what the test says."""
    await page.evaluate("attributes => void place(attributes, { client: stubs })", {"job": "x"} | attributes)
    if link is not None:
        await tell(page, link=link)


async def tell(page: Page, *, link: str | None = None, state: dict[str, Any] | None = None) -> None:
    change = ({} if link is None else {"link": link}) | ({} if state is None else {"state": RUNNING | state})
    await page.evaluate("change => jobs.get('x').set(change)", change)


async def read(page: Page, part: str) -> str:
    text: str = await page.evaluate("part => text('x', part)", part)
    return text


async def show(page: Page, part: str, text: str) -> None:
    """Return once a part says that."""
    try:
        await page.wait_for_function("([part, wanted]) => text('x', part) === wanted", arg=[part, text], timeout=WAIT)
    except PlaywrightTimeout:
        assert await read(page, part) == text
        raise


async def get_bar(page: Page, name: str) -> str | None:
    value: str | None = await page.evaluate("name => part('x', 'bar').getAttribute(name)", name)
    return value
