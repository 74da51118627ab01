"""Waiting for what another process does, which tells nobody when it is done."""

import asyncio
from collections.abc import Awaitable, Callable


async def wait_until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Return once a condition holds; the test's own timeout is the limit."""
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        await asyncio.sleep(0.02)
