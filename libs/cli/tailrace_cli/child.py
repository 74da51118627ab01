"""Children: processes that are started again when they die, and that never outlive their parent."""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

Tell = Callable[[str], None]
"""Takes a line about what happened, for people."""

FIRST_DELAY = 1.0
"""Seconds until a process that died is started again; doubles each time."""

MAX_DELAY = 30.0
STEADY = 30.0
"""Seconds after which a process counts as running well, and the delay begins anew."""

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Child:
    """A process that is kept running. What it prints goes to a file.

    Attributes:
        name: for people.
        log: the file.
        ends: how many times it ended without being asked to.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        tell: Tell,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Describe the process that `start` starts.

        Args:
            name: for people.
            command: program and arguments.
            log: the file to append to.
            tell: hears of its end and its restarts.
            env: its environment; this process's where None.
            pass_fds: file descriptors that it inherits.
        """
        # Settings
        self.name = name
        self.log = log
        self._command = command
        self._tell = tell
        self._env = env
        self._pass_fds = pass_fds

        # What runs
        self.ends = 0
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    def start(self) -> None:
        """Begin to keep it running; called in the main thread's event loop."""
        self._keeping = asyncio.create_task(self._keep(), name=self.name)

    def kill(self) -> None:
        """End the process as a crash does; it is started again, unless it is being stopped."""
        self._signal(signal.SIGKILL)

    async def stop(self, grace: float) -> None:
        """Ask the process to end, and wait for that; after `grace` seconds it is killed."""
        if self._keeping is None:
            return
        self._stopping = True
        if self.pid is None:
            self._keeping.cancel()
        self._signal(signal.SIGTERM)
        done, _ = await asyncio.wait([self._keeping], timeout=grace)
        if not done:
            self._tell(f"{self.name} did not stop within {grace:g} s and is killed")
            self.kill()
        await asyncio.gather(self._keeping, return_exceptions=True)

    async def _keep(self) -> None:
        delay = FIRST_DELAY
        while True:
            began = time.monotonic()
            status = await self._run()
            if self._stopping:
                return
            self.ends += 1
            if time.monotonic() - began > STEADY:
                delay = FIRST_DELAY
            self._tell(f"{self.name} {describe_end(status)}; it is started again in {delay:g} s")
            await asyncio.sleep(delay)
            delay = min(delay * 2, MAX_DELAY)

    async def _run(self) -> int:
        self._process = await spawn(self._command, log=self.log, env=self._env, pass_fds=self._pass_fds)
        if self.ends:
            self._tell(f"{self.name} runs again, pid {self._process.pid}")
        return await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):  # it ended just now
                self._process.send_signal(number)


async def spawn(
    command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, pass_fds: Sequence[int] = ()
) -> asyncio.subprocess.Process:
    """Start a process once; see `Child`."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=env,
            pass_fds=pass_fds,
            # A Ctrl-C is for the parent alone, which stops its children in their order.
            start_new_session=True,
            preexec_fn=partial(_die_with_parent, os.getpid()),
        )


def read_last_line(log: Path) -> str:
    """Return the last thing that was printed to a log."""
    with log.open("rb") as output:
        output.seek(max(0, log.stat().st_size - 8192))
        lines = output.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it printed nothing"


def describe_end(status: int) -> str:
    """Return how a process ended, in words, from its status as `subprocess` gives it."""
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _die_with_parent(parent: int) -> None:
    """Have the kernel kill this process, just forked, when its parent dies, however that happens (prctl(2))."""
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
