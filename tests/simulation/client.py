"""Clients: each reads its stream as bytes, resumes like EventSource does, and holds what it gets against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from tailrace_edge.engine.entry import Format
from tailrace_edge.engine.hub import Interest
from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import (
    CONTROL_TYPE,
    Closing,
    Control,
    Cursor,
    Gap,
    Lag,
    Mode,
    Open,
    Reset,
    ResetReason,
)
from tailrace_protocol.events import DELETED
from tailrace_protocol.patterns import match_pattern
from tailrace_protocol.positions import Position, parse_position
from tailrace_protocol.sse import SseDecoder
from tailrace_protocol.starts import Start

from simulation.stream import Message, Removal, Stream

if TYPE_CHECKING:
    from simulation.edge import Connection

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"

_control_decoder: msgspec.json.Decoder[Control] = msgspec.json.Decoder(Control)


class Violation(AssertionError):
    """The promise was broken."""


def check(truth: object, what: str) -> None:
    """Raise Violation unless `truth` holds."""
    if not truth:
        raise Violation(what)


class _ControlLine(msgspec.Struct):
    data: Control


class _AnyLine(msgspec.Struct):
    type: str
    id: str = ""


class Item(msgspec.Struct):
    """One event of a stream as the client parsed it; `id` is empty where it brought none."""

    type: str
    text: str
    id: str
    control: Control | None


class Parser:
    """Turns the bytes of one connection into items."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._head = len(HEAD)
        self._sse = SseDecoder()
        self._rest = b""

    def feed(self, chunk: bytes) -> list[Item]:
        skipped = min(self._head, len(chunk))
        self._head -= skipped
        return (self._feed_sse if self._form is Format.SSE else self._feed_ndjson)(chunk[skipped:])

    def _feed_sse(self, chunk: bytes) -> list[Item]:
        items = []
        for event in self._sse.feed(chunk):
            control = _control_decoder.decode(event.data) if event.event == CONTROL_TYPE else None
            items.append(Item(event.event, event.data, event.last_event_id, control))
        return items

    def _feed_ndjson(self, chunk: bytes) -> list[Item]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        items = []
        for line in filter(None, lines):
            head = msgspec.json.decode(line, type=_AnyLine)
            control = msgspec.json.decode(line, type=_ControlLine).data if head.type == CONTROL_TYPE else None
            items.append(Item(head.type, line.decode(), head.id, control))
        return items


