"""What concerns the async client alone: tasks, cancelling, event loops."""

import asyncio
import gc
import sys
from contextlib import aclosing
from typing import Any

import pytest
from support.scripted_edge import (
    STREAM_HEAD,
    ScriptedEdge,
    send_and_hold,
    time_out,
    write_answer,
    write_event,
    write_open,
)
from tailrace_client import Client, Event

OPENED = (STREAM_HEAD, write_open(0, heartbeat=600), write_event(1))


def other_tasks() -> set[Any]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def read_for_ever(client: Client, first: asyncio.Event) -> None:
    async for _ in client.stream("a.>"):
        first.set()


async def test_cancelled_reader_leaves_nothing() -> None:
    """Cancelling a task that waits for an event closes its connection; the client lives on."""
    with ScriptedEdge([send_and_hold(*OPENED)]) as edge:
        async with Client(edge.url, tenant="acme") as client:
            before = other_tasks()
            first = asyncio.Event()
            task = asyncio.create_task(read_for_ever(client, first))
            await first.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

            assert other_tasks() == before
            await asyncio.to_thread(edge.wait_left, 1)


@pytest.mark.parametrize("pieces", [(), (STREAM_HEAD,), OPENED], ids=["no answer", "no event", "open"])
async def test_timed_out_reader_leaves_nothing(pieces: tuple[bytes, ...]) -> None:
    """Whatever the stream waits for, a timeout around it ends it and its connection."""
    with ScriptedEdge([send_and_hold(*pieces)]) as edge:
        async with Client(edge.url, tenant="acme") as client:
            before = other_tasks()
            with pytest.raises(TimeoutError):
                await time_out(edge, read_for_ever(client, asyncio.Event()))

            assert other_tasks() == before
            await asyncio.to_thread(edge.wait_left, 1)


async def test_closed_iterator_leaves_nothing() -> None:
    """After `aclosing` nothing waits to be finalised, neither our generator nor those that httpx has nested."""
    finalised: list[object] = []
    firstiter, finalizer = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter, finalised.append)
    try:
        with ScriptedEdge([send_and_hold(*OPENED, write_event(2))]) as edge:
            async with Client(edge.url, tenant="acme") as client:
                before = other_tasks()
                async with aclosing(aiter(client.stream("a.>"))) as items:
                    first = await anext(items)
                gc.collect()

                assert isinstance(first, Event)
                assert finalised == []
                assert other_tasks() == before
                await asyncio.to_thread(edge.wait_left, 1)
    finally:
        sys.set_asyncgen_hooks(firstiter, finalizer)


async def test_closing_the_client_ends_its_streams() -> None:
    """A reader whose client was closed hears of it, and does not open another connection."""
    with ScriptedEdge([send_and_hold(*OPENED)]) as edge:
        async with Client(edge.url, tenant="acme", backoff_base=0.001) as client:
            first = asyncio.Event()
            task = asyncio.create_task(read_for_ever(client, first))
            await first.wait()
        with pytest.raises(RuntimeError, match="closed"):
            await task

        await asyncio.to_thread(edge.wait_left, 1)
        assert len(edge.requests) == 1


def test_client_works_in_one_loop_after_another() -> None:
    """Nothing of the first loop is kept."""

    async def ask(client: Client) -> str:
        async with client:
            return (await client.topic("a.b")).id

    body = {"id": "5f2c91ab-1", "topic": "a.b", "type": "message", "time": "2026-01-31T12:00:00Z", "data": 1}
    kept_alive = write_answer(200, body, connection="keep-alive")
    with ScriptedEdge([send_and_hold(kept_alive), send_and_hold(kept_alive)]) as edge:
        client = Client(edge.url, tenant="acme")

        assert [asyncio.run(ask(client)) for _ in range(2)] == ["5f2c91ab-1", "5f2c91ab-1"]


async def test_many_streams_at_once() -> None:
    """A client holds more streams than httpx's pool has by default."""
    count = 120
    with ScriptedEdge([send_and_hold(*OPENED)] * count) as edge:
        async with Client(edge.url, tenant="acme") as client:
            firsts = [asyncio.Event() for _ in range(count)]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(read_for_ever(client, first)) for first in firsts]
                for first in firsts:
                    await first.wait()
                for task in tasks:
                    task.cancel()

            await asyncio.to_thread(edge.wait_left, count)
