"""Turns: contenders that run side by side and get a part of the load each in turns.

What else happens on the machine hits all of them alike then. Virtual cores are at times twice as fast as at others.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self

from bench.bench import Bench
from bench.contenders import Contender, Place
from bench.load import Load
from bench.measuring import Outcome, make_meter
from bench.publishing import Publisher
from bench.usage import Cpu, Measured, read_memory, wait_quiet
from bench.watchers import NAPPING, Watchers

TURNS = 6


class Session:
    """One contender that runs, with its watchers and its publisher. A context manager: all connected on entry."""

    def __init__(self, bench: Bench, contender: Contender, place: Place, watchers: int, load: Load) -> None:
        """Prepare a session.

        Args:
            bench: the run.
            contender: prepared.
            place: where it runs.
            watchers: of the one topic.
            load: all that is measured; each turn publishes a part of it.
        """
        self.contender = contender
        self._bench = bench
        self._place = place
        self._count = watchers
        self._load = load
        self._turns: list[Measured] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        bench, contender, place = self._bench, self.contender, self._place
        with ExitStack() as stack:
            stack.enter_context(contender.run(place))
            options = ("--until-events", self._load.events * self._count, *NAPPING)
            self._watchers: Watchers = stack.enter_context(bench.watch(contender, place, self._count, options=options))
            self._publisher: Publisher = stack.enter_context(bench.publish_to(contender, place))
            self._watchers.wait_connected(120)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def warm(self, load: Load) -> None:
        """Publish what is not measured."""
        self._publisher.publish(load)
        wait_quiet([*self.contender.servers, self._watchers.process])
        self._watchers.mark()

    def take_turn(self) -> None:
        """Publish the next part, and measure until it has arrived."""
        begin, end = (self._load.events * turn // TURNS for turn in (len(self._turns), len(self._turns) + 1))
        part = Load(events=end - begin, rate=self._load.rate, topics=self._load.topics)
        meter = make_meter(self.contender, self._watchers.process, self._publisher.process)
        meter.start()
        self.sent = self._publisher.publish(part)
        wait_quiet([*self.contender.servers, self._watchers.process])
        self._turns.append(meter.stop())

    def finish(self, limit: float) -> Outcome:
        """Return what came of all turns.

        Args:
            limit: seconds for what has not arrived yet.
        """
        complete = self._watchers.wait_done(limit)
        memory = read_memory(self.contender.servers)
        result = self._watchers.stop()
        measured, events = _add_up(self._turns), self._load.events
        return Outcome(result, measured, memory, complete=complete, sent=self.sent, events=events)


def _add_up(turns: Sequence[Measured]) -> Measured:
    seconds = sum(turn.seconds for turn in turns)
    cpu = {
        group: Cpu(sum(turn.cpu[group].user for turn in turns), sum(turn.cpu[group].system for turn in turns))
        for group in turns[0].cpu
    }
    return Measured(seconds, cpu, sum(turn.others_share * turn.seconds for turn in turns) / seconds)
