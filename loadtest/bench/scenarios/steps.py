"""(l) The steps of an event's way through the edge, each by itself: what one costs, and what a change to it gains."""

import sys
from collections.abc import Iterator

import msgspec

from bench.bench import Bench
from bench.errors import BenchError
from bench.processes import Process
from bench.publishing import find_modules
from bench.rows import Row
from bench.steps.step import END, Cost, Sizes


def run(bench: Bench) -> Iterator[Row]:
    """All of them in one process, without a broker; so they need nothing but the edge's package."""
    sizes = Sizes(
        events=bench.size(20_000, 500),
        topics=bench.size(5000, 50),
        watchers=bench.size(1000, 20),
        users=bench.size(2000, 40),
        connections=bench.size(400, 20),
    )
    child = Process(
        "steps",
        [sys.executable, "-m", "bench.steps", msgspec.json.encode(sizes).decode()],
        # It stands for the server.
        cores=bench.cores.server,
        folder=bench.place("steps").folder,
        environment=find_modules(),
        talks=True,
    )
    with child:
        try:
            while (line := child.hear(60)) != END:
                cost = msgspec.json.decode(line, type=Cost)
                yield Row("steps", cost.case, "tailrace", cost.figures)
        except BenchError as error:
            yield Row("steps", "the rest", "tailrace", error=str(error))
