"""The watchers: the load generator in C, built and driven over its control (loadtest/loadgen/README.md)."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.processes import Process

LOADTEST = Path(__file__).resolve().parents[1]
BUILD = LOADTEST.parent / "build"

NAPPING = ("--nap", 1000)
"""Options of watchers that look every millisecond, rather than being woken by each event at the cost of who sends.

Clients on other machines cost nobody that, and here it hits whoever sends just slower than the watchers read.
"""

Result = dict[str, Any]
"""What loadgen writes, see its README."""


def build(folder: str) -> Path:
    """Build one of the C programs next to this package, and return its path.

    Raises:
        BenchError: there is no compiler, or it found a mistake.
    """
    command = ["make", "--silent", "-C", str(LOADTEST / folder), f"BUILD={BUILD}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{folder} cannot be built: {done.stderr.strip()[-500:]}")
    return BUILD / folder


class Watchers:
    """Many clients in one process. A context manager: the process runs on entry, and is gone on exit."""

    def __init__(
        self,
        targets: Sequence[str],
        request: str,
        count: int,
        *,
        cores: Sequence[int],
        folder: Path,
        name: str = "loadgen",
        columns: Sequence[Sequence[object]] = (),
        options: Sequence[object] = (),
    ) -> None:
        """Start connecting.

        Args:
            targets: `host:port`, taken in turns.
            request: template of the HTTP request.
            count: connections.
            cores: it may use.
            folder: for its files.
            name: of its files.
            columns: lines of values for the template's `{a}`, `{b}` and so on.
            options: more of loadgen's own.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._out = folder / f"{name}.json"
        request_file = folder / f"{name}.request"
        request_file.write_text(request)
        arguments = [
            *("--target", ",".join(targets), "--request-file", request_file, "--count", count),
            *("--control", "-", "--out", self._out, *options),
        ]
        if columns:
            columns_file = folder / f"{name}.columns"
            columns_file.write_text("".join("\t".join(map(str, line)) + "\n" for line in columns))
            arguments += ["--columns", columns_file]
        program = [BUILD / "loadgen", *map(str, arguments)]
        self.process = Process(name, program, cores=cores, folder=folder, talks=True)
        self.count = count

    def __enter__(self) -> "Watchers":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop(hard=True)

    def wait_connected(self, seconds: float = 60.0) -> None:
        """Return once every connection has a response head or has failed."""
        self.process.hear_line("connected", seconds)

    def wait_live(self, seconds: float = 60.0) -> None:
        """Return once the live class is connected."""
        self.process.hear_line("live", seconds)

    def connect(self) -> None:
        """Let the others connect."""
        self.process.say("connect")

    def mark(self) -> None:
        """Begin the measured window, and return once it has begun."""
        self.process.say("mark")
        self.process.hear_line("marked", 60.0)

    def expect(self, events: int) -> None:
        """End the window once each connection has had so many events since it began."""
        self.process.say(f"expect {events}")

    def read_all(self) -> None:
        """Let slow ones read as fast as they can."""
        self.process.say("fast")

    def wait_done(self, seconds: float) -> bool:
        """Return whether the window ended by itself in time: all that was to come has come."""
        try:
            self.process.hear_line("done", seconds)
        except BenchError:
            if not self.process.running:
                raise
            return False
        return True

    def stop(self) -> Result:
        """End the window if it is open, and return the result."""
        self.process.say("stop")
        status = self.process.wait(60)
        if status:
            raise BenchError(f"loadgen has failed: {self.process.read_log_end()}")
        result: Result = json.loads(self._out.read_text())
        return result
