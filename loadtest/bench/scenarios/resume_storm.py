"""(g) Clients that were cut off come back all at once, each 100 events behind."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from bench.bench import Bench
from bench.contenders import Place, Tailrace
from bench.load import Load, Topics
from bench.measuring import make_meter
from bench.publishing import Publisher
from bench.rows import Row
from bench.usage import Measured, Memory, forget_peak, read_memory, wait_quiet
from bench.watchers import Result, Watchers

LIVE = 200
"""Watchers that were never cut off, and should not notice."""

LIVE_RATE = 10

LIMIT = 180.0
"""Seconds for all clients to be served."""


class Storm(NamedTuple):
    """One case.

    Attributes:
        title: of the case.
        clients: that come back.
        topics: that they share evenly.
        missed: events of each topic.
        cold: the edge has just been started, and holds nothing of what was missed.
    """

    title: str
    clients: int
    topics: int
    missed: int
    cold: bool


class Outcome(NamedTuple):
    """What came of a storm.

    Attributes:
        storm: of the clients that came back.
        live: of those that had been there.
        complete: all were served in time.
        measured: processor time while they were.
        memory: of the edge when all were served, and when they were gone.
        replays: how many began behind the head, by source.
    """

    storm: Result
    live: Result
    complete: bool
    measured: Measured
    memory: tuple[Memory, Memory]
    replays: dict[str, int]


def run(bench: Bench) -> Iterator[Row]:
    """None of the others keeps what a client of any topic missed, so there is nobody to compare with."""
    clients, missed, shared = bench.size(10_000, 100), bench.size(100, 10), bench.size(100, 10)
    for storm in (
        Storm(f"tail, {shared} topics", clients, shared, missed, cold=False),
        Storm(f"JetStream, {shared} topics", clients, shared, missed, cold=True),
        Storm(f"JetStream, {clients:,} topics", clients, clients, missed, cold=True),
    ):

        def measure(tailrace: Tailrace, place: Place, storm: Storm = storm) -> Row:
            with tailrace.run(place):
                position, level = _prepare(bench, tailrace, place, storm)
                outcome = _let_return(bench, tailrace, place, storm, position)
            return Row(
                "resumes",
                storm.title,
                tailrace.name,
                _tell_figures(storm, outcome, level),
                _tell_notes(storm, outcome),
                watchers={"storm": outcome.storm, "live": outcome.live},
            )

        yield from bench.try_each("resumes", storm.title, bench.choose(Tailrace), measure)


def _prepare(bench: Bench, tailrace: Tailrace, place: Place, storm: Storm) -> tuple[str, Memory]:
    """Have events published, and the clients cut off.

    Returns:
        The position from which they come back, and what memory the edge had before: with all of them connected and
        the events delivered, or, if it has just been started, with nobody.
    """
    before = tailrace.read_stats()
    if storm.cold:
        _publish_missed(bench, tailrace, place, storm)
        tailrace.stop_edges()
        tailrace.start_edges(place, read_back=0.001)
        tailrace.wait_read(int(before["head"]) + storm.topics * storm.missed)
        wait_quiet([*tailrace.brokers, *tailrace.servers])
        level = read_memory(tailrace.servers)
    else:
        expected = storm.clients * storm.missed
        with _watch(bench, tailrace, place, storm, "first", "--until-events", expected) as watchers:
            watchers.wait_connected()
            watchers.mark()
            _publish_missed(bench, tailrace, place, storm)
            watchers.wait_done(LIMIT)
            wait_quiet([*tailrace.brokers, *tailrace.servers])
            level = read_memory(tailrace.servers)
            watchers.stop()
        wait_quiet(tailrace.servers)
    return f"{before['epoch']}-{before['head']}", level


def _publish_missed(bench: Bench, tailrace: Tailrace, place: Place, storm: Storm) -> None:
    with bench.publish_to(tailrace, place) as publisher:
        publisher.publish(Load(events=storm.topics * storm.missed, topics=(Topics("bench", storm.topics),)))


def _let_return(bench: Bench, tailrace: Tailrace, place: Place, storm: Storm, position: str) -> Outcome:
    sink, core = tailrace.describe_sink(), bench.cores.publisher
    with (
        bench.watch(tailrace, place, LIVE, topic="live.0", name="live") as live,
        Publisher(sink, cores=core, folder=place.folder, name="live-publisher") as publisher,
    ):
        live.wait_connected()
        publisher.begin(Load(events=LIVE_RATE * 600, rate=LIVE_RATE, topics=(Topics("live"),)))
        wait_quiet(tailrace.brokers)
        replays = tailrace.read_stats()["replays"]
        forget_peak(tailrace.servers)
        meter = make_meter(tailrace, live.process, publisher.process)
        meter.start()
        live.mark()
        options = (
            *("--last-event-id", position, "--first", 1, "--in-flight", 0),
            *("--expect", storm.missed, "--until-expected"),
        )
        with _watch(bench, tailrace, place, storm, "storm", *options) as watchers:
            complete = watchers.wait_done(LIMIT)
            measured = meter.stop()
            held, stats = read_memory(tailrace.servers), tailrace.read_stats()
            result = watchers.stop()
        live_result = live.stop()
        wait_quiet([*tailrace.brokers, *tailrace.servers])
        memory = (held, read_memory(tailrace.servers))
    replays = {source: number - replays.get(source, 0) for source, number in stats["replays"].items()}
    return Outcome(result, live_result, complete, measured, memory, replays)


def _watch(bench: Bench, tailrace: Tailrace, place: Place, storm: Storm, name: str, *options: object) -> Watchers:
    columns = [(number % storm.topics,) for number in range(storm.clients)]
    return bench.watch(tailrace, place, storm.clients, topic="bench.{a}", columns=columns, options=options, name=name)


def _tell_figures(storm: Storm, outcome: Outcome, level: Memory) -> dict[str, float]:
    expected, latency = outcome.storm["expected"], outcome.live["latency_ms"]["all"]
    held, gone = outcome.memory
    return {
        "clients": storm.clients,
        "served": expected["complete"],
        "failed": outcome.storm["connects"]["failed"] + outcome.storm["connects"]["pending"],
        "seconds_s": expected["seconds"],
        "wait_p50_ms": expected["wait_ms"]["p50"],
        "wait_max_ms": expected["wait_ms"]["max"],
        "server_s": outcome.measured.cpu["server"].total,
        "broker_s": outcome.measured.cpu["broker"].total,
        "live_p50_ms": latency["p50"],
        "live_p99_ms": latency["p99"],
        "live_max_ms": latency["max"],
        "rss_before_bytes": level.rss,
        "rss_after_bytes": held.rss,
        "rss_gone_bytes": gone.rss,
        "peak_bytes": held.peak,
        "losses": _add_faults(outcome, "losses"),
        "duplicates": _add_faults(outcome, "duplicates"),
        "disorder": _add_faults(outcome, "order"),
        **{f"replays_{source}": number for source, number in outcome.replays.items()},
    }


def _add_faults(outcome: Outcome, kind: str) -> int:
    results: tuple[dict[str, Any], ...] = (outcome.storm, outcome.live)
    return sum(int(result["faults"][kind]) for result in results)


def _tell_notes(storm: Storm, outcome: Outcome) -> tuple[str, ...]:
    if outcome.complete:
        return ()
    served = outcome.storm["expected"]["complete"]
    return (f"stopped at the time limit with {served:,} of {storm.clients:,} clients served",)
