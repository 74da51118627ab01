from datetime import UTC, datetime

import pytest
from edge.engine.samples import EPOCH, make_entry
from tailrace_edge.engine.entry import HEARTBEATS, Entry, Format, encode_control
from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import Closing, Control, Cursor, Gap, GapReason, Lag, Mode, Open, Reset, ResetReason
from tailrace_protocol.positions import Position

HERE = Position(EPOCH, 1842)


@pytest.mark.parametrize(
    ("form", "frame"),
    [
        (
            Format.SSE,
            (
                b"id: 5f2c91ab-1842\nevent: progress\n"
                b'data: {"topic":"jobs.7f3a","type":"progress","time":"2026-01-31T12:00:00Z","data":1842}\n\n'
            ),
        ),
        (
            Format.NDJSON,
            b'{"id":"5f2c91ab-1842","topic":"jobs.7f3a","type":"progress","time":"2026-01-31T12:00:00Z","data":1842}\n',
        ),
    ],
)
def test_event_on_the_wire(form: Format, frame: bytes) -> None:
    entry = make_entry(1842, "acme.jobs.7f3a", "progress")

    assert entry.frame(form) == frame
    assert entry.frame(form) is entry.frame(form)


def test_foreign_payload_becomes_a_message_of_the_time_it_was_stored() -> None:
    entry = Entry(EPOCH, 7, "acme.x", b"line\r\nline", 1_769_860_800_000_000_000)

    assert entry.frame(Format.SSE) == (
        b"id: 5f2c91ab-7\nevent: message\n"
        b'data: {"topic":"x","type":"message","time":"2026-01-31T12:00:00Z","data":"line\\r\\nline"}\n\n'
    )


@pytest.mark.parametrize(
    ("control", "position", "retry", "sse", "ndjson"),
    [
        (
            Open(Mode.RESUMED, str(HERE), 15.0, "edge-a"),
            HERE,
            1000,
            (
                b"retry: 1000\nid: 5f2c91ab-1842\nevent: tailrace\n"
                b'data: {"kind":"open","mode":"resumed","cursor":"5f2c91ab-1842","heartbeat":15.0,"edge":"edge-a"}\n\n'
            ),
            (
                b'{"id":"5f2c91ab-1842","type":"tailrace","data":'
                b'{"kind":"open","mode":"resumed","cursor":"5f2c91ab-1842","heartbeat":15.0,"edge":"edge-a"}}\n'
            ),
        ),
        (
            Gap("5f2c91ab-3", str(HERE), GapReason.RETENTION),
            HERE,
            None,
            (
                b"id: 5f2c91ab-1842\nevent: tailrace\n"
                b'data: {"kind":"gap","from":"5f2c91ab-3","to":"5f2c91ab-1842","why":"retention"}\n\n'
            ),
            (
                b'{"id":"5f2c91ab-1842","type":"tailrace","data":'
                b'{"kind":"gap","from":"5f2c91ab-3","to":"5f2c91ab-1842","why":"retention"}}\n'
            ),
        ),
        (
            Reset(ResetReason.AHEAD, str(HERE)),
            None,
            None,
            b'event: tailrace\ndata: {"kind":"reset","why":"ahead","cursor":"5f2c91ab-1842"}\n\n',
            b'{"type":"tailrace","data":{"kind":"reset","why":"ahead","cursor":"5f2c91ab-1842"}}\n',
        ),
        (
            Cursor(str(HERE)),
            HERE,
            None,
            b'id: 5f2c91ab-1842\nevent: tailrace\ndata: {"kind":"cursor","cursor":"5f2c91ab-1842"}\n\n',
            b'{"id":"5f2c91ab-1842","type":"tailrace","data":{"kind":"cursor","cursor":"5f2c91ab-1842"}}\n',
        ),
        (
            Lag(2.5, 12),
            None,
            None,
            b'event: tailrace\ndata: {"kind":"lag","seconds":2.5,"conflated":12}\n\n',
            b'{"type":"tailrace","data":{"kind":"lag","seconds":2.5,"conflated":12}}\n',
        ),
        (
            Closing(CloseReason.DRAIN, 1500),
            None,
            1500,
            b'retry: 1500\nevent: tailrace\ndata: {"kind":"closing","reason":"drain","retry":1500}\n\n',
            b'{"type":"tailrace","data":{"kind":"closing","reason":"drain","retry":1500}}\n',
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Control) else None,
)
def test_control_events_on_the_wire(
    control: Control, position: Position | None, retry: int | None, sse: bytes, ndjson: bytes
) -> None:
    assert encode_control(control, Format.SSE, position, retry) == sse
    assert encode_control(control, Format.NDJSON, position, retry) == ndjson


def test_heartbeats_on_the_wire() -> None:
    assert HEARTBEATS[Format.SSE] == b": hb\n"
    assert HEARTBEATS[Format.NDJSON] == b"\n"


def test_entry_tells_what_it_is() -> None:
    entry = make_entry(7, "acme.users.42.jobs.a", "complete")
    event = entry.to_event()

    assert (event.id, event.topic, event.type) == ("5f2c91ab-7", "users.42.jobs.a", "complete")
    assert bytes(event.data) == b"7"
    assert event.time == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event_type", "terminal", "tombstone"),
    [
        ("complete", True, False),
        ("failed", True, False),
        ("cancelled", True, False),
        ("deleted", False, True),
        ("progress", False, False),
    ],
)
def test_entry_tells_whether_it_ends_something(event_type: str, terminal: bool, tombstone: bool) -> None:
    entry = make_entry(1, event_type=event_type)

    assert (entry.terminal, entry.tombstone) == (terminal, tombstone)


def test_size_counts_payload_and_frame() -> None:
    small, large = make_entry(1), make_entry(1, pad=10_000)

    assert large.size - small.size == 2 * (len(large.payload) - len(small.payload))
    assert small.size > len(small.payload) + len(small.frame(Format.SSE))
