import base64
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.json_values import JSON
from tailrace_protocol.errors import EventTooLarge, InvalidData, InvalidEventType
from tailrace_protocol.events import MAX_EVENT_BYTES, check_type, decode_line, decode_stored, encode_line, encode_stored

STORED_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
STORED_AT_NS = int(STORED_AT.timestamp()) * 1_000_000_000
TIME = "2026-01-01T00:00:00Z"

PIECES = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"\n", b"\r", b"\t", b"\0", b"\x01", b"\xef\xbb\xbf"),
    *(b'"type":', b'"time":', b'"data":', b'"topic":', b'"complete"', b'"tailrace"', b'"2026-01-01T00:00:00Z"'),
    *(b"0", b"1", b"-", b".", b"e", b"E+", b"1e400", b"true", b"null", b"NaN", b"Infinity", b"tru"),
    *(
        b"\\u",
        b"d800",
        b"dc00",
        b"\\ud83d\\ude00",
        b"0041",
        b"\xff",
        b"\xc3",
        b"\xc3\xa9",
        b"\xe2\x80\xa8",
        b"\xed\xa0",
    ),
    *(b'{"type":"x","time":"2026-01-01T00:00:00Z","data":', b'"a":1'),
]
PAYLOADS = st.binary() | st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)


def stored(data: bytes, **changes: str) -> bytes:
    fields = {"type": '"x"', "time": f'"{TIME}"'} | changes
    head = ",".join(f'"{name}":{value}' for name, value in fields.items())
    return b'{%b,"data":%b}' % (head.encode(), data)


