"""The update: all edges are rolled one after the other, and then one is killed, while everything goes on."""

import time
from collections.abc import Callable, Sequence

from bench.processes import Process

from rolling.balancer import Balancer
from rolling.crowd import CONNECT_SECONDS
from rolling.edge import Edge
from rolling.run import Phase

_ROOM = 10.0
"""Seconds on top of a crowd's own deadline, for it to say so."""


def roll_all(edges: Sequence[Edge], balancer: Balancer, crowds: Sequence[Process], *, calm: float) -> list[Phase]:
    """Roll all edges, then kill the first one, and return what was done when.

    Args:
        edges: all of them.
        balancer: before them.
        crowds: the clients; all of them are connected before anything is done to an edge.
        calm: seconds in which nothing is done to an edge, before each step and at the end.

    Raises:
        BenchError: an edge does not end or come back, or clients do not.
    """
    steps: list[tuple[str, Edge, Callable[[], int]]] = [("drain", edge, edge.drain) for edge in edges]
    steps.append(("kill", edges[0], edges[0].kill))
    phases = []
    for what, edge, end in steps:
        time.sleep(calm)  # for the plot: how it is when nothing happens
        began = time.time()
        status = end()
        ended = time.time()
        edge.start()
        edge.wait_ready()
        balancer.wait_up(edge)
        phases.append(Phase(what, edge.name, began, ended, time.time(), status))
        wait_connected(crowds)
    time.sleep(calm)
    return phases


def wait_connected(crowds: Sequence[Process]) -> None:
    """Return once all clients are connected.

    Raises:
        BenchError: they are not, in time.
    """
    for crowd in crowds:
        crowd.say("connected")
    for crowd in crowds:
        crowd.hear_line("connected", CONNECT_SECONDS + _ROOM)
