"""The usual Python way: FastAPI, sse-starlette, Redis pub/sub, a queue and a generator per client.

Runs in a virtual environment of its own: `uvicorn server:app`, with the Redis server in REDIS_URL.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from sse_starlette import EventSourceResponse


class Broadcast:
    """Hands what comes from Redis to the queue of each client that watches the channel."""

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub
        self._queues: dict[str, set[asyncio.Queue[str]]] = defaultdict(set)

    async def run(self) -> None:
        """Read from Redis until cancelled."""
        await self._pubsub.subscribe("bench.keep")  # without any subscription listen() would end
        async for message in self._pubsub.listen():
            if message["type"] == "message":
                for queue in self._queues[message["channel"]]:
                    queue.put_nowait(message["data"])

    @asynccontextmanager
    async def watch(self, topic: str) -> AsyncIterator[asyncio.Queue[str]]:
        """Yield a queue that gets what is published to a topic."""
        queue: asyncio.Queue[str] = asyncio.Queue()
        queues = self._queues[topic]
        queues.add(queue)
        if len(queues) == 1:
            await self._pubsub.subscribe(topic)
        try:
            yield queue
        finally:
            queues.discard(queue)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect to Redis for as long as the server runs."""
    async with Redis.from_url(os.environ["REDIS_URL"], decode_responses=True) as redis, redis.pubsub() as pubsub:
        app.state.broadcast = Broadcast(pubsub)
        reading = asyncio.create_task(app.state.broadcast.run())
        yield
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


app = FastAPI(lifespan=lifespan)


@app.get("/events/{topic}")
async def stream(topic: str) -> EventSourceResponse:
    """Stream a topic's events."""

    async def generate() -> AsyncIterator[dict[str, str]]:
        async with app.state.broadcast.watch(topic) as queue:
            while True:
                yield {"event": "message", "data": await queue.get()}

    return EventSourceResponse(generate(), ping=15)
