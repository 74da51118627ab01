"""Watchers: clients that record what they get until an event says that all is published, and the check of that."""

import asyncio
from collections.abc import Sequence

from tailrace_client import Client, Event, Gap, Link, Reset
from tailrace_protocol.patterns import match_pattern
from tailrace_protocol.topics import parse_subject

from support.broker import read_stream

END = "end"
"""Published last; every watcher watches it besides its own patterns."""


class Watcher:
    """One client and its record.

    Attributes:
        patterns: what it watches, besides `END`.
        sequences: of the events it got, in the order it got them.
        notices: gaps and resets it was told of.
        edge: the name of the edge it is connected to.
        reconnects: how often it came back.
    """

    def __init__(self, urls: Sequence[str], patterns: Sequence[str], tenant: str = "acme") -> None:
        self.patterns = [*patterns, END]
        self.sequences: list[int] = []
        self.notices: list[Gap | Reset] = []
        self.edge: str | None = None
        self.reconnects = 0
        self.tenant = tenant
        self._urls = urls
        self._wanted = 0
        self._enough = asyncio.Event()

    async def run(self, start: str = "start") -> None:
        """Record until the end is published."""
        async with Client(self._urls, tenant=self.tenant) as client:
            async for item in client.stream(*self.patterns, start=start, observe=self._observe):
                if not isinstance(item, Event):
                    self.notices.append(item)
                    continue
                self.sequences.append(int(item.id.partition("-")[2]))
                if len(self.sequences) >= self._wanted:
                    self._enough.set()
                if item.topic == END:
                    return

    async def got(self, number: int) -> None:
        """Wait until it has got so many events."""
        self._wanted = number
        self._enough.clear()
        if len(self.sequences) < number:
            await self._enough.wait()

    def _observe(self, link: Link) -> None:
        self.edge = link.edge or self.edge
        self.reconnects = link.reconnects


async def check(watchers: Sequence[Watcher], nats_url: str) -> int:
    """Fail unless each watcher got exactly what the log holds for it, in order; return how much that was in all."""
    log = [(sequence, *parse_subject(subject)) for sequence, subject, _ in await read_stream(nats_url)]
    total = 0
    for watcher in watchers:
        expected = [
            sequence
            for sequence, tenant, topic in log
            if tenant == watcher.tenant and any(match_pattern(pattern, topic) for pattern in watcher.patterns)
        ]
        assert watcher.notices == []
        if watcher.sequences != expected:
            missing = sorted(set(expected) - set(watcher.sequences))
            extra = len(watcher.sequences) - len(set(watcher.sequences))
            raise AssertionError(
                f"{watcher.patterns}: {len(missing)} missing from {missing[:5]}, {extra} doubled, "
                f"in order: {watcher.sequences == sorted(watcher.sequences)}, {watcher.reconnects} reconnects"
            )
        total += len(expected)
    return total
