"""(g) Clients that were cut off come back all at once, each 100 events behind."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

from bench.bench import Bench
from bench.contenders import Place, Tailrace
from bench.load import Load, Topics
from bench.measuring import make_meter
from bench.publishing import Publisher
from bench.rows import Row
from bench.usage import forget_peak, read_memory, wait_quiet
from bench.watchers import Watchers

LIVE = 200
"""Watchers that were never cut off, and should not notice."""

LIVE_RATE = 20


class Storm(NamedTuple):
    """One case.

    Attributes:
        title: of the case.
        topics: that the clients share evenly.
        cold: the edge has just been started, and holds nothing of what was missed.
    """

    title: str
    topics: int
    cold: bool


def run(bench: Bench) -> Iterator[Row]:
    """None of the others keeps what a client of any topic missed, so there is nobody to compare with."""
    clients, missed = bench.size(10_000, 100), bench.size(100, 10)
    shared = bench.size(100, 10)
    for storm in (
        Storm(f"tail, {shared} topics", shared, cold=False),
        Storm(f"JetStream, {shared} topics", shared, cold=True),
        Storm(f"JetStream, {clients:,} topics", clients, cold=True),
    ):

        def measure(tailrace: Tailrace, place: Place, storm: Storm = storm) -> Row:
            return _measure(bench, tailrace, place, storm, clients, missed)

        yield from bench.try_each("resumes", storm.title, bench.choose_tailrace(), measure)


def _measure(bench: Bench, tailrace: Tailrace, place: Place, storm: Storm, clients: int, missed: int) -> Row:
    with tailrace.run(place), ExitStack() as stack:
        with bench.publish_to(tailrace, place) as publisher:
            before = tailrace.read_stats()
            topics = (Topics("bench", storm.topics),)
            publisher.publish(Load(events=storm.topics * missed, topics=topics))
        last = int(before["head"]) + storm.topics * missed
        if storm.cold:
            tailrace.stop_edges()
            tailrace.start_edges(place, read_back=0.001)
        tailrace.wait_read(last)
        live = stack.enter_context(bench.watch(tailrace, place, LIVE, topic="live.0", name="live"))
        live.wait_connected()
        live_publisher = stack.enter_context(
            Publisher(tailrace.describe_sink(), cores=bench.cores.publisher, folder=place.folder, name="live-publisher")
        )
        live_publisher.begin(Load(events=LIVE_RATE * 600, rate=LIVE_RATE, topics=(Topics("live"),)))
        wait_quiet(tailrace.brokers)
        return _storm(bench, tailrace, place, storm, live, live_publisher, f"{before['epoch']}-{before['head']}", clients, missed)


def _storm(
    bench: Bench,
    tailrace: Tailrace,
    place: Place,
    storm: Storm,
    live: Watchers,
    live_publisher: Publisher,
    position: str,
    clients: int,
    missed: int,
) -> Row:
    rest = read_memory(tailrace.servers)
    forget_peak(tailrace.servers)
    replays_before = tailrace.read_stats()["replays"]
    # The one live connection is there before the storm, so that loadgen waits for the command.
    options = (
        *("--last-event-id", position, "--in-flight", 0, "--first", 1),
        *("--expect", missed, "--until-expected"),
    )
    live.mark()
    meter = make_meter(tailrace, live_publisher.process, live.process)
    meter.start()
    columns = [(number % storm.topics,) for number in range(clients)]
    with bench.watch(
        tailrace, place, clients, topic="bench.{a}", columns=columns, options=options, name="storm"
    ) as watchers:
        complete = watchers.wait_done(180)
        measured = meter.stop()
        stats = tailrace.read_stats()
        held = read_memory(tailrace.servers)
        result = watchers.stop()
    live_result = live.stop()
    wait_quiet(tailrace.brokers)
    after = read_memory(tailrace.servers)
    expected = result["expected"]
    figures = {
        "clients": clients,
        "served": expected["complete"],
        "failed": result["connects"]["failed"] + result["connects"]["pending"],
        "seconds_s": expected["seconds"],
        "wait_p50_ms": expected["wait_ms"]["p50"],
        "wait_max_ms": expected["wait_ms"]["max"],
        "server_s": measured.cpu["server"].total,
        "broker_s": measured.cpu["broker"].total,
        "live_p50_ms": live_result["latency_ms"]["all"]["p50"],
        "live_p99_ms": live_result["latency_ms"]["all"]["p99"],
        "live_max_ms": live_result["latency_ms"]["all"]["max"],
        "rss_before_bytes": rest.rss,
        "rss_held_bytes": held.rss,
        "rss_after_bytes": after.rss,
        "peak_bytes": held.peak,
        "losses": result["faults"]["losses"] + live_result["faults"]["losses"],
        "duplicates": result["faults"]["duplicates"] + live_result["faults"]["duplicates"],
        "disorder": result["faults"]["order"] + live_result["faults"]["order"],
        **{f"replays_{name}": stats["replays"][name] - replays_before.get(name, 0) for name in stats["replays"]},
    }
    notes = () if complete else (f"stopped at the time limit with {expected['complete']:,} of {clients:,} served",)
    return Row("resumes", storm.title, tailrace.name, figures, notes, watchers={"storm": result, "live": live_result})
