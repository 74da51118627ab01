"""Runs: everything that one rolling update brought to light, as it is kept in results.json."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from history.record import Record
from history.verdict import find_pauses


class Phase(msgspec.Struct, frozen=True):
    """What was done to one edge. Times are Unix seconds.

    Attributes:
        what: `drain` or `kill`.
        edge: its name.
        began: it got the signal.
        ended: it was gone.
        ready: it was back, and the balancer saw it.
        status: with which it exited.
    """

    what: str
    edge: str
    began: float
    ended: float
    ready: float
    status: int

    @property
    def right(self) -> bool:
        """Whether it exited as it should."""
        return self.status == 0 or self.what == "kill"


class Reconnect(msgspec.Struct, frozen=True, array_like=True):
    """A client was without a stream: from `lost`, Unix seconds, for `seconds`, because of `reason`."""

    lost: float
    seconds: float
    reason: str

    @property
    def at(self) -> float:
        """When it was back."""
        return self.lost + self.seconds


class Run(msgspec.Struct, frozen=True):
    """One run.

    Attributes:
        date: when it ended.
        machine: what it ran on.
        versions: of what is not ours.
        options: of the command line.
        began: all clients were connected; Unix seconds.
        ended: the last event was published.
        phases: what was done to the edges.
        clients: whose records were checked.
        events: in the log.
        expected: events that clients had to get, all together.
        received: events that they got.
        faults: how many were found, by kind.
        told: the first of them in words.
        hung: clients that had not got the last event after a while.
        reconnects: of all clients, in order of time.
    """

    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    options: dict[str, float]
    began: float
    ended: float
    phases: list[Phase]
    clients: int
    events: int
    expected: int
    received: int
    faults: dict[str, int]
    told: list[str]
    hung: int
    reconnects: list[Reconnect]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong: no fault, no client that hangs, every edge left as it should."""
        return not any(self.faults.values()) and not self.hung and all(phase.right for phase in self.phases)

    def select(self, phase: Phase) -> list[Reconnect]:
        """Return the reconnects of clients that lost their stream in a phase, or behind it and before the next."""
        following = [other.began for other in self.phases if other.began > phase.began]
        end = min(following, default=float("inf"))
        return [reconnect for reconnect in self.reconnects if phase.began <= reconnect.lost < end]


class Spread(NamedTuple):
    """How the reconnects of one phase came.

    Attributes:
        number: of reconnects.
        busiest: number of them in the busiest second.
        median: seconds without a stream; of one client in two.
        most: the same, of 99 in a hundred.
        longest: the same, of the one that waited longest.
    """

    number: int
    busiest: int
    median: float
    most: float
    longest: float


def spread(reconnects: list[Reconnect]) -> Spread:
    """Return how reconnects came."""
    if not reconnects:
        return Spread(0, 0, 0.0, 0.0, 0.0)
    at = sorted(reconnect.at for reconnect in reconnects)
    busiest, first = 0, 0
    for last, moment in enumerate(at):
        while at[first] <= moment - 1:
            first += 1
        busiest = max(busiest, last - first + 1)
    pauses = sorted(reconnect.seconds for reconnect in reconnects)
    return Spread(len(at), busiest, pauses[len(pauses) // 2], pauses[len(pauses) * 99 // 100], pauses[-1])


class Records:
    """The clients' records, read one by one: all together would take much memory.

    Attributes:
        reconnects: of those that were read.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.reconnects: list[Reconnect] = []
        self._paths = paths

    def __iter__(self) -> Iterator[Record]:
        decoder = msgspec.json.Decoder(Record)
        for path in self._paths:
            with path.open("rb") as file:
                for line in file:
                    record = decoder.decode(line)
                    self.reconnects += [Reconnect(*pause) for pause in find_pauses(record)]
                    yield record
