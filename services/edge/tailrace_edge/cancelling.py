"""Cancellations that must not get lost."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar, cast

T = TypeVar("T")


async def heed_cancellation(awaitable: Awaitable[T]) -> T:
    """Return what is awaited, unless the task was cancelled meanwhile, whatever the awaited made of that.

    `asyncio.wait_for` of Python 3.11, on which nats-py relies, forgets a cancellation that comes in the same moment as
    what it waits for. A task that is cancelled once, as a task group does, would then go on for ever.

    Raises:
        asyncio.CancelledError: the task was cancelled since this was called.
    """
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    before = task.cancelling()
    try:
        return await awaitable
    finally:
        if task.cancelling() > before:
            raise asyncio.CancelledError
