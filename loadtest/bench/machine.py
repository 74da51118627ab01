"""The machine: its cores and who gets which, what it is and what runs on it."""

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Cores(NamedTuple):
    """Who runs on which cores.

    Attributes:
        server: the one whose cost is measured; nothing else runs there if there are two or more.
        loadgen: the watchers.
        broker: NATS, Redis.
        publisher: who publishes, and this program.
    """

    server: tuple[int, ...]
    loadgen: tuple[int, ...]
    broker: tuple[int, ...]
    publisher: tuple[int, ...]

    def find_load(self) -> set[int]:
        """Return the cores that others than the server have."""
        return {*self.loadgen, *self.broker, *self.publisher}

    def spread(self, number: int) -> list[tuple[int, ...]]:
        """Return one core for each of so many servers: their own as long as the load keeps one, then any."""
        all_cores = sorted({*self.server, *self.find_load()}, reverse=True)
        order = [*self.server, *(core for core in all_cores if core not in {*self.server, *self.loadgen})]
        order += [core for core in all_cores if core not in order]
        return [(order[index % len(order)],) for index in range(number)]

    def describe(self) -> str:
        """Return it as the report tells it."""
        parts = (f"{role} on {', '.join(map(str, cores))}" for role, cores in self._asdict().items())
        return "; ".join(parts)


def assign_cores(available: Sequence[int]) -> Cores:
    """Return who gets which of the cores: the server one of its own, the load as many as are left."""
    cores = sorted(available, reverse=True)
    server = (cores[0],)
    rest = cores[1:] or cores
    loadgen = (rest[0],)
    rest = rest[1:] or rest
    broker = (rest[0],)
    return Cores(server, loadgen, broker, tuple(rest[1:]) or broker)


def find_cores() -> Cores:
    """Return who gets which of the cores this process may use."""
    return assign_cores(sorted(os.sched_getaffinity(0)))


def describe_machine() -> dict[str, str]:
    """Return processor, cores, memory and kernel."""
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    return {
        "processor": _read_processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(memory[1]) / (1 << 20):.0f} GiB" if memory else "unknown",
        "kernel": platform.release(),
        "Python": platform.python_version(),
    }


def read_load() -> float:
    """Return the load average of the last minute, which tells whether others were at work beside."""
    return os.getloadavg()[0]


def ask_version(*command: str) -> str:
    """Return the first line that a program prints about itself, on whichever stream; empty if it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip() if lines else ""


def _read_processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return found[1].strip() if found else platform.machine()
