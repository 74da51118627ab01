"""The demo, from the first process to the summary."""

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from tailrace_cli.child import describe_end, read_last_line, spawn
from tailrace_cli.node import Node
from tailrace_client import LinkState
from tailrace_protocol.errors import SetupError

from tailrace_demo.audit import compare, read_log
from tailrace_demo.display import Summary, print_marks, render_live, render_summary
from tailrace_demo.page_server import PageServer
from tailrace_demo.watcher import Watcher
from tailrace_demo.worker import FILES, TENANT

HALF_WAY = 50.0
"""Percent of the work at which the edge is killed."""

CATCH_UP = 30.0
"""Seconds the client has, once the work is done, to receive what it has not; then it counts as lost."""

_RETRY = "0.3"
"""Seconds a browser waits until it reconnects: less than an edge takes to start again, so that it meets the other."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the demo is to do.

    Attributes:
        folder: whose files are packed.
        edges: how many there are.
        kill: whether one is killed half-way.
        port: of the page; 0 for any that is free.
        keep: whether the page stays up at the end, until cancelled.
    """

    folder: Path
    edges: int = 2
    kill: bool = True
    port: int = 0
    keep: bool = False


async def run_demo(options: Options, console: Console) -> Summary:
    """Run the demo, and return what it came to.

    Raises:
        SetupError: it cannot be started, or the worker failed.
        StreamError: the client's stream was interrupted.
    """
    with TemporaryDirectory(prefix="tailrace-demo-") as folder, PageServer(options.port) as page:
        node = Node(
            store=Path(folder),
            port=0,
            nats_port=0,
            edges=options.edges,
            edge_settings={"TAILRACE_CORS_ORIGINS": ",".join(page.origins), "TAILRACE_RETRY": _RETRY},
            tell=partial(console.print, soft_wrap=True),
        )
        console.print(f"starting a broker and {options.edges} edges")
        async with node:
            page.edge_url = node.url
            console.print(f"{', '.join(node.edges)} serve {node.url}")
            console.print(f"watch it in the browser: {page.url}")
            summary = await _run(node, options, console)
            console.print("", render_summary(summary), "")
            if options.keep:
                console.print(f"the page stays up at {page.url}; Ctrl-C ends the demo")
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
    return summary


async def _run(node: Node, options: Options, console: Console) -> Summary:
    watcher = Watcher(node.url)
    live = console.is_terminal
    display = Live(console=console, get_renderable=lambda: render_live(watcher), refresh_per_second=10)
    async with Run(node, options.folder, watcher) as run:
        printing = None if live else asyncio.create_task(print_marks(console, watcher))
        with display if live else nullcontext():
            killed = await run.kill_edge(console) if options.kill else None
            await run.until(run.worked)
            stored = await read_log(node.nats_url, TENANT)
            with suppress(TimeoutError):
                async with asyncio.timeout(CATCH_UP):
                    await run.until(lambda: watcher.newest >= stored[-1].sequence)
            if printing is not None:
                await printing
    job = watcher.job
    result = job.result if job is not None and isinstance(job.result, dict) else {}
    return Summary(
        result=result,
        seconds=(job.ended - job.started).total_seconds() if job and job.ended and job.started else 0.0,
        audit=compare(stored, watcher.received),
        unstored=result.get("files", 0) - sum(record.topic.startswith(FILES) for record in stored),
        killed=killed,
        resumed=watcher.link.edge,
        resume_seconds=watcher.opened_at - run.killed_at if killed else None,
    )


class Run:
    """The worker and the watcher, from the start of both until both are gone.

    Attributes:
        killed_at: when the edge was killed, on the monotonic clock.
    """

    def __init__(self, node: Node, folder: Path, watcher: Watcher) -> None:
        self.killed_at = 0.0
        self._node = node
        self._folder = folder
        self._watcher = watcher
        self._log = node.store / "logs" / "worker.log"

    async def __aenter__(self) -> Self:
        command = [sys.executable, "-m", "tailrace_demo.worker", self._node.nats_url, str(self._folder)]
        self._worker = await spawn(command, log=self._log)
        self._watching = asyncio.create_task(self._watcher.run())
        self._working = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._worker.returncode is None:
            self._worker.kill()
        self._watching.cancel()
        await asyncio.gather(self._watching, self._working, return_exceptions=True)

    def worked(self) -> bool:
        """Whether the worker has ended, and well."""
        return self._worker.returncode == 0

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once a condition holds.

        Raises:
            SetupError: the worker failed.
            TailraceError: the stream failed.
        """
        waiting = asyncio.create_task(self._watcher.wait_for(condition))
        try:
            pending = {waiting, self._watching, self._working}
            while not waiting.done():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            waiting.cancel()

    async def kill_edge(self, console: Console) -> str | None:
        """Kill the edge that serves the client once half of the work is done, and return its name, once resumed."""
        watcher = self._watcher
        await self.until(lambda: watcher.percent >= HALF_WAY)
        name = watcher.link.edge
        if name is None:
            return None
        edge = self._node.edges[name]
        console.print(f"{watcher.percent:3.0f} %  killing {name}, which serves the client (SIGKILL, pid {edge.pid})")
        resumes = watcher.link.reconnects
        self.killed_at = time.monotonic()
        edge.kill()
        await self.until(lambda: watcher.link.state is LinkState.LIVE and watcher.link.reconnects > resumes)
        console.print(f"       resumed at {watcher.link.edge} after {watcher.opened_at - self.killed_at:.2f} s")
        return name

    async def _work(self) -> None:
        status = await self._worker.wait()
        if status:
            raise SetupError(f"the worker {describe_end(status)}: {read_last_line(self._log)}")
        self._watcher.nudge()
