"""Whatever is cancelled, wherever it waits: no task, no thread and no socket is left behind, and nothing is lost."""

import asyncio
import gc
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import ExitStack, aclosing, suppress
from pathlib import Path
from typing import Any

import pytest
from tailrace_client import Client, Event, SyncClient
from tailrace_client.testing import (
    ScriptedEdge,
    answer,
    challenge,
    closing,
    drop,
    event,
    event_id,
    finished,
    job_event,
    problem,
    silence,
    stream,
    unauthorized,
)

TOPIC = {"id": event_id(1), "topic": "a.b", "type": "message", "time": "2026-01-31T12:00:00Z", "data": 1}


@pytest.fixture(autouse=True)
def quick_collections() -> Iterator[None]:
    """What was there before a test is not looked at again by each of its many collections."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


class CancelledAt:
    """Runs a coroutine in the task that awaits this, which it cancels when the coroutine waits for the n-th time."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], number: int) -> None:
        self.cancelled = False
        self._coroutine = coroutine
        self._number = number

    def __await__(self) -> Generator[Any, Any, None]:
        inner = self._coroutine.__await__()
        error: BaseException | None = None
        waits = 0
        while True:
            try:
                waited_for = inner.send(None) if error is None else inner.throw(error)
            except StopIteration:
                return
            waits += 1
            error = None
            if waits == self._number:
                self.cancelled = True
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waited_for
            except BaseException as thrown:
                error = thrown


async def find_token() -> str:
    await asyncio.sleep(0)
    return "t"


class Store:
    def __init__(self) -> None:
        self.cursor: str | None = None

    async def load(self, _: str) -> str | None:
        await asyncio.sleep(0)
        return self.cursor

    async def save(self, _: str, cursor: str) -> None:
        await asyncio.sleep(0)
        self.cursor = cursor


LIFE = [
    stream(event("a.b", 1), drop()),
    unauthorized(),
    problem(503),
    stream(event("a.b", 2), challenge()),
    stream(event("a.b", 3), closing("drain", 0)),
    stream(event("a.b", 4), finished()),
]
JOB = [stream(job_event("7", done=1), drop()), stream(job_event("7", "complete", done=2))]
TEXT = [
    stream(event("a.b", {"offset": 0, "text": "a"}, type="token"), drop()),
    stream(event("a.b", {"length": 1}, type="complete"), silence()),
]


async def read(client: Client, **options: Any) -> None:
    async with aclosing(aiter(client.stream("a.>", **options))) as items:
        assert [item.data async for item in items if isinstance(item, Event)] == [1, 2, 3, 4]


async def read_saving(client: Client) -> None:
    await read(client, cursor=Store())


async def read_ahead(client: Client) -> None:
    await read(client, read_ahead=1, cursor=Store())


async def handle(client: Client) -> None:
    @client.on("*")
    async def wait(_: Event) -> None:
        await asyncio.sleep(0)

    await client.run("a.>")


async def finish(client: Client) -> None:
    await client.job("7").finished()


async def follow(client: Client) -> None:
    async with aclosing(client.text("a.b")) as texts:
        assert [text.text async for text in texts] == ["a", "a"]


async def ask(client: Client) -> None:
    await client.topic("a.b")
    await client.job("7").cancel()


SCENARIOS: dict[str, tuple[Callable[[Client], Coroutine[Any, Any, None]], list[Any]]] = {
    "stream": (read, LIFE),
    "saving": (read_saving, LIFE),
    "ahead": (read_ahead, LIFE),
    "handlers": (handle, LIFE),
    "job": (finish, JOB),
    "text": (follow, TEXT),
    "calls": (ask, [unauthorized(), answer(TOPIC), answer({"id": "7", "topic": "jobs.7"}, 202)]),
}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_cancelled_wherever_it_waits(name: str) -> None:
    """At its first wait, at its second, ... until it comes to its end."""
    scenario, script = SCENARIOS[name]
    before = asyncio.all_tasks()
    number = 0
    cancelled = True
    while cancelled:
        number += 1
        with ExitStack() as stack:
            edge = stack.enter_context(ScriptedEdge(script))
            async with Client(edge.url, tenant="acme", token=find_token, backoff_base=0.001) as client:
                run = CancelledAt(scenario(client), number)
                cancelled = await ends_cancelled(run)

                assert cancelled == run.cancelled, number
                assert asyncio.all_tasks() == before, number
                # The edge ends only when the client, which is open still, has closed all that it opened.
                await asyncio.to_thread(stack.close)
        gc.collect()  # what was left open would warn here, and warnings are errors

    assert number > 5


