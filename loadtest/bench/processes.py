"""Processes: started on chosen cores with their output in a file, asked for what they used, and ended by their id."""

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from bench.errors import BenchError
from bench.waiting import wait_until

_STOP_SECONDS = 10.0


class Process:
    """A child on cores of its own. A context manager: running on entry, gone on exit."""

    def __init__(
        self,
        name: str,
        command: Sequence[object],
        *,
        cores: Sequence[int],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        talks: bool = False,
    ) -> None:
        """Start it.

        Args:
            name: for its log and for errors.
            command: what it runs, part by part.
            cores: it may use; its own children inherit them.
            folder: for its log.
            environment: variables on top of this process' own.
            talks: it takes lines on standard input and answers with lines on standard output.
        """
        self.name = name
        self.log_path = folder / f"{name}.log"
        folder.mkdir(parents=True, exist_ok=True)
        pipe = subprocess.PIPE if talks else None
        with self.log_path.open("ab") as log, on_cores(cores):
            self._child = subprocess.Popen(
                [str(part) for part in command],
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or log,
                stderr=log,
                env=os.environ | dict(environment or {}),
            )
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def find_pids(self) -> list[int]:
        """Return its id and those of its children, such as the workers of nginx."""
        pids = [self.pid]
        for pid in pids:
            pids += _read_children(pid)
        return pids

    def stop(self, *, hard: bool = False) -> None:
        """End it, by force if it does not go by itself, and wait until it is gone."""
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()
        if self.running:
            self._child.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def wait(self, seconds: float) -> int:
        """Return its exit status.

        Raises:
            BenchError: it did not end in `seconds`.
        """
        wait_until(lambda: not self.running, f"{self.name} to end", seconds=seconds)
        return self._child.wait()

    def wait_port(self, port: int, *, seconds: float = 30.0) -> None:
        """Return once it listens."""
        wait_until(lambda: self._check_running() and listens(port), f"{self.name} to listen", seconds=seconds)

    def say(self, line: str) -> None:
        """Send it a line."""
        self._check_running()
        stdin = _expect(self._child.stdin)
        stdin.write(f"{line}\n".encode())
        stdin.flush()

    def hear(self, seconds: float) -> str:
        """Return the next line it prints.

        Raises:
            BenchError: it printed none in `seconds`, or ended.
        """
        stdout = _expect(self._child.stdout).fileno()
        deadline = time.monotonic() + seconds
        while b"\n" not in self._unread:
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise BenchError(f"{self.name} said nothing in {seconds:g} s")
            data = os.read(stdout, 1 << 16)
            if not data:
                raise BenchError(f"{self.name} has ended: {self.read_log_end()}")
            self._unread += data
        line, self._unread = self._unread.split(b"\n", 1)
        return line.decode()

    def hear_line(self, line: str, seconds: float) -> None:
        """Wait for one particular line; others before it are skipped."""
        deadline = time.monotonic() + seconds
        while self.hear(deadline - time.monotonic()) != line:
            pass

    def read_log_end(self) -> str:
        """Return the end of its log, for errors."""
        return self.log_path.read_text(errors="replace")[-1000:].strip()

    def _check_running(self) -> bool:
        if not self.running:
            raise BenchError(f"{self.name} has ended with status {self._child.returncode}: {self.read_log_end()}")
        return True


@contextmanager
def on_cores(cores: Sequence[int]) -> Iterator[None]:
    """Let this process have `cores` for as long as the context lasts: children keep what they are born with."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cores))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def listens(port: int) -> bool:
    """Whether anybody takes connections on `port` of the loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def pick_port() -> int:
    """Return a port that nobody listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def _read_children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # it has ended
        return []


def _expect(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("this process was not started with talks=True")
    return stream
