"""The async and the sync client behind one face, so that every scenario runs with both."""

import asyncio
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import tailrace_client.sync_transport
import tailrace_client.transport
import uvloop
from tailrace_client import Client, Item, Link, LinkState, SyncClient
from tailrace_protocol.errors import TailraceError

TENANT = "acme"
WAIT = 100.0


@dataclass
class Watched:
    """What came of watching a stream."""

    items: list[Item] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    cursor: str | None = None
    error: TailraceError | None = None

    @property
    def data(self) -> list[Any]:
        return [getattr(item, "data", item) for item in self.items]

    @property
    def states(self) -> list[LinkState]:
        return [link.state for link in self.links]


class Shell:
    """Runs a client to its end. Sleeps take no time; those between attempts are recorded."""

    def __init__(self, name: str, patch: pytest.MonkeyPatch) -> None:
        self.name = name
        self._delays: list[float] = []
        self._hold: threading.Event | None = None
        patch.setattr(tailrace_client.transport, "sleep", self._sleep_async)
        patch.setattr(tailrace_client.sync_transport, "sleep", self._delays.append)

    async def _sleep_async(self, delay: float) -> None:
        self._delays.append(delay)
        await asyncio.sleep(0)

    def watch(
        self,
        url: str | list[str],
        *patterns: str,
        count: int | None = None,
        on_item: Callable[[Item], None] | None = None,
        slow: bool = False,
        settings: dict[str, Any] | None = None,
        **options: Any,
    ) -> Watched:
        """Watch a stream until it ends or raises, or `count` items have come.

        Args:
            url: of the edge or edges.
            patterns: `a.>` by default.
            count: of items to take.
            on_item: called with each item.
            slow: whether the first item is held until the stream has ended in the background.
            settings: of the client.
            options: of the stream.
        """
        watched = Watched(delays=self._delays)
        self._delays.clear()
        ended = threading.Event()

        def observe(link: Link) -> None:
            watched.links.append(link)
            if link.state in (LinkState.ENDED, LinkState.UNAUTHORIZED):
                ended.set()

        options["observe"] = observe
        self._hold = ended if slow else None

        def take(item: Item) -> bool:
            watched.items.append(item)
            if on_item is not None:
                on_item(item)
            return len(watched.items) == count

        settings = {"tenant": TENANT, "verify": False, **(settings or {})}
        run = self._watch_async if self.name == "async" else self._watch_sync
        run(watched, take, lambda client: client.stream(*(patterns or ("a.>",)), **options), url, settings)
        return watched

    def _watch_async(
        self, watched: Watched, take: Callable[[Item], bool], open_stream: Callable[..., Any], url: Any, settings: Any
    ) -> None:
        async def main() -> None:
            async with Client(url, **settings) as client:
                stream = open_stream(client)
                try:
                    async for item in stream:
                        if self._hold is not None:
                            assert await asyncio.to_thread(self._hold.wait, WAIT)
                        if take(item):
                            break
                except TailraceError as error:
                    watched.error = error
                watched.cursor = stream.cursor

        run_to_end(main)

    def _watch_sync(
        self, watched: Watched, take: Callable[[Item], bool], open_stream: Callable[..., Any], url: Any, settings: Any
    ) -> None:
        with SyncClient(url, **settings) as client:
            stream = open_stream(client)
            try:
                for item in stream:
                    if self._hold is not None:
                        assert self._hold.wait(WAIT)
                    if take(item):
                        break
            except TailraceError as error:
                watched.error = error
            watched.cursor = stream.cursor

    def ask(self, url: str | list[str], question: Callable[[Any], Any], **settings: Any) -> Any:
        """Return what `question(client)` comes to: a value, or a list where it yields."""
        settings = {"tenant": TENANT, "verify": False, **settings}
        if self.name == "sync":
            with SyncClient(url, **settings) as client:
                answer = question(client)
                return list(answer) if inspect.isgenerator(answer) else answer

        async def main() -> Any:
            async with Client(url, **settings) as client:
                answer = question(client)
                return [item async for item in answer] if inspect.isasyncgen(answer) else await answer

        return run_to_end(main)


def run_to_end(main: Callable[[], Any]) -> Any:
    """Run a coroutine function on uvloop, and fail if it leaves a task behind."""

    async def watched_main() -> Any:
        try:
            return await main()
        finally:
            for _ in range(20):  # what finalises an abandoned generator is a task that ends by itself
                await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(watched_main())
