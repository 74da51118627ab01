"""(c) Many topics with one watcher each: what does an event cost that one client gets?"""

from collections.abc import Iterator

from bench.bench import Bench
from bench.contenders import Contender, Mercure, NatsUsual, Nchan, Place, RedisUsual, Tailrace
from bench.load import Load, Topics
from bench.measuring import measure_load
from bench.rows import Row
from bench.watchers import NAPPING

KINDS = (Tailrace, NatsUsual, Nchan, RedisUsual, Mercure)

RATES = (1000, 5000, 20_000)
"""Events a second."""


def run(bench: Bench) -> Iterator[Row]:
    """Publish to the topics in turns."""
    count = bench.size(5000, 50)
    topics = (Topics("bench", count),)
    for rate in [500] if bench.short else RATES:
        load = Load(events=int(rate * bench.seconds(10, 1)), rate=rate, topics=topics)
        warm = Load(events=count, rate=rate, topics=topics)

        case = f"{count:,} at {rate:,}/s"

        def measure(contender: Contender, place: Place, load: Load = load, warm: Load = warm, case: str = case) -> Row:
            with (
                contender.run(place),
                bench.watch(
                    contender, place, count, topic="bench.{i}", options=("--until-events", load.events, *NAPPING)
                ) as watchers,
                bench.publish_to(contender, place) as publisher,
            ):
                watchers.wait_connected(120)
                outcome = measure_load(contender, publisher, watchers, load, warm=warm, limit=40)
            figures, notes = outcome.tell_figures(), outcome.tell_notes(load.events)
            return Row("topics", case, contender.name, figures, notes, watchers={"loadgen": outcome.result})

        yield from bench.try_each("topics", case, bench.choose(*KINDS), measure)
