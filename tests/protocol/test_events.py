import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from support.json_values import JSON
from tailrace_protocol.control import CONTROL_TYPE
from tailrace_protocol.errors import InvalidEventType, MalformedStream
from tailrace_protocol.events import (
    TERMINAL_TYPES,
    Event,
    EventType,
    StoredEvent,
    check_type,
    decode_line,
    decode_stored,
    encode_line,
    encode_stored,
)
from tailrace_protocol.sse import SseDecoder, encode_sse

STORED_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


class TestCheckType:
    @pytest.mark.parametrize("name", ["a", "progress", "a.b-c_d9", "x" * 64, "tailrace2", "complete"])
    def test_takes(self, name: str) -> None:
        assert check_type(name) is name
        assert msgspec.convert(name, EventType) == name

    @pytest.mark.parametrize(
        "name",
        ["", "A", "9a", ".a", "-a", "_a", "a b", "a\n", "\na", "a\r", "x" * 65, "é", "a\u0660", "a\0", "a\nid: 9"],
    )
    def test_refuses(self, name: str) -> None:
        with pytest.raises(InvalidEventType, match="not an event type"):
            check_type(name)
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(name, EventType)

    def test_refuses_the_reserved_one(self) -> None:
        with pytest.raises(InvalidEventType, match="reserved"):
            check_type(CONTROL_TYPE)

    def test_shortens_what_it_shows(self) -> None:
        with pytest.raises(InvalidEventType) as caught:
            check_type("A" * 1_000_000)
        assert len(str(caught.value)) < 300


def test_three_types_end_a_job() -> None:
    assert {"complete", "failed", "cancelled"} == TERMINAL_TYPES
    for name in (*TERMINAL_TYPES, "progress"):
        assert Event("1", "t", name, STORED_AT).terminal is (name in TERMINAL_TYPES)


class TestEncodeLine:
    def test_puts_the_topic_first_and_the_id_before_it(self) -> None:
        event = StoredEvent("x", STORED_AT, msgspec.Raw(b"[1.10]"))
        rest = b'"topic":"a.b","type":"x","time":"2026-01-31T12:00:00Z","data":[1.10]}'

        assert encode_line("a.b", event) == b"{" + rest
        assert encode_line("a.b", event, "5f2c91ab-7") == b'{"id":"5f2c91ab-7",' + rest

    def test_escapes_the_topic(self) -> None:
        event = StoredEvent("x", STORED_AT, msgspec.Raw(b"null"))

        assert json.loads(encode_line('a","data":"\\', event))["topic"] == 'a","data":"\\'


class TestDecodeLine:
    @given(JSON)
    def test_the_whole_way_of_an_event(self, data: Any) -> None:
        event = decode_stored(encode_stored("complete", data, STORED_AT), 0)
        frame = encode_sse(event.type, encode_line("jobs.1", event), "5f2c91ab-7")
        [received] = SseDecoder().feed(frame)

        assert decode_line(received.data, received.last_event_id) == Event(
            "5f2c91ab-7", "jobs.1", "complete", STORED_AT, json.loads(encode_stored("x", data))["data"]
        )

    def test_takes_the_lines_own_id(self) -> None:
        line = encode_line("t", StoredEvent("x", STORED_AT, msgspec.Raw(b"1")), "5f2c91ab-7")

        assert decode_line(line) == Event("5f2c91ab-7", "t", "x", STORED_AT, 1)
        assert decode_line(line.decode()).id == "5f2c91ab-7"

    def test_ignores_fields_that_a_newer_edge_may_add(self) -> None:
        line = '{"topic":"t","type":"x","time":"2026-01-31T12:00:00Z","data":1,"new":2}'

        assert decode_line(line, "7") == Event("7", "t", "x", STORED_AT, 1)

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b"1e400", float("inf")),
            (b'[-1e400,"\xc3\xa9"]', [float("-inf"), "é"]),
            (b"9" * 5000, float("inf")),
            (b"123456789012345678901234567890", 123456789012345678901234567890),
            (b"[" * 32_000 + b"]" * 32_000, "[" * 32_000 + "]" * 32_000),
        ],
        ids=["float", "floats", "integer", "big integer", "nesting"],
    )
    def test_data_that_is_too_much_for_python_stops_no_stream(self, data: bytes, expected: Any) -> None:
        line = encode_line('a","data":"b', StoredEvent("x", STORED_AT, msgspec.Raw(data)))

        assert decode_line(line, "7") == Event("7", 'a","data":"b', "x", STORED_AT, expected)

    @pytest.mark.parametrize(
        "line",
        [
            *(
                b"",
                b"[]",
                b'{"topic":"t"}',
                b'{"topic":1,"data":1e400}',
                b"\xff",
                b'{"topic":"t","data":tru}',
                b"[" * 5000,
            ),
            encode_line("t", StoredEvent("x", STORED_AT, msgspec.Raw(b"1")))[:-1] + b"x}",
        ],
    )
    def test_refuses_what_is_no_event(self, line: bytes) -> None:
        with pytest.raises(MalformedStream, match="not an event"):
            decode_line(line)
