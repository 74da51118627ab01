"""Steps: parts of an event's way that are measured by themselves."""

import gc
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

ROUNDS = 4
"""Each step's best of so many counts: everything that disturbs one makes it slower."""

TICK = 10
"""Events that one read of the broker's connection brings, as at 20,000 a second."""

END = "end"
"""Said after the last cost."""


class Sizes(msgspec.Struct, frozen=True):
    """How much of everything there is.

    Attributes:
        events: in each round of a step.
        topics: they are on, with one watcher each.
        watchers: of one topic, in the cases that have many.
        users: of the tenant with wildcards.
        connections: sockets in the case that has many.
    """

    events: int
    topics: int
    watchers: int
    users: int
    connections: int


class Stopwatch:
    """Adds up the processor time spent inside of it; what is prepared outside costs nothing.

    Attributes:
        seconds: so far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0
        self._used = False

    def __enter__(self) -> None:
        if not self._used:
            # Otherwise collections within the step would look at everything that was prepared for it.
            gc.collect()
            gc.freeze()
            self._used = True
        self._began = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.process_time() - self._began


class Step(NamedTuple):
    """One step.

    Attributes:
        case: its name in the report, with fields of `Sizes` to be filled in.
        unit: what it is done once for: events, deliveries or streams.
        run: does it within a stopwatch, and returns for how many.
    """

    case: str
    unit: str
    run: Callable[[Sizes, Stopwatch], int]


class Cost(msgspec.Struct, frozen=True):
    """What a step costs.

    Attributes:
        case: its name in the report.
        figures: for how many, by their unit, and `step_us` for one of them.
    """

    case: str
    figures: dict[str, float]


def measure(step: Step, sizes: Sizes) -> Cost:
    """Return what a step costs when nothing disturbs it."""
    count, best = 0, float("inf")
    for _ in range(ROUNDS):
        stopwatch = Stopwatch()
        count = step.run(sizes, stopwatch)
        gc.unfreeze()
        best = min(best, stopwatch.seconds)
    case = step.case.format(**msgspec.structs.asdict(sizes))
    return Cost(case, {step.unit: count, "step_us": best / count * 1e6})
