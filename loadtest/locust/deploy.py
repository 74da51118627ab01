"""Deploy day: how long is the pause when edges are rolled, and does anything go wrong in it?

As `steady.py`. Besides, every `--wave-every` seconds the streams of one edge are cut, spread over `--wave-window`
seconds as by a drain, or all at once with 0 as by a crash; the next wave is the next edge's. The cut comes from this
side, so no access to the cluster is needed. To see a real one, roll the edges during the run, with `--wave-every 1e9`.
"""

import random
import time
from typing import Any, ClassVar

import gevent
import steady
from locust import events
from referee import find_referee


class DeployWatcher(steady.SteadyWatcher):
    """Watches one job, and is cut off with all others that the same edge serves."""

    living: ClassVar[set["DeployWatcher"]] = set()

    def on_start(self) -> None:
        """Take part in the waves."""
        super().on_start()
        self.living.add(self)

    def on_stop(self) -> None:
        """Leave."""
        self.living.discard(self)
        super().on_stop()


class DeployProducer(steady.SteadyProducer):
    """The one that works on all jobs."""


def cut_edge(turn: int, window: float) -> None:
    """Cut all streams of one edge.

    Args:
        turn: the number of the wave, which decides on the edge.
        window: seconds over which the cuts are spread.
    """
    edges = sorted({user.edge for user in DeployWatcher.living if user.edge is not None})
    for user in DeployWatcher.living:
        if edges and user.edge == edges[turn % len(edges)]:
            gevent.spawn_later(random.uniform(0, window), user.cut)


@events.test_start.add_listener
def _begin_waves(environment: Any, **_: Any) -> None:
    def run_waves() -> None:
        referee = find_referee(environment)
        options = environment.parsed_options
        turn = 0
        while True:
            turn += 1
            gevent.sleep(max(0.0, referee.started + turn * options.wave_every - time.monotonic()))
            if referee.hushed:
                return
            cut_edge(turn, options.wave_window)

    gevent.spawn(run_waves)
