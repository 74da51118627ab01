"""(h) Some of the watchers read slowly: do the others notice, and do the slow ones get everything?"""

from collections.abc import Iterator

from bench.bench import Bench
from bench.contenders import Contender, Nchan, Place, RedisUsual, Tailrace
from bench.load import Load, Topics
from bench.measuring import make_meter
from bench.rows import Row
from bench.usage import forget_peak, read_memory, wait_quiet

KINDS = (Tailrace, Nchan, RedisUsual)

READS = 1000
"""Bytes a second that a slow one reads. What is published for it is some three times that."""


def run(bench: Bench) -> Iterator[Row]:
    """Publish to all topics for a while, without slow ones and with them, who catch up in the end."""
    count, topics = bench.size(5000, 50), bench.size(200, 5)
    rate = bench.size(2000, 200)
    load = Load(events=int(rate * bench.seconds(30, 2)), rate=rate, topics=(Topics("bench", topics),))
    warm = Load(events=topics, rate=rate, topics=load.topics)
    for slow in (0, count // 5):

        def measure(contender: Contender, place: Place, slow: int = slow) -> Row:
            return _measure(bench, contender, place, (count, slow, topics), load, warm)

        yield from bench.try_each("slow", _name(slow, count), bench.choose(*KINDS), measure)


def _name(slow: int, count: int) -> str:
    return f"{slow:,} slow of {count:,}"


def _measure(
    bench: Bench, contender: Contender, place: Place, sizes: tuple[int, int, int], load: Load, warm: Load
) -> Row:
    count, slow, topics = sizes
    expected = load.events * count // topics
    # Neighbours watch different topics, so that each topic has as many slow ones.
    columns = [(number % topics,) for number in range(count)]
    options = ["--until-events", expected]
    if slow:
        options += ["--slow", f"{slow}:{READS}"]
    with (
        contender.run(place),
        bench.watch(contender, place, count, topic="bench.{a}", columns=columns, options=options) as watchers,
        bench.publish_to(contender, place) as publisher,
    ):
        watchers.wait_connected(120)
        publisher.publish(warm)
        wait_quiet(contender.servers)
        rest = read_memory(contender.servers)
        forget_peak(contender.servers)
        meter = make_meter(contender, watchers.process, publisher.process)
        meter.start()
        watchers.mark()
        sent = publisher.publish(load)
        measured = meter.stop()
        behind = contender.read_stats()["behind"] if isinstance(contender, Tailrace) else 0
        held = read_memory(contender.servers)
        watchers.read_all()
        complete = watchers.wait_done(120)
        result = watchers.stop()
    latency, slow_ones, faults = (result[part] for part in ("latency_ms", "sequences", "faults"))
    figures = {
        "fast_p50_ms": latency["fast"]["p50"],
        "fast_p99_ms": latency["fast"]["p99"],
        "fast_max_ms": latency["fast"]["max"],
        "slow_p50_ms": latency["slow"]["p50"],
        "behind_at_the_end": behind,
        "slow_clients": slow_ones["slow"]["clients"],
        "slow_contiguous": slow_ones["slow"]["contiguous"],
        "slow_last_min": slow_ones["slow"]["last_min"],
        "published_a_topic": load.events // topics + 1,
        "deliveries": result["events"]["total"],
        "expected": expected,
        "losses": faults["losses"],
        "duplicates": faults["duplicates"],
        "disorder": faults["order"],
        "server_us": measured.cpu["server"].total / expected * 1e6,
        "server_share": measured.share("server"),
        "loadgen_share": measured.share("loadgen"),
        "late_ms": sent.late_ms,
        "rss_before_bytes": rest.rss,
        "peak_bytes": held.peak,
        "growth_bytes": held.peak - rest.rss,
        "ended": result["closed_early"],
    }
    notes = () if complete else (f"stopped at the time limit with {result['events']['total']:,} of {expected:,}",)
    return Row("slow", _name(slow, count), contender.name, figures, notes, watchers={"loadgen": result})
