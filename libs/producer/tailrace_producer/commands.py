"""What edges ask of the jobs that run here: one subscription for each of them, on whichever connection there is."""

import asyncio
import threading
from collections.abc import Callable
from typing import Protocol

import msgspec
from tailrace_protocol.commands import Command, CommandAnswer, format_command_subject

from tailrace_producer.log import Logger

FIRST_SUBSCRIPTION = 1_000_000
"""Number of the first subscription; nats-py counts its own from 1."""

_log = Logger()
_decoder = msgspec.json.Decoder(Command)
_TAKEN = msgspec.json.encode(CommandAnswer(taken=True))
_NOT_TAKEN = msgspec.json.encode(CommandAnswer(taken=False))


class Commanded(Protocol):
    """What is known here of a job."""

    def ask_to_cancel(self) -> bool:
        """Take the wish to cancel, in the event loop's thread; False if there is nothing to cancel any more."""


class Commands:
    """Listens for the commands to the jobs that run. `add` and `remove` may be called from any thread."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._jobs: dict[int, list[Commanded]] = {}
        self._next = FIRST_SUBSCRIPTION
        self._lines: list[bytes] = []
        self._awake = False

        # Only touched by the event loop
        self._write: Callable[[bytes], None] | None = None
        self._warned = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Work in the thread of `loop`; before anything else."""
        self._loop = loop

    def add(self, topic: str, job: Commanded) -> None:
        """Listen for commands to `job`."""
        with self._lock:
            number = self._numbers.get(topic)
            if number is not None:
                self._jobs[number].append(job)
                return
            number = self._numbers[topic] = self._next
            self._next += 1
            self._jobs[number] = [job]
            self._lines.append(self._format_listen(topic, number))
        self._send_soon()

    def remove(self, topic: str, job: Commanded) -> None:
        """Listen no more."""
        with self._lock:
            number = self._numbers.get(topic)
            if number is None or job not in self._jobs[number]:
                return
            self._jobs[number].remove(job)
            if self._jobs[number]:
                return
            del self._numbers[topic], self._jobs[number]
            self._lines.append(b"UNSUB %d\r\n" % number)
        self._send_soon()

    # Called by the connection, in the event loop's thread.

    def attach(self, write: Callable[[bytes], None]) -> None:
        """Listen on a new connection, which sends what is given to `write`."""
        self._write = write
        with self._lock:
            self._lines.clear()
            lines = [self._format_listen(topic, number) for topic, number in self._numbers.items()]
        if lines:
            write(b"".join(lines))

    def detach(self) -> None:
        """The connection is gone."""
        self._write = None

    def take(self, number: int, reply: bytes, payload: bytes) -> None:
        """Obey a command that came on the subscription `number`, and answer it."""
        try:
            _decoder.decode(payload)  # of which there is one kind
        except msgspec.MsgspecError:
            _log.warning("command not understood", command=payload[:200])
            return
        with self._lock:
            jobs = list(self._jobs.get(number, ()))
        taken = [job.ask_to_cancel() for job in jobs]
        if reply and self._write is not None:
            answer = _TAKEN if any(taken) else _NOT_TAKEN
            self._write(b"PUB %b %d\r\n%b\r\n" % (reply, len(answer), answer))

    def refuse(self, reason: str) -> None:
        """The broker does not let us listen."""
        self._write = None  # it would complain of each job
        self._warn("jobs cannot be cancelled: the broker refuses their commands", reason)

    def refuse_answer(self, reason: str) -> None:
        """The broker does not let us answer: its user lacks `allow_responses`."""
        self._warn("commands to jobs are obeyed, but the broker refuses the answers", reason)

    def _warn(self, what: str, reason: str) -> None:
        if not self._warned:
            _log.warning(what, reason=reason)
        self._warned = True

    def _send_soon(self) -> None:
        if not self._awake and self._loop is not None:
            self._awake = True
            self._loop.call_soon_threadsafe(self._send)

    def _send(self) -> None:
        self._awake = False
        with self._lock:
            lines, self._lines = self._lines, []
        if lines and self._write is not None:
            self._write(b"".join(lines))

    def _format_listen(self, topic: str, number: int) -> bytes:
        return b"SUB %b %d\r\n" % (format_command_subject(self._tenant, topic).encode(), number)
