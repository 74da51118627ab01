"""Seeing things through: what has to come to its end though the task that does it is cancelled."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import httpx

T = TypeVar("T")


async def see_through(awaitable: Awaitable[T]) -> T:
    """Await something that takes no time to speak of, to its end, even if the task is cancelled meanwhile.

    The cancellation comes after it. (anyio's shields, which httpx relies on, hold back anyio's own cancellations
    only, not those of asyncio.)
    """
    running = asyncio.ensure_future(awaitable)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # the cancellation is what the caller hears of
        raise


def check_connected(stream: Any) -> None:
    """Look whether a connection that httpcore has just made is still there.

    One that was reset at once has no socket any more under uvloop, and httpcore falls over that.

    Raises:
        httpx.ConnectError: it is not; nothing was sent.
    """
    try:
        stream.get_extra_info("socket")
    except AttributeError as error:
        raise httpx.ConnectError("the connection was reset as soon as it was made") from error


async def send(http: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
    """Send a request, and leave no socket open if that is cancelled.

    Between connecting and sending, httpcore forgets what it has connected if it is cancelled; such a connection is
    neither used again nor closed before the client is.
    """
    opened: list[Any] = []

    async def trace(name: str, info: dict[str, Any]) -> None:
        if name in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            opened.append(info["return_value"])
            check_connected(info["return_value"])

    request.extensions = {**request.extensions, "trace": trace}
    try:
        return await http.send(request, **options)
    except BaseException:
        for connected in reversed(opened):
            await see_through(connected.aclose())
        raise
