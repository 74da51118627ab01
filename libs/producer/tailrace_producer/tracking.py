"""Loops over items that count themselves as done."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sized
from typing import Protocol, TypeVar

BREATH = 0.01
"""Seconds of a loop over a plain iterable after which an async one lets the event loop's other tasks run."""

T = TypeVar("T")


class Counter(Protocol):
    """What counts: a job or a step."""

    @property
    def cancelled(self) -> bool:
        """Whether the job was asked to cancel."""

    def raise_if_cancelled(self) -> None:
        """Raise JobCancelled if so."""

    def update(self, *, advance: float | None = None, total: float | None = None) -> None:
        """Count."""


def track(counter: Counter, items: Iterable[T], total: float | None) -> Iterator[T]:
    """Yield each of `items`, and count it when the loop comes back for the next."""
    _announce(counter, items, total)
    for item in items:
        if counter.cancelled:
            counter.raise_if_cancelled()
        yield item
        counter.update(advance=1)


async def track_async(counter: Counter, items: Iterable[T] | AsyncIterable[T], total: float | None) -> AsyncIterator[T]:
    """The same in an event loop; of a plain iterable, other tasks get to run every 10 ms."""
    _announce(counter, items, total)
    if isinstance(items, AsyncIterable):
        async for item in items:
            if counter.cancelled:
                counter.raise_if_cancelled()
            yield item
            counter.update(advance=1)
        return
    rested = time.monotonic()
    for item in items:
        if counter.cancelled:
            counter.raise_if_cancelled()
        yield item
        counter.update(advance=1)
        if time.monotonic() - rested > BREATH:
            await asyncio.sleep(0)
            rested = time.monotonic()


def _announce(counter: Counter, items: object, total: float | None) -> None:
    if total is None and isinstance(items, Sized):
        total = len(items)
    if total is not None:
        counter.update(total=total)
