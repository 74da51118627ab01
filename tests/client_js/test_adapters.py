"""The adapters for React, RxJS and Angular: their own tests, their sizes, and their examples in a real Chromium."""

import asyncio
import contextlib
import gzip
import json
import mimetypes
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import pytest
from conformance.programs import require_chromium, require_node
from playwright.async_api import Browser, Page, async_playwright
from support.broker import Broker
from support.edge import EdgeProcess
from support.waiting import wait_until
from tailrace_producer import Job, JobCancelled, Producer

from client_js.chromium import FLAGS, WAIT, wait_streams
from client_js.examples import EDGE, FOLDER, build, install
from client_js.identity import Identity
from client_js.package import PACKAGE, ROOT, prepare_package, run, run_module

pytestmark = pytest.mark.timeout(900)
"""The examples are built one after the other."""

REACT_18 = PACKAGE / "test" / "react" / "18"
SECRET = "s" * 48
ADAPTER = 1536
"""Bytes, minified and gzipped, without the core and the framework."""


@pytest.mark.parametrize("adapter", ["react", "rxjs", "angular"])
def test_its_own_tests_pass(adapter: str) -> None:
    prepare_package()
    run([require_node(), "--test", "--test-timeout=60000", *(PACKAGE / "test" / adapter).glob("*.test.ts")])


def test_react_18_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_package()
    install(REACT_18)
    monkeypatch.setenv("REACT", "18")
    hook = REACT_18 / "register.mjs"
    tests = (PACKAGE / "test" / "react").glob("*.test.ts")
    run([require_node(), "--import", hook, "--test", "--test-timeout=60000", *tests])


def test_what_is_published_is_importable_with_its_types(tmp_path: Path) -> None:
    run_module("typescript/bin/tsc", "-p", "tsconfig.build.json", "--outDir", str(tmp_path / "dist"))
    (tmp_path / "node_modules").symlink_to(PACKAGE / "node_modules")
    exports = json.loads((PACKAGE / "package.json").read_text())["exports"]
    for name in ("./react", "./rxjs", "./angular", "./msal"):
        assert (tmp_path / exports[name]["types"]).is_file(), name
        file = json.dumps(str(tmp_path / exports[name]["default"]))
        run([require_node(), "--input-type=module", "-e", f"await import({file})"])
    assert (tmp_path / "dist" / "react.js").read_text().startswith('"use client";')


def test_no_framework_is_a_dependency() -> None:
    package = json.loads((PACKAGE / "package.json").read_text())
    peers = package["peerDependencies"]
    assert set(peers) == {"react", "rxjs", "@angular/core"}
    assert package["peerDependenciesMeta"] == {name: {"optional": True} for name in peers}


@pytest.mark.parametrize("adapter", ["react", "rxjs"])
def test_it_stays_small(adapter: str, tmp_path: Path) -> None:
    assert measure(adapter, tmp_path) < ADAPTER


def test_the_client_is_all_that_the_adapter_for_msal_needs(tmp_path: Path) -> None:
    code = (PACKAGE / "src" / "msal.ts").read_text()
    assert re.findall(r"^import (?!type).*", code, re.MULTILINE) == []
    assert "azure" not in (PACKAGE / "package.json").read_text()
    assert measure("msal", tmp_path) < ADAPTER


def measure(adapter: str, folder: Path) -> int:
    prepare_package()
    others = ["react", "rxjs", "@angular/core", "./client.ts", "./errors.ts", "./emitter.ts"]
    options = ["--bundle", "--minify", "--format=esm", "--target=es2022", *(f"--external:{name}" for name in others)]
    target = folder / "adapter.js"
    esbuild = PACKAGE / "node_modules" / "esbuild" / "bin" / "esbuild"
    run([require_node(), esbuild, f"src/{adapter}.ts", *options, f"--outfile={target}"])
    return len(gzip.compress(target.read_bytes(), 9))


@pytest.mark.parametrize("name", ["react", "angular", "rxjs-page"])
def test_lock_files_name_no_registry(name: str) -> None:
    for folder in (FOLDER / name, REACT_18):
        text = (folder / "package-lock.json").read_text()
        assert "resolved" not in text
        assert "://" not in text


