"""The producers, in a process of their own: `python -m rolling.traffic NATS_URL FILE`.

It says `ready`, and publishes until it hears a line: progress of jobs, events on many topics, and some on the topic
that everybody watches. Then it ends its jobs, publishes the last event, leaves in FILE the topics of what it published
by event id (progress of jobs, which is conflated, excepted), and prints the id of the last event.
"""

import asyncio
import contextlib
import sys
from itertools import count
from pathlib import Path

import msgspec
import uvloop
from tailrace_producer import Producer

from rolling.audience import ANNOUNCEMENTS, END, TENANT, USERS, name_order, name_user

_WORKERS = 20
_STEPS = 50
_STEP_SECONDS = 0.2

_ANNOUNCEMENT_SECONDS = 0.5

_ORDERS_AT_ONCE = 10
_ORDER_SECONDS = 0.1


class Traffic:
    """All producers of a run.

    Attributes:
        published: topics by event id, of what was acknowledged.
    """

    def __init__(self, producer: Producer) -> None:
        self.published: dict[str, str] = {}
        self._producer = producer
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Publish until it is told to end; jobs are ended in order."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._announce())
            group.create_task(self._order())
            for worker in range(_WORKERS):
                group.create_task(self._work(worker))

    def end(self) -> None:
        """Tell it to end."""
        self._ended.set()

    async def finish(self) -> str:
        """Publish the last event, behind all others, and return its id."""
        await self._producer.flush()
        last = await self._producer.publish(END)
        self.published[last] = END
        return last

    async def _announce(self) -> None:
        for number in count():
            event_id = await self._producer.publish(ANNOUNCEMENTS, {"number": number})
            self.published[event_id] = ANNOUNCEMENTS
            if not await self._pause(_ANNOUNCEMENT_SECONDS):
                return

    async def _order(self) -> None:
        for first in count(step=_ORDERS_AT_ONCE):
            topics = [name_order(first + number) for number in range(_ORDERS_AT_ONCE)]
            ids = await self._producer.publish_many((topic, {"number": first}) for topic in topics)
            self.published |= dict(zip(ids, topics, strict=True))
            if not await self._pause(_ORDER_SECONDS):
                return

    async def _work(self, worker: int) -> None:
        for turn in count():
            user = name_user(worker + turn * (USERS - _WORKERS))
            async with self._producer.job(f"work-{worker}-{turn}", user=user, total=_STEPS) as job:
                for done in range(1, _STEPS + 1):
                    job.update(done)
                    if not await self._pause(_STEP_SECONDS):
                        return

    async def _pause(self, seconds: float) -> bool:
        """Wait, and return whether to go on."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)
        return not self._ended.is_set()


async def main(nats_url: str, path: Path) -> None:
    """Publish until a line comes on standard input, or that ends."""
    async with Producer(nats_url, tenant=TENANT) as producer:
        traffic = Traffic(producer)
        async with asyncio.TaskGroup() as group:
            group.create_task(traffic.run())
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            traffic.end()
        last = await traffic.finish()
    write(traffic, path)
    print(last, flush=True)


def write(traffic: Traffic, path: Path) -> None:
    """Write what was published."""
    path.write_bytes(msgspec.json.encode(traffic.published))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2])))
