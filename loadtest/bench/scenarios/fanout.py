"""(a) and (b): one topic that many watch, at a steady pace and saturated in bursts."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

from bench.bench import Bench
from bench.contenders import Centrifugo, Contender, Limit, Mercure, Nchan, Place, RedisUsual, Tailrace
from bench.errors import BenchError
from bench.load import Load
from bench.measuring import Outcome, measure_load
from bench.rows import Row
from bench.turns import TURNS, Session

KINDS = (Limit, Tailrace, Nchan, RedisUsual, Mercure, Centrifugo)

CLOSE = (Limit, Tailrace, Nchan)
"""Those that are compared with each other, in turns."""

STEADY = ((1000, 50), (5000, 10), (15_000, 3))
"""Watchers, and events a second."""

SATURATED = ((1000, 12_000), (5000, 4000), (15_000, 1500))
"""The same, of events in bursts: more deliveries than anybody makes."""

BURST = 100


class Case(NamedTuple):
    """One size.

    Attributes:
        scenario: which it belongs to.
        title: its name.
        watchers: of the one topic.
        load: what is measured.
        warm: what is published before.
        complete: everything is to arrive, else what comes in the time counts.
        limit: seconds for that.
    """

    scenario: str
    title: str
    watchers: int
    load: Load
    warm: Load
    complete: bool
    limit: float

    @property
    def expected(self) -> int | None:
        """Deliveries; None where it is open how many there will be."""
        return self.load.events * self.watchers if self.complete else None


def run_steady(bench: Bench) -> Iterator[Row]:
    """(a) Each contender at the same pace, which most of them keep: what does a delivery cost?"""
    seconds = bench.seconds(12, 1)
    for watchers, rate in [(50, 50)] if bench.short else STEADY:
        load, warm = Load(events=int(rate * seconds), rate=rate), Load(events=max(3, rate), rate=rate)
        case = Case("fanout", f"{watchers:,} x {rate}/s", watchers, load, warm, complete=True, limit=seconds + 30)
        yield from _run_in_turns(bench, bench.choose_all(*CLOSE), case)
        yield from _run(bench, bench.choose_all(*(kind for kind in KINDS if kind not in CLOSE)), case)


def run_bursts(bench: Bench) -> Iterator[Row]:
    """(b) Bursts of events, faster than anybody can deliver: how much is delivered a second?"""
    seconds = bench.seconds(8, 1)
    for watchers, rate in [(50, 4000)] if bench.short else SATURATED:
        # Twice what is due in the time: the publisher must not be done before.
        load, warm = Load(events=int(2 * rate * seconds), rate=rate, burst=BURST), Load(events=10, rate=10)
        case = Case("bursts", f"{watchers:,} x {rate:,}/s", watchers, load, warm, complete=False, limit=seconds)
        yield from _run(bench, bench.choose(*KINDS), case)


def _run_in_turns(bench: Bench, contenders: list[Contender], case: Case) -> Iterator[Row]:
    try:
        outcomes = _measure_in_turns(bench, contenders, case)
    except (BenchError, OSError) as error:
        for contender in contenders:
            yield Row(case.scenario, case.title, contender.name, error=str(error) or repr(error))
        return
    for contender, outcome in zip(contenders, outcomes, strict=True):
        yield _make_row(case, contender, outcome)


def _measure_in_turns(bench: Bench, contenders: list[Contender], case: Case) -> list[Outcome]:
    with ExitStack() as stack:
        sessions = []
        for contender in contenders:
            place = bench.place(case.scenario, case.title, contender.name)
            sessions.append(stack.enter_context(Session(bench, contender, place, case.watchers, case.load)))
            sessions[-1].warm(case.warm)
        for _ in range(TURNS):
            for session in sessions:
                session.take_turn()
        return [session.finish(case.limit) for session in sessions]


def _run(bench: Bench, contenders: list[Contender], case: Case) -> Iterator[Row]:
    def measure(contender: Contender, place: Place) -> Row:
        options = () if case.expected is None else ("--until-events", case.expected)
        with (
            contender.run(place),
            bench.watch(contender, place, case.watchers, options=options) as watchers,
            bench.publish_to(contender, place) as publisher,
        ):
            watchers.wait_connected(120)
            outcome = measure_load(contender, publisher, watchers, case.load, warm=case.warm, limit=case.limit)
        return _make_row(case, contender, outcome)

    yield from bench.try_each(case.scenario, case.title, contenders, measure)


def _make_row(case: Case, contender: Contender, outcome: Outcome) -> Row:
    figures, notes = outcome.tell_figures(), outcome.tell_notes(case.expected)
    return Row(case.scenario, case.title, contender.name, figures, notes, watchers={"loadgen": outcome.result})
