"""(i) Several edges share a port, and the same total load."""

from collections.abc import Iterator

from bench.bench import Bench
from bench.contenders import Place, Tailrace
from bench.load import Load
from bench.measuring import measure_load
from bench.rows import Row
from bench.scenarios.fanout import BURST


def run(bench: Bench) -> Iterator[Row]:
    """Saturated in bursts, as in (b)."""
    count = bench.size(5000, 50)
    load = Load(events=bench.size(2000, 200), rate=BURST * BURSTS_PER_S, burst=BURST)
    warm = Load(events=10, rate=10)
    expected = count * load.events
    for edges in (1, 2) if bench.short else (1, 2, 4):
        case = f"{edges} edge{'s' if edges > 1 else ''}"

        def measure(tailrace: Tailrace, place: Place, case: str = case) -> Row:
            with (
                tailrace.run(place),
                bench.watch(tailrace, place, count, options=("--until-events", expected)) as watchers,
                bench.publish_to(tailrace, place) as publisher,
            ):
                watchers.wait_connected()
                outcome = measure_load(tailrace, publisher, watchers, load, warm=warm, limit=60)
            figures, notes = outcome.tell_figures(), outcome.tell_notes(expected)
            return Row("scale", case, tailrace.name, figures, notes, watchers={"loadgen": outcome.result})

        yield from bench.try_each("scale", case, [Tailrace(edges=edges)], measure)
