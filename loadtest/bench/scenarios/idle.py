"""(e) Connections that nothing happens on but heartbeats: what do they hold, and what do they cost?"""

from collections.abc import Iterator

from bench.bench import Bench
from bench.contenders import Contender, Limit, Mercure, Nchan, Place, RedisUsual, Tailrace
from bench.load import Load
from bench.measuring import make_meter
from bench.rows import Row
from bench.usage import read_kernel_memory, read_memory, wait_quiet

KINDS = (Limit, Tailrace, Nchan, RedisUsual, Mercure)

FIRST = 100
"""Connections made and closed before, so that what the first ones bring about is not counted."""


def run(bench: Bench) -> Iterator[Row]:
    """Connect, wait for some heartbeats, and see with one event that all are still there."""
    count, seconds = bench.size(15_000, 50), bench.seconds(40, 2)

    def measure(contender: Contender, place: Place) -> Row:
        with contender.run(place):
            with bench.watch(contender, place, FIRST, name="first") as first:
                first.wait_connected()
            wait_quiet(contender.servers)
            before, kernel = read_memory(contender.servers), read_kernel_memory()
            with bench.watch(contender, place, count, name="idle") as watchers:
                watchers.wait_connected(120)
                wait_quiet([*contender.servers, watchers.process])
                held, kernel_held = read_memory(contender.servers), read_kernel_memory()
                meter = make_meter(contender, watchers.process)
                meter.start()
                watchers.mark()
                watchers.wait_done(seconds)
                measured = meter.stop()
                after = read_memory(contender.servers)
                watchers.expect(1)
                with bench.publish_to(contender, place) as publisher:
                    publisher.publish(Load(events=1))
                    watchers.wait_done(60)
                result = watchers.stop()
        figures = {
            "connections": result["connects"]["ok"],
            "connects_failed": result["connects"]["failed"],
            "connects_per_s": result["connects"]["per_s"],
            "rss_before_bytes": before.rss,
            "rss_bytes": held.rss,
            "growth_bytes": (held.pss - before.pss) / count,
            "growth_later_bytes": (after.pss - before.pss) / count,
            "growth_rss_bytes": (held.rss - before.rss) / count,
            "kernel_bytes": (kernel_held - kernel) / count,
            "server_share": measured.share("server"),
            "broker_share": measured.share("broker"),
            "received_bytes": result["events"]["bytes"] / count,
            "alive": result["expected"]["complete"],
        }
        return Row("idle", case, contender.name, figures, watchers={"loadgen": result})

    case = f"{count:,}"
    yield from bench.try_each("idle", case, bench.choose(*KINDS), measure)