@pytest.mark.parametrize("name", ["stream", "ahead", "job"])
async def test_cancelled_at_any_turn_of_the_loop(name: str) -> None:
    """What a task in the background waits for counts too: after one turn of the event loop, after two, ..."""
    scenario, script = SCENARIOS[name]
    before = asyncio.all_tasks()
    for turns in range(0, 150, 3):
        with ExitStack() as stack:
            edge = stack.enter_context(ScriptedEdge(script))
            async with Client(edge.url, tenant="acme", token=find_token, backoff_base=0.001) as client:
                task = asyncio.create_task(scenario(client))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])

                assert task.cancelled() or task.exception() is None, turns
                assert asyncio.all_tasks() == before, turns
                await asyncio.to_thread(stack.close)
        gc.collect()


async def ends_cancelled(run: Awaitable[None]) -> bool:
    """Return whether awaiting it in a task of its own ended in being cancelled."""

    async def main() -> None:
        await run

    task = asyncio.create_task(main())
    await asyncio.wait([task])
    if task.cancelled():
        return True
    task.result()
    return False


async def test_cancelled_readers_lose_nothing(tmp_path: Path) -> None:
    """Cancelled again and again, at every wait, one loop after the other gets each event once, in order."""
    log = [event("a.b", number, number=number) for number in range(1, 41)]

    async def play(peer: Any) -> None:
        last = peer.request.last_event_id
        after = 0 if last is None else int(last.partition("-")[2])
        peer.edge.number = after
        await stream(*log[after:], finished())(peer)

    for options in ({}, {"read_ahead": 3}):
        taken: list[Any] = []
        with ScriptedEdge([play] * 1000) as edge:
            async with Client(edge.url, tenant="acme", backoff_base=0.001) as client:
                source = client.stream("a.b", cursor=tmp_path / f"{len(options)}.json", **options)  # type: ignore[arg-type]  # a dict of options

                async def take(source: Any = source, taken: list[Any] = taken) -> None:
                    async with aclosing(aiter(source)) as items:
                        async for item in items:
                            taken.append(item.data)
                            await asyncio.sleep(0)

                number = 3
                while await ends_cancelled(CancelledAt(take(), number)):
                    number += 1

        assert taken == list(range(1, 41))


@pytest.mark.parametrize("options", [{}, {"read_ahead": 2}], ids=["plain", "ahead"])
def test_threads_and_sockets_of_the_sync_client(options: dict[str, Any]) -> None:
    """Leaving the loop at each item, by break and by error, leaves neither thread nor connection."""
    threads = threading.active_count()
    count = 8
    with ExitStack() as stack:
        script = [stream(*(event("a.b", number) for number in range(4)), silence())] * count
        edge = stack.enter_context(ScriptedEdge(script))
        with SyncClient(edge.url, tenant="acme") as client:
            for number in range(count):
                leave(client, number // 2, fail=bool(number % 2), **options)
                gc.collect()
                edge.wait_left(number + 1)
            stack.close()

    assert threading.active_count() == threads


def leave(client: SyncClient, index: int, *, fail: bool, **options: Any) -> None:
    with suppress(LookupError):
        for number, _ in enumerate(client.stream("a.b", **options)):
            if number == index:
                if not fail:
                    break
                raise LookupError


def test_an_edge_that_is_left_closes_what_comes_just_then() -> None:
    """What a scripted edge accepts while it is being stopped is closed, too."""

    def come(port: int) -> None:
        with suppress(OSError):
            for _ in range(20):
                socket.create_connection(("127.0.0.1", port)).close()

    for _ in range(100):
        with ScriptedEdge() as edge:
            coming = threading.Thread(target=come, args=(int(edge.url.rpartition(":")[2]),))
            coming.start()
            edge.wait_left(1)
        coming.join()
        gc.collect()  # what was left open would warn here
