"""Workers: whose lease of a job has lapsed, which one of the edges then says in the log.

Producers renew the lease with each event of a job. When nothing comes for that long, the job's newest state is stored
once more, with the status `worker_lost`. That it is still the newest one, the broker checks, and so one edge of all
succeeds, and none overtakes a worker that came back.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog
from tailrace_protocol.errors import TailraceError
from tailrace_protocol.events import encode_stored
from tailrace_protocol.jobs import JobStatus
from tailrace_protocol.topics import SUBJECT_PREFIX

from tailrace_edge.engine.entry import Entry
from tailrace_edge.follower import Follower
from tailrace_edge.jetstream import JetStream, JetStreamError, JetStreamUnavailable
from tailrace_edge.messages import make_entry, parse_time
from tailrace_edge.snapshot import Snapshots

JOBS = ("*.jobs.*", "*.users.*.jobs.*")
"""Paths of jobs, of all tenants."""

_LOOK = 1.0
"""Seconds between two looks at the leases."""

_SPREAD = 2.0
"""Seconds, up to which each edge waits longer, so that as a rule one of them speaks and the others hear it."""

_AWAY = 4.0
"""Seconds without a word from the log's leader, after which leases are not held against the workers.

It is asked every second; one answer that is late proves nothing, and would give every worker a whole lease more.
"""

_CHUNK = 1000

_log = structlog.get_logger(__name__)


class _Lease(NamedTuple):
    sequence: int
    seconds: float
    due: float


class Workers:
    """Watches the leases of all running jobs.

    Attributes:
        lost: jobs whose worker this edge has called lost.
    """

    def __init__(
        self,
        jetstream: JetStream,
        follower: Follower,
        snapshots: Snapshots,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a watch that `watch` sets going.

        Args:
            jetstream: the connection.
            follower: brings what is stored.
            snapshots: of the jobs that were there before it began.
            clock: monotonic, in seconds.
        """
        self._jetstream = jetstream
        self._follower = follower
        self._snapshots = snapshots
        self._clock = clock
        self._leases: dict[str, _Lease] = {}
        self._was_away = False
        self.lost = 0
        follower.on_entries(self.note)

    def note(self, entries: Sequence[Entry]) -> None:
        """Learn of events, in the order of the log."""
        leases = self._leases
        for entry in entries:
            if entry.lease:
                leases[entry.path] = self._grant(entry.sequence, entry.lease)
            elif entry.path in leases:
                del leases[entry.path]

    async def watch(self) -> None:
        """Watch until cancelled."""
        complete = False
        while True:
            await asyncio.sleep(_LOOK)
            if not complete and self._follower.ready:
                complete = await self._find_running()
            for path in self.find_lapsed():
                try:
                    await self._settle(path)
                except TailraceError as error:
                    _log.warning("lost worker not told of", path=path, error=str(error))

    def find_lapsed(self) -> list[str]:
        """Return the paths of jobs whose lease has lapsed. While the broker is away, and then once more, all run on."""
        now = self._clock()
        away = now - self._follower.heard_at > _AWAY
        if not away and self._was_away:
            for path, lease in self._leases.items():
                self._leases[path] = self._grant(lease.sequence, lease.seconds)
        self._was_away = away
        if away or self._follower.lag:
            return []
        return [path for path, lease in self._leases.items() if lease.due <= now]

    def _grant(self, sequence: int, seconds: float) -> _Lease:
        return _Lease(sequence, seconds, self._clock() + seconds + random.uniform(0, _SPREAD))

    async def _find_running(self) -> bool:
        """Take in the jobs of which the follower's first read brought nothing; each gets a whole lease from now on."""
        try:
            paths = await self._snapshots.list_paths(JOBS)
            for start in range(0, len(paths), _CHUNK):
                for entry in await self._snapshots.read_paths(paths[start : start + _CHUNK]):
                    known = self._leases.get(entry.path)
                    if entry.lease and (known is None or known.sequence < entry.sequence):
                        self._leases[entry.path] = self._grant(entry.sequence, entry.lease)
        except (JetStreamUnavailable, JetStreamError) as error:
            _log.warning("running jobs not found yet", error=str(error))
            return False
        return True

    async def _settle(self, path: str) -> None:
        """Say that the worker is lost, unless the leader of the stream knows of something newer."""
        lease = self._leases.get(path)
        if lease is None or lease.due > self._clock():  # something came while others were settled
            return
        subject = SUBJECT_PREFIX + path
        stored = await self._jetstream.read_message(last_by_subj=subject)
        if stored is not None and stored.sequence > lease.sequence:
            self._leases[path] = self._grant(stored.sequence, lease.seconds)  # the follower is about to bring it
            return
        if self._leases.pop(path, None) is None or stored is None:
            return
        entry = make_entry("", stored.sequence, subject.encode(), b"", stored.payload, parse_time(stored.time.encode()))
        state = None if entry is None else _lose(entry)
        if state is None:
            return
        try:
            headers = {"Nats-Expected-Last-Subject-Sequence": str(stored.sequence)}
            await self._jetstream.publish_event(subject, encode_stored("progress", state), headers)
        except JetStreamError as error:
            _log.debug("lost worker told of by another edge, or back", error=str(error))
            return
        except JetStreamUnavailable:
            self._leases[path] = self._grant(stored.sequence, lease.seconds)
            raise
        self.lost += 1
        _log.warning("worker lost", path=path, lease=lease.seconds)


def _lose(entry: Entry) -> dict[str, Any] | None:
    """Return the state of a job without its worker; None if the event is none of a job that runs."""
    try:
        state = msgspec.json.decode(entry.event.data, type=dict[str, Any])
    except msgspec.DecodeError:
        return None
    if state.get("status") not in (JobStatus.RUNNING, JobStatus.RETRYING):
        return None
    for name in ("lease", "rate", "eta"):  # nobody is at work
        state.pop(name, None)
    return state | {"status": JobStatus.WORKER_LOST}
