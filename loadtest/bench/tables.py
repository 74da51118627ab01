"""Tables: which figures the report shows of each scenario, and what is compared."""

from collections.abc import Sequence
from typing import NamedTuple

from bench.figures import Column, Figures, kib, mib, percent
from bench.rows import Row

PEERS = (("limit", "C loop"), ("nchan", "nchan"))
"""Contenders that the others are divided by."""


class Table(NamedTuple):
    """What is shown of a scenario.

    Attributes:
        letter: of the scenario in the issue that asked for it.
        title: its heading.
        text: what was done.
        columns: figures.
        compared: the figure whose ratios are shown and plotted; empty for none.
        peers: whom it is divided by.
    """

    letter: str
    title: str
    text: str
    columns: tuple[Column, ...]
    compared: str = ""
    peers: tuple[tuple[str, str], ...] = PEERS

    def write(self, rows: Sequence[Row], figures: Figures, titles: dict[str, str]) -> list[str]:
        """Return the lines of the table, in Markdown."""
        present = {row.contender for row in rows}
        ratios = [name for peer, name in self.peers if self.compared and peer in present]
        heads = ["case", "contender", *(column.title for column in self.columns), *(f"x {name}" for name in ratios)]
        lines = ["| " + " | ".join(heads) + " |", "|---|---|" + "---:|" * (len(heads) - 2)]
        for row in rows:
            cells = [row.case, titles.get(row.contender, row.contender)]
            cells += ["failed" if row.error else column.format(row) for column in self.columns]
            cells += [self._compare(row, figures, peer) for peer, name in self.peers if name in ratios]
            lines.append("| " + " | ".join(cells) + " |")
        return lines

    def _compare(self, row: Row, figures: Figures, peer: str) -> str:
        own = row.figures.get(self.compared)
        other = figures.find(row.scenario, row.case, peer, self.compared)
        return f"{own / other:.2f}" if own and other else "-"


_COST = (
    Column("CPU us/delivery", "server_us", digits=2),
    Column("user", "server_user_us", digits=2),
    Column("system", "server_system_us", digits=2),
    Column("broker us", "broker_us", digits=2),
    Column("sum us", "sum_us", digits=2),
)
_LATENCY = (
    Column("p50 ms", "p50_ms", digits=1),
    Column("p99 ms", "p99_ms", digits=1),
    Column("max ms", "max_ms", digits=1),
)
_FAULTS = (
    Column("lost", "losses"),
    Column("doubled", "duplicates"),
    Column("out of order", "disorder"),
)
_SHARES = (percent("server", "server_share"), percent("loadgen", "loadgen_share"))

