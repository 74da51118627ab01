"""(j) The producer: how many acknowledged events a second, and what one costs."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack

from bench.bench import Bench
from bench.contenders import Place, Tailrace
from bench.contenders.nats import NatsBroker
from bench.errors import BenchError
from bench.processes import Process
from bench.producing import WAYS
from bench.publishing import find_modules
from bench.rows import Row
from bench.usage import Meter

SIZE = 200


def run(bench: Bench) -> Iterator[Row]:
    """Each way to publish in a process of its own, all with the same broker."""
    if not bench.choose(Tailrace):
        return
    place = bench.place("producer")
    broker = NatsBroker(place.folder / "nats", bench.cores.broker)
    with ExitStack() as stack:
        stack.callback(broker.forget)
        stack.enter_context(broker.process)
        for way in WAYS:
            try:
                yield _measure(bench, place, broker, way.name, bench.size(way.events, 500))
            except BenchError as error:
                yield Row("producer", way.title, "tailrace", error=str(error))


def _measure(bench: Bench, place: Place, broker: NatsBroker, way: str, events: int) -> Row:
    command = [sys.executable, "-m", "bench.producing", broker.url, way, str(events), str(SIZE)]
    # The core that servers have otherwise is free, and the producer should have one of its own.
    producer = Process(
        f"producer-{way}",
        command,
        cores=bench.cores.server,
        folder=place.folder,
        environment=find_modules(),
        talks=True,
    )
    with producer:
        meter = Meter({"broker": [broker.process]})
        producer.hear_line("ready", 30)
        meter.start()
        producer.say("go")
        figures: dict[str, float] = json.loads(producer.hear(300))
        measured = meter.stop()
    title = next(known.title for known in WAYS if known.name == way)
    if "cpu_us" in figures:
        figures["broker_us"] = measured.cpu["broker"].total / events * 1e6
    return Row("producer", title, "tailrace", figures)
