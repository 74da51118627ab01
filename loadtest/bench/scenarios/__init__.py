"""The scenarios, by the names that `ONLY=` takes."""

from collections.abc import Callable, Iterator

from bench.bench import Bench
from bench.rows import Row
from bench.scenarios import fanout

Scenario = Callable[[Bench], Iterator[Row]]

ALL: dict[str, Scenario] = {
    "fanout": fanout.run_steady,
    "bursts": fanout.run_bursts,
}
