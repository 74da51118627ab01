"""(a) and (b): one topic that many watch, at a steady pace and saturated in bursts."""

from collections.abc import Iterator

from bench.bench import Bench
from bench.contenders import Centrifugo, Contender, Limit, Mercure, Nchan, Place, RedisUsual, Tailrace
from bench.load import Load
from bench.measuring import measure_load
from bench.rows import Row

KINDS = (Limit, Tailrace, Nchan, RedisUsual, Mercure, Centrifugo)

STEADY = ((1000, 50), (5000, 10), (15_000, 3))
"""Watchers, and events a second."""

BURST = 100
BURSTS_PER_S = 50
"""More than anybody delivers to so many."""


def run_steady(bench: Bench) -> Iterator[Row]:
    """(a) Each contender at the same pace, which none of them finds hard: what does a delivery cost?"""
    contenders = bench.choose_all(*KINDS)
    for watchers, rate in [(50, 50)] if bench.short else STEADY:
        seconds = bench.seconds(10, 1)
        load = Load(events=int(rate * seconds), rate=rate)
        warm = Load(events=max(3, rate), rate=rate)
        case = f"{watchers:,} x {rate}/s"
        yield from _run(bench, contenders, "fanout", case, watchers, load, warm, limit=seconds + 30)


def run_bursts(bench: Bench) -> Iterator[Row]:
    """(b) Bursts of 100 events, faster than anybody can deliver: how much is delivered a second?"""
    contenders = bench.choose(*KINDS)
    for watchers, deliveries in [(50, 10_000)] if bench.short else ((1000, 5e6), (5000, 5e6), (15_000, 4.5e6)):
        load = Load(events=int(deliveries / watchers), rate=BURST * BURSTS_PER_S, burst=BURST)
        warm = Load(events=10, rate=10)
        yield from _run(bench, contenders, "bursts", f"{watchers:,}", watchers, load, warm, limit=bench.seconds(40, 10))


def _run(
    bench: Bench,
    contenders: list[Contender],
    scenario: str,
    case: str,
    watchers: int,
    load: Load,
    warm: Load,
    *,
    limit: float,
) -> Iterator[Row]:
    expected = load.events * watchers

    def measure(contender: Contender, place: Place) -> Row:
        options = ("--until-events", expected)
        with (
            contender.run(place),
            bench.watch(contender, place, watchers, options=options) as connected,
            bench.publish_to(contender, place) as publisher,
        ):
            connected.wait_connected(120)
            outcome = measure_load(contender, publisher, connected, load, warm=warm, limit=limit)
        figures, notes = outcome.tell_figures(), outcome.tell_notes(expected)
        return Row(scenario, case, contender.name, figures, notes, watchers={"loadgen": outcome.result})

    yield from bench.try_each(scenario, case, contenders, measure)
