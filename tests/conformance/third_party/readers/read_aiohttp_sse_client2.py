"""aiohttp-sse-client2 comes back by itself; its first pause is 5 s otherwise."""

import asyncio
from datetime import timedelta

from aiohttp import ClientTimeout  # type: ignore[import-not-found]  # of another environment
from aiohttp_sse_client2.client import EventSource  # type: ignore[import-not-found]  # of another environment

from conformance.third_party.readers.contract import PAUSE, URL, report


async def read() -> None:
    pause = timedelta(seconds=PAUSE)
    async with EventSource(URL, reconnection_time=pause, timeout=ClientTimeout(total=None)) as source:
        async for event in source:
            report(event.last_event_id, event.type, event.data)


asyncio.run(read())
