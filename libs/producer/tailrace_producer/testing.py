"""For the unit tests of those who publish: a recorder in the broker's place.

with capture() as events:
    import_orders()
assert events.job("import-42").status == "complete"
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC
from functools import partial
from typing import Any

import msgspec
from tailrace_protocol.commands import Command, CommandKind, format_command_subject
from tailrace_protocol.events import Event, decode_stored
from tailrace_protocol.jobs import JobState, format_job_topic
from tailrace_protocol.positions import Position
from tailrace_protocol.stream import DUPLICATE_WINDOW
from tailrace_protocol.texts import TextState
from tailrace_protocol.topics import SUBJECT_PREFIX

from tailrace_producer import publisher, sync
from tailrace_producer.commands import Commands
from tailrace_producer.connection import Ack, Log
from tailrace_producer.environment import find_tenant
from tailrace_producer.pending import Message, parse_line

FLUSH_TIMEOUT = 10.0
"""Seconds that reading waits for what `SyncProducer`s have not published yet."""

_EPOCH = "7e577e57"


class CapturedEvent(Event, frozen=True, kw_only=True):
    """An event, and whose it is.

    Attributes:
        tenant: of the producer.
    """

    tenant: str


class Captured(Sequence[CapturedEvent]):
    """What was published, in order. Everything in here is as readers would get it.

    Reading waits for `SyncProducer`s to publish what they were given. A `Producer` has to be flushed, or left, before.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[CapturedEvent] = []
        self._sequence = 0
        self._keys: dict[bytes, int] = {}
        self._connections: list[_Connection] = []

    def __len__(self) -> int:
        return len(self._read())

    def __getitem__(self, index: Any) -> Any:
        return self._read()[index]

    def __repr__(self) -> str:
        return f"Captured({[(event.topic, event.type) for event in self._events]})"

    def topic(self, topic: str, *, type: str | None = None, tenant: str | None = None) -> list[CapturedEvent]:
        """Return the events of a topic, of all types and tenants unless they are named."""
        return [
            event
            for event in self._read()
            if event.topic == topic and type in {None, event.type} and tenant in {None, event.tenant}
        ]

    def job(self, id: str, *, user: str | None = None, tenant: str | None = None) -> JobState:
        """Return the newest state of a job.

        Raises:
            LookupError: nothing of it was published.
        """
        topic = format_job_topic(id, user)
        events = self.topic(topic, tenant=tenant)
        if not events:
            raise LookupError(f"nothing was published on {topic}, only on {sorted({e.topic for e in self._events})}")
        return msgspec.convert(events[-1].data, JobState)

    def text(self, topic: str, *, tenant: str | None = None) -> TextState:
        """Return what a reader has of a token stream.

        Raises:
            LookupError: nothing of it was published.
        """
        events = self.topic(topic, tenant=tenant)
        if not events:
            raise LookupError(f"nothing was published on {topic}, only on {sorted({e.topic for e in self._events})}")
        state = TextState()
        for event in events:
            state.take(event.type, event.data)
        return state

    def cancel(self, id: str, *, user: str | None = None, tenant: str | None = None) -> None:
        """Ask a running job to cancel, as a client does; the job learns of it a moment later.

        Raises:
            LookupError: no such job runs.
        """
        subject = format_command_subject(find_tenant(tenant), format_job_topic(id, user))
        self._read()
        if not sum(connection.cancel(subject) for connection in self._connections):
            raise LookupError(f"no job runs that listens on {subject}")

    def clear(self) -> None:
        """Forget what was published so far."""
        self._read()
        with self._lock:
            self._events.clear()

    def _read(self) -> list[CapturedEvent]:
        for producer in list(sync._started):  # noqa: SLF001  # the same package
            producer.flush(FLUSH_TIMEOUT)
        return list(self._events)

    # Called by the connections, from the threads of their event loops.

    def _open(self, connection: "_Connection") -> None:
        self._connections.append(connection)

    def _take(self, number: int, message: Message) -> Ack:
        with self._lock:
            known = self._keys.get(message.headers)
            if known is not None:
                return Ack(number, known, duplicate=True)
            self._sequence += 1
            self._keys[message.headers] = self._sequence
            tenant, _, topic = message.subject.decode().removeprefix(SUBJECT_PREFIX).partition(".")
            stored = decode_stored(message.payload, 0)
            self._events.append(
                CapturedEvent(
                    str(Position(_EPOCH, self._sequence)),
                    topic,
                    stored.type,
                    stored.time.astimezone(UTC),
                    msgspec.json.decode(stored.data),
                    tenant=tenant,
                )
            )
            return Ack(number, self._sequence, duplicate=False)

    def _close(self) -> None:
        for connection in self._connections:
            connection.close()


