"""Verdicts: what came of all the records of a run."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from history.check import Fault, Kind, check
from history.log import Log
from history.record import Closed, Opened, Record

SHOWN = 20
"""Faults that are told in full."""


class Verdict(NamedTuple):
    """What came of all the records of a run.

    Attributes:
        clients: whose records were checked.
        expected: events that they had to get, all together.
        received: events that they got, each time they got them.
        reconnects: how often they were connected again.
        faults: what is wrong.
    """

    clients: int
    expected: int
    received: int
    reconnects: int
    faults: tuple[Fault, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def count(self, kind: Kind) -> int:
        """Return how many faults of a kind there are."""
        return sum(fault.kind is kind for fault in self.faults)

    def count_all(self) -> dict[str, int]:
        """Return the number of faults by kind, those that never happened included."""
        counted = Counter(fault.kind for fault in self.faults)
        return {str(kind): counted[kind] for kind in Kind}

    def describe(self, shown: int = SHOWN) -> str:
        """Return it in lines, for people: the figures, then the first faults."""
        figures = ", ".join(f"{kind} {number}" for kind, number in self.count_all().items())
        events = f"{self.received} events received of {self.expected}"
        lines = [f"{self.clients} clients, {events}, {self.reconnects} reconnects: {figures}"]
        lines += [f"  {fault}" for fault in self.faults[:shown]]
        if len(self.faults) > shown:
            lines.append(f"  and {len(self.faults) - shown} more")
        return "\n".join(lines)


def judge(records: Iterable[Record], log: Log, *, until: int | None = None) -> Verdict:
    """Check all records; see `check`."""
    clients = expected = received = reconnects = 0
    faults: list[Fault] = []
    for record in records:
        checked = check(record, log, until=until)
        clients += 1
        expected += checked.expected
        received += checked.received
        reconnects += count_reconnects(record)
        faults += checked.faults
    return Verdict(clients, expected, received, reconnects, tuple(faults))


def count_reconnects(record: Record) -> int:
    """Return how often a client was connected again."""
    opened = sum(isinstance(entry, Opened) for entry in record.entries)
    return opened if record.begin is not None else max(0, opened - 1)


def find_pauses(record: Record) -> list[tuple[float, float, str]]:
    """Return for each reconnect when the connection was lost, how many seconds it took, and why it was lost."""
    pauses: list[tuple[float, float, str]] = []
    lost: Closed | None = None
    for entry in record.entries:
        if isinstance(entry, Closed):
            lost = lost or entry
        elif isinstance(entry, Opened):
            if lost is not None:
                pauses.append((lost.at, entry.at - lost.at, lost.reason))
            lost = None
    return pauses
