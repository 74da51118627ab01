"""The clients, in a process of their own: `python -m rolling.crowd URL FIRST COUNT FILE`.

They connect, and come back as real clients do. It answers three lines: `connected` once all of them are; `end` with the
number of those that have not got the last event after a while; `stop` with `done`, once their records are in FILE, one
a line. Without a `stop`, as when whoever started it is gone, it just ends.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import uvloop
from history.client import Client
from tailrace_client.items import Item
from tailrace_client.link import LinkState
from tailrace_protocol.events import Event

from rolling import connection
from rolling.audience import END, TENANT, choose_patterns

CONNECT_SECONDS = 120.0
"""For all clients to be connected."""

END_SECONDS = 90.0
"""For all clients to get the last event, once it was published. A link that is silent is given up in half of that."""


class Member:
    """One client.

    Attributes:
        client: whose record is kept.
        ended: it has got the last event.
    """

    def __init__(self, number: int, url: str, moved: asyncio.Event) -> None:
        self.client = Client(f"client {number}", url, choose_patterns(number), tenant=TENANT)
        self.ended = False
        self._moved = moved

    @property
    def connected(self) -> bool:
        return self.client.session.link.state is LinkState.LIVE

    async def run(self) -> None:
        """Follow the stream for good, unless it is refused."""
        session = self.client.session
        while not session.ended:
            await asyncio.sleep(session.delay)
            try:
                await connection.read(self.client, self._take)
            except TimeoutError:
                self.client.lose("silent", silent=True)
            except OSError as error:
                self.client.lose(str(error) or type(error).__name__)
            else:
                if session.reading:
                    self.client.lose("the connection ended")

    def _take(self, items: list[Item]) -> None:
        self.ended = self.ended or any(isinstance(item, Event) and item.topic == END for item in items)
        self._moved.set()


class Crowd:
    """Clients that one process runs."""

    def __init__(self, url: str, numbers: range) -> None:
        self._moved = asyncio.Event()
        self.members = [Member(number, url, self._moved) for number in numbers]

    async def wait_connected(self) -> None:
        """Return once all clients are connected. Ends the program if they are not, after `CONNECT_SECONDS`."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._wait(lambda: all(member.connected for member in self.members))
        except TimeoutError:
            left = [member.client for member in self.members if not member.connected]
            example = f"{left[0].record.client}: {left[0].session.link.reason}"
            sys.exit(f"{len(left)} clients are not connected after {CONNECT_SECONDS:g} s, such as {example}")

    async def wait_end(self) -> int:
        """Return once all clients have got the last event, and else, in `END_SECONDS`, how many have not."""
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._wait(lambda: all(member.ended for member in self.members))
        except TimeoutError:
            pass  # they hang
        return sum(not member.ended for member in self.members)

    async def _wait(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._moved.clear()
            await self._moved.wait()


class Options(NamedTuple):
    """Of the command line."""

    url: str
    numbers: range
    path: Path


async def main(options: Options) -> None:
    """Run the clients, and answer lines, until there are no more."""
    crowd = Crowd(options.url, options.numbers)
    running = [asyncio.create_task(member.run()) for member in crowd.members]
    while line := await asyncio.to_thread(sys.stdin.readline):
        match line.strip():
            case "connected":
                await crowd.wait_connected()
                print("connected", flush=True)
            case "end":
                print(await crowd.wait_end(), flush=True)
            case "stop":
                await _cancel(running)
                write(crowd, options.path)
                print("done", flush=True)
                return
    await _cancel(running)


def write(crowd: Crowd, path: Path) -> None:
    """Write all records."""
    with path.open("wb") as file:
        file.writelines(msgspec.json.encode(member.client.record) + b"\n" for member in crowd.members)


async def _cancel(running: list[asyncio.Task[None]]) -> None:
    for task in running:
        task.cancel()
    for outcome in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


if __name__ == "__main__":
    first = int(sys.argv[2])
    uvloop.run(main(Options(sys.argv[1], range(first, first + int(sys.argv[3])), Path(sys.argv[4]))))
