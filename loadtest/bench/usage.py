"""Usage: processor time and memory of processes, from /proc."""

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from bench.processes import Process
from bench.waiting import wait_until

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_QUIET_SECONDS = 0.3
_QUIET_SHARE = 0.08


class Cpu(NamedTuple):
    """Processor time in seconds."""

    user: float
    system: float

    @property
    def total(self) -> float:
        return self.user + self.system

    def since(self, before: Self) -> "Cpu":
        """Return what came on top of `before`."""
        return Cpu(self.user - before.user, self.system - before.system)


class Memory(NamedTuple):
    """Memory in bytes.

    Attributes:
        rss: resident, shared pages included.
        pss: the same with shared pages divided among those who share them.
        peak: the highest `rss` since the process began or `forget_peak`.
    """

    rss: int
    pss: int
    peak: int


class Meter:
    """The processor time that groups of processes use from `start` to `stop`."""

    def __init__(self, groups: Mapping[str, Sequence[Process]], *, cores: Sequence[int] = ()) -> None:
        """Make a meter.

        Args:
            groups: processes whose usage is added up, by a name.
            cores: that belong to the group `server`: what others take of them is told, too.
        """
        self._groups = groups
        self._cores = cores
        self._before: dict[str, Cpu] = {}
        self._busy = 0.0
        self._began = 0.0

    def start(self) -> None:
        """Begin anew."""
        self._before = self._read()
        self._busy = read_busy(self._cores)
        self._began = time.monotonic()

    def stop(self) -> "Measured":
        """Return what was used since `start`."""
        seconds = time.monotonic() - self._began
        used = {name: cpu.since(self._before[name]) for name, cpu in self._read().items()}
        others = max(0.0, read_busy(self._cores) - self._busy - used["server"].total) if self._cores else 0.0
        return Measured(seconds, used, others / seconds)

    def _read(self) -> dict[str, Cpu]:
        return {name: read_cpu(processes) for name, processes in self._groups.items()}


class Measured(NamedTuple):
    """What a `Meter` found.

    Attributes:
        seconds: from start to stop.
        cpu: by group.
        others_share: of one core, that others took of the server's cores.
    """

    seconds: float
    cpu: dict[str, Cpu]
    others_share: float

    def share(self, group: str) -> float:
        """Return how much of one core a group was busy, 0 to 1 and beyond."""
        return self.cpu[group].total / self.seconds


def read_cpu(processes: Iterable[Process]) -> Cpu:
    """Return what the processes and their children used up to now."""
    times = [_read_times(pid) for process in processes for pid in process.find_pids()]
    return Cpu(sum(time.user for time in times), sum(time.system for time in times))


def read_busy(cores: Iterable[int]) -> float:
    """Return for how many seconds the cores ran processes or, as virtual ones, waited for real ones (proc_stat(5))."""
    names = {f"cpu{core}" for core in cores}
    lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    # All but idle and iowait. Interrupts stand apart here, though they are in the times of processes, too.
    return sum(sum(int(line[field]) for field in (1, 2, 3, 6, 7, 8)) for line in lines if line[0] in names) / _TICK


def read_memory(processes: Iterable[Process]) -> Memory:
    """Return what the processes and their children have."""
    pids = [pid for process in processes for pid in process.find_pids()]
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return Memory(
        rss=sum(_find_kilobytes("Rss", text) for text in rollups),
        pss=sum(_find_kilobytes("Pss", text) for text in rollups),
        peak=sum(_find_kilobytes("VmHWM", text) for text in statuses),
    )


def forget_peak(processes: Iterable[Process]) -> None:
    """Let the peak of their memory count from now on (proc(5), clear_refs)."""
    for process in processes:
        for pid in process.find_pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def read_kernel_memory() -> int:
    """Return the bytes that the kernel holds in the whole machine for sockets, files, and what waits in them."""
    found = re.search(r"^TCP:.* mem (\d+)", Path("/proc/net/sockstat").read_text(), re.MULTILINE)
    queued = int(found[1]) * _PAGE if found else 0
    return _find_kilobytes("Slab", Path("/proc/meminfo").read_text()) + queued


def wait_quiet(processes: Sequence[Process], *, seconds: float = 60.0) -> None:
    """Return once the processes have next to nothing to do, so that nothing from before is measured."""
    last = (time.monotonic(), read_cpu(processes).total)

    def is_quiet() -> bool:
        nonlocal last
        now = time.monotonic()
        if now - last[0] < _QUIET_SECONDS:
            return False
        used = read_cpu(processes).total
        quiet = used - last[1] <= _QUIET_SHARE * (now - last[0])
        last = (now, used)
        return quiet

    wait_until(is_quiet, "the servers to come to rest", seconds=seconds)


def _read_times(pid: int) -> Cpu:
    # proc_pid_stat(5): after the name, which may hold anything, utime and stime are the 12th and 13th field.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Cpu(int(fields[11]) / _TICK, int(fields[12]) / _TICK)


def _find_kilobytes(name: str, text: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) << 10 if found else 0