class _Connection:
    """In the place of `tailrace_producer.connection.Connection`."""

    trouble = ""

    def __init__(self, captured: Captured, on_acks: Callable[[Sequence[Ack]], None], commands: Commands) -> None:
        self._captured = captured
        self._on_acks = on_acks
        self._commands = commands
        self._loop = asyncio.get_running_loop()
        self._subscriptions: dict[str, int] = {}
        self._closed = False
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.discovered: list[str] = []

    def write(self, lines: list[bytes]) -> None:
        acks: list[Ack] = []
        for line in () if self._closed else lines:
            if line.startswith(b"HPUB"):
                number = int(line.split(b" ", 3)[2].rpartition(b".")[2])
                acks.append(self._captured._take(number, parse_line(line)))  # noqa: SLF001  # this module's own
        if acks:
            self._loop.call_soon(self._on_acks, acks)

    def listen(self, lines: bytes) -> None:
        """Take what `Commands` sends."""
        for line in lines.split(b"\r\n"):
            words = line.decode().split(" ")
            if words[0] == "SUB":
                self._subscriptions[words[1]] = int(words[2])
            elif words[0] == "UNSUB":
                self._subscriptions = {s: n for s, n in self._subscriptions.items() if n != int(words[1])}

    def cancel(self, subject: str) -> bool:
        number = self._subscriptions.get(subject)
        if number is None or self._closed:
            return False
        command = msgspec.json.encode(Command(CommandKind.CANCEL))
        self._loop.call_soon_threadsafe(self._commands.take, number, b"", command)
        return True

    async def read_log(self, timeout: float) -> Log:  # as the real one
        return Log(_EPOCH, DUPLICATE_WINDOW)

    def fileno(self) -> None:
        return None

    def close(self) -> None:
        """Take nothing more, from now on; what comes is published on the next connection."""
        self._closed = True
        with contextlib.suppress(RuntimeError):  # its loop is closed
            self._loop.call_soon_threadsafe(self._lose)

    def _lose(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)


@contextmanager
def capture() -> Iterator[Captured]:
    """Let producers publish into memory, without a broker, for as long as the context lasts.

    Jobs, token streams and all else work as they do with a broker. It holds for all producers of the process but those
    that are connected to a broker already: for `Producer`s and `SyncProducer`s that are made in the context, and for
    those made before, in modules of the program, that were not used yet.
    """
    captured = Captured()
    before = vars(publisher)["connect"]
    vars(publisher)["connect"] = partial(_connect, captured)
    try:
        yield captured
        captured._read()  # noqa: SLF001  # this module's own
    finally:
        vars(publisher)["connect"] = before
        captured._close()  # noqa: SLF001  # this module's own


@asynccontextmanager
async def _connect(
    captured: Captured,
    _servers: Sequence[str],
    _settings: Any,
    _inbox: str,
    on_acks: Callable[[Sequence[Ack]], None],
    _on_refusal: Any,
    commands: Commands,
) -> AsyncIterator[_Connection]:
    connection = _Connection(captured, on_acks, commands)
    captured._open(connection)  # noqa: SLF001  # this module's own
    commands.attach(connection.listen)
    try:
        yield connection
    finally:
        commands.detach()