TABLES: dict[str, Table] = {
    "fanout": Table(
        "a",
        "Fan-out at a steady pace",
        "One topic; all watch it. CPU is the server's, of its one core.",
        (*_COST, *_LATENCY, *_FAULTS, *_SHARES, Column("bytes", "bytes_per_delivery"), mib("RSS", "rss_bytes")),
        "server_us",
    ),
    "bursts": Table(
        "b",
        "Fan-out, saturated in bursts",
        "Bursts of 100 events, faster than anybody delivers them. Latency is mostly the wait for those before.",
        (Column("deliveries/s", "deliveries_per_s"), *_COST, *_LATENCY, *_FAULTS, *_SHARES, mib("RSS", "rss_bytes")),
        "deliveries_per_s",
    ),
    "topics": Table(
        "c",
        "Many topics with one watcher each",
        "Events go to the topics in turns. CPU is per event, which is one delivery.",
        (
            Column("events/s", "deliveries_per_s"),
            *_COST,
            *_LATENCY,
            *_FAULTS,
            *_SHARES,
            Column("publisher late ms", "late_ms", digits=1),
        ),
        "server_us",
        (("nats-py", "nats-py"), ("nchan", "nchan")),
    ),
    "tenant": Table(
        "d",
        "A mixed tenant",
        "Each user has one stream of five patterns, with wildcards of both kinds: the own jobs, orders, team, project, "
        "announcements.",
        (
            Column("deliveries/s", "deliveries_per_s"),
            Column("CPU us/event", "server_event_us", digits=1),
            *_COST,
            *_LATENCY,
            *_FAULTS,
        ),
    ),
    "idle": Table(
        "e",
        "Idle connections with heartbeats",
        "Growth is of the server's memory (Pss) by connection, after a first hundred were made and closed. "
        "Kernel is what the machine's holds more (slabs, socket buffers), for both ends.",
        (
            Column("connected", "connections"),
            kib("growth/connection", "growth_bytes"),
            kib("later", "growth_later_bytes"),
            kib("kernel/connection", "kernel_bytes"),
            mib("RSS", "rss_bytes"),
            percent("CPU", "server_share"),
            Column("bytes/connection", "received_bytes"),
            Column("alive at the end", "alive"),
        ),
        "growth_bytes",
    ),
    "connects": Table(
        "f",
        "Connect storm",
        "All connect at once, without a limit on what is under way.",
        (
            Column("connects/s", "connects_per_s"),
            Column("CPU us/connect", "server_us"),
            Column("wait p50 ms", "wait_p50_ms"),
            Column("p99 ms", "wait_p99_ms"),
            Column("max ms", "wait_max_ms"),
            Column("failed", "failed"),
            Column("refused", "refused"),
            *_SHARES,
        ),
        "connects_per_s",
    ),
    "resumes": Table(
        "g",
        "Resume storm",
        "10,000 clients come back at once, each 100 events behind; 200 others are live meanwhile. For the tail, memory "
        "before is that with the same clients connected and the same events delivered; for JetStream, of an edge that "
        "has just started.",
        (
            Column("served", "served"),
            Column("all served s", "seconds_s", digits=2),
            Column("wait p50 ms", "wait_p50_ms"),
            Column("max ms", "wait_max_ms"),
            Column("edge CPU s", "server_s", digits=2),
            Column("broker CPU s", "broker_s", digits=2),
            Column("live p99 ms", "live_p99_ms", digits=1),
            mib("RSS before", "rss_before_bytes"),
            mib("peak", "peak_bytes"),
            mib("all served", "rss_after_bytes"),
            mib("gone", "rss_gone_bytes"),
            *_FAULTS,
        ),
    ),
    "slow": Table(
        "h",
        "Slow readers",
        "Each topic's watchers are one in five slow, at 1 KB/s, a third of what is published for them. Latency is "
        "that of the others. In the end the slow ones read all that is left.",
        (
            Column("others p50 ms", "fast_p50_ms", digits=1),
            Column("p99 ms", "fast_p99_ms", digits=1),
            Column("max ms", "fast_max_ms", digits=1),
            Column("behind", "behind_at_the_end"),
            Column("slow", "slow_clients"),
            Column("complete, in order", "slow_contiguous"),
            *_FAULTS,
            Column("CPU us/delivery", "server_us", digits=2),
            mib("memory growth", "growth_bytes"),
            Column("ended", "ended"),
            *_SHARES,
        ),
    ),
    "scale": Table(
        "i",
        "Scale-out",
        "Edges on one port, each on a core of its own while there are enough; the same load for all together. Capacity "
        "is deliveries by the processor time of the busiest edge.",
        (
            Column("capacity, deliveries/s", "capacity_per_s"),
            percent("busiest edge", "busiest_share"),
            percent("edges", "server_share"),
            percent("loadgen", "loadgen_share"),
            *_COST,
            *_LATENCY,
            *_FAULTS,
        ),
        "capacity_per_s",
        (),
    ),
    "producer": Table(
        "j",
        "Producer",
        "200-byte events on a thousand topics, each acknowledged by JetStream (R1, file). With connecting and closing. "
        "Of texts, an event is a token of six characters; what a late reader replays is counted in events of the log, "
        "and the last column is how many times the bytes are stored that would be without roll-ups.",
        (
            Column("events", "events"),
            Column("events/s", "events_per_s"),
            Column("CPU us/event", "cpu_us", digits=2),
            Column("broker us/event", "broker_us", digits=2),
            Column("to disk/s", "kept_per_s"),
            Column("replayed", "replayed"),
            Column("log bytes, times", "log_ratio", digits=2),
        ),
    ),
    "history": Table(
        "k",
        "A long history",
        "The best of three; `first` is the first of them.",
        (
            Column("events", "events"),
            Column("topics", "topics"),
            Column("seconds", "seconds_s", digits=3),
            Column("first s", "first_s", digits=3),
            Column("edge CPU s", "server_s", digits=3),
            Column("broker CPU s", "broker_s", digits=3),
            Column("events in tail", "tail_events"),
            Column("filled events/s", "events_per_s"),
            mib("RSS", "rss_bytes"),
            mib("peak", "peak_bytes"),
        ),
    ),
    "steps": Table(
        "l",
        "The steps of an event's way",
        "Microseconds of processor time for one event, delivery or stream, in one process without a broker, the best "
        "of several rounds; 200-byte events on 5,000 topics with one watcher each where nothing else is said.",
        (
            Column("events", "events"),
            Column("deliveries", "deliveries"),
            Column("streams", "streams"),
            Column("us", "step_us", digits=3),
        ),
    ),
}
"""By scenario."""