class Client:
    """One watcher over all its connections."""

    def __init__(self, name: str, interest: Interest, start: Start | Position, streams: dict[str, Stream]) -> None:
        self.name = name
        self.interest = interest
        self.start = start
        self.connection: Connection | None = None
        self.finished = False
        self.events = 0
        self.gaps = 0
        self.resets = 0

        # What it knows of its position
        self.id = str(start) if isinstance(start, Position) else ""
        self.position: Position | None = None
        self._streams = streams
        self._matches: dict[str, bool] = {}

        # Of the connection
        self._parser = Parser(interest.form)
        self._opened = False
        self._closed = False
        self._awaits: type[Gap | Reset] | None = None
        self._snapshot_end: int | None = None
        self._snapshot: dict[str, int] = {}
        self._sent_at: dict[str, float] = {}

        # With max_rate
        self._conflated: dict[tuple[str, str], int] = {}

    def begin(self, connection: Connection) -> None:
        """Connect, asking for what follows `id`, else for `start`."""
        self.connection = connection
        self._parser = Parser(self.interest.form)
        self._opened = self._closed = False
        self._awaits = None
        self._snapshot_end = None
        self._snapshot = {}
        self._sent_at = {}
        self.position = parse_position(self.id) if self.id else None

    def end(self) -> None:
        """Find that the connection is lost or closed."""
        self.connection = None

    def read(self, chunk: bytes, served_at: float | None) -> None:
        """Take bytes from the connection.

        Args:
            chunk: the bytes.
            served_at: when an engine served them, if `max_rate` held then.
        """
        for item in self._parser.feed(chunk):
            check(not self._closed, f"{item} after closing")
            check(self._opened or isinstance(item.control, Open), f"{item} before open")
            if item.control is None:
                self._take_event(item, served_at)
            else:
                self._take_control(item, item.control)
            if item.id:
                self.id = item.id

    def wants(self, message: Message) -> bool:
        """Return whether a message is one it asked for."""
        types = self.interest.types
        return self.matches(message.path) and (types is None or message.event.type in types)

    def matches(self, path: str) -> bool:
        found = self._matches.get(path)
        if found is None:
            found = self._matches[path] = any(match_pattern(pattern, path) for pattern in self.interest.patterns)
        return found

    def check_end(self, last: int) -> None:
        """Check that it has everything up to `last`, all being quiet."""
        check(self.position is not None, "never opened")
        self._pass_snapshot()
        assert self.position is not None
        self._check_passed(self.position, last)
        stream = self._streams[self.position.epoch]
        newest = {m.path: m.sequence for m in stream.messages if self.wants(m)}
        for (epoch, path), sequence in self._conflated.items():
            if epoch == stream.epoch:
                check(newest[path] > sequence, f"{sequence} was left out, and is the newest of {path}")

    # Events

    def _take_event(self, item: Item, served_at: float | None) -> None:
        check(self._awaits is None, f"{item} instead of what open announced")
        here = parse_position(item.id)
        stream = self._streams[here.epoch]
        check(here.sequence <= stream.last, f"{here} does not exist")
        message = stream.messages[here.sequence - 1]
        check(self.wants(message), f"{here} was not asked for")
        expected = message.line(None if self.interest.form is Format.SSE else item.id)
        check(item.text == expected and item.type == message.event.type, f"{item} is not {expected}")
        self.events += 1
        if self._snapshot_end is not None and here.sequence <= self._snapshot_end:
            self._take_snapshot(here, message)
            return
        self._pass_snapshot()
        self._move(here.sequence - 1, here)
        self.position = here
        self._conflated.pop((here.epoch, message.path), None)
        if served_at is not None and not message.terminal:
            self._check_rate(message.path, served_at)

    def _check_rate(self, path: str, served_at: float) -> None:
        assert self.interest.max_rate is not None
        before = self._sent_at.get(path)
        check(
            before is None or served_at - before > 0.999 / self.interest.max_rate,
            f"{path} at {before} and again at {served_at}",
        )
        self._sent_at[path] = served_at

    def _take_snapshot(self, here: Position, message: Message) -> None:
        assert self.position is not None
        check(here.epoch == self.position.epoch, f"{here} in a snapshot of {self.position}")
        check(here.sequence > max(self._snapshot.values(), default=0), f"{here} out of order")
        check(message.path not in self._snapshot, f"{here}: twice the topic in a snapshot")
        self._snapshot[message.path] = here.sequence

    def _pass_snapshot(self) -> None:
        """Check that the snapshot was whole."""
        if self._snapshot_end is None or self.position is None:
            return
        newest: dict[str, Message] = {}
        for message in self._streams[self.position.epoch].messages[: self._snapshot_end]:
            if self.matches(message.path):
                newest[message.path] = message
        for path, message in newest.items():
            if message.removed is None and self.wants(message) and message.event.type != DELETED:
                check(self._snapshot.get(path) == message.sequence, f"{message.sequence} missing in the snapshot")
        self.position = Position(self.position.epoch, self._snapshot_end)
        self._snapshot_end = None

    def _move(self, to: int, at: Position | None = None) -> None:
        """Check that nothing is missing up to `to`, which lies at `at`, or in the stream that is watched."""
        here = self.position
        assert here is not None
        check(at is None or at.epoch == here.epoch, f"{at} follows {here}")
        check(at is None or at.sequence > here.sequence, f"{at} comes after {here}")
        self._check_passed(here, to)
        self.position = Position(here.epoch, max(to, here.sequence))

    def _check_passed(self, here: Position, to: int) -> None:
        for message in self._streams[here.epoch].messages[here.sequence : to]:
            if not self.wants(message) or message.removed is Removal.DELETED:
                continue
            conflated = self.interest.max_rate is not None and not message.terminal
            check(conflated, f"{here.epoch}-{message.sequence} is missing between {here.sequence} and {to}")
            self._conflated[here.epoch, message.path] = message.sequence

    # Control events

    def _take_control(self, item: Item, control: Control) -> None:
        expected = (
            isinstance(control, Open | Reset) or self._awaits is None or isinstance(control, self._awaits | Closing)
        )
        check(expected, f"{control} instead of what open announced")
        match control:
            case Open():
                self._open(control, item.id)
            case Reset():
                self._reset(control)
            case Gap():
                self._gap(control, item.id)
            case Cursor():
                check(control.cursor == item.id, f"{item}")
                self._advance(item.id)
            case Lag():
                self._advance(item.id)
            case Closing():
                self._closed = True
                self.finished = control.reason is CloseReason.FINISHED
            case _:
                raise Violation(f"unknown control event {item}")

    def _open(self, control: Open, event_id: str) -> None:
        check(not self._opened, "opened twice")
        self._opened = True
        here = parse_position(control.cursor)
        check(event_id in ("", control.cursor), f"{control} with the id {event_id}")
        if self.position is None:
            check(control.mode is Mode.LIVE, f"{control} though no id was given")
            self.position = here
            if self.start is Start.LAST:
                self._snapshot_end = here.sequence
        elif control.mode is Mode.RESET:
            check(here.epoch != self.position.epoch, f"{control} for {self.position}")
            self.position = here
            self._awaits = Reset
        else:
            check(here == self.position, f"{control} for {self.position}")
            self._awaits = Gap if control.mode is Mode.GAP else None

    def _reset(self, control: Reset) -> None:
        here = parse_position(control.cursor)
        assert self.position is not None
        if control.why is ResetReason.AHEAD:
            check(self.start == self.position, f"{control} for an id that an edge sent")
        elif self._awaits is not Reset:
            check(here.epoch != self.position.epoch, f"{control} though {self.position} is of this stream")
        self._awaits = None
        self._snapshot_end = None
        self.position = here
        self.resets += 1

    def _gap(self, control: Gap, event_id: str) -> None:
        self._awaits = None
        self._pass_snapshot()
        start, end = parse_position(control.from_), parse_position(control.to)
        check(control.to == event_id, f"{control} with the id {event_id}")
        check(start.sequence <= end.sequence, f"{control} is empty")
        stored = self._streams[end.epoch].stored(start.sequence - 1, end.sequence)
        check(not stored, f"{control} hides what is stored")
        self._move(start.sequence - 1, end)
        self.position = end
        self.gaps += 1

    def _advance(self, event_id: str) -> None:
        here = parse_position(event_id)
        self._pass_snapshot()
        assert self.position is not None
        check(here.epoch == self.position.epoch, f"{here} follows {self.position}")
        check(here.sequence >= self.position.sequence, f"{here} follows {self.position}")
        self._move(here.sequence)
