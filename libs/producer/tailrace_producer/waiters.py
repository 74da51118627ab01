"""Those who wait until events have an outcome, or until there is room for more."""

import asyncio
from typing import NamedTuple


class _Waiter(NamedTuple):
    number: int
    room: int
    done: asyncio.Future[None]


class Waiters:
    """Used in the event loop's thread."""

    def __init__(self) -> None:
        self._waiters: list[_Waiter] = []

    def __bool__(self) -> bool:
        return bool(self._waiters)

    async def wait(self, number: int, room: int) -> None:
        """Return when the event `number` and all before have an outcome, or fewer than `room` have none."""
        waiter = _Waiter(number, room, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        await waiter.done

    def notify(self, oldest: int, unsettled: int) -> None:
        """Learn the number of the oldest event without outcome, and how many there are."""
        for waiter in self._waiters[:]:
            if oldest > waiter.number or unsettled < waiter.room:
                self._waiters.remove(waiter)
                if not waiter.done.done():
                    waiter.done.set_result(None)