def parse_exactly(text: bytes | msgspec.Raw) -> Any:
    """JSON as it was written: numbers as their digits, objects as lists of pairs; raises on what JSON has not."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(
        bytes(text).decode(),
        parse_int=lambda digits: ("int", digits),
        parse_float=lambda digits: ("float", digits),
        parse_constant=refuse,
        object_pairs_hook=lambda pairs: ("object", pairs),
    )


def check_message(payload: bytes) -> Any:
    """The data of a payload that is not of the stored shape."""
    event = decode_stored(payload, STORED_AT_NS)

    assert (event.type, event.time) == ("message", STORED_AT)
    return json.loads(bytes(event.data))


class TestEncodeStored:
    def test_writes_one_line_of_json(self) -> None:
        assert encode_stored("progress", {"a": "é\r\n\u2028"}, STORED_AT) == (
            '{"type":"progress","time":"2026-01-31T12:00:00Z","data":{"a":"é\\r\\n\u2028"}}'.encode()
        )

    def test_takes_the_present_time_by_default(self) -> None:
        before = datetime.now(UTC)
        event = decode_stored(encode_stored("x", None), STORED_AT_NS)

        assert before <= event.time <= datetime.now(UTC)

    def test_writes_the_time_in_utc(self) -> None:
        local = STORED_AT.astimezone(timezone(timedelta(hours=5, minutes=30)))

        assert encode_stored("x", 1, local) == encode_stored("x", 1, STORED_AT)

    def test_takes_what_json_can_carry(self) -> None:
        @dataclass
        class Point:
            x: int

        data = [Point(1), uuid.UUID(int=7), STORED_AT, (1, 2), float("nan"), msgspec.Raw(b'{"raw": 1}')]

        assert check_data(encode_stored("x", data)) == [
            *({"x": 1}, "00000000-0000-0000-0000-000000000007", "2026-01-31T12:00:00Z", [1, 2], None, {"raw": 1}),
        ]

    def test_minifies_raw_json_with_line_ends(self) -> None:
        line = encode_stored("x", msgspec.Raw(b'{\r\n  "a": [1.10,\n 2]\n}'), STORED_AT)

        assert line.endswith(b'"data":{"a":[1.10,2]}}')

    @pytest.mark.parametrize(
        "data",
        [object(), {1j: 2}, "\ud800", {"\ud800": 1}, msgspec.Raw(b'"\xff"'), msgspec.Raw(b"[\n1")],
        ids=["object", "key", "lone surrogate", "lone surrogate in a key", "raw bytes", "raw half"],
    )
    def test_refuses_what_json_cannot_carry(self, data: Any) -> None:
        with pytest.raises(InvalidData):
            encode_stored("x", data)

    def test_refuses_data_that_holds_itself(self) -> None:
        data: list[Any] = []
        data.append(data)

        with pytest.raises(InvalidData):
            encode_stored("x", data)

    @pytest.mark.parametrize(
        "time",
        [
            datetime(2026, 1, 1),
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=1))),
        ],
        ids=["naive", "before year 1", "after year 9999"],
    )
    def test_refuses_times_that_are_none_in_utc(self, time: datetime) -> None:
        with pytest.raises(InvalidData):
            encode_stored("x", 1, time)

    def test_refuses_a_bad_type_before_anything_else(self) -> None:
        with pytest.raises(InvalidEventType):
            encode_stored("tailrace", object())

    def test_takes_64_kib_and_not_a_byte_more(self) -> None:
        room = MAX_EVENT_BYTES - len(encode_stored("x", "", STORED_AT))

        assert len(encode_stored("x", "a" * room, STORED_AT)) == 65_536
        with pytest.raises(EventTooLarge, match="65537 bytes, 65536 are allowed") as caught:
            encode_stored("x", "a" * (room + 1), STORED_AT)
        assert (caught.value.size, caught.value.limit) == (65_537, 65_536)


def check_data(payload: bytes) -> Any:
    """The data of a payload of the stored shape."""
    event = decode_stored(payload, STORED_AT_NS)

    assert event.type == "x"
    return json.loads(bytes(event.data))


class TestDecodeStored:
    @given(PAYLOADS)
    def test_any_payload_becomes_one_line_of_json_and_nothing_is_lost(self, payload: bytes) -> None:
        event = decode_stored(payload, STORED_AT_NS)
        line = encode_line("t", event, "5f2c91ab-1")

        assert check_type(event.type)
        assert event.time.tzinfo is UTC
        assert b"\n" not in line
        assert b"\r" not in line
        parse_exactly(line)
        assert decode_line(line).type == event.type
        data = json.loads(bytes(event.data), parse_int=str, parse_float=str)
        if event.type == "message" and isinstance(data, dict) and set(data) == {"base64"}:
            assert base64.b64decode(data["base64"]) == payload
        elif event.type == "message" and data != payload.decode():
            assert parse_exactly(event.data) == parse_exactly(payload)

    @given(JSON, st.sampled_from([None, 0, 2]))
    def test_json_of_foreign_writers_is_the_data(self, value: Any, indent: int | None) -> None:
        payload = json.dumps(value, indent=indent, ensure_ascii=indent == 2).encode()
        event = decode_stored(payload, STORED_AT_NS)

        assert (event.type, event.time) == ("message", STORED_AT)
        assert parse_exactly(event.data) == parse_exactly(payload)

    @given(JSON, st.sampled_from(["\n", "\r", "\r\n"]))
    def test_the_stored_shape_may_be_pretty_printed(self, value: Any, end: str) -> None:
        payload = json.dumps({"data": [value], "type": "x", "time": TIME}, indent=2).replace("\n", end).encode()
        event = decode_stored(payload, STORED_AT_NS)

        assert (event.type, event.time) == ("x", datetime(2026, 1, 1, tzinfo=UTC))
        assert parse_exactly(event.data) == parse_exactly(json.dumps([value]).encode())
        assert b"\n" not in bytes(event.data)
        assert b"\r" not in bytes(event.data)

    @given(st.text())
    def test_text_is_the_data(self, text: str) -> None:
        assert check_message(f"text {text}".encode()) == f"text {text}"

    @pytest.mark.parametrize(
        "payload", [b"", b" \r\n", b"\xef\xbb\xbf{}", b"NaN", b"-Infinity", b"[1,]", b"{'a':1}", b"01"]
    )
    def test_what_is_no_json_is_text(self, payload: bytes) -> None:
        assert check_message(payload) == payload.decode()

    @pytest.mark.parametrize(
        "payload",
        [
            b"\xff\xfe",
            b'"\xff"',
            b'{"\xc3":1}',
            stored(b'"\xff"'),
            stored(b'{"\xed\xa0\x80":1}'),
            stored(b"1") + b"\xff",
        ],
    )
    def test_bytes_that_are_no_text_are_base64(self, payload: bytes) -> None:
        assert base64.b64decode(check_message(payload)["base64"]) == payload

    @pytest.mark.parametrize(
        "payload", [rb'"\ud800"', rb'["\udc00\ud800"]', rb'"\ud83dx"', stored(rb'"\ud800"'), stored(rb'{"\udfff":1}')]
    )
    def test_json_with_lone_surrogates_is_text_because_many_cannot_read_it(self, payload: bytes) -> None:
        assert check_message(payload) == payload.decode()

    @pytest.mark.parametrize(
        "number",
        [
            *("1e400", "-1e400", "1E-999", "1.10", "-0", "0.1000000000000000055511151231"),
            *("123456789012345678901234567890", "9" * 5000, "9007199254740993", "18446744073709551616"),
        ],
    )
    def test_numbers_keep_their_digits(self, number: str) -> None:
        for payload in (number, f"[{number} ]", f'{{"n":\n{number}}}'):
            foreign = decode_stored(payload.encode(), STORED_AT_NS)
            native = decode_stored(stored(payload.encode()), STORED_AT_NS)

            assert number in bytes(foreign.data).decode()
            assert number in bytes(native.data).decode()
            assert foreign.type == "message"
            assert native.type == "x"

    def test_names_that_occur_twice_stay(self) -> None:
        assert bytes(decode_stored(b'{"a": 1, "a": 2}', STORED_AT_NS).data) == b'{"a":1,"a":2}'

    @pytest.mark.parametrize("size", [MAX_EVENT_BYTES, 1 << 20])
    @pytest.mark.parametrize("shape", ["open", "closed", "stored", "objects"])
    def test_nesting_too_deep_is_text(self, size: int, shape: str) -> None:
        half = b"[" * (size // 2)
        payload = {
            "open": b"[" * size,
            "closed": half + b"]" * (size // 2),
            "stored": stored(half + b"]" * (size // 2)),
            "objects": b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6),
        }[shape]

        assert check_message(payload) == payload.decode()

    def test_nesting_of_hundreds_is_json(self) -> None:
        deep = b"[" * 400 + b"]" * 400

        assert bytes(decode_stored(deep, STORED_AT_NS).data) == deep
        assert bytes(decode_stored(stored(deep), STORED_AT_NS).data) == deep

    @pytest.mark.parametrize(
        "payload",
        [
            stored(b"1", topic='"forged"'),
            stored(b"1", id='"5f2c91ab-1"'),
            stored(b'{"kind":"closing"}', type='"tailrace"'),
            stored(b"1", type='"a\\nid: 9"'),
            stored(b"1", type='"a\\n"'),
            stored(b"1", type='"A"'),
            stored(b"1", type="1"),
            stored(b"1", time='"2026-01-01T00:00:00"'),
            stored(b"1", time='"yesterday"'),
            stored(b"1", time="1767225600"),
            stored(b"1", time='"0001-01-01T00:00:00+23:59"'),
            stored(b"1", time='"9999-12-31T23:59:59-23:59"'),
            b'{"type":"x","time":"2026-01-01T00:00:00Z"}',
            b'{"type":"x","data":1}',
        ],
    )
    def test_what_is_almost_of_the_stored_shape_is_a_message_with_all_of_it(self, payload: bytes) -> None:
        assert check_message(payload) == json.loads(payload)

    def test_times_become_utc(self) -> None:
        event = decode_stored(stored(b"1", time='"2026-01-01T05:30:00.25+05:30"'), STORED_AT_NS)

        assert (event.type, event.time) == ("x", datetime(2026, 1, 1, microsecond=250_000, tzinfo=UTC))
        assert event.time.tzinfo is UTC
        assert bytes(event.data) == b"1"
