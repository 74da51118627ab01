"""What was cancelled ends, though what it waits for forgets that."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from tailrace_edge.cancelling import heed_cancellation


async def forget() -> int:
    """Take a cancellation for an answer, as `asyncio.wait_for` of Python 3.11 may."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return 7


async def fail() -> int:
    await forget()
    raise ValueError


async def answer() -> int:
    await asyncio.sleep(0)
    return 7


@pytest.mark.parametrize("work", [forget, fail])
async def test_a_cancellation_that_is_forgotten_is_heeded(work: Callable[[], Awaitable[int]]) -> None:
    task = asyncio.create_task(heed_cancellation(work()))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_cleans_up_after_a_cancellation_goes_on() -> None:
    async def work() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(await heed_cancellation(answer()))
        return 0

    cleaned: list[int] = []
    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == [7]


async def test_a_timeout_is_told_as_one() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await heed_cancellation(forget())
