"""The stage: everything that takes part in a run, started in order and ended in reverse."""

import asyncio
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from bench.contenders.nats import NatsBroker, find_nats_server
from bench.machine import ask_version, describe_machine, read_load
from bench.processes import Process
from bench.publishing import find_modules
from history.jetstream import read_log
from history.log import Log
from history.verdict import judge

from rolling.audience import TENANT
from rolling.balancer import Balancer, find_version
from rolling.crowd import END_SECONDS
from rolling.edge import Edge, list_cores
from rolling.run import Phase, Records, Run
from rolling.update import roll_all, wait_connected

_CLIENTS_OF_ONE = 1000
"""Clients that one process runs at the most; two share them in any case, since there are several cores."""

_OPEN_FILES = 1 << 16

_ROOM = 30.0
"""Seconds for a process to do what takes it a moment."""


class Options(NamedTuple):
    """Of a run.

    Attributes:
        clients: that watch.
        edges: behind the balancer.
        drain_window: of each edge, seconds.
        calm: seconds before each step.
        heartbeat: of each edge, seconds.
    """

    clients: int = 2000
    edges: int = 3
    drain_window: float = 20.0
    calm: float = 5.0
    heartbeat: float = 15.0


class Played(NamedTuple):
    """What a run left behind.

    Attributes:
        phases: what was done to the edges.
        began: all clients were connected; Unix seconds.
        ended: the last event was published.
        last: its sequence.
        hung: clients that did not get it.
        log: as the broker holds it.
        records: files of the clients' records.
    """

    phases: list[Phase]
    began: float
    ended: float
    last: int
    hung: int
    log: Log
    records: list[Path]


def perform(options: Options, folder: Path) -> Run:
    """Make a run, and return what it brought to light.

    Args:
        options: sizes and times.
        folder: for logs and records.

    Raises:
        BenchError: it cannot be made, or an edge or a client does not come back.
    """
    load = f"{read_load():.2f}"
    _allow_open_files()
    played = _play(options, folder)
    records = Records(played.records)
    verdict = judge(records, played.log, until=played.last)
    if verdict.clean:
        for path in played.records:
            path.unlink()  # they are large, and there is nothing to find in them
    return Run(
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        machine=describe_machine() | {"load before": load},
        versions={
            "HAProxy": find_version(),
            "nats-server": ask_version(find_nats_server(), "--version").rpartition(" ")[2],
        },
        options=options._asdict(),
        began=played.began,
        ended=played.ended,
        phases=played.phases,
        clients=verdict.clients,
        events=len(played.log),
        expected=verdict.expected,
        received=verdict.received,
        faults=verdict.count_all(),
        told=verdict.describe().splitlines()[1:],
        hung=played.hung,
        reconnects=sorted(records.reconnects, key=lambda reconnect: reconnect.at),
    )


def _play(options: Options, folder: Path) -> Played:
    with ExitStack() as stack:
        broker = NatsBroker(folder / "nats", list_cores())
        stack.callback(broker.forget)
        stack.enter_context(broker.process)
        edges = [
            Edge(
                f"edge-{number}",
                broker.url,
                folder,
                drain_window=options.drain_window,
                heartbeat=options.heartbeat,
            )
            for number in range(options.edges)
        ]
        for edge in edges:
            stack.callback(edge.stop)
            edge.start()
        for edge in edges:
            edge.wait_ready()
        balancer = stack.enter_context(Balancer(edges, folder, clients=options.clients, heartbeat=options.heartbeat))
        for edge in edges:
            balancer.wait_up(edge)
        crowds, records = _start_crowds(stack, options.clients, balancer.url, folder)
        wait_connected(crowds)
        published = folder / "published.json"
        traffic = stack.enter_context(_talk("traffic", [broker.url, published], folder))
        traffic.hear_line("ready", _ROOM)
        began = time.time()
        print(f"rolling: {options.clients} clients are connected to {options.edges} edges", flush=True)
        phases = roll_all(edges, balancer, crowds, calm=options.calm)
        traffic.say("end")
        last = int(traffic.hear(_ROOM).partition("-")[2])
        ended = time.time()
        hung = _end_crowds(crowds)
        topics: Mapping[str, str] = msgspec.json.decode(published.read_bytes(), type=dict[str, str])
        log = asyncio.run(read_log(broker.url, TENANT, dict(topics)))
    return Played(phases, began, ended, last, hung, log, records)


def _allow_open_files() -> None:
    """Let this process and its children have as many connections as the system allows; shells begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, _OPEN_FILES)), hard))


def _start_crowds(stack: ExitStack, clients: int, url: str, folder: Path) -> tuple[list[Process], list[Path]]:
    """Return processes that run the clients, and the files that they leave."""
    number = max(2, -(-clients // _CLIENTS_OF_ONE))
    crowds, paths = [], []
    for index in range(number):
        first, end = clients * index // number, clients * (index + 1) // number
        paths.append(folder / f"records-{index}.jsonl")
        arguments = [url, first, end - first, paths[-1]]
        crowds.append(stack.enter_context(_talk("crowd", arguments, folder, f"crowd-{index}")))
    return crowds, paths


def _end_crowds(crowds: Sequence[Process]) -> int:
    """Have the clients' records written once they have everything, and return how many hang."""
    for crowd in crowds:
        crowd.say("end")
    hung = sum(int(crowd.hear(END_SECONDS + _ROOM)) for crowd in crowds)
    for crowd in crowds:
        crowd.say("stop")
    for crowd in crowds:
        crowd.hear_line("done", _ROOM + END_SECONDS)
    return hung


def _talk(module: str, arguments: Sequence[object], folder: Path, name: str = "") -> Process:
    command = [sys.executable, "-m", f"rolling.{module}", *arguments]
    return Process(name or module, command, cores=list_cores(), folder=folder, environment=find_modules(), talks=True)
