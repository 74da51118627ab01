"""The scenarios, by the names that `ONLY=` takes."""

from collections.abc import Callable, Iterator

from bench.bench import Bench
from bench.rows import Row
from bench.scenarios import (
    connect_storm,
    fanout,
    history,
    idle,
    producer,
    resume_storm,
    scale_out,
    slow,
    steps,
    tenant,
    topics,
)

Scenario = Callable[[Bench], Iterator[Row]]

ALL: dict[str, Scenario] = {
    "fanout": fanout.run_steady,
    "bursts": fanout.run_bursts,
    "topics": topics.run,
    "tenant": tenant.run,
    "idle": idle.run,
    "connects": connect_storm.run,
    "resumes": resume_storm.run,
    "slow": slow.run,
    "scale": scale_out.run,
    "producer": producer.run,
    "history": history.run,
    "steps": steps.run,
}
"""(a) to (l) of what is measured, in that order."""
