"""Snapshots: the newest event of each topic, exact as of the head of the log at the moment they are returned."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from tailrace_protocol.patterns import cover_patterns, is_wildcard
from tailrace_protocol.topics import SUBJECT_PREFIX

from tailrace_edge.cold import find_sentinel
from tailrace_edge.direct import read_batch
from tailrace_edge.engine.entry import Entry
from tailrace_edge.engine.log import Log
from tailrace_edge.engine.tail import PathMatcher
from tailrace_edge.jetstream import JetStream, JetStreamError, JetStreamUnavailable
from tailrace_edge.problems import LimitExceeded

_CHUNK = 1000
"""Subjects one request may match; JetStream's limit is 1,024, the sentinel's among them."""

_ATTEMPTS = 100
_PAUSE = 0.02

_TOO_MANY = 413


class Snapshots:
    """Reads snapshots: from the tail what is in it, from any replica that proves to be fresh enough the rest."""

    def __init__(self, jetstream: JetStream, log: Log, *, max_topics: int) -> None:
        """Make a reader.

        Args:
            jetstream: the connection.
            log: as the edge knows it.
            max_topics: one snapshot may have.
        """
        self._jetstream = jetstream
        self._log = log
        self._max_topics = max_topics

    async def read(self, patterns: Sequence[str]) -> list[Entry]:
        """Return the newest entry of each topic, tombstones included, in order of their sequences.

        It is exact as of `Log.head` when this returns, until the caller awaits anything else.

        Args:
            patterns: as paths.

        Raises:
            LimitExceeded: they match more topics than one snapshot may have.
            JetStreamUnavailable: the broker does not answer, or no replica is fresh enough.
        """
        try:
            found, _ = await self._read(cover_patterns(list(patterns)))
            newest = self._overlay(found, patterns)
        except JetStreamError as error:
            if error.code != _TOO_MANY:
                raise
            paths = await self.list_paths(patterns)
            self._check(len(paths))
            newest = await self.read_paths(paths, patterns)
        self._check(len(newest))
        return newest

    async def read_paths(self, paths: Sequence[str], patterns: Sequence[str] = ()) -> list[Entry]:
        """Return the newest entry of each of any number of paths, as `read` does.

        Args:
            paths: topics.
            patterns: what the tail may have beyond them; by default nothing.
        """
        found: list[Entry] = []
        proven = self._log.head
        for start in range(0, len(paths), _CHUNK):
            chunk, reached = await self._read(paths[start : start + _CHUNK])
            found += chunk
            proven = min(proven, reached)
        if self._log.tail.start - 1 > proven:
            raise JetStreamUnavailable("the log moves on faster than it can be read; try again")
        return self._overlay(found, patterns or paths)

    async def reach(self, sequence: int) -> bool:
        """Wait until the follower is at a sequence, for some seconds at the most; return whether it is."""
        for _ in range(_ATTEMPTS):
            if self._log.head >= sequence:
                return True
            await asyncio.sleep(_PAUSE)
        return False

    async def list_paths(self, patterns: Sequence[str]) -> list[str]:
        """Return the paths of all topics that have events, sorted."""
        paths: set[str] = set()
        for pattern in cover_patterns(list(patterns)):
            if not is_wildcard(pattern):
                paths.add(pattern)
                continue
            offset = 0
            while True:
                query = {"subjects_filter": SUBJECT_PREFIX + pattern, "offset": offset}
                answer = await self._jetstream.read_info(query, timeout=5)
                subjects: dict[str, int] = answer["state"].get("subjects") or {}
                paths.update(subject.removeprefix(SUBJECT_PREFIX) for subject in subjects)
                offset += len(subjects)
                if not subjects or offset >= answer.get("total", 0):
                    break
        return sorted(paths)

    async def _read(self, patterns: Sequence[str]) -> tuple[list[Entry], int]:
        """Return what a replica has, and the sequence up to which it lacks nothing; the tail has the rest."""
        for _ in range(_ATTEMPTS):
            sentinel = await find_sentinel(self._jetstream, self._log.tail.start)
            if sentinel is None:
                return [], self._log.head
            subjects = {*(SUBJECT_PREFIX + pattern for pattern in patterns), sentinel.subject}
            query: dict[str, Any] = {"multi_last": list(subjects), "batch": _CHUNK + 24}
            found = await read_batch(self._jetstream, self._log.epoch, query)
            # Replicas apply in order: one that has the sentinel lacks nothing before it.
            proven = max((entry.sequence for entry in found), default=0)
            if proven >= sentinel.sequence and await self.reach(proven) and self._log.tail.start - 1 <= proven:
                return found, proven
            await asyncio.sleep(_PAUSE)
        raise JetStreamUnavailable("no replica of the log is fresh enough; try again")

    def _check(self, topics: int) -> None:
        if topics > self._max_topics:
            told = f"the patterns match {topics} topics, {self._max_topics} are allowed; use narrower ones"
            raise LimitExceeded(told, "max_topics")

    def _overlay(self, found: Iterable[Entry], patterns: Sequence[str]) -> list[Entry]:
        matcher = PathMatcher(patterns)
        newest = {entry.path: entry for entry in found if matcher.matches(entry.path)}
        newest |= {entry.path: entry for entry in self._log.tail.newest(patterns)}
        return sorted(newest.values(), key=lambda entry: entry.sequence)
