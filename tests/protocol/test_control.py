import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import (
    Challenge,
    Closing,
    Control,
    Cursor,
    Gap,
    GapReason,
    Lag,
    Mode,
    Open,
    Reset,
    ResetReason,
)

WRITTEN: list[tuple[Control, dict[str, Any]]] = [
    (
        Open(Mode.RESUMED, "5f2c91ab-7", 15.0, "edge-a"),
        {"kind": "open", "mode": "resumed", "cursor": "5f2c91ab-7", "heartbeat": 15.0, "edge": "edge-a"},
    ),
    (
        Gap("5f2c91ab-8", "5f2c91ab-90", GapReason.RETENTION),
        {"kind": "gap", "from": "5f2c91ab-8", "to": "5f2c91ab-90", "why": "retention"},
    ),
    (Reset(ResetReason.EPOCH, "5f2c91ab-7"), {"kind": "reset", "why": "epoch", "cursor": "5f2c91ab-7"}),
    (Reset(ResetReason.AHEAD, "5f2c91ab-7"), {"kind": "reset", "why": "ahead", "cursor": "5f2c91ab-7"}),
    (Cursor("5f2c91ab-7"), {"kind": "cursor", "cursor": "5f2c91ab-7"}),
    (Lag(2.5), {"kind": "lag", "seconds": 2.5}),
    (Lag(2.5, 17), {"kind": "lag", "seconds": 2.5, "conflated": 17}),
    (Closing(CloseReason.DRAIN, 1500), {"kind": "closing", "reason": "drain", "retry": 1500}),
    (Closing(CloseReason.FINISHED), {"kind": "closing", "reason": "finished"}),
    (Challenge(datetime(2026, 1, 31, tzinfo=UTC)), {"kind": "challenge", "expires": "2026-01-31T00:00:00Z"}),
]


@pytest.mark.parametrize(("control", "data"), WRITTEN, ids=lambda value: type(value).__name__)
def test_every_kind_is_written_and_read(control: Control, data: dict[str, Any]) -> None:
    line = msgspec.json.encode(control)

    assert json.loads(line) == data
    assert msgspec.json.decode(line, type=Control) == control


def test_every_kind_of_the_design_is_there() -> None:
    kinds = {data["kind"] for _, data in WRITTEN}

    assert kinds == {"open", "gap", "reset", "cursor", "lag", "closing", "challenge"}
    assert {type(control) for control, _ in WRITTEN} == set(Control.__args__)


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind":"other"}',
        b'{"cursor":"5f2c91ab-7"}',
        b'{"kind":"open","mode":"asleep","cursor":"x","heartbeat":1,"edge":"a"}',
        b'{"kind":"open","mode":"live","cursor":"x","heartbeat":-1,"edge":"a"}',
        b'{"kind":"closing","reason":"drain","retry":-1}',
        b'{"kind":"lag","seconds":-1}',
    ],
)
def test_refuses(line: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(line, type=Control)


def test_fields_that_a_newer_edge_may_add_are_ignored() -> None:
    line = b'{"kind":"cursor","cursor":"5f2c91ab-7","new":1}'

    assert msgspec.json.decode(line, type=Control) == Cursor("5f2c91ab-7")
