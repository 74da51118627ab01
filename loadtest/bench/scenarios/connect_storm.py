"""(f) All clients connect at once."""

from collections.abc import Iterator

from bench.bench import Bench
from bench.contenders import Contender, Limit, Mercure, Nchan, Place, RedisUsual, Tailrace
from bench.measuring import make_meter
from bench.rows import Row

KINDS = (Limit, Tailrace, Nchan, RedisUsual, Mercure)


def run(bench: Bench) -> Iterator[Row]:
    """Connect without any limit on what is under way, which is more than the listen queue holds."""
    count = bench.size(10_000, 100)

    def measure(contender: Contender, place: Place) -> Row:
        with contender.run(place):
            with bench.watch(contender, place, 50, name="first") as first:
                first.wait_connected()
            # The one live connection is there before the storm, so that loadgen waits for the command.
            options = ("--in-flight", 0, "--live", 1)
            with bench.watch(contender, place, count + 1, options=options) as watchers:
                watchers.wait_live()
                meter = make_meter(contender, watchers.process)
                meter.start()
                watchers.connect()
                watchers.wait_connected(120)
                measured = meter.stop()
                result = watchers.stop()
        connects = result["connects"]
        figures = {
            "connects": connects["ok"] - 1,
            "connects_per_s": connects["per_s"],
            "seconds_s": connects["last_s"],
            "wait_p50_ms": connects["wait_ms"]["p50"],
            "wait_p99_ms": connects["wait_ms"]["p99"],
            "wait_max_ms": connects["wait_ms"]["max"],
            "failed": connects["failed"] + connects["pending"],
            "refused": connects["refused"],
            "server_us": measured.cpu["server"].total / count * 1e6,
            "broker_us": measured.cpu["broker"].total / count * 1e6,
            "server_share": measured.share("server"),
            "loadgen_share": measured.share("loadgen"),
        }
        return Row("connects", case, contender.name, figures, watchers={"loadgen": result})

    case = f"{count:,} at once"
    yield from bench.try_each("connects", case, bench.choose(*KINDS), measure)