@pytest.mark.parametrize("name", ["react", "angular"])
def test_the_code_of_its_page_is_that_of_the_examples(name: str) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text()
    sources = [path.read_text() for path in FOLDER.glob("*/src/*.ts*")]
    blocks = re.findall(r"```(?:tsx?|html)\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        assert any(block in source for source in sources), block


# In Chromium


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=require_chromium(), args=FLAGS, timeout=120_000)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def serve(files: dict[str, bytes]) -> AsyncIterator[str]:
    """Serve files as they are at the moment of each request, and give the origin."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode().split("?")[0]
        except asyncio.IncompleteReadError:
            writer.close()  # a connection that the browser opened in advance
            return
        content = files["/index.html" if path == "/" else path]
        kind = mimetypes.guess_type(path)[0] or "text/html"
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\nconnection: close\r\n"
        writer.write(head.encode() + b"\r\n" + content)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


def point(files: dict[str, bytes], edge: EdgeProcess) -> None:
    """Let built files look for this edge."""
    assert any(EDGE in content for content in files.values())
    for path, content in files.items():
        files[path] = content.replace(EDGE, edge.url.encode())


async def reads(page: Page, *words: str) -> None:
    """Return once the page shows all of these."""
    await page.wait_for_function(
        "words => words.every((each) => document.body.innerText.includes(each))", arg=list(words), timeout=WAIT
    )


@asynccontextmanager
async def run_until_cancelled(producer: Producer) -> AsyncIterator[Job]:
    """Run the job of the examples; leaving this waits until somebody has cancelled it."""
    with contextlib.suppress(JobCancelled):
        async with producer.job("import-42", total=100) as job:
            yield job
            await wait_until(lambda: job.cancelled)
            job.raise_if_cancelled()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "output"), [("react", "dist"), ("angular", "dist/browser"), ("rxjs-page", "dist")], ids=lambda it: it
)
async def test_an_example_follows_a_job_and_topics_across_a_restart_and_cancels(
    browser: Browser, broker: Broker, tmp_path: Path, name: str, output: str
) -> None:
    files = build(name, "build", output, tmp_path / "built")
    async with (
        serve(files) as origin,
        EdgeProcess(broker.url, tmp_path / "edge", cors_origins=origin, heartbeat=1) as edge,
        Producer(broker.url, tenant="acme") as producer,
    ):
        point(files, edge)
        page = await browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await producer.publish("orders.1", {"state": "new"})
        async with run_until_cancelled(producer) as job:
            job.update(40)
            await page.goto(origin)
            await reads(page, "running, live", "orders.1: new")
            await page.wait_for_function("document.querySelector('progress').value === 40", timeout=WAIT)
            await wait_streams(edge, 2)
            edge.kill()
            await reads(page, "running, offline")
            await producer.publish("orders.1", {"state": "paid"})
            await producer.publish("orders.2", {"state": "new"})
            job.update(60)
            edge.start()
            await reads(page, "running, live", "orders.1: paid", "orders.2: new")
            await page.wait_for_function("document.querySelector('progress').value === 60", timeout=WAIT)
            await page.get_by_text("Cancel").click()
        await reads(page, "cancelled, closed")
        await wait_streams(edge, 1)
        await page.get_by_text("Hide").click()
        await wait_streams(edge, 0)
        assert errors == []
        assert await page.evaluate("typeof Zone") == "undefined"


@pytest.mark.browser
async def test_msal_signs_in_once_and_renews_what_the_edge_refuses(
    browser: Browser, broker: Broker, tmp_path: Path
) -> None:
    files = build("angular", "build:msal", "dist-msal/browser", tmp_path / "built")
    refused, accepted = sign("r" * 48), sign(SECRET)
    identity = Identity([refused, accepted])
    async with (
        serve(files) as origin,
        EdgeProcess(broker.url, tmp_path / "edge", cors_origins=origin, auth="jwt", jwt_secret=SECRET) as edge,
        Producer(broker.url, tenant="acme") as producer,
    ):
        point(files, edge)
        page = await browser.new_page()
        await identity.attach(page)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/v1/acme/" in request.url else None)
        await page.goto(origin)
        sign_in = page.get_by_text("Sign in")
        await sign_in.wait_for(timeout=WAIT)
        assert (asked, identity.grants) == ([], [])
        async with producer.job("import-42", total=100) as job:
            job.update(40)
            await sign_in.click()
            await reads(page, "running, live")
        await reads(page, "complete, closed")
        # Each of the two streams tries the refused token once, and has it renewed at most once.
        assert identity.grants[:2] == ["authorization_code", "refresh_token"]
        assert len(identity.grants) <= 3
        assert len(asked) <= 4
        assert not any(token in url for token in (refused, accepted) for url in asked)


def sign(secret: str) -> str:
    claims = {"tenant": "acme", "sub": "7", "subscribe": [">"], "exp": int(time.time()) + 600}
    return jwt.encode(claims, secret, algorithm="HS384")
