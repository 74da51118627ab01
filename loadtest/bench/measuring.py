"""Measuring: one load on one contender, from the first event's sending until the last one's arrival."""

from collections.abc import Sequence

from bench.contenders import Contender
from bench.errors import BenchError
from bench.load import Load, Sent
from bench.processes import Process
from bench.publishing import Publisher
from bench.usage import Measured, Memory, Meter, read_memory, wait_quiet
from bench.watchers import Result, Watchers

BUSY = 0.92
"""Share of a core from which on the watchers may be what holds the others back."""

DISTURBED = 0.03
"""Share of the server's core from which on others that took it have spoilt the figures."""


class Outcome:
    """What came of one load.

    Attributes:
        result: of the watchers.
        measured: processor time of `server`, `broker`, `loadgen` and `publisher`.
        memory: of the servers at the end.
        complete: everything came in time.
        sent: None if the publisher had not finished in time.
    """

    def __init__(
        self, result: Result, measured: Measured, memory: Memory, *, complete: bool, sent: Sent | None, events: int
    ) -> None:
        self.result = result
        self.measured = measured
        self.memory = memory
        self.complete = complete
        self.sent = sent
        self._events = events

    def find_busiest(self) -> float:
        """Return the processor time of that server which used most, in seconds."""
        return max(cpu.total for name, cpu in self.measured.cpu.items() if name.startswith("server-"))

    def tell_figures(self) -> dict[str, float]:
        """Return the figures that each scenario of this kind has."""
        events, latency, faults = (self.result[part] for part in ("events", "latency_ms", "faults"))
        deliveries = max(1, events["total"])
        cpu = self.measured.cpu
        seconds = self.result["window"]["seconds"] or self.measured.seconds
        return {
            "deliveries": events["total"],
            "seconds_s": seconds,
            "deliveries_per_s": events["total"] / seconds,
            "bytes_per_delivery": events["bytes"] / deliveries,
            "server_us": cpu["server"].total / deliveries * 1e6,
            "server_user_us": cpu["server"].user / deliveries * 1e6,
            "server_system_us": cpu["server"].system / deliveries * 1e6,
            "broker_us": cpu["broker"].total / deliveries * 1e6,
            "sum_us": (cpu["server"].total + cpu["broker"].total) / deliveries * 1e6,
            "server_event_us": cpu["server"].total / self._events * 1e6,
            "broker_event_us": cpu["broker"].total / self._events * 1e6,
            "p50_ms": latency["all"]["p50"],
            "p99_ms": latency["all"]["p99"],
            "max_ms": latency["all"]["max"],
            "losses": faults["losses"],
            "duplicates": faults["duplicates"],
            "disorder": faults["order"],
            "connects_per_s": self.result["connects"]["per_s"],
            "connects_failed": self.result["connects"]["failed"],
            "server_share": self.measured.share("server"),
            "broker_share": self.measured.share("broker"),
            "others_share": self.measured.others_share,
            "loadgen_share": self.measured.share("loadgen"),
            "publisher_share": self.measured.share("publisher"),
            "late_ms": self.sent.late_ms if self.sent else 0.0,
            "rss_bytes": self.memory.rss,
            "peak_bytes": self.memory.peak,
        }

    def tell_notes(self, expected: int | None) -> tuple[str, ...]:
        """Return what a reader has to know; nothing if all is well.

        Args:
            expected: deliveries; None where there are more than anybody makes in the time.
        """
        notes = []
        total = self.result["events"]["total"]
        if not self.complete and expected is not None:
            notes.append(f"stopped at the time limit with {total:,} of {expected:,} deliveries")
        if self.result["connects"]["failed"] or self.result["connects"]["pending"]:
            notes.append(f"not all watchers connected: {self.result['connects']}")
        if any(self.result["faults"][kind] for kind in ("losses", "duplicates", "order", "protocol")):
            notes.append("events were lost, doubled or out of order")
        if self.result["closed_early"]:
            notes.append(f"{self.result['closed_early']} streams were ended by the server")
        if self.measured.share("loadgen") > BUSY:
            notes.append("the load generator's core was full: the server could do more")
        if self.measured.others_share > DISTURBED:
            notes.append(f"disturbed: others took {self.measured.others_share:.0%} of the server's core")
        if self.sent is None and expected is not None:
            notes.append("the publisher was held back and did not finish")
        return tuple(notes)


def measure_load(
    contender: Contender,
    publisher: Publisher,
    watchers: Watchers,
    load: Load,
    *,
    warm: Load | None,
    limit: float,
) -> Outcome:
    """Publish a load to watchers that are connected, and return what came of it.

    Args:
        contender: which runs.
        publisher: of it.
        watchers: told to end the window by themselves, with `--until-events` or `--until-expected`.
        load: what is measured.
        warm: what is published before.
        limit: seconds for all of it to arrive; what has come by then counts.
    """
    if warm:
        publisher.publish(warm)
    wait_quiet([*contender.servers, watchers.process])
    meter = make_meter(contender, watchers.process, publisher.process)
    meter.start()
    watchers.mark()
    publisher.begin(load)
    complete = watchers.wait_done(limit)
    measured = meter.stop()
    memory = read_memory(contender.servers)
    sent = _finish(publisher, complete=complete)
    return Outcome(watchers.stop(), measured, memory, complete=complete, sent=sent, events=load.events)


def make_meter(contender: Contender, loadgen: Process, publisher: Process | None = None) -> Meter:
    """Return a meter of everybody who takes part."""
    groups: dict[str, Sequence[Process]] = {
        "server": contender.servers,
        **{f"server-{number}": [server] for number, server in enumerate(contender.servers)},
        "broker": contender.brokers,
        "publisher": [publisher] if publisher else [],
        "loadgen": [loadgen],
    }
    return Meter(groups, cores=contender.cores)


def _finish(publisher: Publisher, *, complete: bool) -> Sent | None:
    try:
        return publisher.finish(30 if complete else 0)
    except BenchError:
        return None
