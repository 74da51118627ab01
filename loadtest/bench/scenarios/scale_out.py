"""(i) Several edges share a port, and the same total load: how much less does each of them have to do?

Not how much they deliver at most: the watchers would need as many cores again as the edges.
"""

from collections.abc import Iterator

from bench.bench import Bench
from bench.contenders import Place, Tailrace
from bench.load import Load
from bench.measuring import measure_load
from bench.rows import Row


def run(bench: Bench) -> Iterator[Row]:
    """One topic at a pace that keeps one edge half busy."""
    count, rate = bench.size(5000, 50), 20
    load = Load(events=int(rate * bench.seconds(10, 1)), rate=rate)
    warm = Load(events=rate, rate=rate)
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
            busiest = outcome.find_busiest()
            figures = outcome.tell_figures() | {
                "busiest_share": busiest / outcome.measured.seconds,
                "capacity_per_s": outcome.result["events"]["total"] / busiest if busiest else 0.0,
            }
            notes = outcome.tell_notes(expected)
            return Row("scale", case, tailrace.name, figures, notes, watchers={"loadgen": outcome.result})

        yield from bench.try_each("scale", case, [Tailrace(edges=edges)], measure)
